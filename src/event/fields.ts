/**
 * Reads and writes what the data of an event carries: sensor index, zone, subzone, unit and value.
 *
 * Source: VSCP specification, "Measurements" (data coding) and the pages of the classes. The class
 * alone decides the layout; a layout that the data does not fit gives no field, never a guess.
 */
import { CLASS, DATA, GUID, readU16, SIZE, TYPE, writeU16 } from './layout.js';

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

/** What the data of a class carries by the specification. */
export interface Carries {
  /** A measured value; a class that commands a value carries none. */
  readonly value: boolean;
  /** A unit code; a measurement without one is in the default unit, code 0. */
  readonly unit: boolean;
  readonly index: boolean;
  /** Zone and subzone. */
  readonly zone: boolean;
}

const NOTHING = 0;
const CODED = 1; // coding byte, value
const DOUBLE = 2; // float64
const ZONED = 3; // index, zone, subzone, coding byte, value
const SINGLE = 4; // float32
const PLACED = 5; // anything, zone, subzone
const LISTED = 6; // index, zone, subzone
const TEXT = 7; // index, zone, subzone, unit, decimal number
const FLOAT = 8; // index, zone, subzone, unit, float64

const CARRIES: readonly (Carries | undefined)[] = [
  undefined,
  Object.freeze({ value: true, unit: true, index: true, zone: false }),
  Object.freeze({ value: true, unit: false, index: false, zone: false }),
  Object.freeze({ value: true, unit: true, index: true, zone: true }),
  Object.freeze({ value: true, unit: false, index: false, zone: false }),
  Object.freeze({ value: false, unit: false, index: false, zone: true }),
  Object.freeze({ value: false, unit: false, index: true, zone: true }),
  Object.freeze({ value: true, unit: true, index: true, zone: true }),
  Object.freeze({ value: true, unit: true, index: true, zone: true }),
];

/** Layouts of the Level I classes; 512 + n has that of n, behind a GUID. */
const LAYOUTS = new Uint8Array(512);
LAYOUTS.fill(CODED, 10, 15);
LAYOUTS.fill(DOUBLE, 60, 65);
LAYOUTS.fill(ZONED, 65, 70);
LAYOUTS.fill(SINGLE, 70, 75);
LAYOUTS.fill(LISTED, 85, 90); // SETVALUEZONE: the value is a command
// ALARM, SECURITY, INFORMATION, CONTROL, MULTIMEDIA, DISPLAY: byte 0 is most often no index.
for (const placed of [1, 2, 20, 30, 40, 102]) LAYOUTS[placed] = PLACED;
// AOL, WEATHER, WEATHER_FORECAST, DIAGNOSTIC, ERROR.
for (const listed of [50, 90, 95, 506, 508]) LAYOUTS[listed] = LISTED;
// Left out: CONFIGURATION 120 and IR 110 (zone in a minority of types), PHONE 100 (in one type);
// the other classes name no zone, or only Level II types of their own (1026 TOKEN_ACTIVITY).

/** Types of these classes whose data is laid out otherwise, or freely. */
const FREELY: readonly (readonly [vscpClass: number, types: readonly number[]])[] = [
  [1, [0]], // 0 in each is GENERAL
  [2, [0]],
  [20, [0, 36, 38, 39]], // streams, CONFIRM
  [30, [0, 25]], // a stream
  [40, [0, 16, 17, 18, 19, 61]], // reserved, CONTROL_RESPONSE
  [50, [0]],
  [90, [0]],
  [95, [0]],
  [102, [0, 6]], // SET_DISPLAY_BUFFER_PARAM
];
const OTHERWISE: ReadonlySet<number> = new Set(
  FREELY.flatMap(([vscpClass, types]) => types.map((type) => vscpClass * 65536 + type)),
);

/** VSCP specification, "VSCP over a serial channel": Level I data is at most 8 bytes. */
const MAX_LEVEL1 = 8;
/** Specification, CLASS2.MEASUREMENT_STR: the longest number. */
const MAX_DIGITS = 483;
/** 10^22 is the largest power of ten that a double holds: scaling is then rounded but once. */
const EXACT = 22;
const POW10 = Float64Array.from({ length: EXACT + 1 }, (_, n) => Number(`1e${n}`));
/** 2^7, 2^15, ...: a two's complement number of n bytes is below the n-th. */
const BOUNDS = Float64Array.from({ length: MAX_LEVEL1 }, (_, n) => 2 ** (8 * n - 1));
const SCRATCH = new DataView(new ArrayBuffer(8));

