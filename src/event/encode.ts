/**
 * Encodes the compact binary form of an event as the text form of the VSCP tcp/ip link protocol.
 *
 * Canonical: decimal numbers without leading zeros, GUID bytes as two upper-case hex digits. Data
 * is decimal because one real server stops reading at about 320 characters a line.
 */
import {
  CLASS,
  DATA,
  DATE_FORM,
  DateForm,
  DAY,
  GUID,
  HEAD,
  HOUR,
  MINUTE,
  MONTH,
  OBID,
  readU16,
  readU32,
  SECOND,
  SIZE,
  STAMP_HIGH,
  STAMP_LOW,
  TYPE,
  YEAR,
} from './layout.js';

/** Longest text form: 44 characters of numbers, a datetime, a GUID, 512 data bytes of ",255". */
export const MAX_TEXT = 160 + 4 * 512;

const COMMA = 0x2c;
const BILLION = 1e9;

const HEX = new Uint8Array(512);
const DECIMAL = new Uint8Array(256 * 4); // length, then up to three digits
for (let i = 0; i < 256; i++) {
  const hex = i.toString(16).toUpperCase().padStart(2, '0');
  HEX[2 * i] = hex.charCodeAt(0);
  HEX[2 * i + 1] = hex.charCodeAt(1);
  const decimal = String(i);
  DECIMAL[4 * i] = decimal.length;
  for (let k = 0; k < decimal.length; k++) DECIMAL[4 * i + 1 + k] = decimal.charCodeAt(k);
}

/** Writes an integer of 0..2^53-1 in decimal; returns the index after it. */
export function writeDecimal(out: Uint8Array, to: number, value: number): number {
  if (value < 10) {
    out[to] = 0x30 + value;
    return to + 1;
  }
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  let rest = value;
  let i = to + digits;
  while (rest > 0x7fffffff) {
    const next = Math.floor(rest / 10);
    out[--i] = 0x30 + (rest - next * 10);
    rest = next;
  }
  let small = rest | 0;
  while (i > to) {
    const next = (small / 10) | 0;
    out[--i] = 0x30 + (small - next * 10);
    small = next;
  }
  return to + digits;
}

function writePadded(out: Uint8Array, to: number, value: number, digits: number): number {
  let rest = value | 0;
  for (let i = to + digits - 1; i >= to; i--) {
    const next = (rest / 10) | 0;
    out[i] = 0x30 + (rest - next * 10);
    rest = next;
  }
  return to + digits;
}

/** Writes a 64-bit unsigned integer given as two halves in decimal; returns the index after it. */
export function writeU64Decimal(out: Uint8Array, to: number, high: number, low: number): number {
  if (high === 0) return writeDecimal(out, to, low);
  // Long division by 10^9 in 16-bit limbs: every partial dividend fits a double exactly.
  const q1 = Math.floor(high / BILLION);
  const t1 = (high % BILLION) * 65536 + (low >>> 16);
  const q2 = Math.floor(t1 / BILLION);
  const t2 = (t1 % BILLION) * 65536 + (low & 0xffff);
  const q3 = Math.floor(t2 / BILLION);
  const quotient = q1 * 0x1_0000_0000 + q2 * 65536 + q3;
  const rest = t2 % BILLION;
  if (quotient === 0) return writeDecimal(out, to, rest);
  return writePadded(out, writeDecimal(out, to, quotient), rest, 9);
}

/** Writes `YYYY-MM-DDTHH:MM:SS`, 19 characters; returns the index after it. */
export function writeDatetime(
  out: Uint8Array,
  to: number,
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number {
  let i = writePadded(out, to, year, 4);
  out[i++] = 0x2d;
  i = writePadded(out, i, month, 2);
  out[i++] = 0x2d;
  i = writePadded(out, i, day, 2);
  out[i++] = 0x54;
  i = writePadded(out, i, hour, 2);
  out[i++] = 0x3a;
  i = writePadded(out, i, minute, 2);
  out[i++] = 0x3a;
  return writePadded(out, i, second, 2);
}

/** Writes the stored datetime field, which may be empty; returns the index after it. */
export function writeStoredDatetime(
  body: Uint8Array,
  at: number,
  out: Uint8Array,
  to: number,
): number {
  const form = body[at + DATE_FORM]!;
  if (form === DateForm.none) return to;
  const end = writeDatetime(
    out,
    to,
    readU16(body, at + YEAR),
    body[at + MONTH]!,
    body[at + DAY]!,
    body[at + HOUR]!,
    body[at + MINUTE]!,
    body[at + SECOND]!,
  );
  if (form !== DateForm.zulu) return end;
  out[end] = 0x5a;
  return end + 1;
}

/** Writes `,GUID,data...` with the leading comma; returns the index after it. */
export function writeGuidAndData(body: Uint8Array, at: number, out: Uint8Array, to: number) {
  let i = to;
  for (let k = 0; k < 16; k++) {
    const byte = body[at + GUID + k]! << 1;
    out[i++] = k === 0 ? COMMA : 0x3a;
    out[i++] = HEX[byte]!;
    out[i++] = HEX[byte + 1]!;
  }
  const end = at + DATA + readU16(body, at + SIZE);
  for (let k = at + DATA; k < end; k++) {
    const entry = body[k]! << 2;
    const length = DECIMAL[entry]!;
    out[i] = COMMA;
    out[i + 1] = DECIMAL[entry + 1]!;
    if (length > 1) out[i + 2] = DECIMAL[entry + 2]!;
    if (length > 2) out[i + 3] = DECIMAL[entry + 3]!;
    i += 1 + length;
  }
  return i;
}

/**
 * Writes the text form of the event at `at`, without a line ending; exact for every field.
 *
 * @param out needs room for MAX_TEXT bytes after `to`
 * @returns the index after the last character
 */
export function encodeEvent(body: Uint8Array, at: number, out: Uint8Array, to: number): number {
  let i = writeDecimal(out, to, readU16(body, at + HEAD));
  out[i++] = COMMA;
  i = writeDecimal(out, i, readU16(body, at + CLASS));
  out[i++] = COMMA;
  i = writeDecimal(out, i, readU16(body, at + TYPE));
  out[i++] = COMMA;
  i = writeDecimal(out, i, readU32(body, at + OBID));
  out[i++] = COMMA;
  i = writeStoredDatetime(body, at, out, i);
  out[i++] = COMMA;
  i = writeU64Decimal(out, i, readU32(body, at + STAMP_HIGH), readU32(body, at + STAMP_LOW));
  return writeGuidAndData(body, at, out, i);
}
