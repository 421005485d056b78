/** How the page puts values, times and the relay's state: the same on the server and in a browser. */
import type { Alarm, AlarmLevel, RelayView, Series } from '../sensor/view.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Beyond it the digits say nothing to people. */
const MOST_PLAIN = 1e12;
const MOST_DECIMALS = 10;
/** Clocks that differ by less are said to agree. */
const CLOCKS_AGREE = 5 * SECOND;
const GROUP_SPACE = '\u00a0';
const MINUS = '\u2212';

/** A sensor without a reading for so long is shown as quiet. */
export const QUIET_AFTER = HOUR;

/** A part of a sentence; a name comes from outside, times are ms since 1970. */
export type Part =
  string | { readonly name: string } | { readonly moment: number } | { readonly age: number };

/** How much what is said should trouble a reader. */
export type Tone = 'good' | 'idle' | 'warning' | 'alarm';

export interface RelayWords {
  readonly tone: Tone;
  /** One or two words: `Live`. */
  readonly state: string;
  readonly sentence: readonly Part[];
  /** What else is to be known, a sentence each. */
  readonly notes: readonly (readonly Part[])[];
}

/** With so many digits behind the point; a dash if it is no finite number. */
export function valueWords(value: number | null, decimals: number): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (Math.abs(value) >= MOST_PLAIN) return value.toExponential(3).replace('-', MINUS);
  const digits = Math.min(MOST_DECIMALS, Math.max(0, Math.trunc(decimals) || 0));
  const [whole = '', fraction] = Math.abs(value).toFixed(digits).split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, GROUP_SPACE) : whole;
  const text = fraction === undefined ? grouped : `${grouped}.${fraction}`;
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** With its unit: `21.4 °C`. */
export function measureWords(value: number | null, decimals: number, unit: string): string {
  const text = valueWords(value, decimals);
  return unit === '' ? text : `${text}\u00a0${unit}`;
}

/** `12 034`. */
export function countWords(count: number): string {
  return valueWords(count, 0);
}

/** How long ago it was: `5 min ago`. */
export function ageWords(time: number, now: number): string {
  const age = now - time;
  if (age < -CLOCKS_AGREE) return `${spanWords(-age)} ahead`;
  return age < SECOND ? 'now' : `${spanWords(age)} ago`;
}

