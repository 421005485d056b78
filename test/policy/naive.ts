/** A second policy evaluator, slow and plain, that works from what a file says. */
import type { VscpEvent } from '../../src/event/event.js';
import { naiveFields } from '../event/naive-fields.js';

/** A GUID pattern with its meaning beside its spelling. */
export interface Pattern {
  readonly text: string;
  readonly value: bigint;
  readonly mask: bigint;
}

export interface Match {
  readonly sources?: readonly string[];
  /** Words of CLASS_WORDS, or numbers. */
  readonly classes?: readonly (string | number)[];
  /** Words of TYPE_WORDS, or numbers. */
  readonly types?: readonly (string | number)[];
  readonly priorities?: readonly number[];
  readonly guid?: {
    readonly form: 'one' | 'many' | 'in' | 'list' | 'mask';
    readonly patterns: readonly Pattern[];
  };
  readonly raw?: { readonly filter: Quad; readonly mask: Quad };
  readonly sensor?: Bytes;
  readonly zone?: Bytes;
  readonly subzone?: Bytes;
  /** Names of UNITS. */
  readonly unit?: readonly string[];
  readonly value?: Bounds;
  readonly size?: number | Span;
  readonly time?: Times;
}

/** `{ ge, le }` of whole numbers. */
export interface Span {
  readonly ge?: number;
  readonly le?: number;
}

export type Bytes = readonly number[] | Span;

export interface Bounds {
  readonly unit: string;
  readonly ge?: number;
  readonly gt?: number;
  readonly le?: number;
  readonly lt?: number;
}

export interface Times {
  readonly zone: 'UTC' | 'Europe/Berlin';
  /** `05:00-22:00` */
  readonly daily?: readonly string[];
  readonly days?: readonly string[];
  /** `2026-12-24..2026-12-31`, or one day */
  readonly dates?: readonly string[];
}

export interface Quad {
  readonly priority: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly guid: bigint;
}

export type Word = 'keep' | 'zero';

export interface Pseudonym {
  readonly pseudonym: { readonly key_file: string; readonly prefix: string };
}

export interface ValueWords {
  readonly unit: string;
  readonly fn?: 'mean' | 'min' | 'max' | 'last';
  readonly clamp?: Span;
  readonly round?: number;
}

export type Key = 'guid' | 'sensor' | 'zone' | 'subzone' | 'source';

/** `emit` as it is written; durations as TIMES spells them. */
export interface EmitWords {
  readonly priority?: Word | number;
  readonly class?: number;
  readonly type?: number;
  readonly guid?: string | Pseudonym;
  readonly time?: Word | 'relay' | { readonly floor: string; readonly of?: 'event' | 'relay' };
  readonly data?: Word | readonly number[];
  readonly value?: 'keep' | ValueWords;
  readonly sensor?: Word | number;
  readonly zone?: Word | number;
  readonly subzone?: Word | number;
  readonly window?: {
    readonly every: string;
    readonly per: readonly Key[];
    readonly min_samples?: number;
  };
  readonly deadband?: {
    readonly change: number;
    readonly unit: string;
    readonly per?: readonly Key[];
    readonly refresh?: string;
  };
}

export interface LimitWords {
  readonly rate?: string;
  readonly burst?: number;
  readonly size?: number;
}

export interface NaiveRule {
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  readonly to?: readonly string[];
  readonly urgent?: boolean;
  readonly match: Match;
  readonly emit?: EmitWords;
  readonly limits?: LimitWords;
  /** Last valid day, UTC. */
  readonly expires?: string;
}

/** Class tokens and families, from the specification by hand. */
export const CLASS_WORDS: Readonly<Record<string, readonly number[]>> = {
  '@SECURITY': [2, 514, 1034],
  '@PROTOCOL': [0, 512, 1024],
  '@ALARM': [1, 513],
  '@MEASUREMENT': [10, 11, 12, 13, 14]
    .concat([60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74])
    .flatMap((n) => [n, n + 512])
    .concat([1040, 1060]),
  'CLASS1.SECURITY': [2],
  'CLASS1.MEASUREMENT': [10],
  VSCP_CLASS1_MEASUREMENT: [10],
  'CLASS1.MEASUREMENT64': [60],
  'CLASS1.MEASUREZONE': [65],
  'CLASS2.LEVEL1.MEASUREMENT': [522],
  VSCP_CLASS2_MEASUREMENT_STR: [1040],
  'CLASS2.MEASUREMENT_FLOAT': [1060],
};

/** Type tokens: the number, and the classes of this test's small world that have it. */
export const TYPE_WORDS: Readonly<Record<string, readonly [number, readonly number[]]>> = {
  TEMPERATURE: [6, [10, 60, 65, 522, 1040, 1060]],
  VSCP_TYPE_MEASUREMENT_TEMPERATURE: [6, [10, 60, 65, 522, 1040, 1060]],
  COUNT: [1, [10, 60, 65, 522, 1040, 1060]],
  MOTION: [1, [2, 514]],
  VSCP2_TYPE_SECURITY_SETKEY: [1, [1034]],
};

