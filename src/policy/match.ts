/** What a rule matches, in a form that algebra can read: ternary bits, intervals and finite sets. */
import { Cubes } from './cubes.js';
import { type Schedule, schedulesMeet } from './schedule.js';

/** A set of 16-bit numbers: listed, or all `n` with `(n ^ value) & mask == 0`. */
export type NumberSet =
  { readonly values: ReadonlySet<number> } | { readonly value: number; readonly mask: number };

export const EVERY: NumberSet = { value: 0, mask: 0 };

/** A GUID pattern: bits of `value` where `mask` is set; 16 bytes each. */
export interface GuidCube {
  readonly value: Uint8Array;
  readonly mask: Uint8Array;
}

/** From and to, both of them inside. Doubles are ordered as their bit patterns are: integers. */
export type Interval = readonly [number, number];

/** Stands in a set of field values for a field that is missing or does not decode. */
export const MISSING = -1;

/** Values by the unit code that the event has them in, so that nothing is converted to match. */
export interface Values {
  readonly intervals: ReadonlyMap<number, Interval>;
  /** Whether a value matches that is missing, or in a unit that has no interval here. */
  readonly otherwise: boolean;
}

/** Dimensions of the data: finite sets of bytes and MISSING; undefined: anything. */
export interface DataSets {
  readonly sensors: ReadonlySet<number> | undefined;
  readonly zones: ReadonlySet<number> | undefined;
  readonly subzones: ReadonlySet<number> | undefined;
  /** Unit codes. */
  readonly units: ReadonlySet<number> | undefined;
}

/** One conjunction; a rule matches an event if any of its arms does. */
export interface Arm extends DataSets {
  /** Names of lower links; undefined: all. */
  readonly sources: ReadonlySet<string> | undefined;
  /** Bit p is set if priority p matches. */
  readonly priorities: number;
  readonly classes: NumberSet;
  readonly types: NumberSet;
  /** Alternatives; undefined: every GUID. */
  readonly guids: readonly GuidCube[] | undefined;
  readonly values: Values | undefined;
  /** Data bytes; undefined: any number. */
  readonly sizes: Interval | undefined;
  /** Of the relay's clock; undefined: always. */
  readonly schedule: Schedule | undefined;
}

/** Of an arm that looks at nothing but what the header says. */
export const ANY_DATA = {
  sensors: undefined,
  zones: undefined,
  subzones: undefined,
  units: undefined,
  values: undefined,
  sizes: undefined,
  schedule: undefined,
} as const;

export function contains(set: NumberSet, n: number): boolean {
  return 'values' in set ? set.values.has(n) : ((n ^ set.value) & set.mask) === 0;
}

function setsMeet(a: NumberSet, b: NumberSet): boolean {
  if ('values' in a) {
    for (const n of a.values) if (contains(b, n)) return true;
    return false;
  }
  if ('values' in b) return setsMeet(b, a);
  return ((a.value ^ b.value) & a.mask & b.mask) === 0;
}

/** Whether some GUID is in both. */
export function cubesMeet(a: GuidCube, b: GuidCube): boolean {
  for (let i = 0; i < 16; i++) {
    if (((a.value[i]! ^ b.value[i]!) & a.mask[i]! & b.mask[i]!) !== 0) return false;
  }
  return true;
}

type Guids = Arm['guids'];

/** Of long lists, which rules share. */
const INDICES = new WeakMap<readonly GuidCube[], Cubes<GuidCube>>();
/** Fewer pairs are tried one by one. */
const FEW_PAIRS = 1024;

function guidsMeet(a: Guids, b: Guids): boolean {
  if (!a || !b) return true;
  if (a.length * b.length < FEW_PAIRS) return a.some((x) => b.some((y) => cubesMeet(x, y)));
  const [few, many] = a.length < b.length ? [a, b] : [b, a];
  let cubes = INDICES.get(many);
  if (!cubes) {
    cubes = new Cubes(many);
    INDICES.set(many, cubes);
  }
  for (const cube of few) if (cubes.meeting(cube).next().done !== true) return true;
  return false;
}

function finiteMeet<T>(a: ReadonlySet<T> | undefined, b: ReadonlySet<T> | undefined): boolean {
  if (!a || !b) return true;
  for (const item of a) if (b.has(item)) return true;
  return false;
}

function intervalsMeet(a: Interval | undefined, b: Interval | undefined): boolean {
  return !a || !b || (a[0] <= b[1] && b[0] <= a[1]);
}

/** Which values of one unit an arm takes; and whether one that is missing. */
function valuesIn(
  arm: Arm,
  code: number,
): { readonly interval?: Interval; readonly none: boolean } {
  if (arm.units?.has(code) === false) return { none: false };
  if (!arm.values) return { interval: FINITE, none: true };
  const { intervals, otherwise } = arm.values;
  const interval = intervals.get(code) ?? (otherwise ? FINITE : undefined);
  return { ...(interval && { interval }), none: otherwise };
}

const FINITE: Interval = [-Number.MAX_VALUE, Number.MAX_VALUE];

function measuresMeet(a: Arm, b: Arm): boolean {
  if (!a.values && !b.values) return finiteMeet(a.units, b.units);
  for (let code = MISSING; code < 256; code++) {
    const [x, y] = [valuesIn(a, code), valuesIn(b, code)];
    if (x.none && y.none) return true;
    if (x.interval && y.interval && intervalsMeet(x.interval, y.interval)) return true;
  }
  return false;
}

/** A period, ms since 1970; it may be without end. */
export interface Period {
  readonly from: number;
  readonly until: number;
}

const DAY = 86_400_000;
/** In so long all that repeats has been: weekdays, and both changes of a zone's offset. */
const CYCLE = 2 * 366 * DAY;
const ALWAYS: NonNullable<Schedule['dates']> = [{ first: -Infinity, last: Infinity }];

/** Alone, a schedule must still open. */
function schedulesOverlap(
  a: Schedule | undefined,
  b: Schedule | undefined,
  { from, until }: Period,
): boolean {
  const first = a ?? b;
  if (!first) return true;
  const second = b ?? first;
  // Where the dates of both allow it; beyond a cycle nothing is new.
  return (first.dates ?? ALWAYS).some((x) =>
    (second.dates ?? ALWAYS).some((y) => {
      const begin = Math.max(from, (Math.max(x.first, y.first) - 2) * DAY);
      const end = Math.min(until, (Math.min(x.last, y.last) + 2) * DAY, begin + CYCLE);
      return begin < end && schedulesMeet(first, second, begin, end);
    }),
  );
}

/**
 * Whether some event, at some instant of the period, matches both arms.
 *
 * Exact, because the dimensions are independent; but for size and content of the data, and types
 * that lay their data out otherwise than their class, which are taken as independent too: such arms
 * may be said to meet where no data could be in both, and never the other way round.
 */
export function armsMeet(a: Arm, b: Arm, period: Period): boolean {
  return (
    (a.priorities & b.priorities) !== 0 &&
    finiteMeet(a.sources, b.sources) &&
    setsMeet(a.classes, b.classes) &&
    setsMeet(a.types, b.types) &&
    finiteMeet(a.sensors, b.sensors) &&
    finiteMeet(a.zones, b.zones) &&
    finiteMeet(a.subzones, b.subzones) &&
    intervalsMeet(a.sizes, b.sizes) &&
    guidsMeet(a.guids, b.guids) &&
    measuresMeet(a, b) &&
    schedulesOverlap(a.schedule, b.schedule, period)
  );
}
