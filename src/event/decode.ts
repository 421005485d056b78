/**
 * Decodes the text form of an event, one line, into the compact binary form, without allocating.
 *
 * Source: VSCP specification, "VSCP over tcp/ip", RETR/RCVLOOP event format:
 * `head,class,type,obid,datetime,timestamp,GUID,data0,data1,...`, numbers decimal or 0x hex.
 * Accepts what three real servers send: either datetime spelling or none, either number base,
 * GUID bytes of one or two digits.
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
  MAX_DATA,
  MINUTE,
  MONTH,
  OBID,
  SECOND,
  SIZE,
  STAMP_HIGH,
  STAMP_LOW,
  TYPE,
  writeU16,
  writeU32,
  YEAR,
} from './layout.js';
import {
  BAD_CLASS,
  BAD_DATA,
  BAD_DATETIME,
  BAD_GUID,
  BAD_HEAD,
  BAD_OBID,
  BAD_SIZE,
  BAD_TIMESTAMP,
  BAD_TYPE,
  EMPTY,
  TRUNCATED,
} from './malformed.js';

const COMMA = 0x2c;
const COLON = 0x3a;
const BILLION = 1e9;
const TWO32 = 0x1_0000_0000;

/** Value of a hex digit by its ASCII code, 255 for everything else. */
const NIBBLE = new Uint8Array(256).fill(255);
for (let i = 0; i < 10; i++) NIBBLE[0x30 + i] = i;
for (let i = 0; i < 6; i++) {
  NIBBLE[0x41 + i] = 10 + i;
  NIBBLE[0x61 + i] = 10 + i;
}

const DAYS_IN_MONTH = Uint8Array.of(0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31);

/**
 * Reads a number field that ends at `end`.
 *
 * @returns its value, or -1 if it is empty, holds anything but digits, or exceeds `max`
 * (at most 2^32 - 1)
 */
function readNumber(line: Uint8Array, start: number, end: number, max: number): number {
  const length = end - start;
  if (length === 0) return -1;
  if (length > 2 && line[start] === 0x30 && (line[start + 1]! | 0x20) === 0x78) {
    return readHex(line, start + 2, end, max);
  }
  if (length > 10) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = line[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= max ? value : -1;
}

function readHex(line: Uint8Array, start: number, end: number, max: number): number {
  if (end - start > 8) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const nibble = NIBBLE[line[i]!]!;
    if (nibble > 15) return -1;
    value = value * 16 + nibble;
  }
  return value <= max ? value : -1;
}

/** Index of the comma at or after `at`, or `end`. */
function fieldEnd(line: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && line[i] !== COMMA) i++;
  return i;
}

/**
 * Reads class and type alone: what a denied line costs.
 *
 * @returns class * 65536 + type, or a negative malformed kind
 */
export function readPair(line: Uint8Array, start: number, end: number): number {
  if (start >= end) return EMPTY;
  const headEnd = fieldEnd(line, start, end);
  if (readNumber(line, start, headEnd, 0xffff) < 0) return BAD_HEAD;
  if (headEnd === end) return TRUNCATED;
  const classEnd = fieldEnd(line, headEnd + 1, end);
  const vscpClass = readNumber(line, headEnd + 1, classEnd, 0xffff);
  if (vscpClass < 0) return BAD_CLASS;
  if (classEnd === end) return TRUNCATED;
  const typeEnd = fieldEnd(line, classEnd + 1, end);
  const type = readNumber(line, classEnd + 1, typeEnd, 0xffff);
  if (type < 0) return BAD_TYPE;
  if (typeEnd === end) return TRUNCATED;
  return vscpClass * 0x10000 + type;
}

/** Writes the 64-bit timestamp of a decimal or hex field; false if it is not one. */
function readStamp(
  line: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): boolean {
  let length = end - start;
  if (length > 2 && line[start] === 0x30 && (line[start + 1]! | 0x20) === 0x78) {
    if (length > 18) return false;
    const split = Math.max(start + 2, end - 8);
    const high = split === start + 2 ? 0 : readHex(line, start + 2, split, 0xffffffff);
    const low = readHex(line, split, end, 0xffffffff);
    if (high < 0 || low < 0) return false;
    writeU32(out, at + STAMP_HIGH, high);
    writeU32(out, at + STAMP_LOW, low);
    return true;
  }
  if (length > 20) return false;
  let first = 0;
  const split = length > 15 ? end - 9 : end;
  for (let i = start; i < split; i++) {
    const digit = line[i]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    first = first * 10 + digit;
  }
  if (split === end) {
    writeU32(out, at + STAMP_HIGH, Math.floor(first / TWO32));
    writeU32(out, at + STAMP_LOW, first % TWO32);
    return true;
  }
  let last = 0;
  for (let i = split; i < end; i++) {
    const digit = line[i]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    last = last * 10 + digit;
  }
  // first * 10^9 + last in 16-bit limbs: a double holds each partial product exactly.
  const upper = Math.floor(first / 65536) * BILLION;
  const lower = (first % 65536) * BILLION + last;
  length = (upper % 65536) * 65536 + (lower % TWO32);
  const high = Math.floor(upper / 65536) + Math.floor(lower / TWO32) + Math.floor(length / TWO32);
  if (high > 0xffffffff) return false;
  writeU32(out, at + STAMP_HIGH, high);
  writeU32(out, at + STAMP_LOW, length % TWO32);
  return true;
}

function twoDigits(line: Uint8Array, at: number): number {
  const tens = line[at]! - 0x30;
  const ones = line[at + 1]! - 0x30;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}

