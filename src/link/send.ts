/**
 * The SEND line of an event, for the upper side alone.
 *
 * Source: VSCP specification, "VSCP over tcp/ip", SEND; and what real servers do with it: a head
 * above 255 corrupts the timestamp, an obid decides who is excluded, a short GUID leaks memory, and
 * a timestamp in nanoseconds is cut to 32 bits.
 */
import {
  writeDatetime,
  writeDecimal,
  writeGuidAndData,
  writeStoredDatetime,
  writeU64Decimal,
} from '../event/encode.js';
import {
  CLASS,
  DATE_FORM,
  DateForm,
  HEAD,
  readU16,
  readU32,
  STAMP_HIGH,
  STAMP_LOW,
  TYPE,
} from '../event/layout.js';
import { civil, restOfSecond, setCivil, wholeSeconds } from '../event/time.js';

/** How a timestamp in Unix nanoseconds is sent. */
export type Timestamps = 'datetime' | 'nanoseconds';

const COMMA = 0x2c;
const SEND = Buffer.from('SEND ');

/**
 * Writes `SEND head,class,type,0,datetime,timestamp,GUID,data...` and CRLF.
 *
 * @param out needs room for MAX_TEXT bytes and 8 more
 * @returns the index after the last byte
 */
export function writeSend(
  body: Uint8Array,
  at: number,
  out: Uint8Array,
  to: number,
  timestamps: Timestamps,
): number {
  let i = to;
  for (let k = 0; k < SEND.length; k++) out[i++] = SEND[k]!;
  i = writeDecimal(out, i, readU16(body, at + HEAD) & 0xe0);
  out[i++] = COMMA;
  i = writeDecimal(out, i, readU16(body, at + CLASS));
  out[i++] = COMMA;
  i = writeDecimal(out, i, readU16(body, at + TYPE));
  out[i++] = COMMA;
  out[i++] = 0x30;
  out[i++] = COMMA;
  const high = readU32(body, at + STAMP_HIGH);
  const low = readU32(body, at + STAMP_LOW);
  // What fits 32 bits is no time of day in nanoseconds, and no server cuts it.
  if (timestamps === 'datetime' && high !== 0 && body[at + DATE_FORM] === DateForm.none) {
    i = writeUnixTime(out, i, high, low);
  } else {
    i = writeStoredDatetime(body, at, out, i);
    out[i++] = COMMA;
    i = writeU64Decimal(out, i, high, low);
  }
  i = writeGuidAndData(body, at, out, i);
  out[i++] = 0x0d;
  out[i++] = 0x0a;
  return i;
}

/** Writes `YYYY-MM-DDTHH:MM:SSZ,microseconds` of a 64-bit count of nanoseconds since 1970. */
function writeUnixTime(out: Uint8Array, to: number, high: number, low: number): number {
  const seconds = wholeSeconds(high, low);
  const microseconds = Math.floor(restOfSecond(high, low) / 1000);
  const days = Math.floor(seconds / 86400);
  const rest = seconds - days * 86400;
  setCivil(days);
  let i = writeDatetime(
    out,
    to,
    civil.year,
    civil.month,
    civil.day,
    Math.floor(rest / 3600),
    Math.floor((rest % 3600) / 60),
    rest % 60,
  );
  out[i++] = 0x5a;
  out[i++] = COMMA;
  return writeDecimal(out, i, microseconds);
}
