/** Writes the journals of a small gate as the real one does: two channels, two lanes, marks, sums. */
import { join } from 'node:path';
import { type Lane, LANES, laneOf } from '../../src/journal/format.js';
import { lanesIn, type Place } from '../../src/journal/places.js';
import { type JournalOptions, JournalWriter } from '../../src/journal/writer.js';
import { FOREVER, numbered } from './tools.js';

const CHANNELS = ['public', 'archive'] as const;
type Channel = (typeof CHANNELS)[number];
/** Urgent ones first, as the gate marks them. */
const NAMES = [...LANES].reverse().flatMap((lane) => CHANNELS.map((name) => laneOf(name, lane)));
export const BEGUN = Date.UTC(2026, 5, 1, 12);

const OUTCOMES = ['permitted', 'emitted', 'absorbed.window', 'open', 'withheld.interrupted'];
const COUNTERS = ['generation', 'in', 'permitted', 'denied', 'malformed.head', 'lost.torn'];

/** An event to be written: where it goes. */
export type Sent = readonly [Channel, Lane];

export class Gate {
  readonly directory: string;
  readonly #options: Partial<JournalOptions>;
  #writers = new Map<string, JournalWriter>();
  readonly #counters = [new Float64Array(COUNTERS.length), new Float64Array(COUNTERS.length)];
  readonly #outcomes = CHANNELS.map(() => new Float64Array(OUTCOMES.length));
  #batch = 0;
  /** ms since 1970, of the next mark. */
  time = BEGUN;
  /** Events so far. */
  events = 0;

  constructor(directory: string, options: Partial<JournalOptions> = {}) {
    this.directory = directory;
    this.#options = options;
    this.restart();
  }

  get places(): Place[] {
    return CHANNELS.flatMap((channel) => lanesIn(join(this.directory, channel), channel));
  }

  writer(channel: Channel, lane: Lane): JournalWriter {
    return this.#writers.get(laneOf(channel, lane))!;
  }

  restart(): void {
    this.close();
    for (const name of NAMES) {
      const [channel, lane = 'routine'] = name.split('/') as [string, Lane?];
      const writer = JournalWriter.open(join(this.directory, name), {
        channel,
        lane,
        sources: ['north', 'south'],
        rules: ['p/a', 'p/b'],
        counters: COUNTERS,
        channels: CHANNELS,
        outcomes: OUTCOMES,
        journals: NAMES,
        segmentBytes: 3000,
        retain: FOREVER,
        ...this.#options,
      });
      this.#writers.set(name, writer);
    }
    this.commit([], true);
  }

  /** Writes a batch; without events, or with `due`, every lane gets its mark. */
  commit(sent: readonly Sent[], due = sent.length === 0): void {
    const marked = this.flush(sent, due);
    for (const name of marked) this.mark(name);
    this.time += 10;
  }

  /** The records of a batch, and no mark yet; returns the lanes that are to be marked. */
  flush(sent: readonly Sent[], due: boolean): string[] {
    for (const [channel, lane] of sent) this.#append(channel, lane);
    const marked = NAMES.filter((name) => due || this.#writers.get(name)!.pending > 0);
    for (const name of marked) this.#writers.get(name)!.flush();
    this.#batch++;
    this.#sequences = Float64Array.from(NAMES, (name) => this.#writers.get(name)!.sequence);
    return marked;
  }

  #sequences = new Float64Array();

  mark(name: string): void {
    const { time, counters, outcomes } = this.#said;
    this.#writers.get(name)!.commit(this.#batch, time, counters, outcomes, this.#sequences);
  }

  /** What marks say; a test may change it. */
  get #said() {
    return { time: this.time, counters: this.#counters, outcomes: this.#outcomes };
  }

  /** Adds to a counter of a source or a channel, right or wrong. */
  count(of: 'source' | 'channel', i: number, name: string, by: number): void {
    const source = of === 'source';
    const vector = (source ? this.#counters : this.#outcomes)[i]!;
    vector[(source ? COUNTERS : OUTCOMES).indexOf(name)]! += by;
  }

  close(): void {
    for (const writer of this.#writers.values()) writer.close();
  }

  #append(channel: Channel, lane: Lane): void {
    const writer = this.writer(channel, lane);
    const { body } = numbered(++this.events);
    const source = this.events % 2;
    writer.buffer.set(body, writer.bodyAt);
    const after = this.writer(channel, 'routine').sequence;
    writer.append(body.length, source, this.events % 2, after);
    this.count('source', source, 'in', 2);
    this.count('source', source, 'permitted', 1);
    this.count('source', source, 'denied', 1);
    this.count('channel', CHANNELS.indexOf(channel), 'permitted', 1);
    this.count('channel', CHANNELS.indexOf(channel), 'emitted', 1);
  }
}

const R: Sent = ['public', 'routine'];
const U: Sent = ['public', 'urgent'];
const A: Sent = ['archive', 'routine'];

/** Three epochs, several segments in each, marks with and without records. */
export function fill(directory: string): Gate {
  const gate = new Gate(directory);
  for (let epoch = 0; epoch < 3; epoch++) {
    if (epoch > 0) gate.restart();
    for (let i = 0; i < 6; i++) {
      gate.commit([R, R, U, R, A]);
      gate.commit([R, R]);
      if (i % 2 === 0) gate.commit([]);
    }
  }
  gate.commit([]);
  gate.close();
  return gate;
}
