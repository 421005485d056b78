/** Parses `emit` and `limits`: what a permit sends, and how much of it. */
import type { Field } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { parseDuration } from '../document/quantity.js';
import { carries, highestIndex } from '../event/carries.js';
import { MAX_DATA } from '../event/layout.js';
import { parseClass, parseType } from './classes.js';
import { guidOf, parsePattern } from './guids.js';
import type { Arm } from './match.js';
import { unitNamed } from './parse-match.js';
import {
  type Deadband,
  type Emit,
  EMIT_ALL,
  type KeyPart,
  type Limits,
  type Pseudonym,
  type TimeEmit,
  type ValueEmit,
  type WindowEmit,
} from './policy.js';
import { className, typeName } from './tokens.js';
import { unitsOf } from './units.js';

const KEYS = [
  'priority',
  'class',
  'type',
  'guid',
  'time',
  'data',
  'value',
  'sensor',
  'zone',
  'subzone',
  'window',
  'deadband',
] as const;

type Keys = Partial<Record<(typeof KEYS)[number], Field>>;

const KEY_PARTS = ['guid', 'sensor', 'zone', 'subzone', 'source'] as const;
const DAY = 86_400_000;
/** Longest window, refresh or floor: what has to be remembered for so long is no gate's business. */
const MAX_PERIOD = 366 * DAY;
const MAX_SAMPLES = 1_000_000;
const MAX_BURST = 1_000_000;

/** Classes and types that a rule matches, where each is listed. */
export type Pairs = readonly (readonly [vscpClass: number, type: number])[];

/** undefined where a rule matches classes or types that it does not list. */
export function pairsOf(arms: readonly Arm[]): Pairs | undefined {
  const pairs = new Map<number, readonly [number, number]>();
  for (const { classes, types } of arms) {
    if (!('values' in classes) || !('values' in types)) return undefined;
    for (const vscpClass of classes.values) {
      for (const type of types.values) pairs.set(vscpClass * 65536 + type, [vscpClass, type]);
    }
  }
  return [...pairs.values()];
}

/** The classes that a rule matches; undefined where it does not list them. */
function classesOf(arms: readonly Arm[]): readonly number[] | undefined {
  const classes = arms.flatMap((arm) => ('values' in arm.classes ? [...arm.classes.values] : []));
  return arms.every((arm) => 'values' in arm.classes) ? classes : undefined;
}

/**
 * Parses what a permit sends.
 *
 * @param arms what it matches: values, units and windows need to know the classes and types
 * @throws DocumentError
 */
export function parseEmit(field: Field, arms: readonly Arm[]): [Emit, Keys] {
  const beside = field.entries().find(([key]) => key === 'limits' || key === 'urgent');
  if (beside) throw beside[1].keyError(`'${beside[0]}' stands beside 'emit', not in it`);
  const keys = field.record(KEYS);
  if (Object.keys(keys).length === 0) throw field.error('an empty emit: name what is kept');
  if (keys.data && keys.value) throw keys.value.keyError("'data' or 'value', not both");
  const vscpClass = keys.class && parseClass(keys.class);
  const scope = vscpClass === undefined ? classesOf(arms) : [vscpClass];
  const emit: Emit = {
    priority: parsePriority(keys.priority),
    class: vscpClass,
    type: keys.type && parseType(keys.type, scope),
    guid: parseGuidEmit(keys.guid),
    time: keys.time ? parseTime(keys.time) : 'zero',
    data: parseData(keys.data),
    value: keys.value && parseValue(keys.value),
    sensor: parseByte(keys.sensor),
    zone: parseByte(keys.zone),
    subzone: parseByte(keys.subzone),
    window: keys.window && parseWindow(keys.window),
    deadband: keys.deadband && parseDeadband(keys.deadband),
  };
  checkMeasures(keys, emit, pairsOf(arms));
  checkPlaces(keys, emit, arms);
  if (emit.window) checkWindow(keys, emit, emit.window);
  else if (emit.value?.fn) throw keys.value!.error("'fn' means something only with a window");
  return [emit, keys];
}

const WORDS: readonly string[] = ['keep', 'zero'];

function parsePriority(field: Field | undefined): Emit['priority'] {
  if (!field) return EMIT_ALL.priority;
  if (field.isNumber) return field.integer(0, 7);
  if (!WORDS.includes(field.text())) throw field.error(`${field.path} is keep, zero, or 0 to 7`);
  return field.text() === 'keep' ? 'keep' : 0;
}

function parseByte(field: Field | undefined): 'keep' | number {
  if (!field) return 0;
  if (field.isNumber) return field.integer(0, 255);
  return field.choice(['keep', 'zero']) === 'keep' ? 'keep' : 0;
}

