/** Turns the times at which a row may act into `time` of a rule. */
import { checkAttributes, Hindrance, quoted } from './hindrance.js';
import type { Element, Row } from './matrix.js';
import { ALWAYS, dayOf, formatDay, type Range, readPattern } from './pattern.js';

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const LETTERS = 'mtwtfss';

const EVER: Range = [dayOf('0000-01-01'), dayOf('9999-12-31')];

/**
 * `{ zone: ..., daily: [...], days: [...], dates: [...] }`, or undefined for always.
 *
 * @throws Hindrance where it is more than days and minutes
 */
export function readTimes(
  row: Row,
  zone: string,
  find: (name: string) => Element | undefined,
): string | undefined {
  const [from, to] = [find('allowed_from'), find('allowed_to')];
  const [weekdays, pattern] = [find('allowed_weekdays'), find('allowed_time')];
  for (const element of [from, to, weekdays, pattern]) if (element) checkAttributes(element, []);
  const first = from ? readInstant(from, '00:00:00', /^0000-/) : undefined;
  const last = to ? readInstant(to, '23:59:59', /^9999-/) : undefined;
  const days = weekdays ? readWeekdays(weekdays) : WEEKDAYS;
  const { minutes, dates } = pattern ? readPattern(pattern) : ALWAYS;
  const bounded = [first, last, dates].some((part) => part !== undefined);
  const whole: Range = [first ?? EVER[0], last ?? EVER[1]];
  const ranges = (dates ?? [EVER])
    .map((range): Range => [Math.max(range[0], whole[0]), Math.min(range[1], whole[1])])
    .filter((range) => opensOn(range, days));
  if (ranges.length === 0) throw new Hindrance(row, 'it never matches: no day is one of its days');
  const parts = [
    ...(minutes ? [`daily: [${minutes.map(formatMinutes).join(', ')}]`] : []),
    ...(days.length < 7 ? [`days: [${days.join(', ')}]`] : []),
    ...(bounded ? [`dates: [${ranges.map(formatDates).join(', ')}]`] : []),
  ];
  return parts.length === 0 ? undefined : `{ ${[`zone: ${zone}`, ...parts].join(', ')} }`;
}

function formatDates([first, last]: Range): string {
  return `"${formatDay(first)}${first === last ? '' : `..${formatDay(last)}`}"`;
}

function formatMinutes([first, last]: Range): string {
  const text = (minute: number): string =>
    [Math.floor(minute / 60), minute % 60].map((n) => String(n).padStart(2, '0')).join(':');
  return `"${text(first)}-${text(last + 1)}"`;
}

/** 1970-01-01 was a thursday. */
function weekdayOf(day: number): string {
  return WEEKDAYS[(((day + 3) % 7) + 7) % 7]!;
}

function opensOn([first, last]: Range, days: readonly string[]): boolean {
  for (let day = first; day <= Math.min(last, first + 6); day++) {
    if (days.includes(weekdayOf(day))) return true;
  }
  return false;
}

/** The day of a time that must be the first or last second of it; undefined: no limit. */
function readInstant(element: Element, second: string, unlimited: RegExp): number | undefined {
  const text = element.text.trim();
  if (text === '' || text === '*' || unlimited.test(text)) return undefined;
  const [date = '', time] = text.split(/[ T]+/);
  const day = /^\d{4}-\d\d-\d\d$/.test(date) ? dayOf(date) : NaN;
  if (Number.isNaN(day) || formatDay(day) !== date || time === undefined) {
    throw new Hindrance(element, `${quoted(text)} is no time as 2026-12-24 ${second}`);
  }
  if (time !== second) {
    throw new Hindrance(element, `the dates of a rule are whole days: make it ${date} ${second}`);
  }
  return day;
}

function readWeekdays(element: Element): string[] {
  const text = element.text.trim().toLowerCase();
  if (text === '' || text === '*') return WEEKDAYS;
  if (text.length !== 7 || text.split('').some((c, i) => c !== '-' && c !== LETTERS[i])) {
    throw new Hindrance(
      element,
      `${quoted(text)} must be ${LETTERS}, with - for a day that is off`,
    );
  }
  return WEEKDAYS.filter((_, i) => text[i] !== '-');
}
