/** The `emit` and `limits` of a policy's permits as JSON Schema. */
import { MAX_DATA } from '../event/layout.js';
import {
  notBoth,
  oneOrMore,
  record,
  ref,
  type Schema,
  text,
  whole,
  words,
} from './schema-value.js';

const PARTS = ['guid', 'sensor', 'zone', 'subzone', 'source'] as const;
const POSITIVE = { type: 'number', exclusiveMinimum: 0 };

const PER: Schema = {
  description:
    'What tells the streams apart, beside type (and class, unless emit names one): each has' +
    ' values of its own. none: all are one.',
  anyOf: [{ const: 'none' }, oneOrMore({ enum: PARTS }, 'Any of these.')],
};

function placed(what: string): Schema {
  return {
    description: `The ${what} that is sent, with a value; default zero.`,
    anyOf: [{ enum: ['keep', 'zero'] }, ref('byte')],
  };
}

const GUID: Schema = {
  description:
    'Default zero. A GUID often carries an address of the site: a MAC, an IP address. A pseudonym' +
    ' stays the same for a device and does not lead back to it without the key.',
  anyOf: [
    { enum: ['keep', 'zero'] },
    { allOf: [ref('guid'), { pattern: '[:,-]' }] },
    record(
      'A keyed pseudonym.',
      {
        pseudonym: record(
          'HMAC-SHA-256 of the GUID under a secret key, behind a public prefix.',
          {
            key_file: {
              ...text(4096),
              description: 'The key: beside this file, or credential:NAME. Keep it out of git.',
              examples: ['./secrets/pseudonym.key', 'credential:pseudonym'],
            },
            prefix: ref('pseudonymPrefix'),
          },
          { required: ['key_file', 'prefix'] },
        ),
      },
      { required: ['pseudonym'] },
    ),
  ],
};

const TIME: Schema = {
  description:
    'Default zero. `keep` sends microseconds and so a fingerprint of the sender; `relay` is when ' +
    'it was sent; a floor hides when within it. A window has the floor of its own beginning.',
  anyOf: [
    { enum: ['keep', 'zero', 'relay'] },
    record(
      'The beginning of the interval in which it was.',
      {
        floor: ref('period', 'The length of the interval.'),
        of: words(
          "Whose time; default the event's. Of a window always the relay's.",
          'event',
          'relay',
        ),
      },
      { required: ['floor'] },
    ),
  ],
};

const VALUE: Schema = {
  description: 'The measured value; without it, and without data, nothing of the data leaves.',
  anyOf: [
    { const: 'keep' },
    record(
      'Converted into `unit`, then fn, clamp, round.',
      {
        unit: ref('unit', 'The unit that is sent.'),
        fn: words('What is made of the values of a window.', 'mean', 'min', 'max', 'last'),
        clamp: record(
          'Values beyond become the bound.',
          {
            ge: { type: 'number', description: 'at least' },
            le: { type: 'number', description: 'at most' },
          },
          { minProperties: 1 },
        ),
        round: { ...POSITIVE, description: 'A step: 0.5 sends 21.0, 21.5, 22.0.' },
      },
      { required: ['unit'] },
    ),
  ],
};

const WINDOW = record(
  'Many events become one, when the window ends. Needs a value with fn. Windows begin at' +
    ' multiples of their length since 1970, UTC.',
  {
    every: ref('period', 'How long it is.'),
    per: PER,
    min_samples: whole(1, 1_000_000, 'With fewer nothing is sent: a mean of one is that one.'),
  },
  { required: ['every', 'per'] },
);

const DEADBAND = record(
  'Sent only when the value has moved. Somebody who sees when learns when it moved.',
  {
    change: { ...POSITIVE, description: 'By so much at least since the last one that was sent.' },
    unit: ref('unit', 'The unit of the change.'),
    per: { ...PER, default: ['guid', 'sensor'] },
    refresh: ref('period', 'Sent after so long though it has not moved.'),
  },
  { required: ['change', 'unit'] },
);

const PROPERTIES: Readonly<Record<string, Schema>> = {
  priority: {
    description: 'Default keep. 0 is the highest.',
    anyOf: [{ enum: ['keep', 'zero'] }, whole(0, 7)],
  },
  class: ref('class', "Default the matched event's."),
  type: ref('type', "Default the matched event's. With class: one of its types."),
  guid: GUID,
  time: TIME,
  data: {
    description: 'Default zero: none. `keep` sends every byte, whatever is in it.',
    anyOf: [{ enum: ['keep', 'zero'] }, ref('bytes')],
  },
  value: VALUE,
  sensor: placed('sensor index'),
  zone: placed('zone'),
  subzone: placed('subzone'),
  window: WINDOW,
  deadband: DEADBAND,
};

const HAS_FN = { type: 'object', required: ['fn'] };

/** The events of a window must agree in what is sent of them. */
function keptNeedsPer(part: string): Schema {
  const kept =
    part === 'guid' ? { anyOf: [{ const: 'keep' }, { type: 'object' }] } : { const: 'keep' };
  const per = { anyOf: [{ const: part }, { type: 'array', contains: { const: part } }] };
  return {
    if: { required: ['window', part], properties: { [part]: kept } },
    then: { properties: { window: { properties: { per } } } },
  };
}

const EMIT = record(
  'What is sent: an allowlist. What is not named is zero or empty; class, type and priority stay.' +
    ' Without emit everything is sent as it was.',
  PROPERTIES,
  {
    minProperties: 1,
    dependencies: { sensor: ['value'], zone: ['value'], subzone: ['value'], window: ['value'] },
    allOf: [
      notBoth('data', 'value'),
      notBoth('deadband', 'window'),
      {
        if: { required: ['value'] },
        then: { properties: { class: ref('measurementClass') } },
      },
      {
        if: { required: ['window'] },
        then: { properties: { value: HAS_FN, time: { not: { const: 'keep' } } } },
        else: { properties: { value: { not: HAS_FN } } },
      },
      ...['guid', 'sensor', 'zone', 'subzone'].map(keptNeedsPer),
      {
        if: { required: ['class'] },
        then: ref('typesByClass'),
        else: { properties: { type: ref('anyType') } },
      },
    ],
  },
);

const LIMITS = record(
  'How much is sent.',
  {
    rate: ref('rate', 'What is beyond is dropped and counted, never kept for later.'),
    burst: whole(1, 1_000_000, 'How many at once; default the number of the rate.'),
    size: whole(0, MAX_DATA, 'Most data bytes of what is sent.'),
  },
  { anyOf: [{ required: ['rate'] }, { required: ['size'] }], dependencies: { burst: ['rate'] } },
);

/** What the other parts of the schema refer to. */
export const EMISSIONS: Readonly<Record<string, Schema>> = { emit: EMIT, limits: LIMITS };
