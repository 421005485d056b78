/**
 * Reads and writes what the data of an event carries: sensor index, zone, subzone, unit and value.
 *
 * Source: VSCP specification, "Measurements" (data coding) and the pages of the classes. The class
 * alone decides the layout; a layout that the data does not fit gives no field, never a guess.
 */
import {
  CODED,
  DOUBLE,
  FLOAT,
  layoutOf,
  isOtherwise,
  LISTED,
  NOTHING,
  PLACED,
  SINGLE,
  TEXT,
  ZONED,
} from './carries.js';
import { CLASS, DATA, GUID, readU16, SIZE, TYPE, writeU16 } from './layout.js';
import {
  EXACT,
  fits,
  POW10,
  readDecimal,
  readFloat,
  readSigned,
  scaleDecimal,
  writeFloat,
  writeSigned,
} from './number.js';

/** VSCP specification, "VSCP over a serial channel": Level I data is at most 8 bytes. */
const MAX_LEVEL1 = 8;
/** Specification, CLASS2.MEASUREMENT_STR: the longest number. */
const MAX_DIGITS = 483;

/** Fields that the data of an event carries; one instance is reused. */
export class Fields {
  /** -1 here and below: the event has no such field, or it does not decode. */
  index = -1;
  zone = -1;
  subzone = -1;
  /** Unit code of the type; 0 is its default unit. */
  unit = -1;
  /** NaN: there is none, or it does not decode. Never -0. */
  value = NaN;
  /** The value field decodes to NaN or an infinity: such an event is refused. */
  notFinite = false;
}

function setValue(out: Fields, value: number): void {
  if (!Number.isFinite(value)) out.notFinite = true;
  else out.value = value + 0; // -0 + 0 is 0
}

/** Reads the coding byte at `start` and the value behind it; the sensor index is the caller's. */
function readCoded(body: Uint8Array, start: number, end: number, out: Fields): void {
  const from = start + 1;
  const size = end - from;
  if (size < 0) return;
  out.unit = (body[start]! >>> 3) & 3;
  switch (body[start]! >>> 5) {
    case 2: {
      const value = readDecimal(body, from, end);
      if (!Number.isNaN(value)) setValue(out, value);
      return;
    }
    case 3:
      if (size >= 1) setValue(out, readSigned(body, from, end));
      return;
    case 4: {
      if (size < 2) return;
      const shift = body[from]! & 127;
      setValue(
        out,
        scaleDecimal(readSigned(body, from + 1, end), body[from]! > 127 ? -shift : shift),
      );
      return;
    }
    case 5:
      if (size === 4) setValue(out, readFloat(body, from, 4));
      return;
    default:
      // 0 bits and 1 bytes are no numbers, 6 float64 fits no Level I event, 7 is reserved.
      return;
  }
}

function readPlace(body: Uint8Array, from: number, end: number, out: Fields): void {
  if (from < end) out.index = body[from]!;
  if (from + 1 < end) out.zone = body[from + 1]!;
  if (from + 2 < end) out.subzone = body[from + 2]!;
}

/** Decodes the data of the event whose binary form starts at `at`; overwrites all of `out`. */
export function decodeFields(body: Uint8Array, at: number, out: Fields): void {
  out.index = out.zone = out.subzone = out.unit = -1;
  out.value = NaN;
  out.notFinite = false;
  const vscpClass = readU16(body, at + CLASS);
  const layout = layoutOf(vscpClass);
  if (layout === NOTHING) return;
  let from = at + DATA;
  const end = from + readU16(body, at + SIZE);
  if (vscpClass < 1024) {
    if (vscpClass >= 512) from += 16;
    // Level I data is 0..8 bytes: anything else is laid out as nobody specified.
    if (from > end || end - from > MAX_LEVEL1) return;
  }
  switch (layout) {
    case CODED:
      if (from < end) out.index = body[from]! & 7;
      readCoded(body, from, end, out);
      return;
    case DOUBLE:
    case SINGLE: {
      const size = layout === DOUBLE ? 8 : 4;
      if (end - from !== size) return;
      out.unit = 0;
      setValue(out, readFloat(body, from, size));
      return;
    }
    case ZONED:
      // The index of the device; the sensor index in the coding byte is another, and not read.
      readPlace(body, from, end, out);
      readCoded(body, from + 3, end, out);
      return;
    case PLACED:
    case LISTED:
      if (isOtherwise(vscpClass, readU16(body, at + TYPE))) return;
      readPlace(body, from, end, out);
      if (layout === PLACED) out.index = -1;
      return;
    case TEXT: {
      readPlace(body, from, end, out);
      if (end - from < 4) return;
      out.unit = body[from + 3]!;
      // Real senders end the string with a zero byte, which the specification once asked for.
      const to = body[end - 1] === 0 ? end - 1 : end;
      if (to - from - 4 > MAX_DIGITS) return;
      const value = readDecimal(body, from + 4, to);
      if (!Number.isNaN(value)) setValue(out, value);
      return;
    }
    default: // FLOAT
      if (end - from !== 12) return;
      readPlace(body, from, end, out);
      out.unit = body[from + 3]!;
      setValue(out, readFloat(body, from + 4, 8));
  }
}

