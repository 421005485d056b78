/** The `tests` of a policy as JSON Schema. */
import { MAX_FED } from '../policy/parse-test.js';
import { list, notBoth, oneOrMore, record, ref, type Schema, text, whole } from './schema-value.js';

const EVENT = record(
  'An event, field by field. A value is encoded as its class wants it.',
  {
    class: ref('class'),
    type: ref('type'),
    priority: whole(0, 7, 'Default 3.'),
    guid: ref('guid', 'Default all zero.'),
    value: { type: 'number', description: 'In `unit`; for measurement classes, instead of data.' },
    unit: ref('unit', 'The unit of the value.'),
    sensor: ref('byte', 'The sensor index, with a value; in data it is a byte of them.'),
    zone: ref('byte', 'The zone, with a value; in data it is a byte of them.'),
    subzone: ref('byte', 'The subzone, with a value; in data it is a byte of them.'),
    data: ref('bytes', 'The data bytes, instead of a value.'),
    time: ref('instant', "The event's own time."),
  },
  {
    required: ['class', 'type'],
    dependencies: {
      unit: ['value'],
      sensor: ['value'],
      zone: ['value'],
      subzone: ['value'],
    },
    allOf: [
      notBoth('data', 'value'),
      {
        if: { required: ['value'] },
        then: { required: ['unit'], properties: { class: ref('measurementClass') } },
      },
      ref('typesByClass'),
    ],
  },
);

const STEP = record(
  'Events that are fed, one after the other.',
  {
    source: ref('name', 'The lower link by which it comes; default the only one of the rules.'),
    repeat: whole(1, 100_000, 'How often; default once.'),
    every: ref('duration', 'What passes between two repetitions.'),
    at: ref('instant', 'The clock turns to this time first.'),
    event: EVENT,
    line: {
      ...text(4096),
      description: 'The event as a line of the link protocol, instead of event.',
      examples: [
        '0,10,6,0,2026-06-01T12:00:00Z,0,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,0x8F,1,7',
      ],
    },
  },
  {
    oneOf: [{ required: ['event'] }, { required: ['line'] }],
    dependencies: { every: ['repeat'] },
  },
);

const OUT = record(
  'An event that was sent; only what is named here is compared.',
  {
    class: ref('class'),
    type: ref('type'),
    priority: whole(0, 7),
    guid: ref('guidPattern', 'A whole GUID, or the prefix that it begins with.'),
    value: { type: 'number' },
    unit: { anyOf: [ref('unit'), ref('text')] },
    sensor: ref('byte'),
    zone: ref('byte'),
    subzone: ref('byte'),
    data: {
      description: 'The data bytes, or empty.',
      anyOf: [{ const: 'empty' }, list(ref('byte'))],
    },
    time: { anyOf: [{ const: 'zero' }, ref('instant')] },
  },
  {
    minProperties: 1,
    allOf: [
      {
        if: { required: ['type'], properties: { type: { type: 'string' } } },
        then: { required: ['class'] },
      },
      ref('typesByClass'),
    ],
  },
);

const COUNT = whole(0, MAX_FED);

function counts(description: string, ...names: readonly string[]): Schema {
  return record(description, Object.fromEntries(names.map((name) => [name, COUNT])));
}

const EXPECT = record(
  'What comes of it.',
  {
    rule: ref('name', 'The rule that decided the last event; none: no rule, so it stays inside.'),
    channel: ref('name', 'Look at this channel only.'),
    emitted: { ...COUNT, description: 'How many events are sent.' },
    urgent: {
      description: 'Whether what is sent is urgent, each event of it; nothing is neither.',
      type: 'boolean',
    },
    out: oneOrMore(OUT, 'The last event that is sent, or a list of all of them, in order.'),
    absorbed: counts('Events that went into others, or had not moved.', 'window', 'deadband'),
    withheld: counts(
      'Events that were permitted and not sent.',
      'rate',
      'size',
      'conversion',
      'overflow',
      'interrupted',
    ),
  },
  { minProperties: 1, if: { required: ['channel'] }, then: { minProperties: 2 } },
);

/** What the other parts of the schema refer to. */
export const TESTS: Readonly<Record<string, Schema>> = {
  test: record(
    'A test: a fresh relay with a virtual clock and the rules of this file alone.',
    {
      name: ref('text', 'What it shows.'),
      at: ref('instant', "Where the relay's clock starts."),
      feed: oneOrMore(STEP, 'Events that come in.'),
      advance: ref('duration', 'What passes after the feed: windows end.'),
      expect: EXPECT,
    },
    { required: ['name', 'feed', 'expect'] },
  ),
};
