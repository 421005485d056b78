/** When a schedule is open, and whether two of them ever are at once. */
import type { Schedule } from './schedule.js';

const MINUTE = 60_000;
const DAY = 86_400_000;

const WHOLE_DAY = [{ from: 0, to: 1440 }] as const;
const EVER = [{ first: -Infinity, last: Infinity }] as const;

export const MAX_ZONES = 64;
const MAX_DAYS = 4096;

/** What is known of a zone: making its format costs fifty times what using it does. */
interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** Offsets at midnights UTC, by day: pairs of schedules ask for the same ones. */
  readonly midnights: Map<number, number>;
}

const zones = new Map<string, Zone>();

/** @throws RangeError if this Node does not know the zone */
function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (!zone) {
    // An offset, not fields of a date: those would be of the Julian calendar before 1582.
    const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
    zone = { format, midnights: new Map() };
    const [oldest] = zones.keys();
    if (oldest !== undefined && zones.size >= MAX_ZONES) zones.delete(oldest);
    zones.set(name, zone);
  }
  return zone;
}

/**
 * The one name of a zone that has several: `Asia/Kathmandu` and `Asia/Katmandu` are the same.
 *
 * @throws RangeError if this Node does not know the zone
 */
export function zoneName(name: string): string {
  return zoneOf(name).format.resolvedOptions().timeZone;
}

/** How far local time is ahead of UTC, in ms; `GMT+05:45`, before 1972 also `GMT-00:44:30`. */
function offsetAt(zone: Zone, now: number): number {
  const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(zone.format.format(now));
  if (!match) throw new Error('Intl writes offsets in another way than is known here');
  const [, sign, hours = 0, minutes = 0, seconds = 0] = match;
  const offset = Number(hours) * 60 * MINUTE + Number(minutes) * MINUTE + Number(seconds) * 1000;
  return sign === '-' ? -offset : offset;
}

function offsetAtMidnight(zone: Zone, day: number): number {
  let offset = zone.midnights.get(day);
  if (offset === undefined) {
    offset = offsetAt(zone, day * DAY);
    if (zone.midnights.size >= MAX_DAYS) zone.midnights.clear();
    zone.midnights.set(day, offset);
  }
  return offset;
}

type Interval = readonly [start: number, end: number];

/**
 * The windows of a schedule, as parts of [start, end) of local wall-clock time, in ms since
 * 1970-01-01T00:00 local, ordered by where they start.
 *
 * A schedule says something of local times only. That is all there is to changes of the clock: a
 * local time that does not exist is at no instant, one that exists twice is at two.
 */
function* windows(schedule: Schedule, start: number, end: number): Generator<Interval> {
  const earliest = Math.floor(start / DAY) - 1;
  const latest = Math.ceil(end / DAY) - 1;
  for (const { first, last } of schedule.dates ?? EVER) {
    const until = Math.min(last, latest);
    for (let day = Math.max(first, earliest); day <= until; day++) {
      if (((schedule.days >> weekday(day)) & 1) === 0) continue;
      for (const { from, to } of schedule.daily ?? WHOLE_DAY) {
        const opens = Math.max(start, day * DAY + from * MINUTE);
        const closes = Math.min(end, day * DAY + to * MINUTE);
        if (opens < closes) yield [opens, closes];
      }
    }
  }
}

/** 0 is monday; 1970-01-01 was a thursday. */
export function weekday(day: number): number {
  return (((day + 3) % 7) + 7) % 7;
}

/**
 * Whether a schedule is open at `now`, ms since 1970 UTC. It opens and closes at whole minutes
 * UTC, as long as all offsets are whole minutes: since February 1972 they are.
 *
 * @throws RangeError if `now` is no time
 */
export function isOpen(schedule: Schedule, now: number): boolean {
  const instant = Math.floor(now);
  const local = instant + offsetAt(zoneOf(schedule.zone), instant);
  return windows(schedule, local, local + 1).next().done !== true;
}

/** A stretch of UTC in which a zone's offset stays the same. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/** Assumes that no offset changes twice between two midnights UTC: none has since 1972. */
function spans(name: string, start: number, end: number): Span[] {
  const zone = zoneOf(name);
  const found: Span[] = [];
  const last = Math.ceil(end / DAY);
  let begun = start;
  let day = Math.floor(start / DAY);
  let offset = offsetAtMidnight(zone, day);
  for (; day < last; day++) {
    const next = offsetAtMidnight(zone, day + 1);
    if (next === offset) continue;
    let before = day * DAY;
    let after = before + DAY;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (offsetAt(zone, middle) === offset) before = middle;
      else after = middle;
    }
    found.push({ start: begun, end: Math.min(after, end), offset });
    begun = Math.max(after, start);
    offset = next;
  }
  found.push({ start: begun, end, offset });
  return found;
}

/** Whether two lists share some time, the second being `ahead` of the first. */
function overlap(a: Generator<Interval>, b: Generator<Interval>, ahead: number): boolean {
  let [inA, inB] = [a.next(), b.next()];
  while (inA.done !== true && inB.done !== true) {
    const [start, end] = inA.value;
    if (end <= inB.value[0] - ahead) inA = a.next();
    else if (inB.value[1] - ahead <= start) inB = b.next();
    else return true;
  }
  return false;
}

/**
 * Whether both are open at some instant of [from, until), exactly. Takes time with the length of
 * the period, or with that of the dates, whichever is shorter.
 *
 * @throws RangeError if neither period nor dates have an end
 */
export function schedulesMeet(a: Schedule, b: Schedule, from: number, until: number): boolean {
  let [start, end] = [from, until];
  for (const { dates } of [a, b]) {
    if (!dates) continue;
    // A day for how far a zone is off UTC, one for what crosses midnight.
    start = Math.max(start, (Math.min(...dates.map(({ first }) => first)) - 1) * DAY);
    end = Math.min(end, (Math.max(...dates.map(({ last }) => last)) + 3) * DAY);
  }
  if (start >= end) return false;
  if (!Number.isFinite(end - start)) throw new RangeError('a period needs a start and an end');
  const spansOfB = spans(b.zone, start, end);
  for (const inA of spans(a.zone, start, end)) {
    for (const inB of spansOfB) {
      const first = Math.max(inA.start, inB.start);
      // While the offsets stay and no dates are given, each week is as the one before.
      const last = Math.min(inA.end, inB.end, (a.dates ?? b.dates) ? Infinity : first + 7 * DAY);
      const ofA = windows(a, first + inA.offset, last + inA.offset);
      const ofB = windows(b, first + inB.offset, last + inB.offset);
      if (overlap(ofA, ofB, inB.offset - inA.offset)) return true;
    }
  }
  return false;
}
