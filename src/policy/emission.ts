/** Builds what a permit sends, field by field, from an event or from what a window made of many. */
import { encodeFields, Fields } from '../event/fields.js';
import {
  CLASS,
  DATA,
  DATE_FORM,
  GUID,
  HEAD,
  MAX_DATA,
  OBID,
  readU16,
  SIZE,
  STAMP_HIGH,
  TYPE,
  writeU16,
  writeU32,
} from '../event/layout.js';
import { secondsOf, writeSeconds } from '../event/time.js';
import { type Emit, EMIT_ALL, type Rule } from './policy.js';
import type { Pseudonyms, Shared } from './pseudonym.js';
import { convert, type Unit, unitsOf } from './units.js';

/**
 * Data bytes of a class that a rule sends instead of the one that came: 8 in Level I, a GUID more in
 * its mirrors (specification, "Level I events", "Level I over Level II"); undefined: the one that came.
 */
export function capacityOf(vscpClass: number | undefined): number {
  if (vscpClass === undefined || vscpClass >= 1024) return MAX_DATA;
  return vscpClass < 512 ? 8 : 24;
}

/** From units, by code, into one unit; of one class and type. */
interface Conversion {
  readonly from: readonly (Unit | undefined)[];
  /** undefined: the unit stays as it is. */
  readonly to: Unit | undefined;
}

/** A step of rounding as a fraction, so that one as 0.1, which is no double, is meant as written. */
export interface Step {
  readonly numerator: number;
  readonly denominator: number;
}

/** @param step greater than zero */
export function stepOf(step: number): Step {
  for (let denominator = 1; denominator <= 1e9; denominator *= 10) {
    const numerator = Math.round(step * denominator);
    if (numerator / denominator === step) return { numerator, denominator };
  }
  return { numerator: step, denominator: 1 };
}

/** Rounds to the nearest multiple of a step, halves away from zero; minus zero becomes zero. */
export function roundTo(value: number, { numerator, denominator }: Step): number {
  const quotient = (value * denominator) / numerator;
  // So large that no double is between two multiples.
  if (!(Math.abs(quotient) < 2 ** 52)) return value;
  const whole = Math.trunc(quotient);
  const away = whole + Math.sign(value);
  // The double that is nearest to the half: a value that is printed as the half is one.
  const half = (((whole + away) / 2) * numerator) / denominator;
  const rounded = Math.abs(value) >= Math.abs(half) ? away : whole;
  return (rounded * numerator) / denominator + 0;
}

/** Converts the values of one rule's events into the unit that its emit, or deadband, names. */
export class Converter {
  readonly #unit: string | undefined;
  readonly #emit: Emit;
  readonly #conversions = new Map<number, Conversion>();
  #pair = -1;
  #current: Conversion | undefined;

  constructor(unit: string | undefined, emit: Emit) {
    this.#unit = unit;
    this.#emit = emit;
  }

  /** The value in the unit that is sent; NaN if it does not convert. */
  value(vscpClass: number, type: number, { value, unit }: Fields): number {
    const { from, to } = this.#of(vscpClass, type);
    if (!to) return value;
    const own = from[unit];
    return own?.base === to.base ? convert(value, own, to) : NaN;
  }

  /** The code of the unit that is sent. */
  code(vscpClass: number, type: number, own: number): number {
    return this.#of(vscpClass, type).to?.code ?? own;
  }

  #of(vscpClass: number, type: number): Conversion {
    const pair = vscpClass * 65536 + type;
    if (pair === this.#pair) return this.#current!;
    let conversion = this.#conversions.get(pair);
    if (!conversion) {
      conversion = this.#make(vscpClass, type);
      this.#conversions.set(pair, conversion);
    }
    this.#pair = pair;
    this.#current = conversion;
    return conversion;
  }

  #make(vscpClass: number, type: number): Conversion {
    const from: (Unit | undefined)[] = [];
    for (const unit of unitsOf(vscpClass, type)) from[unit.code] = unit;
    const { class: outClass = vscpClass, type: outType = type } = this.#emit;
    const to = unitsOf(outClass, outType).find(({ name }) => name === this.#unit);
    return { from, to };
  }
}

export class Emission {
  readonly #emit: Emit;
  readonly #converter: Converter;
  readonly #pseudonyms: Pseudonyms | undefined;
  readonly #guid: Uint8Array | undefined;
  readonly #bytes: Uint8Array | undefined;
  readonly #step: Step | undefined;
  readonly #fields = new Fields();
  /** Tells keys apart without giving them away; empty without a key. */
  readonly fingerprint: string;
  /** Whether it sends fields as they are or zero, and needs nothing but a copy. */
  readonly plain: boolean;

  /** @throws Error if a key cannot be had, as the keyring throws */
  constructor(rule: Rule, shared: Shared) {
    const { emit } = rule;
    this.#emit = emit;
    this.#converter = new Converter(emit.value?.unit, emit);
    if (emit.guid instanceof Uint8Array) this.#guid = emit.guid;
    else if (emit.guid !== 'keep') {
      this.#pseudonyms = shared.of(emit.guid);
    }
    this.fingerprint = this.#pseudonyms?.fingerprint ?? '';
    if (emit.data !== 'keep') this.#bytes = emit.data;
    if (emit.value?.round !== undefined) this.#step = stepOf(emit.value.round);
    this.plain = isPlain(rule);
  }

