/** fast-check generators of policies that measure, count and gather, and of a day of events. */
import fc from 'fast-check';
import type { VscpEvent } from '../../src/event/event.js';
import { CHANNELS, SOURCES } from './arbitrary.js';
import {
  type Bounds,
  type Bytes,
  type EmitWords,
  type Key,
  type LimitWords,
  type Match,
  type NaiveRule,
  type Pattern,
  type Span,
  type Times,
  UNITS,
} from './naive.js';

const GUIDS = [
  0xfffffffffffffffeb827eb1001020001n,
  0xfffffffffffffffeb827eb1001020002n,
  0xfffffffffffffffeb827eb2001020001n,
  0x00000000000000000000000000000001n,
];
const CLASSES = [10, 60, 65, 522, 1040, 1060] as const;
const TYPES = [4, 6, 16, 51] as const;
const ALL = (1n << 128n) - 1n;

const colons = (value: bigint): string =>
  value.toString(16).padStart(32, '0').match(/../g)!.join(':');
const bytesOf = (value: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'));

function some<T>(from: readonly T[], most = from.length): fc.Arbitrary<T[]> {
  return fc.subarray([...from], { minLength: 1, maxLength: most });
}

/** There in about one of `n` cases. */
function rarely<T>(arbitrary: fc.Arbitrary<T>, n: number): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 1, arbitrary }, { weight: n - 1, arbitrary: fc.constant(undefined) });
}

/** Without what is undefined. */
function dense<T extends object>(record: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, v]) => v !== undefined)) as T;
}

const patterns: readonly Pattern[] = [
  ...GUIDS.map((value) => ({ text: colons(value), value, mask: ALL })),
  {
    text: 'ff:ff:ff:ff:ff:ff:ff:fe:b8:27:eb:10/96',
    value: 0xfffffffffffffffeb827eb1000000000n,
    mask: ALL ^ 0xffffffffn,
  },
  {
    text: 'ff:ff:ff:ff:ff:ff:ff:fe/64',
    value: 0xfffffffffffffffen << 64n,
    mask: ALL ^ (ALL >> 64n),
  },
  { text: '80/1', value: 1n << 127n, mask: 1n << 127n },
];

const span = (max: number): fc.Arbitrary<Span> =>
  fc.oneof(
    fc.nat(max).map((ge) => ({ ge })),
    fc.nat(max).map((le) => ({ le })),
    fc
      .tuple(fc.nat(max), fc.nat(max))
      .map(([a, b]) => ({ ge: Math.min(a, b), le: Math.max(a, b) })),
  );
const bytes = (max: number): fc.Arbitrary<Bytes> =>
  fc.oneof(fc.array(fc.nat(max), { minLength: 1, maxLength: 4 }), span(max));

/** Around what events measure, in steps that meet them. */
const bound = fc.integer({ min: -80, max: 700 }).map((n) => n / 2);
const kelvin = fc.integer({ min: 440, max: 660 }).map((n) => (n * 50 + 15) / 100);

function boundsOf(type: number): fc.Arbitrary<Bounds> {
  const limit = type === 6 ? fc.oneof(bound, kelvin) : bound;
  return fc
    .tuple(fc.constantFrom(...UNITS[type]!), limit, limit, fc.nat(7))
    .map(([unit, a, b, kind]): Bounds => {
      const [low, high] = [Math.min(a, b), Math.max(a, b) + 1];
      const forms: Omit<Bounds, 'unit'>[] = [
        { ge: low },
        { gt: low },
        { le: high },
        { lt: high },
        { ge: low, le: high },
        { gt: low, lt: high },
        { ge: low, lt: high },
        { gt: low, le: high },
      ];
      return { unit, ...forms[kind]! };
    });
}

const time: fc.Arbitrary<Times> = fc
  .record(
    {
      zone: fc.constantFrom('UTC' as const, 'Europe/Berlin' as const),
      daily: some(['00:00-02:30', '12:00-12:01', '22:00-05:00', '06:00-18:00', '23:59-24:00'], 2),
      days: some(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], 6),
      dates: some(['2026-03-28..2026-03-29', '2026-06-01', '2026-12-30..2027-01-02'], 3),
    },
    { requiredKeys: ['zone'] },
  )
  .filter(({ daily, days, dates }) => (daily ?? days ?? dates) !== undefined);

