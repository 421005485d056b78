/**
 * The gate's hot path: lines of frames in, decisions, records of permitted events into the journals.
 *
 * Every line ends in exactly one counter: permitted, denied, malformed by kind, or lost by reason.
 */
import { decodeEvent, readPair } from '../event/decode.js';
import { CLASS, MAX_BODY, readU16, TYPE } from '../event/layout.js';
import { BAD_VALUE, malformedIndex } from '../event/malformed.js';
import { DEFAULT_DENY, type Engine, NOT_FINITE } from '../policy/engine.js';
import { CHANNEL_PERMITTED } from '../policy/outcome.js';
import type { Frame } from '../wire/frame.js';
import {
  ALIVE,
  BYTES,
  CONNECTIONS,
  DENIED,
  GENERATION,
  IN,
  INTERRUPTIONS,
  LOST,
  LOST_AUDIT,
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
  VALVE_ENDED,
  VALVE_LAST,
  VALVE_OVERFLOW,
  VALVE_OVERLONG,
  VALVE_READ,
  VALVE_TRUNCATED,
} from './counters.js';
import { DenialCounts } from './denials.js';
import type { Outflow } from './outflow.js';
import { Recent } from './recent.js';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export class Intake {
  readonly permitted = new Recent();
  readonly denied = new Recent();
  readonly denials: DenialCounts;
  /** A batch waits for the audit log: what could go out meanwhile is lost. */
  shedding = false;
  #engine: Engine;
  #closed: string | undefined;
  readonly #outflow: Outflow;
  readonly #commit: () => void;
  readonly #counters: readonly Float64Array[];
  /** By source: whether a frame has come since this gate started. */
  readonly #met: Uint8Array;
  /** By source: events that led to records of the batch that is not committed yet. */
  readonly #uncommitted: Float64Array;
  readonly #body = new Uint8Array(MAX_BODY);

  /**
   * @param counters one vector per source, as far as they are known
   * @param commit ends the batch, in the middle of a frame too
   */
  constructor(
    engine: Engine,
    outflow: Outflow,
    counters: readonly Float64Array[],
    commit: () => void,
  ) {
    this.#engine = engine;
    this.#outflow = outflow;
    this.#commit = commit;
    this.#counters = counters;
    this.denials = new DenialCounts(counters.length);
    this.denials.setRules(engine.ruleNames.length);
    this.#met = new Uint8Array(counters.length);
    this.#uncommitted = new Float64Array(counters.length);
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** Decides by other rules from the next event on; what unchanged ones remember is kept. */
  replace(engine: Engine): void {
    engine.inherit(this.#engine, this.#outflow);
    this.#engine = engine;
    this.denials.setRules(engine.ruleNames.length);
    this.permitted.clear();
    this.denied.clear();
  }

  /** Why nothing goes out, an expired policy for one; undefined: all is well. */
  get closed(): string | undefined {
    return this.#closed;
  }

  set closed(reason: string | undefined) {
    if (reason !== undefined && this.#closed === undefined) this.#engine.interrupt(this.#outflow);
    this.#closed = reason;
  }

  /**
   * Turns to the time at which the next frames are decided.
   *
   * @returns false if the batch is full before all windows that are over are sent: commit, and again
   */
  advance(now: number): boolean {
    const still = this.#closed !== undefined || this.shedding;
    return still || this.#engine.advance(now, this.#outflow);
  }

  /** Takes one frame of a source: every line of it is decided. */
  take(frame: Frame, source: number): void {
    this.#account(frame, source);
    const counters = this.#counters[source]!;
    const payload = frame.payload as Buffer;
    let at = frame.start;
    let left = frame.lines;
    while (at < frame.end) {
      const newline = payload.indexOf(NEWLINE, at);
      const end = payload[newline - 1] === RETURN ? newline - 1 : newline;
      this.#takeLine(payload, at, end, source, counters);
      at = newline + 1;
      left--;
      if (this.#outflow.full) this.#commitWithin(counters, left);
    }
  }

  /** The batch is durable and visible. */
  committed(): void {
    this.#outflow.committed();
    this.#uncommitted.fill(0);
  }

  /** The batch could not be written: what it permitted is lost, because of the journal or the audit log. */
  abandoned(blame: 'journal' | 'audit' = 'journal'): void {
    for (const channel of this.#outflow.abandoned()) this.#engine.forget(channel);
    this.#uncommitted.forEach((count, source) => {
      const counters = this.#counters[source]!;
      counters[PERMITTED]! -= count;
      counters[blame === 'audit' ? LOST_AUDIT : LOST_JOURNAL]! += count;
    });
    this.#uncommitted.fill(0);
  }

  /**
   * Does something while the counters are as if the batch at hand were not there: a gate after this one
   * books its lines as those that it has not seen.
   */
  without(work: () => void): void {
    const kept = this.#counters.map((counters) => counters.slice());
    this.#uncommitted.forEach((count, source) => {
      const counters = this.#counters[source]!;
      if (count === 0) return;
      counters[IN]! -= count;
      counters[PERMITTED]! -= count;
      counters[VALVE_READ] = Math.max(0, counters[VALVE_READ]! - count);
      counters[VALVE_ENDED] = 0;
    });
    this.#outflow.without(work);
    kept.forEach((counters, source) => this.#counters[source]!.set(counters));
  }

  /** A mark in the middle of a frame knows nothing of the lines behind it: a gate after it books them. */
  #commitWithin(counters: Float64Array, left: number): void {
    counters[IN]! -= left;
    counters[VALVE_READ]! -= left;
    const ended = counters[VALVE_ENDED]!;
    counters[VALVE_ENDED] = 0;
    this.#commit();
    counters[IN]! += left;
    counters[VALVE_READ]! += left;
    counters[VALVE_ENDED] = ended;
  }

  /** Books what the frame's running totals say beyond its own lines. */
  #account(frame: Frame, source: number): void {
    const counters = this.#counters[source]!;
    const totals = frame.totals;
    // What stands between the last mark and a gate's first frame was read by the gate before it.
    const reason = this.#met[source] === 0 ? LOST_RESTART : LOST_TORN;
    if (counters[GENERATION] !== frame.generation) {
      if (counters[CONNECTIONS]! > 0 && counters[VALVE_ENDED] === 0) counters[INTERRUPTIONS]!++;
      counters[GENERATION] = frame.generation;
      counters[CONNECTIONS]!++;
      counters.fill(0, VALVE_READ, VALVE_LAST + 1);
    }
    this.#met[source] = 1;
    counters[VALVE_ENDED] = frame.last ? 1 : 0;
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
    if (!permissible || this.#closed !== undefined) {
      counters[DENIED]!++;
      const rule = permissible ? DEFAULT_DENY : engine.deniedBy;
      this.denied.add(pair >>> 16, pair & 0xffff, source, rule);
      this.denials.add(source, rule);
      return;
    }
    if (this.shedding) {
      counters[LOST_AUDIT]!++;
      return;
    }
    const body = this.#body;
    const length = decodeEvent(line, start, end, body, 0);
    if (length < 0) {
      counters[MALFORMED + malformedIndex(length)]!++;
      return;
    }
    const channels = engine.decide(body, 0, source);
    if (channels === NOT_FINITE) {
      counters[MALFORMED + malformedIndex(BAD_VALUE)]!++;
      return;
    }
    const vscpClass = readU16(body, CLASS);
    const type = readU16(body, TYPE);
    if (channels === 0) {
      counters[DENIED]!++;
      this.denied.add(vscpClass, type, source, engine.deniedBy);
      this.denials.add(source, engine.deniedBy);
      return;
    }
    const outflow = this.#outflow;
    outflow.appended = 0;
    for (let bits = channels; bits !== 0; bits &= bits - 1) {
      const channel = 31 - Math.clz32(bits & -bits);
      outflow.turnTo(channel);
      const outcome = engine.pass(body, 0, channel, source, outflow);
      outflow.count(channel, CHANNEL_PERMITTED, 1);
      outflow.count(channel, outcome, 1);
      this.permitted.add(vscpClass, type, source, engine.permittedBy[channel]!);
    }
    counters[PERMITTED]!++;
    if (outflow.appended > 0) this.#uncommitted[source]!++;
  }
}
