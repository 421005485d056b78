/** The time of an event in its binary form: seconds since 1970 and back, exactly. */
import {
  DATE_FORM,
  DateForm,
  DAY,
  HOUR,
  MINUTE,
  MONTH,
  readU16,
  readU32,
  SECOND,
  STAMP_HIGH,
  STAMP_LOW,
  writeU16,
  writeU32,
  YEAR,
} from './layout.js';

const BILLION = 1e9;

/** A calendar date; one instance is reused. */
export const civil = { year: 0, month: 0, day: 0 };

/** Writes the date of a day counted from 1970-01-01 into `civil`. */
export function setCivil(days: number): void {
  // Counted from 0000-03-01 in eras of 400 years.
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
  civil.month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  civil.year = yearOfEra + era * 400 + (civil.month <= 2 ? 1 : 0);
  civil.day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
}

/** Days since 1970-01-01 of a date. */
export function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const shiftedMonth = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * shiftedMonth + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** Whole seconds of a 64-bit count of nanoseconds. */
export function wholeSeconds(high: number, low: number): number {
  // Long division by 10^9 in 16-bit limbs: every partial dividend fits a double exactly.
  const t1 = (high % BILLION) * 65536 + (low >>> 16);
  const t2 = (t1 % BILLION) * 65536 + (low & 0xffff);
  return (
    Math.floor(high / BILLION) * 0x1_0000_0000 +
    Math.floor(t1 / BILLION) * 65536 +
    Math.floor(t2 / BILLION)
  );
}

/** What a 64-bit count of nanoseconds has beyond whole seconds, ns. */
export function restOfSecond(high: number, low: number): number {
  const t1 = (high % BILLION) * 65536 + (low >>> 16);
  return ((t1 % BILLION) * 65536 + (low & 0xffff)) % BILLION;
}

/** Seconds since 1970 of the event at `at`; NaN if it has no time. */
export function secondsOf(body: Uint8Array, at: number): number {
  if (body[at + DATE_FORM] === DateForm.none) {
    const high = readU32(body, at + STAMP_HIGH);
    // What fits 32 bits is no time of day in nanoseconds.
    return high === 0 ? NaN : wholeSeconds(high, readU32(body, at + STAMP_LOW));
  }
  const days = daysOf(readU16(body, at + YEAR), body[at + MONTH]!, body[at + DAY]!);
  return days * 86400 + body[at + HOUR]! * 3600 + body[at + MINUTE]! * 60 + body[at + SECOND]!;
}

/**
 * Gives the event at `at` a time as a datetime in UTC, its timestamp zero.
 *
 * @param seconds whole, since 1970
 * @returns false, and nothing is written, for a year that a datetime cannot say
 */
export function writeSeconds(body: Uint8Array, at: number, seconds: number): boolean {
  const days = Math.floor(seconds / 86400);
  setCivil(days);
  if (!(civil.year >= 0 && civil.year <= 9999)) return false;
  const rest = seconds - days * 86400;
  body[at + DATE_FORM] = DateForm.zulu;
  writeU16(body, at + YEAR, civil.year);
  body[at + MONTH] = civil.month;
  body[at + DAY] = civil.day;
  body[at + HOUR] = Math.floor(rest / 3600);
  body[at + MINUTE] = Math.floor((rest % 3600) / 60);
  body[at + SECOND] = rest % 60;
  writeU32(body, at + STAMP_HIGH, 0);
  writeU32(body, at + STAMP_LOW, 0);
  return true;
}