/** `12 s`, `5 min`, `3 h`, `2 d`. */
export function spanWords(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}\u00a0s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}\u00a0min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}\u00a0h`;
  return `${countWords(Math.floor(ms / DAY))}\u00a0d`;
}

/** Of an address; encodeURIComponent throws at lone surrogates. */
export function urlPart(text: string): string {
  return encodeURIComponent(text.replace(/\p{Cs}/gu, '\ufffd'));
}

export function levelWords(level: AlarmLevel): string {
  return level === 'alarm' ? 'Alarm' : 'Warning';
}

/** Alarms beyond it are in a list that is opened. */
export const ALARMS_SHOWN = 3;

/** Those of one level, name and place as one, in the order of the first of them. */
export function groupAlarms(alarms: readonly Alarm[]): Alarm[] {
  const groups = new Map<string, Alarm>();
  for (const alarm of alarms) {
    const key = JSON.stringify([alarm.level, alarm.name, alarm.place]);
    const group = groups.get(key);
    if (!group) groups.set(key, alarm);
    else
      groups.set(key, {
        ...group,
        since: Math.min(group.since, alarm.since),
        time: Math.max(group.time, alarm.time),
        count: group.count + alarm.count,
      });
  }
  return [...groups.values()];
}

/** Of those that are not shown: `2 more, 1 alarm`. */
export function moreWords(rest: readonly Alarm[]): string {
  const alarms = rest.filter(({ level }) => level === 'alarm').length;
  const number = alarms === 1 ? '1 alarm' : `${countWords(alarms)} alarms`;
  return `${countWords(rest.length)} more${alarms > 0 ? `, ${number}` : ''}`;
}

/** Where it is, when it came, and how often. */
export function alarmWords(alarm: Alarm): Part[] {
  const parts: Part[] = [];
  if (alarm.place !== '') parts.push({ name: alarm.place }, ' · ');
  if (alarm.count > 1) {
    parts.push(`${countWords(alarm.count)} times, last `, { age: alarm.time });
  } else parts.push({ moment: alarm.time }, ' · ', { age: alarm.time });
  return parts;
}

export function relayWords(relay: RelayView): RelayWords {
  const notes: Part[][] = [];
  if (relay.missing > 0) {
    const were = relay.missing === 1 ? 'event was' : 'events were';
    const of = relay.expected > 0 ? ` of ${countWords(relay.expected)}` : '';
    notes.push([`${countWords(relay.missing)}${of} ${were} lost on the way.`]);
  }
  for (const { name, since } of relay.silent)
    notes.push([{ name }, ', behind the relay, has been silent since ', { moment: since }, '.']);
  const who: Part[] = relay.name === '' ? ['The relay'] : ['Relay ', { name: relay.name }];
  const since: Part[] = [' since ', { moment: relay.since }, ' (', { age: relay.since }, ').'];
  const old = ' What is shown is the last that came.';
  switch (relay.state) {
    case 'never':
      return {
        tone: 'idle',
        state: 'Waiting',
        sentence: ['No relay has connected since the board began, ', { moment: relay.since }, '.'],
        notes,
      };
    case 'silent':
      return {
        tone: 'warning',
        state: 'Silent',
        sentence: [...who, ' is connected, but nothing has come from it', ...since, old],
        notes,
      };
    case 'away':
      return {
        tone: 'alarm',
        state: 'Away',
        sentence: [...who, ' has been away', ...since, old],
        notes,
      };
    case 'live':
      return {
        tone: relay.missing > 0 || relay.silent.length > 0 ? 'warning' : 'good',
        state: 'Live',
        sentence: [...who, ' is sending', ...liveWords(relay)],
        notes,
      };
  }
}

/** While the board itself is out of reach. */
export const RELAY_UNKNOWN: RelayWords = {
  tone: 'idle',
  state: 'Unknown',
  sentence: [
    'Without the board nothing is known of the relay. What is shown is the last that came.',
  ],
  notes: [],
};

function liveWords(relay: RelayView): Part[] {
  if (relay.beacon === 0) return ['.'];
  const parts: Part[] = ['; its last beacon came ', { age: relay.beacon }];
  if (relay.expected > 0 && relay.missing === 0)
    parts.push(`, and none of ${countWords(relay.expected)} events was lost`);
  return [...parts, '.'];
}

/** Of each zone with an alarm, how bad it is at worst. */
export function zoneLevels(alarms: readonly Alarm[]): Map<string, AlarmLevel> {
  const levels = new Map<string, AlarmLevel>();
  for (const { zone, level } of alarms)
    if (zone !== '' && levels.get(zone) !== 'alarm') levels.set(zone, level);
  return levels;
}

/** What a screen reader is told of a line of parts, without ages. */
export function plainWords(parts: readonly Part[], moment: (time: number) => string): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return part;
      return 'name' in part ? part.name : moment('moment' in part ? part.moment : part.age);
    })
    .join('');
}

export interface Spark {
  /** `d` of the line's path, in a box of 100 by 32. */
  readonly line: string;
  /** Of what lies below it. */
  readonly area: string;
  /** Where the newest value is. */
  readonly end: string;
}

/** Noise in the last digit fills neither a line nor a chart: so many of its steps are the least. */
const LEAST_STEPS = 10;

/** Between what a line or a chart is drawn. */
export function scaleOf(least: number, greatest: number, decimals: number): [number, number] {
  const digits = Math.min(MOST_DECIMALS, Math.max(0, Math.trunc(decimals) || 0));
  const lacks = LEAST_STEPS * 10 ** -digits - (greatest - least);
  return lacks > 0 ? [least - lacks / 2, greatest + lacks / 2] : [least, greatest];
}

/** Of the last values, oldest first; undefined if there are less than two. */
export function spark(values: readonly (number | null)[], decimals: number): Spark | undefined {
  const finite = values.filter((value): value is number => Number.isFinite(value));
  if (finite.length < 2) return undefined;
  const [low, high] = scaleOf(Math.min(...finite), Math.max(...finite), decimals);
  const points = finite.map((value, index) => {
    const x = (index / (finite.length - 1)) * 100;
    // The span of huge values overflows, or is lost in them: such a line is flat.
    const flat = high === low || !Number.isFinite(high - low);
    const share = flat ? 0.5 : Math.min(1, Math.max(0, (value - low) / (high - low)));
    const y = 28 - share * 24;
    return `${round(x)} ${round(y)}`;
  });
  const line = `M${points.join('L')}`;
  return { line, area: `${line}V32H0Z`, end: `M${points.at(-1)!}h0` };
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export interface Range {
  readonly id: string;
  readonly name: string;
  /** ms. */
  readonly span: number;
}

const FEW_HOURS = 12;

/** Spans of time that a chart can show. */
export const RANGES: readonly Range[] = [
  { id: 'hour', name: '1 hour', span: HOUR },
  { id: 'six', name: '6 hours', span: 6 * HOUR },
  { id: 'day', name: '24 hours', span: DAY },
  { id: 'week', name: '7 days', span: 7 * DAY },
  { id: 'month', name: '30 days', span: 30 * DAY },
  { id: 'year', name: '1 year', span: 365 * DAY },
];

/** Of a day's points: the shortest span, up to a day, that all of them lie in. */
export function rangeFor(points: Series['points'], now: number): Range {
  const begin = points[0]?.[0] ?? -Infinity;
  return RANGES.find(({ span }) => span === DAY || now - begin <= span)!;
}

/** Values by the hour that are so few are better shown as readings. */
export function isCoarse({ resolution, points }: Series): boolean {
  return resolution === 'hour' && points.length < FEW_HOURS;
}

/** What is to be known of a chart that begins then. */
export function seriesWords({ resolution, points }: Series, from: number, span: number): Part[] {
  const begin = points[0]?.[0];
  if (begin === undefined) return ['There is no reading of this time.'];
  const parts: Part[] = [];
  if (resolution !== 'raw') parts.push(`Values are by ${resolution}. `);
  if (begin - from > span / 10) parts.push('History begins at ', { moment: begin }, '.');
  return parts;
}

export interface Extent {
  readonly least: number;
  readonly greatest: number;
  readonly mean: number;
}

/** Over all points; undefined if there is none. The mean is one of points, each counting the same. */
export function extent(points: Series['points']): Extent | undefined {
  if (points.length === 0) return undefined;
  let least = Infinity;
  let greatest = -Infinity;
  let mean = 0;
  for (const [, value, low, high] of points) {
    least = Math.min(least, low);
    greatest = Math.max(greatest, high);
    mean += value / points.length;
  }
  return { least, greatest, mean };
}

/** Whether each of its points is a reading: raw ones that are many are thinned. */
export function areReadings({ resolution, points }: Series): boolean {
  return resolution === 'raw' && points.every(([, , low, high]) => low === high);
}

/** A pause between two points that is longer than this is a gap, ms. */
export function gapOf({ resolution, points }: Series): number {
  if (resolution === 'hour') return 1.5 * HOUR;
  if (resolution === 'day') return 1.5 * DAY;
  const pauses = points.slice(1).map(([time], index) => time - points[index]![0]);
  pauses.sort((a, b) => a - b);
  return Math.max(2 * MINUTE, 8 * (pauses[pauses.length >> 1] ?? 0));
}
