/** The course of a log: one start after the other, time that goes on, and no silence within a run. */
import type { Findings } from './findings.js';
import type { Activation, Head, Leaf, Start } from './leaf.js';
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

export class Course {
  readonly #findings: Findings;
  readonly #allowGaps: boolean;
  #start: (Head & Start) | undefined;
  #policies: (Head & Activation) | undefined;
  #last: Leaf | undefined;
  /** Leaves of this log before this one are not looked at. */
  readonly #from: number;
  boots = 0;
  readonly gaps: Span[] = [];
  readonly down: Down[] = [];

  /**
   * @param from index of the first leaf that it will see: a start
   * @param policies that were the newest then
   */
  constructor(findings: Findings, from: number, allowGaps: boolean, policies?: Head & Activation) {
    this.#policies = policies;
    this.#findings = findings;
    this.#from = from;
    this.#allowGaps = allowGaps;
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
    if (this.#allowGaps) return;
    const seconds = Math.round(passed / 1000);
    this.#findings.add(
      'gap',
      `for ${seconds} s before it there is no leaf of a running gate`,
      index,
    );
  }

  #checkStart(leaf: Head & Start, last: Leaf | undefined): void {
    const { index, previous, boot } = leaf;
    const say = (message: string): void => this.#findings.add('boot', message, index);
    if (!last) {
      if (this.#from === 0 && previous) say('the log begins, and names a start before it');
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
