/** What a rule remembers of a channel's events: open windows, values sent, what a rate has saved. */
import { type Budget, StreamTable } from './streams.js';

/** What an outlet remembers; a reload hands it on where the rule is the same. */
export class Memory {
  /** Windows of one outlet all begin and end together: ms since 1970; -Infinity while none is open. */
  begun = -Infinity;
  /** No window that begins before this is opened any more, ms since 1970. */
  barred = -Infinity;
  /** Streams of a window that is over that have been sent. */
  closed = 0;
  /** Thousandths of an event times ms: what a rate has saved up. */
  credit = 0;
  /** When credit was last added; ms since 1970. */
  refilled: number;
  swept: number;
  readonly streams: StreamTable;
  /** By stream: of a window, how many samples, and what `fn` makes of them. */
  samples = new Float64Array(0);
  /** By stream: the running result; of a deadband, the last value sent. */
  values = new Float64Array(0);
  /** By stream: of a deadband, when that was, and when it was last heard of; ms since 1970. */
  times = new Float64Array(0);
  heard = new Float64Array(0);
  /** By stream: the head of the last sample, and its source. */
  heads = new Uint16Array(0);
  sources = new Uint16Array(0);

  /** @param since ms since 1970; -Infinity: a relay that has been running for long */
  constructor(budget: Budget, since: number) {
    this.streams = new StreamTable(budget);
    this.refilled = since;
    this.swept = since;
  }

  /** Adds the stream of the table's key; -1 if there is no room. */
  add(): number {
    const entry = this.streams.add();
    if (entry >= this.values.length) this.#resize(this.streams.capacity);
    return entry;
  }

  /** Forgets all streams; returns how many samples those held that have not been sent. */
  clear(): number {
    let sum = 0;
    const { count } = this.streams;
    for (let entry = this.closed; entry < count; entry++) sum += this.samples[entry]!;
    this.streams.clear();
    if (this.streams.capacity < this.values.length) this.#resize(this.streams.capacity);
    this.closed = 0;
    this.begun = -Infinity;
    return sum;
  }

  /** Forgets streams that have not been heard of since `time`. */
  forget(time: number): void {
    this.streams.retain(
      (entry) => this.heard[entry]! >= time,
      (from, to) => {
        this.values[to] = this.values[from]!;
        this.times[to] = this.times[from]!;
        this.heard[to] = this.heard[from]!;
      },
    );
    if (this.streams.capacity < this.values.length) this.#resize(this.streams.capacity);
  }

  #resize(capacity: number): void {
    const grown = <A extends Float64Array | Uint16Array>(to: A, from: A): A => {
      to.set(from.subarray(0, capacity));
      return to;
    };
    this.samples = grown(new Float64Array(capacity), this.samples);
    this.values = grown(new Float64Array(capacity), this.values);
    this.times = grown(new Float64Array(capacity), this.times);
    this.heard = grown(new Float64Array(capacity), this.heard);
    this.heads = grown(new Uint16Array(capacity), this.heads);
    this.sources = grown(new Uint16Array(capacity), this.sources);
  }
}
