/** The `match` of a policy's rules, and its GUID patterns, as JSON Schema. */
import { MAX_DATA } from '../event/layout.js';
import { MAX_WINDOWS } from '../policy/schedule.js';
import {
  list,
  notBoth,
  oneOrMore,
  record,
  ref,
  type Schema,
  text,
  whole,
  words,
} from './schema-value.js';

function range(maximum: number, description: string): Schema {
  return record(
    description,
    { ge: whole(0, maximum, 'at least'), le: whole(0, maximum, 'at most') },
    { minProperties: 1 },
  );
}

function bytes(description: string): Schema {
  return {
    description,
    anyOf: [ref('byte'), list(ref('byte')), range(255, 'from ge to le, both included')],
  };
}

const BOUND = { type: 'number' };

const VALUE = record(
  'The measured value, converted into `unit` by name. A value that is missing or in another kind ' +
    'of unit fails a permit and satisfies a forbid.',
  {
    unit: ref('unit', 'The unit of the bounds. A temperature without a unit code is in kelvin.'),
    ge: { ...BOUND, description: 'at least' },
    gt: { ...BOUND, description: 'greater than' },
    le: { ...BOUND, description: 'at most' },
    lt: { ...BOUND, description: 'less than' },
  },
  {
    required: ['unit'],
    minProperties: 2,
    allOf: [notBoth('ge', 'gt'), notBoth('le', 'lt')],
  },
);

const TIME = record(
  "The relay's clock, never what the event says.",
  {
    zone: {
      description: 'The zone of the wall clock, as an IANA name.',
      type: 'string',
      maxLength: 64,
      pattern: '^(?:UTC|(?!SystemV/)[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2})$',
      examples: ['Europe/Berlin', 'UTC'],
    },
    daily: { ...list(ref('daily'), MAX_WINDOWS), description: 'Times of the local day.' },
    days: {
      ...list({ enum: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] }),
      description: 'Weekdays on which a time of the day starts.',
    },
    dates: { ...list(ref('dates'), MAX_WINDOWS), description: 'Local days, the last included.' },
  },
  { required: ['zone'], minProperties: 2 },
);

const QUAD = {
  type: 'string',
  maxLength: 1024,
  pattern: '^[^,]+,[^,]+,[^,]+,[0-9A-Fa-f:,*{}\\s-]+$',
};

const RAW = record(
  "VSCP's own filter and mask: an event matches when (event ^ filter) & mask is zero in every " +
    'field. A mask of zero is refused: write `any: true`.',
  {
    filter: {
      ...QUAD,
      description: 'priority,class,type,GUID',
      examples: ['0,10,6,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01'],
    },
    mask: {
      ...QUAD,
      description: 'priority,class,type,GUID: bits that are compared',
      examples: ['0,0xFFFF,0xFFFF,FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:00:00:00:00'],
    },
  },
  { required: ['filter', 'mask'] },
);

const PROPERTIES: Readonly<Record<string, Schema>> = {
  any: {
    description: 'Every event. Stands alone, so that nobody matches everything by accident.',
    const: true,
  },
  source: oneOrMore(
    ref('name'),
    'The lower link by which the event came: the one field that no sender can forge.',
  ),
  priority: oneOrMore(whole(0, 7), '0 is the highest, 7 the lowest.'),
  class: oneOrMore(
    ref('classOrFamily'),
    'A forbid should name a family: "@SECURITY" takes 2, 514 and 1034, the number 2 only itself. ' +
      'Events of 512 to 1023 carry a GUID inside their data.',
  ),
  type: oneOrMore(
    ref('type'),
    'A token means something only within its class: 6 is TEMPERATURE in measurements, and ' +
      'something else everywhere else.',
  ),
  raw: RAW,
  guid: ref(
    'guids',
    'Whose events: GUID prefixes. A sender can say any GUID; name its `source` too.',
  ),
  sensor: bytes('The sensor index in the data. Missing: fails a permit, satisfies a forbid.'),
  zone: bytes('The zone in the data. Missing: fails a permit, satisfies a forbid.'),
  subzone: bytes('The subzone in the data. Missing: fails a permit, satisfies a forbid.'),
  unit: oneOrMore(ref('unit'), "The event's own unit is one of these; nothing is converted."),
  value: VALUE,
  size: {
    description: 'Data bytes.',
    anyOf: [whole(0, MAX_DATA), range(MAX_DATA, 'from ge to le, both included')],
  },
  time: TIME,
};

const HAS_TOKEN = {
  required: ['type'],
  properties: {
    type: { anyOf: [{ type: 'string' }, { type: 'array', contains: { type: 'string' } }] },
  },
};

const MATCH = record(
  'Which events. All keys must hold; a list holds if any of its items does.',
  PROPERTIES,
  {
    minProperties: 1,
    allOf: [
      { if: { required: ['any'] }, then: { maxProperties: 1 } },
      { if: HAS_TOKEN, then: { required: ['class'] } },
      ...['class', 'type', 'guid', 'priority'].map((key) => notBoth('raw', key)),
      ...['unit', 'value'].map((key) => ({
        if: { required: [key] },
        then: {
          required: ['class', 'type'],
          properties: { class: ref('measurementClasses') },
        },
      })),
      ref('typesByClass'),
    ],
  },
);

const PATTERN = { anyOf: [ref('guidPrefix'), ref('guid')] };

function guids(inside: Schema): Schema {
  return {
    anyOf: [
      ref('guidPattern'),
      list(ref('guidPattern')),
      record('one of a list', { in: inside }, { required: ['in'] }),
      record(
        'the bits of value where mask has ones',
        { value: ref('guid'), mask: ref('guid') },
        { required: ['value', 'mask'] },
      ),
    ],
  };
}

const NAMED = {
  type: 'string',
  pattern: '^\\$[A-Za-z]\\w{0,63}$',
  description: 'a list of this file, under `lists`',
  examples: ['$public_subnets'],
};
const PATTERNS = { anyOf: [ref('guidPattern'), list(ref('guidPattern'))] };

/** What the other parts of the schema refer to. */
export const MATCHES: Readonly<Record<string, Schema>> = {
  match: MATCH,
  guidPattern: PATTERN,
  guids: guids({ anyOf: [NAMED, ...PATTERNS.anyOf] }),
  guidList: guids(PATTERNS),
};

export const EFFECT = words(
  'A forbid beats every permit, whatever its order. What no permit matches stays inside.',
  'permit',
  'forbid',
);

export const REASON: Schema = {
  ...text(1024),
  description: 'Why this may leave, or must not: for the auditor.',
};