const header = {
  sources: rarely(some(SOURCES, 2), 8),
  priorities: rarely(some([0, 1, 3, 5, 7], 4), 10),
  guid: rarely(
    some(patterns, 3).map((chosen) => ({ form: 'many' as const, patterns: chosen })),
    5,
  ),
  time: rarely(time, 8),
  size: rarely(fc.oneof(fc.nat(13), span(20)), 10),
};

/** Of measurements of one type. */
function measuring(type: number, classes: readonly number[]): fc.Arbitrary<Match> {
  return fc
    .record({
      ...header,
      classes: fc.oneof(fc.constant([...classes]), some(classes)),
      types: fc.constant([type]),
      sensor: rarely(bytes(9), 10),
      zone: rarely(bytes(3), 8),
      subzone: rarely(bytes(3), 12),
      unit: rarely(some(UNITS[type]!), 8),
      value: rarely(boundsOf(type), 3),
    })
    .map((record) => dense<Match>(record));
}

const anything: fc.Arbitrary<Match> = fc
  .record({
    ...header,
    classes: rarely(some([...CLASSES, 20]), 2),
    types: rarely(some([...TYPES, 1], 3), 3),
    sensor: rarely(bytes(9), 8),
    zone: rarely(bytes(3), 8),
    subzone: rarely(bytes(3), 8),
  })
  .map((record) => dense<Match>(record));

const guidWords: fc.Arbitrary<NonNullable<EmitWords['guid']>> = fc.oneof(
  fc.constantFrom('keep', 'keep', 'zero', colons(GUIDS[2]!)),
  fc.constantFrom('02:52:4c:59/32', 'fe:80/9', '02:00:00:00:00:00:00:01/64').map((prefix) => ({
    pseudonym: { key_file: 'key', prefix },
  })),
);
const floors = fc.constantFrom('1s', '7s', '15m', '1h', '1d');
const timeWords: fc.Arbitrary<NonNullable<EmitWords['time']>> = fc.oneof(
  fc.constantFrom('keep' as const, 'zero' as const, 'relay' as const),
  floors.map((floor) => ({ floor })),
  floors.map((floor) => ({ floor, of: 'relay' as const })),
);
const priorityWords = rarely(
  fc.oneof(fc.constantFrom('keep' as const, 'zero' as const), fc.nat(7)),
  2,
);
const placeWords = rarely(
  fc.oneof(fc.constantFrom('keep' as const, 'zero' as const), fc.nat(9)),
  2,
);

const limitWords = (sizes: readonly number[]): fc.Arbitrary<LimitWords | undefined> =>
  rarely(
    fc
      .record(
        {
          rate: fc.constantFrom('1/s', '3/s', '20/m', '100/h', '10/d'),
          burst: fc.integer({ min: 1, max: 4 }),
          size: fc.constantFrom(...sizes),
        },
        { requiredKeys: [] },
      )
      .filter(({ rate, burst, size }) => (rate ?? size) !== undefined && (!burst || !!rate)),
    2,
  );

/** What all permits of a channel send and whether it is urgent, and what they may match. */
interface Theme {
  readonly urgent: boolean | undefined;
  readonly emit: EmitWords | undefined;
  readonly limits: LimitWords | undefined;
  readonly match: fc.Arbitrary<Match>;
}

const keys = some<Key>(['guid', 'sensor', 'zone', 'subzone', 'source']);
const change = fc.constantFrom(0.5, 1, 2.5, 10);

const plain: fc.Arbitrary<Omit<Theme, 'urgent'>> = fc
  .tuple(
    fc.record({
      priority: priorityWords,
      guid: rarely(guidWords, 2),
      time: rarely(timeWords, 2),
      data: rarely(
        fc.oneof(
          { weight: 3, arbitrary: fc.constantFrom('keep' as const, 'zero' as const) },
          { weight: 1, arbitrary: fc.array(fc.nat(255), { maxLength: 9 }) },
        ),
        2,
      ),
      class: rarely(fc.constantFrom(20, 10, 522, 1060), 4),
      type: rarely(fc.nat(65535), 4),
    }),
    limitWords([0, 3, 7, 8, 12]),
  )
  .map(([record, limits]): Omit<Theme, 'urgent'> => {
    const emit = dense<EmitWords>(record);
    return { emit: Object.keys(emit).length > 0 ? emit : undefined, limits, match: anything };
  });

