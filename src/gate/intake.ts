/**
 * The gate's hot path: lines of frames in, decisions, records of permitted events into the journals.
 *
 * Every line ends in exactly one counter: permitted, denied, malformed by kind, or lost by reason.
 */
import { decodeEvent, readPair } from '../event/decode.js';
import { CLASS, MAX_BODY, readU16, TYPE } from '../event/layout.js';
import { malformedIndex } from '../event/malformed.js';
import type { JournalWriter } from '../journal/writer.js';
import { DEFAULT_DENY, type Engine } from '../policy/engine.js';
import type { Frame } from '../wire/frame.js';
import {
  ALIVE,
  BYTES,
  CONNECTIONS,
  DENIED,
  GENERATION,
  IN,
  LOST,
  LOST_INTERRUPTED,
  LOST_JOURNAL,
  LOST_RESTART,
  LOST_TORN,
  MALFORMED,
  PERMITTED,
  TOO_LONG,
  VALVE_ALIVE,
  VALVE_BYTES,
  VALVE_EMPTY,
  VALVE_LAST,
  VALVE_OVERFLOW,
  VALVE_OVERLONG,
  VALVE_READ,
  VALVE_TRUNCATED,
} from './counters.js';
import { Recent } from './recent.js';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export class Intake {
  /** Nothing goes out while this says why, an expired policy for one. */
  closed: string | undefined;
  readonly permitted = new Recent();
  readonly denied = new Recent();
  readonly #engine: Engine;
  readonly #journals: readonly JournalWriter[];
  readonly #counters: readonly Float64Array[];
  /** By source: whether a frame has come since this gate started. */
  readonly #met: Uint8Array;
  /** By source: permitted events of the batch that is not committed yet. */
  readonly #uncommitted: Float64Array;
  readonly #body = new Uint8Array(MAX_BODY);

  /**
   * @param journals in the order of the engine's channels
   * @param counters one vector per source, as far as they are known
   */
  constructor(
    engine: Engine,
    journals: readonly JournalWriter[],
    counters: readonly Float64Array[],
  ) {
    this.#engine = engine;
    this.#journals = journals;
    this.#counters = counters;
    this.#met = new Uint8Array(counters.length);
    this.#uncommitted = new Float64Array(counters.length);
  }

  /** Takes one frame of a source: every line of it is decided. */
  take(frame: Frame, source: number): void {
    this.#account(frame, source);
    const counters = this.#counters[source]!;
    const payload = frame.payload as Buffer;
    let at = frame.start;
    while (at < frame.end) {
      const newline = payload.indexOf(NEWLINE, at);
      const end = payload[newline - 1] === RETURN ? newline - 1 : newline;
      this.#takeLine(payload, at, end, source, counters);
      at = newline + 1;
    }
  }

  /** The batch is durable and visible. */
  committed(): void {
    this.#uncommitted.fill(0);
  }

  /** The batch could not be written: what it permitted is lost, with a reason. */
  abandoned(): void {
    this.#uncommitted.forEach((count, source) => {
      const counters = this.#counters[source]!;
      counters[PERMITTED]! -= count;
      counters[LOST_JOURNAL]! += count;
    });
    this.#uncommitted.fill(0);
  }

  /** Books what the frame's running totals say beyond its own lines. */
  #account(frame: Frame, source: number): void {
    const counters = this.#counters[source]!;
    const totals = frame.totals;
    // What stands between the last mark and a gate's first frame was read by the gate before it.
    const reason = this.#met[source] === 0 ? LOST_RESTART : LOST_TORN;
    if (counters[GENERATION] !== frame.generation) {
      counters[GENERATION] = frame.generation;
      counters[CONNECTIONS]!++;
      counters.fill(0, VALVE_READ, VALVE_LAST + 1);
    }
    this.#met[source] = 1;
    const read = totals.read - counters[VALVE_READ]!;
    const empty = totals.empty - counters[VALVE_EMPTY]!;
    const overlong = totals.overlong - counters[VALVE_OVERLONG]!;
    const truncated = totals.truncated - counters[VALVE_TRUNCATED]!;
    const overflow = totals.overflow - counters[VALVE_OVERFLOW]!;
    counters[IN]! += read;
    counters[MALFORMED]! += empty;
    counters[TOO_LONG]! += overlong;
    counters[LOST_INTERRUPTED]! += truncated;
    counters[LOST]! += overflow;
    counters[reason]! += read - frame.lines - empty - overlong - truncated - overflow;
    counters[ALIVE]! += totals.alive - counters[VALVE_ALIVE]!;
    counters[BYTES]! += totals.bytes - counters[VALVE_BYTES]!;
    counters[VALVE_READ] = totals.read;
    counters[VALVE_EMPTY] = totals.empty;
    counters[VALVE_OVERLONG] = totals.overlong;
    counters[VALVE_TRUNCATED] = totals.truncated;
    counters[VALVE_OVERFLOW] = totals.overflow;
    counters[VALVE_ALIVE] = totals.alive;
    counters[VALVE_BYTES] = totals.bytes;
  }

  #takeLine(
    line: Uint8Array,
    start: number,
    end: number,
    source: number,
    counters: Float64Array,
  ): void {
    const engine = this.#engine;
    const pair = readPair(line, start, end);
    if (pair < 0) {
      counters[MALFORMED + malformedIndex(pair)]!++;
      return;
    }
    const permissible = engine.canPermit(pair >>> 16, pair & 0xffff);
    if (!permissible || this.closed !== undefined) {
      counters[DENIED]!++;
      const rule = permissible ? DEFAULT_DENY : engine.deniedBy;
      this.denied.add(pair >>> 16, pair & 0xffff, source, rule);
      return;
    }
    const body = this.#body;
    const length = decodeEvent(line, start, end, body, 0);
    if (length < 0) {
      counters[MALFORMED + malformedIndex(length)]!++;
      return;
    }
    const channels = engine.decide(body, 0, source);
    const vscpClass = readU16(body, CLASS);
    const type = readU16(body, TYPE);
    if (channels === 0) {
      counters[DENIED]!++;
      this.denied.add(vscpClass, type, source, engine.deniedBy);
      return;
    }
    for (let bits = channels; bits !== 0; bits &= bits - 1) {
      const channel = 31 - Math.clz32(bits & -bits);
      const rule = engine.permittedBy[channel]!;
      const journal = this.#journals[channel]!;
      const to = journal.bodyAt;
      const buffer = journal.buffer;
      for (let i = 0; i < length; i++) buffer[to + i] = body[i]!;
      journal.append(engine.rebuild(buffer, to, rule), source, rule);
      this.permitted.add(vscpClass, type, source, rule);
    }
    counters[PERMITTED]!++;
    this.#uncommitted[source]!++;
  }
}
