/** The way of one rule into one channel: windows, deadband and limits, and what they remember. */
import { Fields } from '../event/fields.js';
import {
  CLASS,
  GUID,
  HEAD,
  MAX_BODY,
  MAX_DATA,
  priorityOf,
  readU16,
  readWord,
  SIZE,
  TYPE,
  writeU16,
  writeU32,
} from '../event/layout.js';
import { capacityOf, Converter, type Emission } from './emission.js';
import {
  ABSORBED_DEADBAND,
  ABSORBED_WINDOW,
  EMITTED,
  OPEN,
  type Sink,
  WITHHELD_CONVERSION,
  WITHHELD_INTERRUPTED,
  WITHHELD_OVERFLOW,
  WITHHELD_RATE,
  WITHHELD_SIZE,
} from './outcome.js';
import { EMIT_ALL, type KeyPart, type Rule } from './policy.js';
import type { Memory } from './memory.js';

/** A stream that has not been heard of for so long, ms, is forgotten: its next value is sent. */
const FORGOTTEN = 24 * 3_600_000;

/** The times by which outlets go, ms since 1970. */
export interface Times {
  /** Of windows: it never goes back. */
  readonly clock: number;
  /** The machine's. */
  readonly now: number;
  /** Of rates and of silence: it only stands where the machine's goes back. */
  readonly elapsed: number;
  /** Whether the machine's is behind that of windows. */
  readonly behind: boolean;
}

/** The event that stands for a window's many, and what its data carries. */
const BODY = new Uint8Array(MAX_BODY);
const FIELDS = new Fields();

export class Outlet {
  readonly channel: number;
  readonly rule: Rule;
  memory: Memory;
  readonly #index: number;
  readonly #emission: Emission;
  readonly #differences: Converter | undefined;
  readonly #describe: () => string;
  readonly #per: ReadonlySet<KeyPart>;
  readonly #maxSize: number;

  /** @param index of the rule among the compiled ones */
  constructor(
    rule: Rule,
    index: number,
    channel: number,
    emission: Emission,
    memory: Memory,
    describe: () => string,
  ) {
    const { window, deadband } = rule.emit;
    this.rule = rule;
    this.channel = channel;
    this.memory = memory;
    this.#describe = describe;
    this.#index = index;
    this.#emission = emission;
    this.#differences = deadband && new Converter(deadband.unit, EMIT_ALL);
    this.#per = new Set(window?.per ?? deadband?.per ?? []);
    this.#maxSize = Math.min(rule.limits.size ?? MAX_DATA, capacityOf(rule.emit.class));
  }

  /** Equal for outlets that do the same. */
  get signature(): string {
    return this.#describe();
  }

  /** When its open window ends, ms since 1970; Infinity if none is open. */
  get ends(): number {
    const { begun } = this.memory;
    return begun === -Infinity ? Infinity : begun + this.rule.emit.window!.every;
  }

