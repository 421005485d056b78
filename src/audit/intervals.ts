/**
 * What a log and a receiver have between two beacons.
 *
 * A channel's routine lane arrives in the order of its sequences, and a beacon is a record of it: what
 * the log has between two of them has to come between them. Urgent events come when they come. A line
 * does not say which lane it took: of what came, as much as the routine lane lacks counts for it, and
 * the rest of classes and types that went by the urgent lane as well is held against that as a whole.
 */
import { add, type Counts, type Forwarded, type Stretch } from './reconcile.js';

/** Events that came after one beacon, and before the next. */
export interface Heard {
  /** Sequence of the beacon; 0: before the first one. */
  readonly from: number;
  /** ms since 1970, by the beacon. */
  readonly time: number | undefined;
  readonly counts: Map<number, number>;
}

/** An interval that is not as it should be. */
export interface Gap {
  /** ms since 1970, by the beacons; undefined: from the beginning, to the end. */
  readonly after: number | undefined;
  readonly before: number | undefined;
  /** Sequences of the beacons. */
  readonly first: number;
  readonly next: number | undefined;
  readonly missing: Counts;
  readonly extra: Counts;
}

export interface Comparison {
  readonly gaps: readonly Gap[];
  /** Of the urgent lane, as a whole. */
  readonly urgent: { readonly missing: Counts; readonly extra: Counts };
}

/** Cuts what comes at the beacons that the log has. */
export class Hearing {
  readonly heard: Heard[] = [{ from: 0, time: undefined, counts: new Map() }];
  readonly #relays: ReadonlySet<string>;
  readonly #known: ReadonlySet<number>;

  constructor({ relays, routine }: Forwarded) {
    this.#relays = relays;
    this.#known = new Set(routine.map(({ from }) => from));
  }

  /** A beacon begins; of another relay, of no place in the log, or come again, it cuts nothing. */
  cut(beacon: { readonly relay: string; readonly routine: number; readonly time: number }): void {
    const { relay, routine, time } = beacon;
    if (!this.#relays.has(relay) || !this.#known.has(routine)) return;
    if (routine <= this.heard.at(-1)!.from) return;
    this.heard.push({ from: routine, time, counts: new Map() });
  }

  take(pair: number): void {
    add(this.heard.at(-1)!.counts, pair);
  }
}

/** @param heard in the order of the sequences, each of a stretch of the log */
export function compareIntervals(
  { routine, urgent }: Pick<Forwarded, 'routine' | 'urgent'>,
  heard: readonly Heard[],
): Comparison {
  const gaps: Gap[] = [];
  const rest = new Map<number, number>();
  let at = 0;
  heard.forEach(({ from, time, counts }, i) => {
    const next = heard[i + 1];
    const logged = new Map<number, number>();
    for (let stretch: Stretch | undefined; (stretch = routine[at]); at++) {
      if (next && stretch.from >= next.from) break;
      for (const [pair, count] of stretch.counts) add(logged, pair, count);
    }
    const missing = beyond(logged, counts);
    const extra = beyond(counts, logged);
    for (const [pair, count] of extra) {
      if (!urgent.has(pair)) continue;
      add(rest, pair, count);
      extra.delete(pair);
    }
    if (missing.size + extra.size === 0) return;
    gaps.push({ after: time, before: next?.time, first: from, next: next?.from, missing, extra });
  });
  return { gaps, urgent: { missing: beyond(urgent, rest), extra: beyond(rest, urgent) } };
}

/** By how much one is more than the other. */
function beyond(one: Counts, other: Counts): Map<number, number> {
  const more = new Map<number, number>();
  for (const [pair, count] of one) {
    const by = count - (other.get(pair) ?? 0);
    if (by > 0) more.set(pair, by);
  }
  return more;
}

export function totalOf(counts: Counts): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
