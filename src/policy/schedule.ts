/** Parses the times at which a rule holds: windows of the day, weekdays and dates of a zone. */
import { readDate } from '../document/date.js';
import type { Field } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { schedulesMeet, weekday, zoneName } from './schedule-open.js';

export { isOpen, schedulesMeet } from './schedule-open.js';

export const MAX_WINDOWS = 64;
const DAY = 86_400_000;
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const EVERY_DAY = 0x7f;

/** What holds at some times, by the wall clock of a zone; its lists are in order and apart. */
export interface Schedule {
  /** As it was written: an IANA name that this Node knows. */
  readonly zone: string;
  /** Minutes of the local day, half-open; `to` is above 1440 where one crosses midnight. */
  readonly daily: readonly { readonly from: number; readonly to: number }[] | undefined;
  /** Bit 0 monday to bit 6 sunday: of the day on which a window starts, as are the dates. */
  readonly days: number;
  /** Local days since 1970-01-01, inclusive. */
  readonly dates: readonly { readonly first: number; readonly last: number }[] | undefined;
}

type Range = readonly [start: number, end: number];

/**
 * `{ zone: Europe/Berlin, daily: ["22:00-05:00"], days: [mon], dates: ["2026-12-24..2026-12-31"] }`
 * with at least one of the last three.
 *
 * @throws DocumentError
 */
export function parseSchedule(field: Field): Schedule {
  const keys = field.record(['zone', 'daily', 'days', 'dates']);
  const zone = parseZone(field.need(keys.zone, 'zone'));
  if (!(keys.daily ?? keys.days ?? keys.dates)) {
    throw field.error(`${field.path} needs 'daily', 'days' or 'dates': without them it is always`);
  }
  const daily = keys.daily && parseRanges(keys.daily, parseWindow);
  const dates = keys.dates && parseRanges(keys.dates, parseDates);
  const days = keys.days?.list().reduce((bits, item) => bits | parseDay(item), 0) ?? EVERY_DAY;
  const schedule: Schedule = {
    zone,
    daily: daily?.map(([from, to]) => ({ from, to })),
    days,
    dates: dates?.map(([first, end]) => ({ first, last: end - 1 })),
  };
  if (keys.dates) guardOpens(schedule, keys.dates);
  return schedule;
}

/** Intl takes abbreviations too, some not as most would mean them: BST is the zone of Dhaka. */
const AREA = /^(?!SystemV\/)[a-z]+(?:\/[a-z\d_+-]+){1,2}$/i;

function parseZone(field: Field): string {
  const name = field.text(64);
  if (name !== 'UTC' && !AREA.test(name)) {
    throw field.error(`'${name}' names no zone: write it as Europe/Berlin, or UTC`);
  }
  try {
    zoneName(name);
  } catch {
    const hint = didYouMean(name, Intl.supportedValuesOf('timeZone'));
    throw field.error(`unknown zone '${name}'${hint || ': write it as Europe/Berlin, or UTC'}`);
  }
  return name;
}

/** A list of half-open ranges, in order, with those that touch made one. */
function parseRanges(field: Field, parse: (item: Field) => Range): Range[] {
  const items = field.list();
  const excess = items[MAX_WINDOWS];
  if (excess) {
    throw excess.error(
      `${field.path} holds more than ${MAX_WINDOWS}: spread them over several rules`,
    );
  }
  const merged: Range[] = [];
  for (const [start, end] of items.map(parse).sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (!last || start > last[1]) merged.push([start, end]);
    else merged[merged.length - 1] = [last[0], Math.max(last[1], end)];
  }
  return merged;
}

/** `05:00-22:00`, in minutes of the day on which it starts. */
function parseWindow(field: Field): Range {
  const text = field.text(64);
  const [from = NaN, to = NaN, ...more] = text.split('-').map(parseMinute);
  if (Number.isNaN(from + to) || from === 1440 || more.length > 0) {
    throw field.error(`'${text}' must be two times of day as 05:00-22:00, from 00:00 to 24:00`);
  }
  if (from === to) {
    throw field.error(`'${text}' ends where it starts: the whole day is 00:00-24:00`);
  }
  return [from, to < from ? to + 1440 : to];
}

function parseMinute(text: string): number {
  return /^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/.test(text)
    ? Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
    : NaN;
}

function parseDay(field: Field): number {
  return 1 << WEEKDAYS.indexOf(field.choice(WEEKDAYS));
}

/** `2026-12-24..2026-12-31` or `2026-12-24`, in days since 1970-01-01, the last one included. */
function parseDates(field: Field): Range {
  const text = field.text(64);
  const [first = NaN, last = first, ...more] = text.split('..').map(parseDate);
  if (Number.isNaN(first + last) || more.length > 0) {
    throw field.error(`'${text}' must be a date as 2026-12-24, or two as 2026-12-24..2026-12-31`);
  }
  if (last < first) throw field.error(`'${text}' ends before it starts: swap the two`);
  return [first, last + 1];
}

function parseDate(text: string): number {
  return readDate(text) / DAY;
}

/** A rule that never holds is a mistake: a forbid would seem to protect and does not. */
function guardOpens(schedule: Schedule, field: Field): void {
  const { dates = [], days, zone } = schedule;
  const on = ({ first, last }: (typeof dates)[number]): boolean =>
    Array.from({ length: Math.min(7, last - first + 1) }, (_, i) => weekday(first + i)).some(
      (day) => ((days >> day) & 1) === 1,
    );
  if (!dates.some(on)) throw field.error(`no day of ${field.path} is one of 'days'`);
  // Three weeks hold each weekday three times: no change of the clock takes them all.
  const opens = dates.some(({ first, last }) =>
    schedulesMeet(schedule, schedule, (first - 1) * DAY, (Math.min(last, first + 20) + 3) * DAY),
  );
  if (!opens) throw field.error(`never opens: the clock of ${zone} skips all of these times`);
}

/** A text that is the same for two schedules that say the same days and windows of one zone. */
export function scheduleKey(schedule: Schedule): string {
  const daily = schedule.daily?.map(({ from, to }) => `${from}-${to}`) ?? ['0-1440'];
  const dates = schedule.dates?.map(({ first, last }) => `${first}..${last}`) ?? ['ever'];
  const parts = [zoneName(schedule.zone), daily.join(), schedule.days.toString(16), dates.join()];
  return parts.join(' ');
}