/** Values, with a window, a deadband, or neither. */
const measured: fc.Arbitrary<Omit<Theme, 'urgent'>> = fc
  .record({
    type: fc.constantFrom(...TYPES, 6, 6),
    unit: fc.nat(9),
    deadUnit: fc.nat(9),
    outClass: fc.constantFrom(undefined, undefined, 10, 65, 522, 1040, 1060, 60),
    kind: fc.constantFrom('value', 'keep', 'window', 'window', 'deadband', 'data'),
    round: rarely(fc.constantFrom(0.1, 0.25, 0.5, 1, 5, 3, 1000), 2),
    clamp: rarely(
      fc.constantFrom({ ge: 0 }, { le: 25 }, { ge: -10, le: 30 }, { ge: 280, le: 300 }),
      3,
    ),
    priority: priorityWords,
    guid: rarely(guidWords, 2),
    time: rarely(timeWords, 2),
    sensor: placeWords,
    zone: placeWords,
    subzone: placeWords,
    per: keys,
    fn: fc.constantFrom('mean' as const, 'min' as const, 'max' as const, 'last' as const),
    every: fc.constantFrom('1s', '10s', '1m', '15m', '7m', '1h'),
    minSamples: rarely(fc.integer({ min: 1, max: 3 }), 3),
    change,
    refresh: rarely(fc.constantFrom('5s', '1m', '2h'), 2),
    deadPer: rarely(keys, 2),
    limits: limitWords([0, 11, 12]),
  })
  .map((draft): Omit<Theme, 'urgent'> => {
    const { type, kind, fn, every, minSamples, deadPer, refresh, outClass } = draft;
    const units = UNITS[type]!;
    const asIs = kind === 'data';
    const to = asIs ? undefined : outClass;
    const unit = to === 60 ? units[0]! : units[draft.unit % units.length]!;
    const target = to === undefined ? [...CLASSES] : [to];
    const zoned = target.every((n) => n === 65 || n >= 1024);
    const classes =
      to !== undefined || asIs
        ? [...CLASSES]
        : CLASSES.filter((n) => n !== 60 || unit === units[0]);
    const own = to === undefined ? classes.filter((n) => !asIs && n !== 60) : classes;
    const indexed = to !== 60;
    const placed = to === undefined ? own.filter((n) => n === 65 || n >= 1024) : own;
    const windowed = kind === 'window';
    const zone = draft.zone;
    const needsZone =
      !asIs && ((zone ?? 'zero') !== 'zero' || (draft.subzone ?? 'zero') !== 'zero');
    const free = needsZone && !zoned && to !== undefined;
    const places = asIs
      ? {}
      : {
          sensor: indexed ? draft.sensor : undefined,
          zone: free ? undefined : zone,
          subzone: free ? undefined : draft.subzone,
        };
    const value =
      kind === 'keep' || (kind === 'deadband' && draft.unit % 2 === 0 && to !== 60)
        ? ('keep' as const)
        : dense<Exclude<EmitWords['value'], 'keep' | undefined>>({
            unit,
            fn: windowed ? fn : undefined,
            clamp: draft.clamp,
            round: draft.round,
          });
    const needs: Key[] = [];
    if (draft.guid !== undefined && draft.guid !== 'zero' && draft.guid !== colons(GUIDS[2]!)) {
      needs.push('guid');
    }
    for (const part of ['sensor', 'zone', 'subzone'] as const) {
      if (!asIs && (places as EmitWords)[part] === 'keep') needs.push(part);
    }
    const dead = kind === 'deadband' || (asIs && draft.unit % 3 > 0);
    const emit = dense<EmitWords>({
      priority: draft.priority,
      class: to,
      type: undefined,
      guid: draft.guid,
      time: windowed && draft.time === 'keep' ? 'relay' : draft.time,
      data: asIs ? 'keep' : undefined,
      value: asIs ? undefined : value,
      sensor: places.sensor,
      zone: places.zone,
      subzone: places.subzone,
      window: windowed
        ? dense<NonNullable<EmitWords['window']>>({
            every,
            per: [...new Set([...draft.per, ...needs])],
            min_samples: minSamples,
          })
        : undefined,
      deadband: dead
        ? dense<NonNullable<EmitWords['deadband']>>({
            change: draft.change,
            unit: units[draft.deadUnit % units.length]!,
            per: deadPer,
            refresh,
          })
        : undefined,
    });
    const needsIndex = !asIs && (places.sensor ?? 'zero') !== 'zero' && to === undefined;
    const allowed = needsZone && !free && to === undefined ? placed : needsIndex ? own : classes;
    const sized = asIs || to === 1060;
    const limits =
      draft.limits &&
      dense<LimitWords>({
        rate: draft.limits.rate ?? (sized ? undefined : '1/s'),
        burst: draft.limits.burst,
        size: sized ? draft.limits.size : undefined,
      });
    return { emit, limits, match: measuring(type, allowed) };
  });