function parseGuidEmit(field: Field | undefined): Emit['guid'] {
  if (!field) return new Uint8Array(16);
  if (field.isMap) {
    const keys = field.record(['pseudonym']);
    return parsePseudonym(field.need(keys.pseudonym, 'pseudonym'));
  }
  const text = field.text();
  if (text === 'keep') return text;
  if (text === 'zero') return new Uint8Array(16);
  if (/[:,-]/.test(text)) return guidOf(field);
  const hint = didYouMean(text, ['keep', 'zero']);
  throw field.error(`${field.path} is keep, zero, a GUID, or { pseudonym: ... }${hint}`);
}

function parsePseudonym(field: Field): Pseudonym {
  const keys = field.record(['key_file', 'prefix']);
  const keyFile = field.need(keys.key_file, 'key_file');
  const prefix = field.need(keys.prefix, 'prefix');
  const { value, mask } = parsePattern(prefix);
  const bits = mask.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  if (bits < 8 || bits > 64) {
    throw prefix.error(
      `${prefix.path} has 8 to 64 bits, as "02:52:4C:59/32": the rest is the pseudonym`,
    );
  }
  return { keyFile: { text: keyFile.text(4096), field: keyFile }, prefix: value, bits };
}

const TIMES = ['keep', 'zero', 'relay'] as const;

function parseTime(field: Field): TimeEmit {
  if (!field.isMap) {
    const time = TIMES.find((each) => each === field.text());
    if (time !== undefined) return time;
    throw field.error(`${field.path} is ${TIMES.join(', ')}, or { floor: 15m }`);
  }
  const keys = field.record(['floor', 'of']);
  const floor = parsePeriod(field.need(keys.floor, 'floor'));
  return { floor, of: keys.of?.choice(['event', 'relay']) ?? 'event' };
}

/** Whole seconds: what is sent has no smaller ones. */
function parsePeriod(field: Field): number {
  const period = parseDuration(field, 1000);
  if (period > MAX_PERIOD) throw field.error(`${field.path} must be at most 366d`);
  if (period % 1000 !== 0) throw field.error(`${field.path} must be whole seconds`);
  return period;
}

function parseData(field: Field | undefined): Emit['data'] {
  if (!field) return new Uint8Array(0);
  if (field.isList) {
    const bytes = field.list().map((item) => item.integer(0, 255));
    if (bytes.length > MAX_DATA) throw field.error(`an event has at most ${MAX_DATA} data bytes`);
    return Uint8Array.from(bytes);
  }
  return field.choice(['keep', 'zero']) === 'keep' ? 'keep' : new Uint8Array(0);
}

function parseValue(field: Field): ValueEmit {
  if (!field.isMap) {
    field.choice(['keep']);
    return { unit: undefined, round: undefined, clamp: undefined, fn: undefined };
  }
  const keys = field.record(['fn', 'unit', 'round', 'clamp']);
  const round = keys.round?.number();
  if (round !== undefined && !(round > 0)) throw keys.round!.error('a step is greater than zero');
  return {
    unit: field.need(keys.unit, 'unit').text(),
    round,
    clamp: keys.clamp && parseClamp(keys.clamp),
    fn: keys.fn?.choice(['mean', 'min', 'max', 'last']),
  };
}

function parseClamp(field: Field): ValueEmit['clamp'] {
  const keys = field.record(['ge', 'le']);
  if (!keys.ge && !keys.le) throw field.error(`${field.path} needs 'ge', 'le', or both`);
  const ge = keys.ge?.number() ?? -Infinity;
  const le = keys.le?.number() ?? Infinity;
  if (ge > le) throw field.error(`nothing is at least ${ge} and at most ${le}`);
  return { ge, le };
}

function parsePer(field: Field): KeyPart[] {
  if (field.isText && field.text() === 'none') return [];
  const named = field.oneOrMore().map((item) => item.choice(KEY_PARTS));
  // In one order, so that two rules that are written otherwise are the same.
  return KEY_PARTS.filter((part) => named.includes(part));
}

function parseWindow(field: Field): WindowEmit {
  const keys = field.record(['every', 'per', 'min_samples']);
  return {
    every: parsePeriod(field.need(keys.every, 'every')),
    per: parsePer(field.need(keys.per, 'per')),
    minSamples: keys.min_samples?.integer(1, MAX_SAMPLES) ?? 1,
  };
}

function parseDeadband(field: Field): Deadband {
  const keys = field.record(['change', 'unit', 'per', 'refresh']);
  const change = field.need(keys.change, 'change');
  if (!(change.number() > 0)) throw change.error('a change is greater than zero');
  return {
    change: change.number(),
    unit: field.need(keys.unit, 'unit').text(),
    per: keys.per ? parsePer(keys.per) : ['guid', 'sensor'],
    refresh: keys.refresh ? parsePeriod(keys.refresh) : Infinity,
  };
}