function writeInteger(body: Uint8Array, at: number, low: number, value: number): number {
  body[at] = 0x60 | low;
  return writeSigned(body, at + 1, value);
}

/**
 * Writes coding byte and value into `room` bytes: an integer, else the fewest decimals that decode
 * to the very value, else the nearest float32.
 *
 * @param low bits 4..0 of the coding byte: unit and sensor index
 * @returns the end; -1: the value is beyond float32
 */
function writeCoded(
  body: Uint8Array,
  at: number,
  room: number,
  low: number,
  value: number,
): number {
  const whole = Number.isInteger(value);
  // The zone classes are to use normalised integers alone: others only where those fall short.
  if (whole && room === MAX_LEVEL1 && fits(value, room - 1)) {
    return writeInteger(body, at, low, value);
  }
  // Whole: from the shortest mantissa on. Fractions: from the fewest decimals on.
  for (let k = 0; k <= EXACT; k++) {
    const exponent = whole ? EXACT - k : k;
    const power = POW10[exponent]!;
    const mantissa = Math.round(whole ? value / power : value * power);
    if (!fits(mantissa, room - 2)) break;
    if ((whole ? mantissa * power : mantissa / power) !== value) continue;
    body[at] = 0x80 | low;
    body[at + 1] = whole ? exponent : 0x80 | exponent;
    return writeSigned(body, at + 2, mantissa);
  }
  if (whole && fits(value, room - 1)) return writeInteger(body, at, low, value);
  if (!Number.isFinite(Math.fround(value))) return -1;
  body[at] = 0xa0 | low;
  writeFloat(body, at + 1, 4, value);
  return at + 5;
}

/** Whether a field can be written in 0..max; -1 stands for a field that is not there: 0. */
function within(field: number, max: number): boolean {
  return Number.isInteger(field) && field >= -1 && field <= max;
}

function writePlace(body: Uint8Array, at: number, fields: Fields): void {
  body[at] = Math.max(fields.index, 0);
  body[at + 1] = Math.max(fields.zone, 0);
  body[at + 2] = Math.max(fields.subzone, 0);
}

/** Writes the data of a layout at `from`; returns its end, or -1 before anything is written. */
function writeValue(body: Uint8Array, from: number, layout: number, fields: Fields): number {
  const value = fields.value + 0; // -0 is written as 0
  if (!Number.isFinite(value)) return -1;
  // What the layout has no room for must not be lost: sensors would merge into one.
  const level2 = layout === TEXT || layout === FLOAT;
  const placed = level2 || layout === ZONED ? 255 : 0;
  if (!within(fields.zone, placed) || !within(fields.subzone, placed)) return -1;
  if (!within(fields.index, placed === 0 && layout === CODED ? 7 : placed)) return -1;
  const units = level2 ? 255 : layout === CODED || layout === ZONED ? 3 : 0;
  if (!within(fields.unit, units)) return -1;
  const unit = Math.max(fields.unit, 0);
  switch (layout) {
    case CODED:
      return writeCoded(body, from, 8, (unit << 3) | Math.max(fields.index, 0), value);
    case ZONED: {
      const end = writeCoded(body, from + 3, 5, unit << 3, value);
      if (end >= 0) writePlace(body, from, fields);
      return end;
    }
    case SINGLE:
      if (!Number.isFinite(Math.fround(value))) return -1;
      writeFloat(body, from, 4, value);
      return from + 4;
    case DOUBLE:
      writeFloat(body, from, 8, value);
      return from + 8;
    case TEXT: {
      writePlace(body, from, fields);
      body[from + 3] = unit;
      let to = from + 4;
      const text = String(value);
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        if (code !== 0x2b) body[to++] = code; // 1e+21 is 1e21
      }
      return to;
    }
    case FLOAT:
      writePlace(body, from, fields);
      body[from + 3] = unit;
      writeFloat(body, from + 4, 8, value);
      return from + 12;
    default:
      return -1;
  }
}

/**
 * Writes data and SIZE of a measurement in the class that stands in the binary form at `at`; a
 * class 512..1023 gets the event's own GUID before its data.
 *
 * Where a Level I coding cannot hold the very value, it holds the nearest float32.
 *
 * @param fields -1 is written as 0
 * @returns the data size; -1: the class cannot carry these fields, and nothing was written
 */
export function encodeFields(body: Uint8Array, at: number, fields: Fields): number {
  const vscpClass = readU16(body, at + CLASS);
  const data = at + DATA;
  const mirror = vscpClass >= 512 && vscpClass < 1024;
  const end = writeValue(body, mirror ? data + 16 : data, layoutOf(vscpClass), fields);
  if (end < 0) return -1;
  if (mirror) body.copyWithin(data, at + GUID, at + GUID + 16);
  writeU16(body, at + SIZE, end - data);
  return end - data;
}
