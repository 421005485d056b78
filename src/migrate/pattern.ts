/** Reads `allowed_time`, a pattern of dates and times of day, as ranges of days and minutes. */
import { Hindrance, quoted } from './hindrance.js';
import type { Element } from './matrix.js';

const DAY = 86_400_000;
/** As many ranges as a rule may list. */
const MAX_RANGES = 64;

/** Whole numbers, the last one included. */
export type Range = readonly [first: number, last: number];

/** undefined: all. */
export interface Pattern {
  /** Of the day. */
  readonly minutes: readonly Range[] | undefined;
  /** Days since 1970. */
  readonly dates: readonly Range[] | undefined;
}

export const ALWAYS: Pattern = { minutes: undefined, dates: undefined };

export function dayOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / DAY;
}

export function formatDay(day: number): string {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

const ITEMS = [
  ['year', 0, 9999],
  ['month', 1, 12],
  ['day', 1, 31],
  ['hour', 0, 23],
  ['minute', 0, 59],
  ['second', 0, 59],
] as const;

type Items = Record<(typeof ITEMS)[number][0], number[] | undefined>;

/** `YYYY-MM-DD HH:MM:SS`, each a number, a list as 0/15/30, or `*`. */
export function readPattern(element: Element): Pattern {
  const text = element.text.trim();
  // The daemon's own examples leave items out, and mean any: '-*-* *:*:'.
  if (/^[*\s:-]*$/.test(text)) return ALWAYS;
  const [date = '', time = '', ...more] = text.split(/\s+/);
  const parts = [
    ...(date === '*' ? ['*', '*', '*'] : date.split('-')),
    ...(time === '*' ? ['*', '*', '*'] : time.split(':')),
  ];
  if (more.length > 0 || parts.length !== 6) {
    throw new Hindrance(element, `${quoted(text)} is no pattern as *-*-* *:0/30:*`);
  }
  const items = Object.fromEntries(
    ITEMS.map(([name, min, max], i) => [name, readItem(element, parts[i]!, name, min, max)]),
  ) as Items;
  if (items.second && items.second.length < 60) {
    const remedy = 'make the seconds *, and say how often with limits or a window';
    throw new Hindrance(element, `the times of a rule are whole minutes: ${remedy}`);
  }
  return { minutes: minutesOf(element, items), dates: datesOf(element, items) };
}

function readItem(
  element: Element,
  text: string,
  name: string,
  min: number,
  max: number,
): number[] | undefined {
  if (text === '*') return undefined;
  const numbers = text.split('/').map((part) => (/^\d{1,4}$/.test(part) ? Number(part) : NaN));
  if (!numbers.every((number) => number >= min && number <= max)) {
    throw new Hindrance(
      element,
      `${quoted(text)} is no ${name}: *, or numbers of ${min} to ${max}`,
    );
  }
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** Makes those that touch one. */
function merge(element: Element, ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const [first, last] of ranges) {
    const before = merged.at(-1);
    if (before && before[1] + 1 === first) merged[merged.length - 1] = [before[0], last];
    else merged.push([first, last]);
  }
  if (merged.length <= MAX_RANGES) return merged;
  throw new Hindrance(element, `more than ${MAX_RANGES} times: ${FEWER}`);
}

function minutesOf(element: Element, { hour, minute }: Items): Range[] | undefined {
  if (!hour && !minute) return undefined;
  const hours = hour ?? Array.from({ length: 24 }, (_, i) => i);
  const ranges = hours.flatMap((h): Range[] =>
    minute ? minute.map((m) => [h * 60 + m, h * 60 + m]) : [[h * 60, h * 60 + 59]],
  );
  return merge(element, ranges);
}

function datesOf(element: Element, { year, month, day }: Items): Range[] | undefined {
  if (!year) {
    if (!month && !day) return undefined;
    throw new Hindrance(element, 'the dates of a rule have a year: write its years out');
  }
  const first = (y: number, m = 1, d = 1): number => {
    const [yyyy, mm, dd] = [y, m, d].map(String);
    return dayOf(`${yyyy!.padStart(4, '0')}-${mm!.padStart(2, '0')}-${dd!.padStart(2, '0')}`);
  };
  const next = (y: number, m: number): number => (m < 12 ? first(y, m + 1) : first(y, 12, 31) + 1);
  if (year.length * (month?.length ?? 1) * (day?.length ?? 1) > MAX_DATES) {
    throw new Hindrance(element, `more than ${MAX_DATES} dates: ${FEWER}`);
  }
  const ranges = year.flatMap((y): Range[] => {
    if (!month && !day) return [[first(y), next(y, 12) - 1]];
    return (month ?? MONTHS).flatMap((m): Range[] => {
      const [from, until] = [first(y, m), next(y, m)];
      if (!day) return [[from, until - 1]];
      // A day that the month does not have is none of its dates.
      return day.map((d): Range => [from + d - 1, from + d - 1]).filter(([date]) => date < until);
    });
  });
  return merge(element, ranges);
}

const MAX_DATES = 1024;
const MONTHS = Array.from({ length: 12 }, (_, i) => i + 1);
const FEWER = 'write the rule with fewer by hand';
