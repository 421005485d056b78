/** Single values of a policy as JSON Schema: names, texts, times, numbers, units, GUIDs. */
import { unitNames } from '../policy/units.js';

export type Schema = Readonly<Record<string, unknown>>;

/** A reference into the schema's definitions; draft-07 ignores what stands beside a `$ref`. */
export function ref(name: string, description?: string): Schema {
  const $ref = `#/definitions/${name}`;
  return description === undefined ? { $ref } : { description, allOf: [{ $ref }] };
}

export function words(description: string, ...choices: readonly string[]): Schema {
  return { description, enum: choices };
}

export function whole(minimum: number, maximum: number, description?: string): Schema {
  return { ...(description !== undefined && { description }), type: 'integer', minimum, maximum };
}

export function list(items: Schema, maxItems?: number): Schema {
  return { type: 'array', minItems: 1, ...(maxItems !== undefined && { maxItems }), items };
}

/** One value, or a list of them that is not empty. */
export function oneOrMore(item: Schema, description: string, more: Schema = {}): Schema {
  return { description, ...more, anyOf: [item, list(item)] };
}

/** A map with these keys and no other. */
export function record(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  more: Schema = {},
): Schema {
  return { description, type: 'object', additionalProperties: false, properties, ...more };
}

/** Of two keys that exclude each other. */
export function notBoth(a: string, b: string): Schema {
  return { not: { required: [a, b] } };
}

/** No control characters, line ends or marks of direction: they let a value lie in a terminal. */
const PLAIN = '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]+$';

export function text(maxLength: number): Schema {
  return { type: 'string', minLength: 1, maxLength, pattern: PLAIN };
}

const DATE = '\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])';
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d';
const HEX = '[0-9A-Fa-f]';
const PREFIX = `${HEX}{1,2}(?::${HEX}{1,2}){0,15}`;
/** Sixteen bytes, or fewer behind what fills them up; dashed; all of one byte. */
const GUID =
  `(?:(?:${HEX}{1,2})(?:[:,]${HEX}{1,2}|${HEX}{2}){15}` +
  `|(?:::|\\*:|-:)${HEX}{1,32}(?:[:,]${HEX}{1,32}){0,15}` +
  `|\\{?-*(?:${HEX}-*){32}\\}?|-|::)`;

function form(pattern: string, description: string, ...examples: readonly string[]): Schema {
  return { description, type: 'string', pattern: `^${pattern}$`, examples };
}

function unitsOfAll(): readonly string[] {
  const names = new Set<string>();
  // Class 1040 has all units; its types of the other measurement classes have none.
  for (let type = 0; type < 256; type++) for (const name of unitNames(1040, type)) names.add(name);
  return [...names].sort();
}

/** What the other parts of the schema refer to. */
export const VALUES: Readonly<Record<string, Schema>> = {
  name: {
    type: 'string',
    pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
    description: 'letters, digits, - and _, 64 at most',
  },
  text: text(1024),
  date: form(DATE, 'a day, UTC', '2027-03-31'),
  dates: form(
    `${DATE}(?:\\.\\.${DATE})?`,
    'a day or a range of days, the last one included',
    '2026-12-24..2026-12-31',
  ),
  daily: form(
    `${CLOCK}-(?:${CLOCK}|24:00)`,
    'from and to, the end excluded; 22:00-05:00 crosses midnight and belongs to the day it starts',
    '05:00-22:00',
    '22:00-05:00',
  ),
  instant: form(
    `${DATE}T${CLOCK}:[0-5]\\d(?:\\.\\d{1,3})?Z`,
    'an instant, UTC',
    '2026-06-01T12:00:07Z',
  ),
  duration: form(
    '\\d{1,12}(?:\\.\\d{1,3})? ?(?:ms|s|m|h|d)',
    'a number and a unit',
    '500ms',
    '15m',
  ),
  period: form(
    '(?!0+(?:\\.0+)? ?[a-z])(?:\\d{1,12}(?:\\.\\d{1,3})? ?[smhd]|\\d{1,9}000(?:\\.\\d{1,3})? ?ms)',
    'whole seconds, 366d at most',
    '15m',
    '1h',
    '1d',
  ),
  rate: form(
    '(?!0+(?:\\.0+)? ?/)\\d{1,9}(?:\\.\\d{1,3})? ?/ ?[smhd]',
    'so many events a second, minute, hour or day',
    '20/s',
    '5/m',
    '100/h',
  ),
  byte: whole(0, 255),
  bytes: { ...list(whole(0, 255), 512), description: 'data bytes, 512 at most' },
  unit: { description: 'a unit of the type that is matched or sent', enum: unitsOfAll() },
  guid: form(
    `\\s*${GUID}\\s*`,
    '16 bytes, most significant first; ::1 fills up with FF in front, -:1 with 00; - is all zero',
    'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01',
    '-:1',
  ),
  guidPrefix: form(
    `${PREFIX}/(?:0{0,2}[1-9]|0?[1-9]\\d|1[01]\\d|12[0-8])`,
    'the first bits of a GUID, most significant first; bits beyond them must be zero',
    'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10/96',
  ),
  pseudonymPrefix: form(
    `${PREFIX}/(?:0?0?[89]|0?[1-5]\\d|0?6[0-4])`,
    'what all pseudonyms begin with, in public: 8 to 64 bits',
    '02:52:4C:59/32',
  ),
};
