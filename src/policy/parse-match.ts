/** Parses `match`: predicates become arms of ternary bits, intervals and finite sets. */
import type { Field } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { carries, highestIndex, highestUnit } from '../event/carries.js';
import { MAX_DATA } from '../event/layout.js';
import { parseClasses, parseTypes } from './classes.js';
import { type Lists, parseGuids, parseRaw } from './guids.js';
import {
  ANY_DATA,
  type Arm,
  contains,
  type DataSets,
  EVERY,
  type Interval,
  MISSING,
  type NumberSet,
  type Values,
} from './match.js';
import type { Name } from './policy.js';
import { parseSchedule } from './schedule.js';
import { className, typeName } from './tokens.js';
import { preimage, type Unit, unitsOf } from './units.js';

type Effect = 'permit' | 'forbid';

const KEYS = [
  'any',
  'source',
  'priority',
  'class',
  'type',
  'raw',
  'guid',
  'sensor',
  'zone',
  'subzone',
  'unit',
  'value',
  'size',
  'time',
] as const;

type Keys = Partial<Record<(typeof KEYS)[number], Field>>;

export interface ParsedMatch {
  readonly sources: readonly Name[] | undefined;
  readonly arms: readonly Arm[];
  readonly keys: Keys;
}

/**
 * Parses what a rule matches. A data field that is missing fails a permit and satisfies a forbid.
 *
 * @throws DocumentError
 */
export function parseMatch(field: Field, effect: Effect, lists: Lists): ParsedMatch {
  const keys = field.record(KEYS);
  checkCombination(field, keys);
  const sources = keys.source && parseNames(keys.source);
  const base = {
    ...ANY_DATA,
    sources: sources && new Set(sources.map(({ text }) => text)),
    sensors: keys.sensor && parseBytes(keys.sensor, effect),
    zones: keys.zone && parseBytes(keys.zone, effect),
    subzones: keys.subzone && parseBytes(keys.subzone, effect),
    sizes: keys.size && parseSizes(keys.size),
    schedule: keys.time && parseSchedule(keys.time),
  };
  const header: Arm[] = parseHeaders(keys, lists).map((arm) => ({ ...base, ...arm }));
  const arms = header.flatMap((arm) => withMeasures(arm, keys, effect));
  if (effect === 'forbid') return { sources, arms, keys };
  return { sources, keys, arms: carriersOnly(arms, keys) };
}

export function parseNames(field: Field): Name[] {
  return field.oneOrMore().map((item) => ({ text: item.name(), field: item }));
}

function checkCombination(field: Field, keys: Keys): void {
  const given = Object.keys(keys).length;
  if (keys.any) {
    if (!keys.any.boolean()) throw keys.any.error(`leave '${keys.any.path}' out, or write true`);
    if (given > 1) throw keys.any.error("'any: true' stands alone");
  } else if (given === 0) {
    throw field.error("an empty match: to match every event, write 'any: true'");
  }
  if (keys.raw && (keys.class ?? keys.type ?? keys.guid ?? keys.priority)) {
    throw keys.raw.error("'raw' says priority, class, type and guid: name it or them");
  }
  for (const key of ['unit', 'value'] as const) {
    if (keys[key] && !(keys.class && keys.type)) {
      throw keys[key].error(`'${key}' means something only within a class and type: add them`);
    }
  }
}

type Header = Pick<Arm, 'priorities' | 'classes' | 'types' | 'guids'>;

function parseHeaders(keys: Keys, lists: Lists): Header[] {
  if (keys.raw) return [parseRaw(keys.raw)];
  const priorities = keys.priority ? parsePriorities(keys.priority) : 0xff;
  const guids = keys.guid && parseGuids(keys.guid, lists);
  const classes = keys.class && parseClasses(keys.class);
  const rest = { priorities, guids };
  if (!keys.type) return [{ ...rest, classes: asSet(classes?.numbers), types: EVERY }];
  return parseTypes(keys.type, classes).map(([types, scope]) => ({
    ...rest,
    classes: asSet(scope),
    types: { values: types },
  }));
}

