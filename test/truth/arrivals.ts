/**
 * What has arrived at one upper server, in order: first occurrences, and duplicates, which must be
 * in a range that the relay's log names as sent again.
 *
 * First occurrences have the sequences 1, 2, ... of their lane of the journal, because nothing is
 * sent before what stands before it: that holds until records expire.
 */
import { type Kind, type Plan, SOURCES } from './plan.js';

/** Duplicates come of the last so many events. */
const RING = 65_536;
const KEPT = 10;

interface Range {
  readonly first: number;
  readonly last: number;
}

/** One lane of a journal, by what came of it. */
class Lane {
  /** Sequence of the next first occurrence. */
  next = 1;
  readonly sequences = new Map<number, number>();
  readonly keys = new Float64Array(RING);
  ranges: Range[] = [];
  /** By sequence: how often it has come again. */
  readonly again = new Map<number, number>();
}

export class Arrivals {
  /** Whether priority 0 has a lane of its own in the journal. */
  lanes = false;
  /** By source and kind: distinct events. */
  readonly distinct: Record<Kind, number>[];
  duplicates = 0;
  /** Duplicates that no range names; first occurrences out of order; and the first of them. */
  unnamed = 0;
  disordered = 0;
  readonly examples: string[] = [];
  /** By source: the last event that has come. */
  readonly last: number[] = SOURCES.map(() => 0);
  /** Records that the ranges named. */
  named = 0;
  readonly #plan: Plan;
  readonly #channel: number;
  readonly #lanes = [new Lane(), new Lane()] as const;
  /** By source and priority lane: the last first occurrence. */
  readonly #highest = SOURCES.map(() => [0, 0]);

  constructor(plan: Plan, channel: number) {
    this.#plan = plan;
    this.#channel = channel;
    this.distinct = SOURCES.map(() => ({ both: 0, one: 0, two: 0, denied: 0, malformed: 0 }));
  }

  /** Distinct events of all sources. */
  get total(): number {
    return this.distinct.reduce((sum, { both, one, two }) => sum + both + one + two, 0);
  }

  /** Takes one event; whether it is its first occurrence. */
  add(source: number, n: number): boolean {
    const urgent = this.#plan.urgent(source, n) ? 1 : 0;
    const lane = this.#lanes[this.lanes ? urgent : 0];
    const key = n * SOURCES.length + source;
    const known = lane.sequences.get(key);
    if (known !== undefined) {
      this.duplicates++;
      lane.again.set(known, (lane.again.get(known) ?? 0) + 1);
      return false;
    }
    const highest = this.#highest[source]!;
    if (n <= highest[urgent]!) {
      this.disordered++;
      this.#note(`${SOURCES[source]!} ${n} came after ${highest[urgent]!}`);
      return false;
    }
    highest[urgent] = n;
    this.last[source] = Math.max(this.last[source]!, n);
    this.distinct[source]![this.#plan.kind(source, n)]++;
    const sequence = lane.next++;
    lane.sequences.set(key, sequence);
    const slot = sequence % RING;
    // After a power cut a slot is taken again: what stood there may be on the way still.
    if (sequence > RING) lane.sequences.delete(lane.keys[slot]!);
    lane.keys[slot] = key;
    return true;
  }

  /** The log names a range of sequences that go out again. */
  name(urgent: boolean, first: number, last: number): void {
    this.named += last - first + 1;
    this.#lanes[urgent ? 1 : 0].ranges.push({ first, last });
  }

  /** By lane: the sequence of the next first occurrence. */
  get positions(): readonly number[] {
    return this.#lanes.map(({ next }) => next);
  }

  /** A power cut has brought back a cursor: from those sequences on all may come again, unnamed. */
  allow(from: readonly number[]): void {
    this.#lanes.forEach((lane, i) => lane.ranges.push({ first: from[i]!, last: lane.next - 1 }));
  }

  /** A power cut has taken records back: sequences behind `last` are given anew. */
  rewind(urgent: boolean, last: number): void {
    const lane = this.#lanes[urgent ? 1 : 0];
    lane.next = Math.min(lane.next, last + 1);
  }

  /**
   * Compares duplicates with the ranges: of what is old, or of everything.
   *
   * What is done with is forgotten, so that this stays small.
   */
  settle(everything: boolean): void {
    for (const lane of this.#lanes) {
      const end = everything ? Infinity : lane.next - RING / 2;
      const ranges = lane.ranges.filter(({ first }) => first < end);
      for (const [sequence, count] of lane.again) {
        if (sequence >= end) continue;
        lane.again.delete(sequence);
        const named = ranges.filter(({ first, last }) => first <= sequence && sequence <= last);
        if (named.length >= count) continue;
        this.unnamed += count - named.length;
        this.#note(`sequence ${sequence} came again ${count} times, named ${named.length} times`);
      }
      lane.ranges = everything ? [] : lane.ranges.filter(({ last }) => last >= end);
    }
  }

  #note(what: string): void {
    if (this.examples.length < KEPT) this.examples.push(`channel ${this.#channel}: ${what}`);
  }
}
