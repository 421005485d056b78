/** The description of the API (OpenAPI 3.1), which tests hold every answer against. */
import type { HttpLimits } from './limits.js';
import { PROBLEM_CODES } from './problem.js';

type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' };
const number = { type: 'number' };
const count = { type: 'integer', minimum: 0 };
/** ISO 8601 in UTC. */
const TIME_PATTERN = '^[+-]?\\d{4,6}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$';
const time = { type: ['string', 'null'], format: 'date-time', pattern: TIME_PATTERN };
const list = (items: Schema): Schema => ({ type: 'array', items });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** All properties are required but those that are named. */
function shape(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Position: {
    ...shape({ x: number, y: number }),
    description: 'In percent of the plan: x from the left, y from the top.',
  },
  Zone: shape({ id: text, name: text, position: ref('Position') }, ['position']),
  Sensor: shape(
    {
      id: {
        ...text,
        description: '`class.type.guid.index`, and `.zone.subzone` where it has them.',
      },
      name: text,
      place: text,
      zone: { ...text, description: 'Id of its zone; empty: in none.' },
      quantity: { ...text, description: 'What it measures, for people: `Temperature`.' },
      unit: { ...text, description: 'Symbol of the unit of its values; empty: there is none.' },
      decimals: count,
      position: ref('Position'),
      vscpClass: count,
      type: count,
      guid: { ...text, pattern: '^[0-9A-Fa-f]{32}$' },
      value: { type: ['number', 'null'] },
      time: { ...time, description: 'Of the newest reading.' },
      spark: {
        ...list({ type: ['number', 'null'] }),
        description: 'The last values, oldest first; the newest is the last.',
      },
      revision: { ...count, description: 'Of the board, when it changed last.' },
    },
    ['position'],
  ),
  Sensors: shape({
    title: text,
    revision: { ...count, description: 'Grows with every change of what is shown.' },
    time: { ...time, description: 'When this was written: an answer that is known may be older.' },
    zones: list(ref('Zone')),
    sensors: list(ref('Sensor')),
  }),
  Alarm: shape({
    id: { ...count, description: 'Grows; an alarm that repeats keeps its own.' },
    level: { enum: ['warning', 'alarm'] },
    name: text,
    place: text,
    zone: text,
    since: time,
    time,
    count: { ...count, description: 'How many times it came.' },
  }),
  Alarms: {
    ...shape({ alarms: list(ref('Alarm')) }),
    description: 'Warnings behind alarms, the newest of each first.',
  },
  Relay: shape({
    state: {
      enum: ['never', 'live', 'silent', 'away'],
      description:
        'never: no relay has been here since the board began; live: events or beacons come; ' +
        'silent: it is connected, and nothing comes; away: it is not connected.',
    },
    since: { ...time, description: 'Of that state.' },
    name: text,
    beacon: { ...time, description: 'Of the newest beacon; null: there is none.' },
    expected: { ...count, description: 'Events that should have come, by beacons.' },
    missing: { ...count, description: 'Of them, those that never did.' },
    silent: {
      ...list(shape({ name: text, since: time })),
      description: 'Lower servers of which a beacon says that they are silent.',
    },
  }),
  Counters: shape({
    events: {
      ...count,
      description: 'events = readings + alarms + beacons + other + duplicates',
    },
    readings: count,
    alarms: count,
    beacons: count,
    other: count,
    duplicates: count,
    malformed: count,
    unshown: count,
    unverified: count,
  }),
  Status: shape({
    title: text,
    started: time,
    time,
    relay: ref('Relay'),
    counters: ref('Counters'),
    history: shape({
      added: { ...count, description: 'Events to be kept: added = kept + dropped + waiting' },
      kept: count,
      dropped: count,
      waiting: count,
    }),
  }),
  Series: shape({
    sensor: text,
    resolution: { enum: ['raw', 'hour', 'day'] },
    points: {
      ...list({
        type: 'array',
        prefixItems: [{ type: 'integer' }, number, number, number],
        minItems: 4,
        maxItems: 4,
      }),
      description:
        'Oldest first: time (ms since 1970; of a reading, or of the beginning of an hour or day ' +
        'in UTC), mean, least and greatest value.',
    },
  }),
  Event: shape(
    {
      id: { ...count, description: 'Grows by one.' },
      received: time,
      event: { ...text, description: 'Its line in canonical text form.' },
      sensor: text,
      value: { type: ['number', 'null'] },
    },
    ['sensor', 'value'],
  ),
  Events: shape({
    events: list(ref('Event')),
    next: { ...count, description: '`since` of the next page.' },
    gap: {
      type: 'boolean',
      description: 'Whether events between `since` and the first one here are gone already.',
    },
  }),
  Error: shape({ error: shape({ code: { enum: PROBLEM_CODES }, message: text }) }),
};