function asSet(classes: readonly number[] | undefined): NumberSet {
  return classes ? { values: new Set(classes) } : EVERY;
}

function parsePriorities(field: Field): number {
  return field.oneOrMore().reduce((bits, item) => bits | (1 << item.integer(0, 7)), 0);
}

/** `{ ge, le }`, one of them at least. */
function parseRange(field: Field, max: number): Interval {
  const keys = field.record(['ge', 'le']);
  if (!keys.ge && !keys.le) throw field.error(`${field.path} needs 'ge', 'le', or both`);
  const from = keys.ge?.integer(0, max) ?? 0;
  const to = keys.le?.integer(0, max) ?? max;
  if (from > to) throw field.error(`nothing is at least ${from} and at most ${to}`);
  return [from, to];
}

function parseBytes(field: Field, effect: Effect): ReadonlySet<number> {
  const bytes = new Set<number>();
  if (field.isMap) {
    const [from, to] = parseRange(field, 255);
    for (let byte = from; byte <= to; byte++) bytes.add(byte);
  } else {
    for (const item of field.oneOrMore()) bytes.add(item.integer(0, 255));
  }
  if (effect === 'forbid') bytes.add(MISSING);
  return bytes;
}

function parseSizes(field: Field): Interval {
  if (field.isMap) return parseRange(field, MAX_DATA);
  const size = field.integer(0, MAX_DATA);
  return [size, size];
}

/** Splits an arm by type, because a unit's code means something only within one. */
function withMeasures(arm: Arm, keys: Keys, effect: Effect): Arm[] {
  const field = keys.value ?? keys.unit;
  if (!field || !('values' in arm.classes) || !('values' in arm.types)) return [arm];
  const bounds = keys.value && parseBounds(keys.value);
  const parts: Arm[] = [];
  for (const type of arm.types.values) {
    const groups = new Map<string, Arm & { readonly classes: { readonly values: Set<number> } }>();
    for (const vscpClass of arm.classes.values) {
      const known = knownUnits(field, vscpClass, type);
      const units = keys.unit && unitCodes(keys.unit, known, vscpClass, type, effect);
      const values = bounds && valuesWithin(bounds, known, vscpClass, type, effect);
      if (units?.size === 0) continue;
      const key = JSON.stringify([units && [...units], values && [...values.intervals]]);
      const group = groups.get(key);
      if (group) group.classes.values.add(vscpClass);
      else {
        const classes = { values: new Set([vscpClass]) };
        const types = { values: new Set([type]) };
        const part = { ...arm, classes, types, units, values };
        groups.set(key, part);
        parts.push(part);
      }
    }
  }
  if (parts.length > 0) return parts;
  throw field.error('no class of this match can have such a unit: Level I has codes 0 to 3, or 0');
}

/** @throws DocumentError where a type of a class has no unit that is known */
function knownUnits(field: Field, vscpClass: number, type: number): readonly Unit[] {
  if (carries(vscpClass)?.value !== true) {
    throw field.error(`class ${className(vscpClass)} carries no value`);
  }
  const known = unitsOf(vscpClass, type);
  if (known.length > 0) return known;
  throw field.error(`no unit of type ${typeName(vscpClass, type)} is known: leave it out`);
}

/** The unit that a field names, among those of a type. */
export function unitNamed(
  field: Field,
  known: readonly Unit[],
  vscpClass: number,
  type: number,
): Unit {
  const name = field.text();
  const unit = known.find((each) => each.name === name);
  if (unit) return unit;
  const names = known.map((each) => each.name);
  const hint = didYouMean(name, names) || `; its units: ${names.join(', ') || 'none'}`;
  throw field.error(`type ${typeName(vscpClass, type)} has no unit '${name}'${hint}`);
}

function unitCodes(
  field: Field,
  known: readonly Unit[],
  vscpClass: number,
  type: number,
  effect: Effect,
): ReadonlySet<number> {
  const named = field.oneOrMore().map((item) => unitNamed(item, known, vscpClass, type).code);
  // Those that the class can say: of one that has no unit field, the default alone.
  if (effect === 'permit') return new Set(named.filter((code) => code <= highestUnit(vscpClass)));
  const codes = new Set([MISSING, ...named]);
  for (let code = 0; code < 256; code++) {
    if (!known.some((unit) => unit.code === code)) codes.add(code);
  }
  return codes;
}