  /**
   * Takes a permitted event.
   *
   * @returns what became of it, as an index of OUTCOMES; EMITTED if the sink has it
   */
  take(
    body: Uint8Array,
    at: number,
    fields: Fields,
    source: number,
    times: Times,
    sink: Sink,
  ): number {
    const { emit } = this.rule;
    const value = emit.value ? this.#emission.valueOf(body, at, fields) : 0;
    if (Number.isNaN(value)) return WITHHELD_CONVERSION;
    if (emit.window) {
      if (times.behind) return WITHHELD_INTERRUPTED;
      return this.#sample(body, at, fields, value, source, times.clock, emit.window.every);
    }
    const { now, elapsed } = times;
    const length = this.#emission.write(body, at, fields, value, now, now, sink.buffer, sink.at);
    if (length < 0) return WITHHELD_CONVERSION;
    if (this.#isTooLarge(sink)) return WITHHELD_SIZE;
    if (!emit.deadband) {
      if (!this.#spend(elapsed)) return WITHHELD_RATE;
    } else {
      const outcome = this.#change(body, at, fields, source, elapsed);
      if (outcome !== EMITTED) return outcome;
    }
    this.#append(length, source, false, sink);
    return EMITTED;
  }

  /**
   * Ends the windows that are over: each stream of them is sent.
   *
   * @returns false while the sink takes no more: to be called again
   */
  close(times: Times, sink: Sink): boolean {
    const { memory } = this;
    const { window } = this.rule.emit;
    if (!window || times.clock < this.ends) return true;
    for (; memory.closed < memory.streams.count; memory.closed++) {
      if (!sink.open(this.channel)) return false;
      this.#send(memory.closed, times, sink, window.minSamples);
    }
    memory.barred = memory.begun + window.every;
    memory.clear();
    return true;
  }

  /** Forgets all streams: the samples of open windows are counted, and nothing of them is sent. */
  interrupt(sink: Pick<Sink, 'count'>): void {
    const { window } = this.rule.emit;
    if (!window) {
      this.memory.clear();
      return;
    }
    if (this.memory.begun > -Infinity) this.memory.barred = this.memory.begun + window.every;
    const samples = this.memory.clear();
    sink.count(this.channel, OPEN, -samples);
    sink.count(this.channel, WITHHELD_INTERRUPTED, samples);
  }

  /** Forgets what has been silent for long. */
  sweep(elapsed: number): void {
    const { deadband } = this.rule.emit;
    if (!deadband || elapsed - this.memory.swept < FORGOTTEN / 24) return;
    this.memory.swept = elapsed;
    this.memory.forget(elapsed - FORGOTTEN);
  }

  #sample(
    body: Uint8Array,
    at: number,
    fields: Fields,
    value: number,
    source: number,
    now: number,
    every: number,
  ): number {
    const { memory } = this;
    const begins = Math.floor(now / every) * every;
    if (begins < memory.barred) return WITHHELD_INTERRUPTED;
    // The caller ends windows that are over before it hands on an event.
    if (memory.begun === -Infinity) memory.begun = begins;
    this.#setKey(body, at, fields, source);
    let entry = memory.streams.find();
    if (entry < 0) {
      entry = memory.add();
      if (entry < 0) return WITHHELD_OVERFLOW;
      memory.samples[entry] = 0;
    }
    const samples = memory.samples[entry]!;
    const before = memory.values[entry]!;
    memory.samples[entry] = samples + 1;
    memory.values[entry] = samples === 0 ? value : this.#combine(before, value);
    memory.heads[entry] = readU16(body, at + HEAD);
    memory.sources[entry] = source;
    return OPEN;
  }

  #combine(before: number, value: number): number {
    switch (this.rule.emit.value!.fn!) {
      case 'mean':
        return before + value;
      case 'min':
        return Math.min(before, value);
      case 'max':
        return Math.max(before, value);
      case 'last':
        return value;
    }
  }