const theme: fc.Arbitrary<Theme> = fc
  .tuple(
    fc.oneof({ weight: 2, arbitrary: plain }, { weight: 5, arbitrary: measured }),
    fc.constantFrom(undefined, false, true),
  )
  .map(([words, urgent]) => ({ ...words, urgent }));

type Draft = Omit<NaiveRule, 'name'>;

/** Most of them load. */
export const policies: fc.Arbitrary<NaiveRule[]> = fc.tuple(theme, theme).chain((themes) => {
  const expires = rarely(fc.constantFrom('2026-03-29', '2026-06-01', '2026-12-31'), 5);
  const permit = fc.nat(1).chain((i) =>
    fc
      .tuple(themes[i]!.match, i === 0 ? some(['open', 'press']) : fc.constant(['board']), expires)
      .map(([match, to, last]) => {
        const { urgent, emit, limits } = themes[i]!;
        return dense<Draft>({ effect: 'permit', to, urgent, match, emit, limits, expires: last });
      }),
  );
  const forbidden = fc.oneof(
    anything,
    fc.constantFrom(...TYPES).chain((type) => measuring(type, CLASSES)),
  );
  const forbid = fc.tuple(forbidden, rarely(some(CHANNELS, 2), 2)).map(([match, to]) =>
    dense<Draft>({
      effect: 'forbid',
      to,
      urgent: undefined,
      match,
      emit: undefined,
      limits: undefined,
      expires: undefined,
    }),
  );
  const draft = fc.oneof({ weight: 5, arbitrary: permit }, { weight: 1, arbitrary: forbid });
  return fc
    .array(draft, { minLength: 1, maxLength: 5, size: 'max' })
    .map((drafts) => drafts.map((rule, i) => ({ ...rule, name: `r${i}` })));
});

const twos = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) & 255);

function float(value: number, size: 4 | 8): number[] {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 4) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  return [...new Uint8Array(view.buffer)];
}

/** Coding byte and value; `form`: integer, decimals, float or text. */
function coded(value: number, low: number, form: number, room: number): number[] {
  const text = [...Buffer.from(String(value))];
  if (form === 0 && Number.isInteger(value)) return [0x60 | low, ...twos(value, 3)];
  if (form === 1 && text.length < room) return [0x40 | low, ...text];
  if (form === 2) return [0xa0 | low, ...float(value, 4)];
  return [0x80 | low, 0x82, ...twos(value * 100, 3)];
}

interface Reading {
  readonly vscpClass: number;
  readonly type: number;
  readonly value: number;
  readonly unit: number;
  readonly sensor: number;
  readonly zone: number;
  readonly subzone: number;
  readonly form: number;
  readonly guid: bigint;
}

function dataOf({ vscpClass, value, unit, sensor, zone, subzone, form, guid }: Reading): number[] {
  const place = [sensor, zone, subzone];
  switch (vscpClass) {
    case 10:
      return coded(value, ((unit & 3) << 3) | (sensor & 7), form, 7);
    case 522:
      return [...bytesOf(guid), ...coded(value, ((unit & 3) << 3) | (sensor & 7), form, 7)];
    case 65:
      return [...place, ...coded(value, (unit & 3) << 3, form, 4)];
    case 60:
      return float(value, 8);
    case 1040:
      return [...place, unit, ...Buffer.from(String(value)), ...(form === 1 ? [0] : [])];
    case 1060:
      return [...place, unit, ...float(value, 8)];
    default:
      return [0, zone, subzone].slice(0, form);
  }
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 38, max: 48 }).map((n) => n / 2) },
  { weight: 3, arbitrary: fc.integer({ min: -100, max: 400 }).map((n) => n / 4) },
  { weight: 2, arbitrary: fc.integer({ min: 1080, max: 1220 }).map((n) => n / 4) },
);

/** What an event is of, whatever it measures. */
const device = fc.record({
  vscpClass: fc.constantFrom(...CLASSES, ...CLASSES, 20),
  type: fc.constantFrom(...TYPES, 6, 6, 6),
  unit: fc.constantFrom(0, 1, 1, 2, 3),
  sensor: fc.constantFrom(0, 0, 1, 2, 9),
  zone: fc.nat(2),
  subzone: fc.nat(1),
  guid: fc.constantFrom(...GUIDS),
});
type Device = typeof device extends fc.Arbitrary<infer D> ? D : never;

