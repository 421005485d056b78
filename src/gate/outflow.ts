/** Where what is sent goes: the lanes of the channels; and what became of all that was permitted. */
import { BATCH_BYTES, RELAY } from '../journal/format.js';
import {
  BEACONS,
  CHANNEL_PERMITTED,
  EMITTED,
  OPEN,
  OUTCOMES,
  type Sink,
  WITHHELD_INTERRUPTED,
} from '../policy/outcome.js';
import type { ChannelStatus } from '../wire/status.js';
import { adoptVector } from './counters.js';
import type { Lanes } from './ledger.js';

export class Outflow implements Sink {
  /** Where the journal of the open channel takes its next record's body. */
  buffer: Uint8Array;
  at = 0;
  /** Records that the event at hand has led to. */
  appended = 0;
  /** Whether a journal has as much as a batch is to hold: to be committed before another line. */
  full = false;
  readonly #lanes: readonly Lanes[];
  readonly #outcomes: readonly Float64Array[];
  /** By channel: records of the batch that is not committed, of events, and of windows. */
  readonly #events: Float64Array;
  readonly #windows: Float64Array;
  readonly #beacons: Float64Array;
  #channel = 0;

  /** @param outcomes one vector of OUTCOMES per channel */
  constructor(lanes: readonly Lanes[], outcomes: readonly Float64Array[]) {
    this.#lanes = lanes;
    this.#outcomes = outcomes;
    this.#events = new Float64Array(lanes.length);
    this.#windows = new Float64Array(lanes.length);
    this.#beacons = new Float64Array(lanes.length);
    this.buffer = lanes[0]!.routine.buffer;
  }

  /** Turns to a channel, for an event: there is room for one on every channel beyond a full batch. */
  turnTo(channel: number): void {
    const { routine } = this.#lanes[channel]!;
    this.#channel = channel;
    this.buffer = routine.buffer;
    this.at = routine.bodyAt;
  }

  open(channel: number): boolean {
    this.turnTo(channel);
    const { routine, urgent } = this.#lanes[channel]!;
    return routine.pendingBytes < BATCH_BYTES && urgent.pendingBytes < BATCH_BYTES;
  }

  append(length: number, source: number, rule: number, fromWindow: boolean, urgent: boolean): void {
    const lanes = this.#lanes[this.#channel]!;
    const lane = urgent ? lanes.urgent : lanes.routine;
    // The room that was lent is the routine lane's: what is urgent is rare, and copied.
    if (urgent) lane.buffer.set(this.buffer.subarray(this.at, this.at + length), lane.bodyAt);
    lane.append(length, source, rule, lanes.routine.sequence);
    if (lane.pendingBytes >= BATCH_BYTES) this.full = true;
    (fromWindow ? this.#windows : this.#events)[this.#channel]!++;
    this.appended++;
  }

  /** Takes an event of the relay's own, whose bytes stand at `at`, behind all that went before. */
  appendOwn(length: number): void {
    const { routine } = this.#lanes[this.#channel]!;
    routine.append(length, RELAY, RELAY, routine.sequence);
    if (routine.pendingBytes >= BATCH_BYTES) this.full = true;
    this.#beacons[this.#channel]!++;
    this.#outcomes[this.#channel]![BEACONS]!++;
  }

  count(channel: number, outcome: number, events: number): void {
    this.#outcomes[channel]![outcome]! += events;
  }

  /** The batch is durable and visible. */
  committed(): void {
    this.full = false;
    this.#events.fill(0);
    this.#windows.fill(0);
    this.#beacons.fill(0);
  }

  /** Does something while the outcomes are as if the batch at hand were not there. */
  without(work: () => void): void {
    const move = (by: 1 | -1): void => {
      this.#outcomes.forEach((counts, channel) => {
        const [events, windows] = [this.#events[channel]!, this.#windows[channel]!];
        counts[CHANNEL_PERMITTED]! += by * events;
        counts[EMITTED]! += by * (events + windows);
        counts[OPEN]! -= by * windows;
        counts[BEACONS]! += by * this.#beacons[channel]!;
      });
    };
    move(-1);
    work();
    move(1);
  }

  /**
   * The batch could not be written: its events are the sources' loss, its windows are given up.
   *
   * @returns the channels of the events
   */
  abandoned(): number[] {
    const lost = [...this.#events.keys()].filter((channel) => this.#events[channel]! > 0);
    this.#outcomes.forEach((counts, channel) => {
      const [events, windows] = [this.#events[channel]!, this.#windows[channel]!];
      counts[CHANNEL_PERMITTED]! -= events;
      counts[EMITTED]! -= events + windows;
      counts[WITHHELD_INTERRUPTED]! += windows;
      counts[BEACONS]! -= this.#beacons[channel]!;
    });
    this.committed();
    return lost;
  }
}

/** A vector of OUTCOMES that was written with other names, taken over by a new gate. */
export function adoptOutcomes(names: readonly string[], vector: Float64Array): Float64Array {
  const adopted = adoptVector(OUTCOMES, names, vector);
  // The windows that were open ended with the gate that held them.
  adopted[WITHHELD_INTERRUPTED]! += adopted[OPEN]!;
  adopted[OPEN] = 0;
  return adopted;
}

/** By kind and reason; those that are zero are left out. */
export function describeOutcomes(
  vector: Float64Array,
): Pick<ChannelStatus, 'permitted' | 'emitted' | 'absorbed' | 'open' | 'withheld' | 'beacons'> {
  const named = (prefix: string): Record<string, number> => {
    const entries = OUTCOMES.map((name, i) => [name, vector[i]!] as const);
    return Object.fromEntries(
      entries
        .filter(([name, count]) => name.startsWith(prefix) && count > 0)
        .map(([name, count]) => [name.slice(prefix.length), count]),
    );
  };
  return {
    permitted: vector[CHANNEL_PERMITTED]!,
    emitted: vector[EMITTED]!,
    absorbed: named('absorbed.'),
    open: vector[OPEN]!,
    withheld: named('withheld.'),
    beacons: vector[BEACONS]!,
  };
}