export function classesOf(words: readonly (string | number)[]): number[] {
  return words.flatMap((word) => (typeof word === 'number' ? [word] : CLASS_WORDS[word]!));
}

export function priorityOf({ head }: VscpEvent): number {
  return Math.floor(head / 32) % 8;
}

export function guidOf(event: VscpEvent): bigint {
  return event.guid.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

export function matchesClassAndType(match: Match, vscpClass: number, type: number): boolean {
  const { classes, types, raw } = match;
  if (classes && !classesOf(classes).includes(vscpClass)) return false;
  if (types) {
    const found = types.some((word) => {
      if (typeof word === 'number') return word === type;
      const [number, holders] = TYPE_WORDS[word]!;
      return number === type && holders.includes(vscpClass);
    });
    if (!found) return false;
  }
  if (!raw) return true;
  const { filter, mask } = raw;
  if (((vscpClass ^ filter.vscpClass) & mask.vscpClass) !== 0) return false;
  return ((type ^ filter.type) & mask.type) === 0;
}

/** Units by type, in the order of their codes; SI and the usual definitions. */
export const UNITS: Readonly<Record<number, readonly string[]>> = {
  4: ['second', 'millisecond'],
  6: ['kelvin', 'celsius', 'fahrenheit'],
  16: ['volt'],
  51: ['metre', 'foot', 'inch'],
};

/** A fraction of whole numbers; the lower one above zero. */
export type Ratio = readonly [bigint, bigint];

/** The very number that a double is. */
export function exactly(value: number): Ratio {
  let [n, d] = [value, 1n];
  for (; !Number.isInteger(n); n *= 2) d *= 2n;
  return [BigInt(n), d];
}

/** What the shortest decimal of a double says. */
export function decimal(value: number): Ratio {
  const [digits = '', exponent = '0'] = String(value).split('e');
  const [whole = '', part = ''] = digits.split('.');
  const power = Number(exponent) - part.length;
  const n = BigInt(whole + part);
  return power < 0 ? [n, 10n ** BigInt(-power)] : [n * 10n ** BigInt(power), 1n];
}

export const add = ([a, b]: Ratio, [c, d]: Ratio): Ratio => [a * d + c * b, b * d];
export const times = ([a, b]: Ratio, [c, d]: Ratio): Ratio =>
  c < 0n ? [-a * d, -b * c] : [a * c, b * d];
export const over = (a: Ratio, [c, d]: Ratio): Ratio => times(a, c < 0n ? [-d, -c] : [d, c]);

/** Below 0, 0 or above 0. */
export function compare([a, b]: Ratio, [c, d]: Ratio): number {
  const difference = a * d - c * b;
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** The nearest double: of a quotient of 80 bits or more, the last says that there are more. */
export function nearest([n, d]: Ratio): number {
  if (n < 0n) return -nearest([-n, d]);
  const shift = Math.max(0, 80 - n.toString(2).length + d.toString(2).length);
  const big = n << BigInt(shift);
  const sticky = big % d === 0n ? 0n : 1n;
  return Number(((big / d) * 2n) | sticky) / 2 ** (shift + 1);
}

const ZERO_CELSIUS: Ratio = [27315n, 100n];

function toBase(value: Ratio, unit: string): [base: string, Ratio] {
  switch (unit) {
    case 'kelvin':
      return ['kelvin', value];
    case 'celsius':
      return ['kelvin', add(value, ZERO_CELSIUS)];
    case 'fahrenheit':
      return ['kelvin', add(times(add(value, [-32n, 1n]), [5n, 9n]), ZERO_CELSIUS)];
    case 'millisecond':
      return ['second', times(value, [1n, 1000n])];
    case 'foot':
      return ['metre', times(value, [3048n, 10000n])];
    case 'inch':
      return ['metre', times(value, [254n, 10000n])];
    default:
      return [unit, value];
  }
}

function fromBase(value: Ratio, unit: string): Ratio {
  switch (unit) {
    case 'celsius':
      return add(value, times(ZERO_CELSIUS, [-1n, 1n]));
    case 'fahrenheit':
      return add(times(fromBase(value, 'celsius'), [9n, 5n]), [32n, 1n]);
    case 'millisecond':
      return times(value, [1000n, 1n]);
    case 'foot':
      return times(value, [10000n, 3048n]);
    case 'inch':
      return times(value, [10000n, 254n]);
    default:
      return value;
  }
}

/** undefined where one unit does not convert into the other. */
export function converted(value: number, from: string, to: string): Ratio | undefined {
  const [base, inBase] = toBase(decimal(value), from);
  if (base !== toBase([0n, 1n], to)[0]) return undefined;
  return fromBase(inBase, to);
}

/** What the data of an event says; a number of -1, a value of NaN: nothing. */
export interface Said {
  readonly index: number;
  readonly zone: number;
  readonly subzone: number;
  readonly value: number;
  readonly unit: string | undefined;
  /** Of the unit; -1: nothing. */
  readonly code: number;
  readonly notFinite: boolean;
}

const SAID = new WeakMap<VscpEvent, Said>();

export function saidBy(event: VscpEvent): Said {
  const { vscpClass, type, data } = event;
  const known = SAID.get(event);
  if (known) return known;
  const fields = naiveFields(vscpClass, type, [...data]);
  const said = { ...fields, unit: UNITS[type]?.[fields.unit], code: fields.unit };
  SAID.set(event, said);
  return said;
}

function inSpan(n: number, { ge, le }: Span): boolean {
  return (ge === undefined || n >= ge) && (le === undefined || n <= le);
}

function inBytes(bytes: Bytes, n: number): boolean {
  return 'length' in bytes ? bytes.includes(n) : inSpan(n, bytes);
}

function inBounds({ unit, ge, gt, le, lt }: Bounds, said: Said): boolean | undefined {
  const value = said.unit === undefined ? undefined : converted(said.value, said.unit, unit);
  if (!value) return undefined;
  const to = (bound: number): number => compare(value, decimal(bound));
  return (
    (ge === undefined || to(ge) >= 0) &&
    (gt === undefined || to(gt) > 0) &&
    (le === undefined || to(le) <= 0) &&
    (lt === undefined || to(lt) < 0)
  );
}

/** Whether what the data says matches: a field that is not there does as `missing` says. */
export function matchesData(match: Match, event: VscpEvent, missing: boolean): boolean {
  const { length } = event.data;
  const { size } = match;
  if (size !== undefined && !(typeof size === 'number' ? length === size : inSpan(length, size))) {
    return false;
  }
  if (!(match.sensor ?? match.zone ?? match.subzone ?? match.unit ?? match.value)) return true;
  const said = saidBy(event);
  for (const [bytes, n] of [
    [match.sensor, said.index],
    [match.zone, said.zone],
    [match.subzone, said.subzone],
  ] as const) {
    if (bytes && !(n === -1 ? missing : inBytes(bytes, n))) return false;
  }
  if (match.unit && !(said.unit === undefined ? missing : match.unit.includes(said.unit))) {
    return false;
  }
  if (match.value) {
    const within = Number.isNaN(said.value) ? undefined : inBounds(match.value, said);
    if (!(within ?? missing)) return false;
  }
  return true;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY = 86_400_000;

/** The last sunday of a month of 31 days, 01:00 UTC: when the clocks of Europe change. */
function lastSunday(year: number, month: number): number {
  const last = new Date(Date.UTC(year, month - 1, 31, 1));
  return last.getTime() - last.getUTCDay() * DAY;
}

/** Local wall-clock time, as a Date whose UTC fields say it. */
function localTime(zone: Times['zone'], now: number): Date {
  if (zone === 'UTC') return new Date(now);
  const year = new Date(now).getUTCFullYear();
  const summer = now >= lastSunday(year, 3) && now < lastSunday(year, 10);
  return new Date(now + (summer ? 2 : 1) * 3_600_000);
}

export function matchesTime({ zone, daily, days, dates }: Times, now: number): boolean {
  const local = localTime(zone, now);
  const minutes = local.getUTCHours() * 60 + local.getUTCMinutes();
  /** Whether a window may start on the local day that began `ago` days before this one. */
  const starts = (ago: number): boolean => {
    const day = new Date(local.getTime() - ago * DAY);
    const date = day.toISOString().slice(0, 10);
    if (days && !days.includes(DAYS[day.getUTCDay()]!)) return false;
    return (
      !dates ||
      dates.some((range) => {
        const [first, last = first] = range.split('..');
        return first! <= date && date <= last!;
      })
    );
  };
  return (daily ?? ['00:00-24:00']).some((range) => {
    const [from, to] = range.split('-').map((text) => {
      const [hours, rest] = text.split(':').map(Number);
      return hours! * 60 + rest!;
    });
    if (to! > from!) return minutes >= from! && minutes < to! && starts(0);
    return (minutes >= from! && starts(0)) || (minutes < to! && starts(1));
  });
}

/** @param missing whether a data field that is missing matches: it does for a forbid */
export function matches(
  match: Match,
  event: VscpEvent,
  source: string,
  now = 0,
  missing = false,
): boolean {
  const { sources, priorities, guid, raw, time } = match;
  if (!matchesClassAndType(match, event.vscpClass, event.type)) return false;
  if (sources && !sources.includes(source)) return false;
  if (!matchesData(match, event, missing)) return false;
  if (time && !matchesTime(time, now)) return false;
  const priority = priorityOf(event);
  if (priorities && !priorities.includes(priority)) return false;
  const address = guidOf(event);
  if (guid && !guid.patterns.some(({ value, mask }) => (address & mask) === (value & mask))) {
    return false;
  }
  if (!raw) return true;
  const { filter, mask } = raw;
  if (((priority ^ filter.priority) & mask.priority) !== 0) return false;
  return ((address ^ filter.guid) & mask.guid) === 0n;
}

export interface Verdict {
  /** By channel that the event may go to: the rules that permit it. */
  readonly permits: ReadonlyMap<string, readonly NaiveRule[]>;
  /** Every forbid that matches, whatever channels it names. */
  readonly forbids: readonly NaiveRule[];
}

/** Default deny; forwarded to a channel if a permit names it and no forbid stands against it. */
export function decide(
  rules: readonly NaiveRule[],
  channels: readonly string[],
  event: VscpEvent,
  source: string,
  now = 0,
): Verdict {
  const hits = rules.filter(({ effect, match, expires }) => {
    if (effect === 'permit' && expires && now >= Date.parse(expires) + DAY) return false;
    return matches(match, event, source, now, effect === 'forbid');
  });
  const forbids = hits.filter(({ effect }) => effect === 'forbid');
  const permits = new Map<string, readonly NaiveRule[]>();
  for (const channel of channels) {
    if (forbids.some(({ to }) => to === undefined || to.includes(channel))) continue;
    const by = hits.filter((rule) => rule.effect === 'permit' && rule.to!.includes(channel));
    if (by.length > 0) permits.set(channel, by);
  }
  return { permits, forbids };
}

/** What a permit sends: head is the priority alone, obid 0, and what it does not name is zero. */
export function emit(event: VscpEvent, words: EmitWords | undefined): VscpEvent {
  const kept = words ?? { priority: 'keep', guid: 'keep', time: 'keep', data: 'keep' };
  const time = kept.time === 'keep';
  return {
    head: kept.priority === 'zero' ? 0 : priorityOf(event) * 32,
    vscpClass: event.vscpClass,
    type: event.type,
    obid: 0,
    datetime: time ? event.datetime : '',
    timestamp: time ? event.timestamp : 0n,
    guid: kept.guid === 'keep' ? event.guid : new Uint8Array(16),
    data: kept.data === 'keep' ? event.data : new Uint8Array(0),
  };
}

function quadText({ priority, vscpClass, type, guid }: Quad): string {
  const digits = guid.toString(16).padStart(32, '0');
  return `${priority},${vscpClass},0x${type.toString(16)},${digits.match(/../g)!.join(':')}`;
}

/** The rules as a policy file; JSON is YAML 1.2. */
export function write(rules: readonly NaiveRule[], id = 'p'): string {
  const lists: Record<string, string[]> = {};
  const written = rules.map((rule, i) => {
    const { name, effect, to, urgent, expires, match, emit: words, limits } = rule;
    const { sources, classes, types, priorities, guid, raw } = match;
    const texts = guid?.patterns.map(({ text }) => text) ?? [];
    if (guid?.form === 'list') lists[`list${i}`] = texts;
    const guidForms = {
      one: texts[0],
      many: texts,
      in: { in: texts },
      list: { in: `$list${i}` },
      mask: guid && { value: quadGuid(guid.patterns[0]!.value), mask: maskOf(guid.patterns[0]!) },
    };
    const body = {
      source: sources?.length === 1 ? sources[0] : sources,
      class: classes?.length === 1 ? classes[0] : classes,
      type: types?.length === 1 ? types[0] : types,
      priority: priorities?.length === 1 ? priorities[0] : priorities,
      guid: guid && guidForms[guid.form],
      raw: raw && { filter: quadText(raw.filter), mask: quadText(raw.mask) },
      sensor: match.sensor,
      zone: match.zone,
      subzone: match.subzone,
      unit: match.unit,
      value: match.value,
      size: match.size,
      time: match.time,
    };
    const empty = Object.values(body).every((value) => value === undefined);
    const what = empty ? { any: true } : body;
    return { name, effect, to, urgent, expires, match: what, emit: words, limits };
  });
  const used = Object.keys(lists).length > 0 ? lists : undefined;
  const schema = 'tidegate-policy/v1';
  return JSON.stringify({ schema, policy: { id, revision: 1 }, lists: used, rules: written });
}

function quadGuid(value: bigint): string {
  return value.toString(16).padStart(32, '0').match(/../g)!.join(':');
}

function maskOf({ mask }: Pattern): string {
  return quadGuid(mask);
}