/** Writes a datetime `YYYY-MM-DDTHH:MM:SS[Z]`; false if it is no date of the calendar. */
function readDatetime(
  line: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): boolean {
  const length = end - start;
  if (length !== 19 && length !== 20) return false;
  if (length === 20 && line[start + 19] !== 0x5a) return false;
  if (line[start + 4] !== 0x2d || line[start + 7] !== 0x2d || line[start + 10] !== 0x54) {
    return false;
  }
  if (line[start + 13] !== COLON || line[start + 16] !== COLON) return false;
  const century = twoDigits(line, start);
  const yearInCentury = twoDigits(line, start + 2);
  const month = twoDigits(line, start + 5);
  const day = twoDigits(line, start + 8);
  const hour = twoDigits(line, start + 11);
  const minute = twoDigits(line, start + 14);
  const second = twoDigits(line, start + 17);
  if ((century | yearInCentury | month | day | hour | minute | second) < 0) return false;
  const year = century * 100 + yearInCentury;
  if (month < 1 || month > 12 || day < 1 || day > DAYS_IN_MONTH[month]!) return false;
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0))) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 60) return false;
  if (second === 60 && (hour !== 23 || minute !== 59)) return false;
  out[at + DATE_FORM] = length === 20 ? DateForm.zulu : DateForm.plain;
  writeU16(out, at + YEAR, year);
  out[at + MONTH] = month;
  out[at + DAY] = day;
  out[at + HOUR] = hour;
  out[at + MINUTE] = minute;
  out[at + SECOND] = second;
  return true;
}

/** Writes a GUID of 16 colon-separated bytes of one or two hex digits; returns its end, or -1. */
function readGuid(line: Uint8Array, start: number, end: number, out: Uint8Array, to: number) {
  let i = start;
  for (let k = 0; k < 16; k++) {
    if (k > 0) {
      if (i >= end || line[i] !== COLON) return -1;
      i++;
    }
    if (i >= end) return -1;
    const high = NIBBLE[line[i]!]!;
    if (high > 15) return -1;
    i++;
    if (i < end) {
      const low = NIBBLE[line[i]!]!;
      if (low <= 15) {
        out[to + k] = (high << 4) | low;
        i++;
        continue;
      }
    }
    out[to + k] = high;
  }
  return i;
}

/** Writes the data fields that start at `start`; returns their number, or a negative kind. */
function readData(line: Uint8Array, start: number, end: number, out: Uint8Array, to: number) {
  let count = 0;
  let i = start;
  for (;;) {
    if (count === MAX_DATA) return BAD_SIZE;
    let value = 0;
    let digits = 0;
    let code = i < end ? line[i]! : COMMA;
    if (code === 0x30 && i + 1 < end && (line[i + 1]! | 0x20) === 0x78) {
      i += 2;
      while (i < end && (code = line[i]!) !== COMMA) {
        const nibble = NIBBLE[code]!;
        if (nibble > 15 || digits === 2) return BAD_DATA;
        value = (value << 4) | nibble;
        digits++;
        i++;
      }
    } else {
      while (i < end && (code = line[i]!) !== COMMA) {
        const digit = code - 0x30;
        if (digit < 0 || digit > 9 || digits === 3) return BAD_DATA;
        value = value * 10 + digit;
        digits++;
        i++;
      }
    }
    if (digits === 0 || value > 255) return BAD_DATA;
    out[to + count] = value;
    count++;
    if (i >= end) return count;
    i++;
  }
}

/**
 * Decodes the line `line[start..end)`, without its line ending, into `out` at `at`.
 *
 * An empty obid or timestamp counts as 0, as the specification has it for SEND.
 *
 * @param out needs room for MAX_BODY bytes after `at`
 * @returns the length in bytes of the binary form, or a negative malformed kind
 */
export function decodeEvent(
  line: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  if (start >= end) return EMPTY;
  let to = fieldEnd(line, start, end);
  const head = readNumber(line, start, to, 0xffff);
  if (head < 0) return BAD_HEAD;
  if (to === end) return TRUNCATED;
  let from = to + 1;
  to = fieldEnd(line, from, end);
  const vscpClass = readNumber(line, from, to, 0xffff);
  if (vscpClass < 0) return BAD_CLASS;
  if (to === end) return TRUNCATED;
  from = to + 1;
  to = fieldEnd(line, from, end);
  const type = readNumber(line, from, to, 0xffff);
  if (type < 0) return BAD_TYPE;
  if (to === end) return TRUNCATED;
  writeU16(out, at + HEAD, head);
  writeU16(out, at + CLASS, vscpClass);
  writeU16(out, at + TYPE, type);
  from = to + 1;
  to = fieldEnd(line, from, end);
  const obid = from === to ? 0 : readNumber(line, from, to, 0xffffffff);
  if (obid < 0) return BAD_OBID;
  if (to === end) return TRUNCATED;
  writeU32(out, at + OBID, obid);
  from = to + 1;
  to = fieldEnd(line, from, end);
  if (from === to) out.fill(0, at + DATE_FORM, at + DATA);
  else if (!readDatetime(line, from, to, out, at)) return BAD_DATETIME;
  if (to === end) return TRUNCATED;
  from = to + 1;
  to = fieldEnd(line, from, end);
  if (!readStamp(line, from, to, out, at)) return BAD_TIMESTAMP;
  if (to === end) return TRUNCATED;
  to = readGuid(line, to + 1, end, out, at + GUID);
  if (to < 0) return BAD_GUID;
  let size = 0;
  if (to < end) {
    if (line[to] !== COMMA) return BAD_GUID;
    size = readData(line, to + 1, end, out, at + DATA);
    if (size < 0) return size;
  }
  writeU16(out, at + SIZE, size);
  return DATA + size;
}