function layoutOf(vscpClass: number): number {
  if (vscpClass < 1024) return LAYOUTS[vscpClass & 511]!;
  return vscpClass === 1040 ? TEXT : vscpClass === 1060 ? FLOAT : NOTHING;
}

/** What a class carries; undefined: nothing that this file knows. The objects are shared. */
export function carries(vscpClass: number): Carries | undefined {
  return CARRIES[layoutOf(vscpClass)];
}

/** Whether a class carries measured values. */
export function isMeasurement(vscpClass: number): boolean {
  return carries(vscpClass)?.value === true;
}

function setValue(out: Fields, value: number): void {
  if (!Number.isFinite(value)) out.notFinite = true;
  else out.value = value + 0; // -0 + 0 is 0
}

function readFloat(body: Uint8Array, at: number, size: 4 | 8): number {
  for (let i = 0; i < size; i++) SCRATCH.setUint8(i, body[at + i]!);
  return size === 4 ? SCRATCH.getFloat32(0) : SCRATCH.getFloat64(0);
}

function writeFloat(body: Uint8Array, at: number, size: 4 | 8, value: number): void {
  if (size === 4) SCRATCH.setFloat32(0, value);
  else SCRATCH.setFloat64(0, value);
  for (let i = 0; i < size; i++) body[at + i] = SCRATCH.getUint8(i);
}

/** A big-endian two's complement integer of 1..7 bytes; beyond 2^53 the nearest double. */
function readSigned(body: Uint8Array, start: number, end: number): number {
  let value = (body[start]! << 24) >> 24;
  for (let i = start + 1; i < end; i++) value = value * 256 + body[i]!;
  return value;
}

/** mantissa * 10^exponent as the nearest double; what sensors send takes no allocation. */
function scaleDecimal(mantissa: number, exponent: number): number {
  if (exponent >= 0 && exponent <= EXACT) return mantissa * POW10[exponent]!;
  if (exponent < 0 && exponent >= -EXACT) return mantissa / POW10[-exponent]!;
  return Number(`${mantissa}e${exponent}`);
}

function skipDigits(body: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && body[i]! >= 0x30 && body[i]! <= 0x39) i++;
  return i;
}

/**
 * Reads `-?(D+(.D+)?|.D+)([eE][+-]?D+)?`, nothing before or behind it.
 *
 * @returns the nearest double, which may be infinite; NaN: it is no such number
 */
function readDecimal(body: Uint8Array, start: number, end: number): number {
  let i = start;
  const negative = i < end && body[i] === 0x2d;
  if (negative) i++;
  const whole = i;
  let tail = (i = skipDigits(body, i, end));
  const wholeEnd = i;
  if (i < end && body[i] === 0x2e) {
    tail = skipDigits(body, i + 1, end);
    if (tail === i + 1) return NaN;
  } else if (i === whole) return NaN;
  let exponent = 0;
  i = tail;
  if (i < end && (body[i]! | 0x20) === 0x65) {
    i++;
    const minus = body[i] === 0x2d;
    if (i < end && (minus || body[i] === 0x2b)) i++;
    const first = i;
    i = skipDigits(body, i, end);
    if (i === first) return NaN;
    for (let k = first; k < i; k++) exponent = exponent * 10 + (body[k]! - 0x30);
    if (minus) exponent = -exponent;
  }
  if (i !== end) return NaN;
  let mantissa = 0;
  for (let k = whole; k < tail; k++) {
    if (body[k] !== 0x2e) mantissa = mantissa * 10 + (body[k]! - 0x30);
  }
  if (tail > wholeEnd) exponent -= tail - wholeEnd - 1;
  // Below 10^15 no step of the loop was rounded, whatever the number of digits.
  if (mantissa === 0) return 0;
  if (mantissa < 1e15 && Math.abs(exponent) <= EXACT) {
    return scaleDecimal(negative ? -mantissa : mantissa, exponent);
  }
  return Number(String.fromCharCode(...body.subarray(start, end)));
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
      if (OTHERWISE.has((vscpClass & 511) * 65536 + readU16(body, at + TYPE))) return;
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

/** Whether an integer is a two's complement number of at most `size` bytes. */
function fits(value: number, size: number): boolean {
  return value >= -BOUNDS[size]! && value < BOUNDS[size]!;
}

/** Writes an integer in as few bytes as it takes; returns the end. */
function writeSigned(body: Uint8Array, at: number, value: number): number {
  let size = 1;
  while (!fits(value, size)) size++;
  let rest = value;
  for (let i = at + size - 1; i >= at; i--) {
    const next = Math.floor(rest / 256);
    body[i] = rest - next * 256;
    rest = next;
  }
  return at + size;
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