  #send(entry: number, times: Times, sink: Sink, minSamples: number): void {
    const { memory, channel } = this;
    const samples = memory.samples[entry]!;
    sink.count(channel, OPEN, -samples);
    if (samples < minSamples) {
      sink.count(channel, ABSORBED_WINDOW, samples);
      return;
    }
    const mean = this.rule.emit.value!.fn === 'mean';
    const value = mean ? memory.values[entry]! / samples : memory.values[entry]!;
    this.#restore(entry);
    const length = this.#emission.write(
      BODY,
      0,
      FIELDS,
      value,
      memory.begun,
      times.now,
      sink.buffer,
      sink.at,
    );
    const outcome =
      length < 0
        ? WITHHELD_CONVERSION
        : this.#isTooLarge(sink)
          ? WITHHELD_SIZE
          : this.#spend(times.elapsed)
            ? EMITTED
            : WITHHELD_RATE;
    sink.count(channel, ABSORBED_WINDOW, samples - 1);
    sink.count(channel, outcome, 1);
    if (outcome === EMITTED) this.#append(length, memory.sources[entry]!, true, sink);
  }

  #append(length: number, source: number, fromWindow: boolean, sink: Sink): void {
    const urgent = this.rule.urgent || priorityOf(readU16(sink.buffer, sink.at + HEAD)) === 0;
    sink.append(length, source, this.#index, fromWindow, urgent);
  }

  /** Makes an event of a stream's key, for what is kept of it. */
  #restore(entry: number): void {
    const { streams, heads } = this.memory;
    const body = BODY;
    writeU16(body, HEAD, heads[entry]!);
    writeU32(body, CLASS, streams.word(entry, 4));
    for (let word = 0; word < 4; word++) {
      writeU32(body, GUID + 4 * word, streams.word(entry, word));
    }
    const place = streams.word(entry, 5);
    FIELDS.index = (place & 0x3ff) - 1;
    FIELDS.zone = ((place >>> 10) & 0x3ff) - 1;
    FIELDS.subzone = (place >>> 20) - 1;
  }

  #change(body: Uint8Array, at: number, fields: Fields, source: number, elapsed: number): number {
    const { memory } = this;
    const { change, refresh } = this.rule.emit.deadband!;
    const value = this.#differences!.value(
      readU16(body, at + CLASS),
      readU16(body, at + TYPE),
      fields,
    );
    if (!Number.isFinite(value)) return WITHHELD_CONVERSION;
    this.#setKey(body, at, fields, source);
    let entry = memory.streams.find();
    if (entry >= 0) {
      memory.heard[entry] = elapsed;
      const still = Math.abs(value - memory.values[entry]!) < change;
      if (still && elapsed - memory.times[entry]! < refresh) return ABSORBED_DEADBAND;
      if (!this.#spend(elapsed)) return WITHHELD_RATE;
    } else {
      if (memory.streams.isFull) return WITHHELD_OVERFLOW;
      if (!this.#spend(elapsed)) return WITHHELD_RATE;
      entry = memory.add();
      if (entry < 0) return WITHHELD_OVERFLOW;
    }
    memory.values[entry] = value;
    memory.times[entry] = memory.heard[entry] = elapsed;
    return EMITTED;
  }

  #setKey(body: Uint8Array, at: number, fields: Fields, source: number): void {
    const { key } = this.memory.streams;
    const per = this.#per;
    const guid = at + GUID;
    const byGuid = per.has('guid');
    for (let word = 0; word < 4; word++) {
      key[word] = byGuid ? readWord(body, guid + 4 * word) : 0;
    }
    // A sensor that speaks two classes is one stream, if what is sent is of one class.
    const vscpClass = this.rule.emit.class === undefined ? readU16(body, at + CLASS) : 0;
    key[4] = (vscpClass << 16) | readU16(body, at + TYPE);
    key[5] =
      (per.has('sensor') ? fields.index + 1 : 0) |
      ((per.has('zone') ? fields.zone + 1 : 0) << 10) |
      ((per.has('subzone') ? fields.subzone + 1 : 0) << 20);
    key[6] = per.has('source') ? source + 1 : 0;
  }

  #isTooLarge(sink: Sink): boolean {
    return readU16(sink.buffer, sink.at + SIZE) > this.#maxSize;
  }

  /** Takes a token of the rate's bucket, if there is one. */
  #spend(elapsed: number): boolean {
    const { rate } = this.rule.limits;
    if (!rate) return true;
    const { memory } = this;
    // In whole numbers, so that what comes exactly as often as it may is not withheld.
    const event = 1000 * rate.period;
    const gained = Math.max(0, elapsed - memory.refilled) * rate.thousandths;
    memory.credit = Math.min(rate.burst * event, memory.credit + gained);
    memory.refilled = elapsed;
    if (memory.credit < event) return false;
    memory.credit -= event;
    return true;
  }
}
