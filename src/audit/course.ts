/** The course of a log: one start after the other, time that goes on, and no silence within a run. */
import type { Findings } from './findings.js';
import type { Activation, ClockStep, Head, Leaf, Start } from './leaf.js';
import type { Scene } from './scene.js';

/** Without a leaf for longer than this, ms: a leaf a minute is promised, and disks may stall. */
export const SILENCE = 65_000;
/** Times that are listed; others are counted. */
const MAX_SPANS = 1000;

/** ms since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
  /** Index of the leaf at its end. */
  readonly leaf: number;
}

export interface Down extends Span {
  /** Whether the gate before had ended in order. */
  readonly ended: boolean;
}

/** What went before the first leaf, and is in another log, if in any. */
export interface Begins {
  /** By journal: the last sequence, if there is one. */
  readonly after: readonly { readonly journal: string; readonly sequence: number }[];
  /** Events that had been permitted. */
  readonly permitted: number;
}

/** How often the clock was set, and the largest step. */
export interface Clock {
  readonly steps: number;
  /** ms; negative: back. */
  readonly largest: number;
  readonly leaf?: number;
}

export class Course {
  readonly #findings: Findings;
  readonly #allowed: { readonly gaps: boolean; readonly late: boolean };
  #start: (Head & Start) | undefined;
  #policies: (Head & Activation) | undefined;
  #last: Leaf | undefined;
  boots = 0;
  readonly gaps: Span[] = [];
  readonly down: Down[] = [];
  /** Undefined: nothing went before. */
  begins: Begins | undefined;
  clock: Clock = { steps: 0, largest: 0 };

  /** @param allowed times without a leaf; and that something went before the log */
  constructor(findings: Findings, allowed: { readonly gaps: boolean; readonly late: boolean }) {
    this.#findings = findings;
    this.#allowed = allowed;
  }

  /** The newest leaf: its time, and whether a gate has ended with it in order. */
  get end(): { readonly time: number; readonly stop: boolean } | undefined {
    const last = this.#last;
    return last && { time: last.time, stop: last.kind === 'stop' };
  }

  /** @returns what the leaf is to be judged by; undefined: no start has come yet */
  take(leaf: Leaf): Scene | undefined {
    const last = this.#last;
    if (last) this.#checkTime(last, leaf);
    if (leaf.kind === 'start') {
      this.#checkStart(leaf, last);
      this.#start = leaf;
      if (leaf.index >= this.#findings.from) this.boots++;
    } else if (last?.kind === 'stop') {
      this.#findings.add('boot', 'it comes after a stop, and there is no start', leaf.index);
    }
    if (leaf.kind === 'policies') this.#policies = leaf;
    if (leaf.kind === 'clock') this.#noteStep(leaf);
    this.#last = leaf;
    const start = this.#start;
    if (start) return { start, policies: this.#policies };
    this.#findings.add('boot', 'it comes before any start', leaf.index);
    return undefined;
  }

  #checkTime(last: Leaf, leaf: Leaf): void {
    const steps = [last, leaf].flatMap((each) => (each.kind === 'clock' ? [each.by] : []));
    const passed = leaf.time - last.time;
    if (passed < 0 && !steps.some((by) => by < 0)) {
      const message = `its time is ${-passed} ms before that of the leaf before; no clock was set`;
      this.#findings.add('time', message, leaf.index);
    }
    if (leaf.kind === 'start' || passed - Math.max(0, ...steps) <= SILENCE) return;
    const { index } = leaf;
    if (index < this.#findings.from) return;
    if (this.gaps.length < MAX_SPANS) {
      this.gaps.push({ from: last.time, to: leaf.time, leaf: index });
    }
    if (this.#allowed.gaps) return;
    const seconds = Math.round(passed / 1000);
    this.#findings.add(
      'gap',
      `for ${seconds} s before it there is no leaf of a running gate`,
      index,
    );
  }

  #noteStep({ index, by }: Head & ClockStep): void {
    if (index < this.#findings.from) return;
    const { steps, largest, leaf } = this.clock;
    const larger = leaf === undefined || Math.abs(by) > Math.abs(largest);
    this.clock = larger
      ? { steps: steps + 1, largest: by, leaf: index }
      : { ...this.clock, steps: steps + 1 };
  }

  /** Whoever takes a log away makes the next one begin like this. */
  #noteBeginning({ index, journals, sequences, sources, counters, counts }: Head & Start): void {
    const after = journals
      .map((journal, i) => ({ journal, sequence: sequences[i] ?? 0 }))
      .filter(({ sequence }) => sequence > 0);
    const place = counters.indexOf('permitted');
    const permitted = sources.reduce((sum, _, i) => sum + (counts[i]?.[place] ?? 0), 0);
    if (after.length === 0 && permitted === 0) return;
    this.begins = { after, permitted };
    if (this.#allowed.late) return;
    this.#findings.add(
      'boot',
      `the log begins behind ${beginsText(this.begins)}: what went before is in another log; if ` +
        'that is known, and that log verified, --begins-late allows it',
      index,
    );
  }

  #checkStart(leaf: Head & Start, last: Leaf | undefined): void {
    const { index, previous, boot } = leaf;
    const say = (message: string): void => this.#findings.add('boot', message, index);
    if (!last) {
      if (previous) say('the log begins, and names a start before it');
      this.#noteBeginning(leaf);
      return;
    }
    const ended = last.kind === 'stop';
    const before = this.#start;
    if (before && index >= this.#findings.from && this.down.length < MAX_SPANS) {
      this.down.push({ from: last.time, to: leaf.time, leaf: index, ended });
    }
    if (!before) return;
    if (previous?.boot !== before.boot || previous.start !== before.index) {
      say(`it does not name the start before it, at ${before.index}`);
    } else if (previous.ended !== ended) {
      say(
        `it says that the gate before had ${previous.ended ? 'ended' : 'been killed'}: it had not`,
      );
    }
    if (boot === before.boot) say('two starts have the same boot');
  }
}

/** `public 6364, archive 12`. */
export function beginsText({ after, permitted }: Begins): string {
  const places = after.map(({ journal, sequence }) => `${journal} ${sequence}`).join(', ');
  return places === '' ? `${permitted} events that were permitted` : places;
}
