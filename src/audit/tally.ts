/** What a log tells, in numbers: what went out and by which rule, what was denied, what was lost. */
import { RELAY } from '../journal/format.js';
import type { Batch, Head, Leaf, Kind, Range } from './leaf.js';
import type { Scene } from './scene.js';

/** Rules, sources and reasons that are told apart; the rest is one. */
const MAX_LINES = 10_000;
const OTHERS = 'others';
const RELAYS_OWN = "the relay's own";

export interface Amount {
  readonly names: readonly string[];
  readonly count: number;
}

class Amounts {
  readonly #counts = new Map<string, number>();

  add(names: readonly string[], count: number): void {
    const key = JSON.stringify(names);
    const known = this.#counts.has(key) || this.#counts.size < MAX_LINES;
    const place = known ? key : JSON.stringify(names.map(() => OTHERS));
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + count);
  }

  get list(): Amount[] {
    return [...this.#counts]
      .filter(([, count]) => count !== 0)
      .map(([key, count]) => ({ names: JSON.parse(key) as string[], count }))
      .sort((a, b) => b.count - a.count);
  }
}

/** The name of a rule's number. */
export function ruleName(rule: number, { policies }: Scene): string {
  return rule === RELAY ? RELAYS_OWN : (policies?.rules[rule] ?? String(rule));
}

export function sourceName(source: number, { start }: Scene): string {
  return source === RELAY ? RELAYS_OWN : (start.sources[source] ?? String(source));
}

/** The channel that a journal belongs to. */
export function channelOf(journal: string): string {
  return journal.replace(/\/urgent$/, '');
}

export class Tally {
  readonly kinds: Partial<Record<Kind, number>> = {};
  readonly #forwarded = new Amounts();
  readonly #denied = new Amounts();
  readonly #lost = new Amounts();
  /** By journal: the newest ranges, as far back as a void leaf may take some of them back. */
  readonly #newest = new Map<string, { range: Range; batch: Batch; scene: Scene }[]>();
  /** ms since 1970. */
  from: number | undefined;
  to: number | undefined;

  take(leaf: Leaf, scene: Scene): void {
    this.kinds[leaf.kind] = (this.kinds[leaf.kind] ?? 0) + 1;
    this.from ??= leaf.time;
    this.to = Math.max(this.to ?? 0, leaf.time);
    if (leaf.kind === 'batch') this.#forward(leaf, scene);
    if (leaf.kind === 'void') this.#takeBack(scene.start.journals[leaf.journal]!, leaf.first);
    if (leaf.kind === 'denials') {
      for (const { source, rule, count } of leaf.denied) {
        const by = rule === undefined ? 'nothing permits it' : ruleName(rule, scene);
        this.#denied.add([sourceName(source, scene), by], count);
      }
    }
    if (leaf.kind === 'loss') {
      this.#lost.add([sourceName(leaf.source, scene), leaf.reason], leaf.count);
    }
  }

  /** By channel and rule. */
  get forwarded(): Amount[] {
    return this.#forwarded.list;
  }

  /** By source and rule. */
  get denied(): Amount[] {
    return this.#denied.list;
  }

  /** By source and reason. */
  get lost(): Amount[] {
    return this.#lost.list;
  }

  #forward(leaf: Head & Batch, scene: Scene): void {
    for (const range of leaf.ranges) {
      this.#count(range, leaf, scene, 0, 1);
      const name = scene.start.journals[range.journal]!;
      const newest = this.#newest.get(name) ?? [];
      newest.push({ range, batch: leaf, scene });
      this.#newest.set(name, newest.slice(-64));
    }
  }

  #takeBack(name: string, first: number): void {
    const newest = this.#newest.get(name) ?? [];
    for (const { range, batch, scene } of newest) {
      this.#count(range, batch, scene, Math.max(0, first - range.first), -1);
    }
    // What is half void keeps its first half.
    const left = newest.filter(({ range }) => range.first < first);
    this.#newest.set(
      name,
      left.map((each) => ({ ...each, range: cutRange(each.range, first) })),
    );
  }

  #count(range: Range, { decisions }: Batch, scene: Scene, from: number, by: 1 | -1): void {
    const counts = new Map<number, number>();
    for (let i = from; i < range.count; i++) {
      const decision = range.of[i]!;
      counts.set(decision, (counts.get(decision) ?? 0) + by);
    }
    const channel = channelOf(scene.start.journals[range.journal]!);
    for (const [decision, count] of counts) {
      this.#forwarded.add([channel, ruleName(decisions[decision]!.rule, scene)], count);
    }
  }
}

/** The part of a range before a sequence. */
export function cutRange(range: Range, end: number): Range {
  const count = Math.max(0, Math.min(range.count, end - range.first));
  return count === range.count ? range : { ...range, count, of: range.of.subarray(0, count) };
}