/** Values, sensors and deadbands need measurements, in units that their types have. */
function checkMeasures(keys: Keys, emit: Emit, pairs: Pairs | undefined): void {
  const field = keys.value ?? keys.deadband;
  for (const key of ['sensor', 'zone', 'subzone'] as const) {
    if (keys[key] && !keys.value) {
      throw keys[key].keyError(`'${key}' goes with 'value'; with 'data: keep' it is in the data`);
    }
  }
  if (!field) return;
  if (keys.deadband && keys.window) {
    throw keys.deadband.keyError("'deadband' or 'window', not both");
  }
  if (!pairs) throw field.error('the match must name the class and the type of what it measures');
  for (const [vscpClass, type] of pairs) {
    if (carries(vscpClass)?.value !== true) {
      throw field.error(`class ${className(vscpClass)} of the match carries no value`);
    }
    const known = unitsOf(vscpClass, type);
    if (keys.deadband) {
      const { unit } = keys.deadband.record(['change', 'unit', 'per', 'refresh']);
      unitNamed(unit!, known, vscpClass, type);
    }
    if (keys.value) checkUnit(keys.value, emit, vscpClass, type);
  }
}

function checkUnit(field: Field, emit: Emit, vscpClass: number, type: number): void {
  const outClass = emit.class ?? vscpClass;
  const outType = emit.type ?? type;
  const can = carries(outClass);
  if (can?.value !== true) throw field.error(`class ${className(outClass)} carries no value`);
  if (!field.isMap) {
    if (emit.type === undefined || emit.type === type) return;
    throw field.error('a value of another type: name its unit');
  }
  const { unit: name } = field.record(['fn', 'unit', 'round', 'clamp']);
  const unit = unitNamed(name!, unitsOf(outClass, outType), outClass, outType);
  if (!can.unit && unit.code !== 0) {
    const only = unitsOf(outClass, outType).find(({ code }) => code === 0)?.name ?? 'no unit';
    throw name!.error(`class ${className(outClass)} has no unit field: its values are ${only}`);
  }
  if (!unitsOf(vscpClass, type).some(({ base }) => base === unit.base)) {
    const what = `type ${typeName(vscpClass, type)} of class ${className(vscpClass)}`;
    throw name!.error(`no unit of ${what} converts into ${unit.name}`);
  }
}

function checkPlaces(keys: Keys, emit: Emit, arms: readonly Arm[]): void {
  const classes = emit.class === undefined ? (classesOf(arms) ?? []) : [emit.class];
  for (const key of ['sensor', 'zone', 'subzone'] as const) {
    const field = keys[key];
    if (!field || emit[key] === 0) continue;
    for (const vscpClass of classes) {
      const can = carries(vscpClass);
      if (key === 'sensor' ? can?.index !== true : can?.zone !== true) {
        throw field.error(`class ${className(vscpClass)} carries no ${key}`);
      }
      if (key === 'sensor' && emit.sensor !== 'keep' && emit.sensor > highestIndex(vscpClass)) {
        const highest = highestIndex(vscpClass);
        throw field.error(`class ${className(vscpClass)} has sensors 0 to ${highest} only`);
      }
    }
  }
}

/** Of a window's many events one is sent: what it says must be the same for all of them. */
function checkWindow(keys: Keys, emit: Emit, { per }: WindowEmit): void {
  const field = keys.window!;
  if (emit.value?.fn === undefined) {
    throw field.error("a window needs a value with 'fn': mean, min, max or last");
  }
  const kept: readonly [KeyPart, boolean][] = [
    ['guid', emit.guid === 'keep' || !(emit.guid instanceof Uint8Array)],
    ['sensor', emit.sensor === 'keep'],
    ['zone', emit.zone === 'keep'],
    ['subzone', emit.subzone === 'keep'],
  ];
  for (const [part, isKept] of kept) {
    if (!isKept || per.includes(part)) continue;
    throw field.error(
      `the events of a window differ in ${part}: add it to 'per', or do not keep it`,
    );
  }
  if (emit.time === 'keep') {
    throw keys.time!.error('a window has no time of an event: write relay, or { floor: 15m }');
  }
}

/**
 * Parses how much a permit sends.
 *
 * @throws DocumentError
 */
export function parseLimits(field: Field): Limits {
  const keys = field.record(['rate', 'burst', 'size']);
  if (!keys.rate && !keys.size) throw field.error("limits need 'rate', 'size', or both");
  if (keys.burst && !keys.rate) throw keys.burst.keyError("'burst' goes with 'rate'");
  return {
    rate: keys.rate && parseRate(keys.rate, keys.burst),
    size: keys.size?.integer(0, MAX_DATA),
  };
}

const PER: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: DAY };

function parseRate(field: Field, burst: Field | undefined): Limits['rate'] {
  const text = String(field.scalar());
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?\/ ?([smhd])$/.exec(text);
  const count = Number(match?.[1]);
  if (!match || !(count > 0)) throw field.error(`${field.path} must be as 20/s, 5/m, 100/h or 1/d`);
  const [thousandths, period] = reduce(Math.round(count * 1000), PER[match[2]!]!);
  return {
    thousandths,
    period,
    burst: burst?.integer(1, MAX_BURST) ?? Math.max(1, Math.min(MAX_BURST, Math.floor(count))),
  };
}

/** 60/m is 1/s. */
function reduce(a: number, b: number): [number, number] {
  let [divisor, rest] = [a, b];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  return [a / divisor, b / divisor];
}