interface Bounds {
  readonly field: Field;
  readonly unit: Field;
  readonly bounds: { ge?: number; gt?: number; le?: number; lt?: number };
}

function parseBounds(field: Field): Bounds {
  const keys = field.record(['unit', 'ge', 'gt', 'le', 'lt']);
  const unit = field.need(keys.unit, 'unit');
  const bounds: Bounds['bounds'] = {};
  for (const key of ['ge', 'gt', 'le', 'lt'] as const) {
    if (keys[key]) bounds[key] = keys[key].number();
  }
  if (keys.ge && keys.gt) throw keys.gt.keyError("'ge' or 'gt', not both");
  if (keys.le && keys.lt) throw keys.lt.keyError("'le' or 'lt', not both");
  if (Object.keys(bounds).length === 0) {
    throw field.error(`${field.path} needs a bound: ge, gt, le or lt`);
  }
  return { field, unit, bounds };
}

function valuesWithin(
  { field, unit, bounds }: Bounds,
  known: readonly Unit[],
  vscpClass: number,
  type: number,
  effect: Effect,
): Values {
  const target = unitNamed(unit, known, vscpClass, type);
  const intervals = new Map<number, Interval>();
  let convertible = 0;
  for (const own of known) {
    if (own.base !== target.base || own.code > highestUnit(vscpClass)) continue;
    convertible++;
    const interval = preimage(own, target, bounds);
    // In a unit that is known, and never within the bounds: for a forbid no more than for a permit.
    intervals.set(own.code, interval ?? NOTHING);
  }
  if ([...intervals.values()].filter((interval) => interval === NOTHING).length === convertible) {
    throw field.error('no value is within these bounds');
  }
  return { intervals, otherwise: effect === 'forbid' };
}

/** No number is at least infinity and at most its opposite. */
const NOTHING: Interval = [Infinity, -Infinity];

/** Every class whose data has fields by the specification. */
function carryingClasses(): readonly number[] {
  if (CARRYING.length === 0) {
    for (let vscpClass = 0; vscpClass < 65536; vscpClass++) {
      if (carries(vscpClass)) CARRYING.push(vscpClass);
    }
  }
  return CARRYING;
}

const CARRYING: number[] = [];

/** Narrows a permit's arms to the classes, and to the values, that its events can have. */
function carriersOnly(arms: readonly Arm[], keys: Keys): readonly Arm[] {
  const field = keys.sensor ?? keys.zone ?? keys.subzone;
  if (!field) return arms;
  const narrowed = arms.flatMap((arm) => {
    const [few, all] = [7, 255].map((highest) => (vscpClass: number) => {
      return highestIndex(vscpClass) === highest;
    });
    const coded = new Set([...(arm.sensors ?? [])].filter((sensor) => sensor <= 7));
    return [...narrow(arm, few!, arm.sensors && coded), ...narrow(arm, all!, arm.sensors)];
  });
  if (narrowed.length === 0) throw field.error(`no class of this match has such a field`);
  return narrowed;
}

/** The part of an arm that is of some classes: none, if they have not what it asks for. */
function narrow(arm: Arm, of: (vscpClass: number) => boolean, sensors: Arm['sensors']): Arm[] {
  if (sensors?.size === 0) return [];
  const classes = carryingClasses().filter(
    (vscpClass) => contains(arm.classes, vscpClass) && of(vscpClass) && canHave(vscpClass, arm),
  );
  return classes.length === 0 ? [] : [{ ...arm, sensors, classes: { values: new Set(classes) } }];
}

function canHave(vscpClass: number, { sensors, zones, subzones }: DataSets): boolean {
  const { index, zone } = carries(vscpClass)!;
  return (zone || (zones ?? subzones) === undefined) && (index || sensors === undefined);
}
