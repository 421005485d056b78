/** The names file of a board, `board.yaml`: what sensors are called, where they are, what is shown. */
import type { Field } from '../document/document.js';
import { parseDocument } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { formatGuid, parseGuid } from '../event/guid.js';
import { parseClass, parseType } from '../policy/classes.js';
import { unitsOf } from '../policy/units.js';
import type { Origin } from './reading.js';
import type { Position, Zone } from './view.js';

const MAX_ZONES = 256;
const MAX_NAMED = 4096;
/** Characters of a name. */
const MAX_NAME = 80;
const MAX_DECIMALS = 6;

/** What an entry says of the events that it matches. */
export interface Naming {
  readonly match: Match;
  readonly name?: string;
  readonly place?: string;
  readonly zone?: string;
  /** Name of the unit, as policies have it. */
  readonly unit?: string;
  readonly decimals?: number;
  readonly position?: Position;
  readonly hide: boolean;
}

interface Match {
  readonly vscpClass?: number;
  readonly type?: number;
  /** 32 hexadecimal digits. */
  readonly guid?: string;
  readonly index?: number;
  readonly zone?: number;
  readonly subzone?: number;
}

export interface Names {
  readonly title: string;
  readonly zones: readonly Zone[];
  /** The first that matches an event says what it is called. */
  readonly sensors: readonly Naming[];
  /** Whether what no entry matches is shown, under a name made of its tokens. */
  readonly showOthers: boolean;
}

/** Without a names file. */
export const NO_NAMES: Names = { title: 'Sensors', zones: [], sensors: [], showOthers: true };

/**
 * Parses a names file.
 *
 * @param file the name that errors carry
 * @throws DocumentError at the first surprise
 */
export function parseNames(text: string, file: string): Names {
  const root = parseDocument(text, file);
  const keys = root.record(['schema', 'title', 'zones', 'sensors', 'show']);
  root.need(keys.schema, 'schema').choice(['tidegate-names/v1']);
  const zones = keys.zones ? parseZones(keys.zones) : [];
  const sensors = keys.sensors?.list() ?? [];
  if (sensors.length > MAX_NAMED) {
    throw keys.sensors!.error(`sensors has more than ${MAX_NAMED} items`);
  }
  return {
    title: keys.title?.text(MAX_NAME) ?? NO_NAMES.title,
    zones,
    sensors: sensors.map((field) => parseNaming(field, zones)),
    showOthers: (keys.show?.choice(['all', 'named']) ?? 'all') === 'all',
  };
}

function parseZones(field: Field): Zone[] {
  const entries = field.entries();
  if (entries.length > MAX_ZONES) throw field.error(`zones has more than ${MAX_ZONES} entries`);
  return entries.map(([id, value]) => {
    value.checkOwnName(id);
    const keys = value.record(['name', 'at']);
    const name = keys.name?.text(MAX_NAME) ?? id;
    return { id, name, ...(keys.at && { position: parsePosition(keys.at) }) };
  });
}

/** `[x, y]` in percent of the plan. */
function parsePosition(field: Field): Position {
  const [x, y, ...more] = field.list().map((part) => {
    const number = part.number();
    if (number < 0 || number > 100) throw part.error(`${part.path} must be 0 to 100, in percent`);
    return number;
  });
  if (x === undefined || y === undefined || more.length > 0) {
    throw field.error(`${field.path} must be [x, y], in percent from the left and from the top`);
  }
  return { x, y };
}

function parseNaming(field: Field, zones: readonly Zone[]): Naming {
  const keys = field.record(['match', 'name', 'place', 'zone', 'unit', 'decimals', 'at', 'hide']);
  const match = parseMatch(field.need(keys.match, 'match'));
  const zone = keys.zone?.text(64);
  if (zone !== undefined && !zones.some(({ id }) => id === zone)) {
    const hint = didYouMean(
      zone,
      zones.map(({ id }) => id),
    );
    throw keys.zone!.error(`no zone is named '${zone}'${hint}`);
  }
  return {
    match,
    ...(keys.name && { name: keys.name.text(MAX_NAME) }),
    ...(keys.place && { place: keys.place.text(MAX_NAME) }),
    ...(zone !== undefined && { zone }),
    ...(keys.unit && { unit: parseUnit(keys.unit, match) }),
    ...(keys.decimals && { decimals: keys.decimals.integer(0, MAX_DECIMALS) }),
    ...(keys.at && { position: parsePosition(keys.at) }),
    hide: keys.hide?.boolean() ?? false,
  };
}

function parseMatch(field: Field): Match {
  const keys = field.record(['class', 'type', 'guid', 'sensor', 'zone', 'subzone']);
  if (Object.keys(keys).length === 0) throw field.error(`${field.path} must say something`);
  const vscpClass = keys.class && parseClass(keys.class);
  const known = vscpClass === undefined ? undefined : [vscpClass];
  return {
    ...(vscpClass !== undefined && { vscpClass }),
    ...(keys.type && { type: parseType(keys.type, known) }),
    ...(keys.guid && { guid: parseDigits(keys.guid) }),
    ...(keys.sensor && { index: keys.sensor.integer(0, 255) }),
    ...(keys.zone && { zone: keys.zone.integer(0, 255) }),
    ...(keys.subzone && { subzone: keys.subzone.integer(0, 255) }),
  };
}

function parseDigits(field: Field): string {
  try {
    return formatGuid(parseGuid(field.text(64))).replaceAll(':', '');
  } catch (error) {
    throw field.error((error as Error).message);
  }
}

function parseUnit(field: Field, { vscpClass, type }: Match): string {
  const unit = field.text(64);
  if (vscpClass === undefined || type === undefined) {
    throw field.error(`${field.path} needs a match that says class and type`);
  }
  const known = unitsOf(vscpClass, type).map(({ name }) => name);
  if (known.includes(unit)) return unit;
  const hint = didYouMean(unit, known) || `; known for this type: ${known.join(', ')}`;
  throw field.error(`unknown unit '${unit}'${hint}`);
}

/** The entry that says what an event's sensor is called, and its place in the file. */
export function namingOf(
  { sensors }: Names,
  origin: Origin,
): readonly [Naming | undefined, number] {
  const place = sensors.findIndex(({ match }) => fits(match, origin));
  return place < 0 ? [undefined, sensors.length] : [sensors[place], place];
}

function fits(match: Match, origin: Origin): boolean {
  const keys = Object.keys(match) as (keyof Match)[];
  return keys.every((key) => match[key] === origin[key]);
}