/** What may come in the place of any answer. */
const PROBLEMS = Object.fromEntries(
  Object.entries({
    400: 'The request, or one of its parameters, is wrong.',
    404: 'There is no such thing.',
    405: 'Only GET, HEAD and OPTIONS are answered.',
    413: 'A request has no body.',
    417: 'Expect is not understood.',
    431: 'There are too many headers.',
    429: 'Too much; Retry-After says when to try again.',
    500: 'The board has failed.',
    503: 'Not at the moment; Retry-After says when to try again.',
  }).map(([status, description]) => [
    status,
    { description, content: { 'application/json': { schema: ref('Error') } } },
  ]),
);

const ID = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Of a sensor.',
  schema: text,
};
const RANGE = ['from', 'to'].map((name) => ({
  name,
  in: 'query',
  description:
    `${name === 'from' ? 'Beginning; without it, a day before `to`' : 'End; without it, now'}. ` +
    'ISO 8601 in UTC (`2026-03-01T12:00:00Z`, `2026-03-01`) or ms since 1970.',
  schema: { type: 'string' },
}));

const parameter = (name: string, description: string, schema: Schema): Schema => ({
  name,
  in: 'query',
  description,
  schema,
});
const integer = (name: string, description: string, maximum: number, otherwise: number): Schema =>
  parameter(name, description, { type: 'integer', minimum: 1, maximum, default: otherwise });

const answer = (description: string, type: string, schema: Schema): Schema => ({
  200: { description, content: { [type]: { schema } } },
  ...(type === 'application/json'
    ? { 304: { description: 'If-None-Match names what would be answered.' } }
    : {}),
  ...PROBLEMS,
});
const get = (summary: string, responses: Schema, parameters: readonly Schema[] = []): Schema => ({
  get: { summary, parameters, responses },
});
const json = (summary: string, name: string, parameters: readonly Schema[] = []): Schema =>
  get(summary, answer(summary, 'application/json', ref(name)), parameters);

export const DEFAULT_POINTS = 500;
export const DEFAULT_EVENTS = 100;

export function describeApi({ points, events, rows }: HttpLimits) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'tidegate board',
      version: '1',
      description:
        'What a board shows. GET, HEAD and OPTIONS only, from any origin. Times are ISO 8601 in ' +
        'UTC, or null; only the points of a series have milliseconds since 1970.',
    },
    paths: {
      '/api/v1/sensors': json('All sensors as they are now, and their zones.', 'Sensors'),
      '/api/v1/sensors/{id}': json('A sensor as it is now.', 'Sensor', [ID]),
      '/api/v1/sensors/{id}/series': json('Values of a sensor over time.', 'Series', [
        ID,
        ...RANGE,
        integer('points', 'At most so many.', points, Math.min(DEFAULT_POINTS, points)),
        parameter('resolution', 'Without it, the finest one whose points fit.', {
          enum: ['raw', 'hour', 'day'],
        }),
      ]),
      '/api/v1/sensors/{id}/readings.csv': get(
        'Readings of a sensor, oldest first.',
        answer(
          'Columns: time, value, unit, sensor, name, place. If there are `limit` rows, there may ' +
            'be more: ask again from behind the last time. One that breaks off is not whole. ' +
            'An apostrophe is put before texts that a spreadsheet would take for a formula.',
          'text/csv',
          text,
        ),
        [ID, ...RANGE, integer('limit', 'Rows at most.', rows, rows)],
      ),
      '/api/v1/alarms': json('What has raised an alarm.', 'Alarms'),
      '/api/v1/status': json('How the relay and the board are.', 'Status'),
      '/api/v1/events': json('Events as they came, oldest first, a page at a time.', 'Events', [
        parameter('since', 'Id of the last one that is known; 0: from the oldest.', {
          ...count,
          default: 0,
        }),
        integer('limit', 'Events at most.', events, Math.min(DEFAULT_EVENTS, events)),
      ]),
      '/api/v1/stream': get(
        'What changes, as server-sent events, at most once a second.',
        answer(
          '`sensors` ({ revision, time, sensors }: those that changed), `alarms` ({ alarms }: all) ' +
            '`relay` (Relay) and `edition` ({ edition }: another one when names, places or what is ' +
            'shown have changed; ask for /api/v1/sensors anew). It begins with all of it, or with what changed since the revision ' +
            'that `since` or Last-Event-ID names.',
          'text/event-stream',
          text,
        ),
        [
          parameter('since', 'Revision that is known, as /api/v1/sensors says it.', text),
          {
            name: 'Last-Event-ID',
            in: 'header',
            description: 'Id of the last event; goes before `since`.',
            schema: text,
          },
        ],
      ),
      '/api/v1/openapi.json': get(
        'This description.',
        answer('OpenAPI 3.1.', 'application/json', { type: 'object' }),
      ),
    },
    components: { schemas: SCHEMAS },
  };
}