  /** The value of an event as it would be sent, before clamp and rounding; NaN if there is none. */
  valueOf(body: Uint8Array, at: number, fields: Fields): number {
    return this.#converter.value(readU16(body, at + CLASS), readU16(body, at + TYPE), fields);
  }

  /**
   * Writes what is sent for the event at `at`.
   *
   * @param fields of the event
   * @param value from `valueOf`, or what a window made of several
   * @param relay the relay's time, ms since 1970: now, or when the window began
   * @param now ms since 1970
   * @param out with room for MAX_BODY bytes after `to`; not the event's own bytes
   * @returns the length of the binary form, or -1 if a field cannot be sent as the rule says
   */
  write(
    body: Uint8Array,
    at: number,
    fields: Fields,
    value: number,
    relay: number,
    now: number,
    out: Uint8Array,
    to: number,
  ): number {
    const emit = this.#emit;
    const vscpClass = readU16(body, at + CLASS);
    const type = readU16(body, at + TYPE);
    const kept = readU16(body, at + HEAD) & 0xe0;
    writeU16(out, to + HEAD, emit.priority === 'keep' ? kept : emit.priority << 5);
    writeU16(out, to + CLASS, emit.class ?? vscpClass);
    writeU16(out, to + TYPE, emit.type ?? type);
    writeU32(out, to + OBID, 0);
    if (!this.#writeTime(body, at, relay, now, out, to)) return -1;
    this.#writeGuid(body, at, out, to);
    if (emit.value) return this.#writeValue(vscpClass, type, fields, value, out, to);
    const size = this.#writeData(body, at, out, to);
    writeU16(out, to + SIZE, size);
    return DATA + size;
  }

  #writeTime(
    body: Uint8Array,
    at: number,
    relay: number,
    now: number,
    out: Uint8Array,
    to: number,
  ): boolean {
    const { time, window } = this.#emit;
    if (time === 'zero' || time === 'keep') {
      for (let i = STAMP_HIGH; i < GUID; i++) out[to + i] = time === 'keep' ? body[at + i]! : 0;
      for (let i = DATE_FORM; i < DATA; i++) out[to + i] = time === 'keep' ? body[at + i]! : 0;
      return true;
    }
    if (time === 'relay') return writeSeconds(out, to, Math.floor(now / 1000));
    const ofRelay = time.of === 'relay' || window !== undefined;
    const seconds = ofRelay ? Math.floor(relay / 1000) : secondsOf(body, at);
    if (Number.isNaN(seconds)) return false;
    const step = time.floor / 1000;
    return writeSeconds(out, to, Math.floor(seconds / step) * step);
  }

  #writeGuid(body: Uint8Array, at: number, out: Uint8Array, to: number): void {
    if (this.#pseudonyms) {
      this.#pseudonyms.write(body, at, out, to);
      return;
    }
    const guid = this.#guid;
    for (let i = 0; i < 16; i++) out[to + GUID + i] = guid ? guid[i]! : body[at + GUID + i]!;
  }

  #writeData(body: Uint8Array, at: number, out: Uint8Array, to: number): number {
    const bytes = this.#bytes;
    if (bytes) {
      for (let i = 0; i < bytes.length; i++) out[to + DATA + i] = bytes[i]!;
      return bytes.length;
    }
    const size = readU16(body, at + SIZE);
    for (let i = 0; i < size; i++) out[to + DATA + i] = body[at + DATA + i]!;
    return size;
  }

  #writeValue(
    vscpClass: number,
    type: number,
    fields: Fields,
    value: number,
    out: Uint8Array,
    to: number,
  ): number {
    const { value: wanted, sensor, zone, subzone } = this.#emit;
    const { clamp } = wanted!;
    // The sum of a window may be none, whatever its clamp.
    if (!Number.isFinite(value)) return -1;
    let sent = value;
    if (clamp) sent = Math.min(Math.max(sent, clamp.ge), clamp.le);
    if (this.#step) sent = roundTo(sent, this.#step);
    const own = this.#fields;
    own.value = sent;
    own.unit = this.#converter.code(vscpClass, type, Math.max(fields.unit, 0));
    own.index = sensor === 'keep' ? Math.max(fields.index, 0) : sensor;
    own.zone = zone === 'keep' ? Math.max(fields.zone, 0) : zone;
    own.subzone = subzone === 'keep' ? Math.max(fields.subzone, 0) : subzone;
    const size = encodeFields(out, to, own);
    return size < 0 ? -1 : DATA + size;
  }
}

function isPlain({ emit, limits }: Rule): boolean {
  const fixed = (part: Uint8Array | string | object): boolean =>
    part === 'keep' || (part instanceof Uint8Array && part.every((byte) => byte === 0));
  return (
    limits.rate === undefined &&
    limits.size === undefined &&
    (emit === EMIT_ALL ||
      ((emit.priority === 'keep' || emit.priority === 0) &&
        emit.class === undefined &&
        emit.type === undefined &&
        (emit.time === 'keep' || emit.time === 'zero') &&
        fixed(emit.guid) &&
        (emit.data === 'keep' || emit.data.length === 0) &&
        emit.value === undefined &&
        emit.deadband === undefined &&
        emit.window === undefined))
  );
}
