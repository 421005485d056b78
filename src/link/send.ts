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

/** How a timestamp in Unix nanoseconds is sent. */
export type Timestamps = 'datetime' | 'nanoseconds';

const COMMA = 0x2c;
const BILLION = 1e9;
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
  // Long division by 10^9 in 16-bit limbs: every partial dividend fits a double exactly.
  const t1 = (high % BILLION) * 65536 + (low >>> 16);
  const t2 = (t1 % BILLION) * 65536 + (low & 0xffff);
  const seconds =
    Math.floor(high / BILLION) * 0x1_0000_0000 +
    Math.floor(t1 / BILLION) * 65536 +
    Math.floor(t2 / BILLION);
  const microseconds = Math.floor((t2 % BILLION) / 1000);
  const days = Math.floor(seconds / 86400);
  const rest = seconds - days * 86400;
  // Civil date from days, counted from 0000-03-01 in eras of 400 years.
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36524) -
      Math.floor(dayOfEra / 146096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  let i = writeDatetime(
    out,
    to,
    yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    Math.floor(rest / 3600),
    Math.floor((rest % 3600) / 60),
    rest % 60,
  );
  out[i++] = 0x5a;
  out[i++] = COMMA;
  return writeDecimal(out, i, microseconds);
}