const measurement = fc.record({
  device: fc.nat(3),
  other: fc.nat(5),
  value,
  form: fc.nat(3),
  head: fc.nat(65535),
  obid: fc.nat(0xffffffff),
  when: fc.constantFrom(
    '',
    '',
    '2026-03-28T23:59:59Z',
    '2027-12-31T12:34:56',
    '1969-07-20T20:17:40Z',
  ),
  timestamp: fc.oneof(
    fc.constantFrom(0n, 5n, 0xffffffffn, 0x1_0000_0000n, 1780315207_999999999n),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  ),
  broken: fc.nat(60),
});
type Measurement = typeof measurement extends fc.Arbitrary<infer M> ? M : never;

/** Events of four devices, some in another unit or with another sensor. */
function eventOf(devices: readonly Device[], what: Measurement): VscpEvent {
  const { head, obid, when, timestamp, broken, other, value, form } = what;
  const own = devices[what.device]!;
  const reading: Reading = {
    ...own,
    value,
    form,
    ...(other === 0 && { unit: 0 }),
    ...(other === 1 && { sensor: 1 }),
    ...(other === 2 && { subzone: 1 - own.subzone }),
  };
  let data = dataOf(reading);
  if (broken === 0) data = data.slice(0, -1);
  if (broken === 1) data = [];
  if (broken === 2) data = dataOf({ ...reading, value: Infinity, form: 2 });
  if (broken === 3) data = dataOf({ ...reading, value: NaN, form: 2 });
  return {
    head,
    vscpClass: reading.vscpClass,
    type: reading.type,
    obid,
    datetime: when,
    timestamp,
    guid: bytesOf(reading.guid),
    data: Uint8Array.from(data.map((byte) => byte & 255)),
  };
}

/** A few readings that come again and again: streams have several samples. */
export interface Day {
  readonly start: number;
  readonly events: readonly VscpEvent[];
  readonly steps: readonly {
    readonly step: number;
    readonly event: number;
    readonly source: number;
  }[];
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  { weight: 4, arbitrary: fc.constantFrom(100, 250, 500, 999, 1000, 1001, 5000, 10_000) },
  { weight: 4, arbitrary: fc.integer({ min: 10_000, max: 200_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 900_000, max: 5_000_000 }) },
  { weight: 1, arbitrary: fc.constant(5 * 3_600_000) },
  { weight: 2, arbitrary: fc.integer({ min: -1000, max: -1 }) },
  { weight: 1, arbitrary: fc.integer({ min: -60_000, max: -1001 }) },
);

const START = [
  '2026-03-28T21:59:58.500Z',
  '2026-03-29T00:59:00.000Z',
  '2026-06-01T09:59:59.000Z',
  '2026-06-01T22:30:00.000Z',
  '2026-12-31T21:00:00.001Z',
].map((text) => Date.parse(text));

export const day: fc.Arbitrary<Day> = fc.record({
  start: fc.constantFrom(...START),
  events: fc
    .tuple(
      fc.array(device, { minLength: 4, maxLength: 4 }),
      fc.array(measurement, { minLength: 16, maxLength: 16 }),
    )
    .map(([devices, all]) => all.map((what) => eventOf(devices, what))),
  steps: fc.array(fc.record({ step, event: fc.nat(15), source: fc.nat(2) }), {
    minLength: 60,
    maxLength: 60,
  }),
});

/** Events bent to what rules match, so that they often meet. */
export function bent(events: readonly VscpEvent[], rules: readonly NaiveRule[]): VscpEvent[] {
  return events.map((event) => {
    // One device is bent in one way.
    const i = event.data.length + event.vscpClass + event.guid[15]! + event.guid[11]!;
    const { match } = rules[i % rules.length]!;
    if (i % 4 === 3) return event;
    const { types, priorities, guid } = match;
    const pattern = guid?.patterns[i % guid.patterns.length];
    const own = BigInt(`0x${Buffer.from(event.guid).toString('hex')}`);
    return {
      ...event,
      type: types ? Number(types[i % types.length]) : event.type,
      head: priorities ? priorities[i % priorities.length]! * 32 : event.head,
      guid: pattern ? bytesOf((own & ~pattern.mask & ALL) | pattern.value) : event.guid,
    };
  });
}
