import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DocumentError } from '../../src/document/document.js';
import type { VscpEvent } from '../../src/event/event.js';
import { compilePolicies } from '../../src/policy/compile.js';
import { parsePolicy } from '../../src/policy/parse.js';
import {
  type Bounds,
  converted,
  type EmitWords,
  type LimitWords,
  type Match,
  matches,
  matchesData,
  matchesTime,
  type NaiveRule,
  nearest,
  type Times,
  write,
} from './naive.js';
import { runs } from '../arbitrary/runs.js';

const SOURCES = ['north', 'south'];
const SCOPE = { sources: SOURCES, channels: ['open', 'press'] };
const NOW = Date.parse('2026-06-01T00:00:00Z');
const HOUR = 3_600_000;

/** What is wrong with the files, without its place. */
function complaint(...files: (readonly NaiveRule[])[]): string {
  try {
    const policies = files.map((rules, i) => parsePolicy(write(rules, `p${i}`), `f${i}`));
    compilePolicies(policies, SCOPE, NOW);
    return 'fine';
  } catch (error) {
    assert.ok(error instanceof DocumentError, String(error));
    return error.message.replace(/^f\d:\d+:\d+: /, '');
  }
}

const ALL = (1n << 128n) - 1n;
const GUIDS = [0n, 1n, 1n << 127n, (1n << 127n) | 1n, 3n << 126n];

const guidBytes = (value: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'));
const colons = (value: bigint): string =>
  value.toString(16).padStart(32, '0').match(/../g)!.join(':');

/** Everything of an event but its data and when it comes. */
const HEADS = [0, 3, 7].flatMap((priority) =>
  GUIDS.flatMap((guid) => SOURCES.map((source) => ({ priority, guid, source }))),
);

function float(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [...new Uint8Array(view.buffer)];
}

const ROUND = [-40, -0.5, 0, 10, 20, 20.5, 32, 50, 68];
/** By unit: what may be asked. Doubles of kelvin meet those of celsius at these points. */
const BOUNDS = [[0, 233.15, 272.65, 273.15, 283.15, 293.15, 293.65], ROUND, ROUND];
const UNIT_NAMES = ['kelvin', 'celsius', 'fahrenheit'];

/** By unit: every bound of every unit, what lies between two of them, and beyond all. */
const VALUES = UNIT_NAMES.map((unit) => {
  const points = UNIT_NAMES.flatMap((from, i) =>
    BOUNDS[i]!.map((bound) => nearest(converted(bound, from, unit)!)),
  ).sort((a, b) => a - b);
  const between = points.slice(1).map((point, i) => (point + points[i]!) / 2);
  return [...new Set([-1e5, ...points, ...between, 1e5])];
});

const CLASSES = [1040, 1060];
const TYPES = [6, 7, 16];

const SIZES = Array.from({ length: 22 }, (_, n) => Array<number>(n).fill(0));

/** By class: all its data that this world knows; fields that are missing among them. */
const DATA: Readonly<Record<number, readonly (readonly number[])[]>> = {
  1060: [
    ...SIZES,
    ...[0, 1, 100, 200].flatMap((sensor) =>
      [0, 5].flatMap((zone) =>
        [0, 1, 2].flatMap((unit) =>
          VALUES[unit]!.map((value) => [sensor, zone, 9, unit, ...float(value)]),
        ),
      ),
    ),
    [0, 0, 8, 1, ...float(20)],
  ],
  1040: [
    ...SIZES,
    [1],
    [200, 5],
    ...[0, 1, 100, 200].flatMap((sensor) =>
      [0, 5].flatMap((zone) => [
        [sensor, zone, 9],
        [sensor, zone, 9, 1],
        ...[0, 1, 2].flatMap((unit) =>
          VALUES[unit]!.map((value) => [sensor, zone, 9, unit, ...Buffer.from(String(value))]),
        ),
      ]),
    ),
    [0, 0, 8, 1, 0x32],
  ],
};

/** Two years by the half hour would be much: what is asked of times here changes in these days. */
const INSTANTS = [
  ['2026-06-01', 16],
  ['2026-10-24', 3],
  ['2026-12-23', 3],
  ['2027-01-04', 8],
  ['2027-03-27', 3],
].flatMap(([date, days]) =>
  Array.from(
    { length: 48 * Number(days) },
    (_, i) => Date.parse(`${date}T00:00:00Z`) + (i * HOUR) / 2,
  ),
);

function some<T>(from: readonly T[], most: number): fc.Arbitrary<T[]> {
  return fc.subarray([...from], { minLength: 1, maxLength: most });
}

function optional<T>(arbitrary: fc.Arbitrary<T>, n = 2): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 1, arbitrary }, { weight: n - 1, arbitrary: fc.constant(undefined) });
}

function dense<T extends object>(record: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, v]) => v !== undefined)) as T;
}

const patterns = [
  ...GUIDS.map((value) => ({ text: colons(value), value, mask: ALL })),
  { text: '80/1', value: 1n << 127n, mask: 1n << 127n },
  { text: '00/2', value: 0n, mask: 3n << 126n },
  { text: 'c0/2', value: 3n << 126n, mask: 3n << 126n },
];

const time: fc.Arbitrary<Times> = fc
  .record(
    {
      zone: fc.constantFrom('UTC' as const, 'Europe/Berlin' as const),
      daily: some(['00:00-02:00', '02:00-03:00', '12:00-13:00', '22:00-01:00', '13:00-22:00'], 1),
      days: some(['mon', 'tue', 'sat', 'sun'], 2),
      dates: some(['2026-06-02', '2026-10-25', '2026-12-24', '2026-06-01..2026-06-06'], 1),
    },
    { requiredKeys: ['zone'] },
  )
  .filter(({ daily, days, dates }) => (daily ?? days ?? dates) !== undefined);

const value = fc

  .nat(2)
  .chain((unit) => {
    const bound = fc.constantFrom(...BOUNDS[unit]!);
    return fc.tuple(fc.constant(UNIT_NAMES[unit]!), bound, bound, fc.nat(3));
  })
  .map(([unit, a, b, kind]) => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    if (kind === 0) return { unit, ge: low };
    if (kind === 1) return { unit, lt: high };
    return kind === 2 || low === high ? { unit, ge: low, le: high } : { unit, gt: low, lt: high };
  });

const bytes = fc.oneof(
  some([0, 1, 200], 2),
  fc.constantFrom({ ge: 1 }, { le: 1 }, { ge: 2, le: 199 }),
);

/** Data and size are not asked of one match: they depend on each other. */
const matchOf = (sized: boolean): fc.Arbitrary<Match> =>
  fc
    .record({
      head: fc.record({
        sources: optional(some(SOURCES, 1), 5),
        priorities: optional(some([0, 3, 7], 2), 5),
        guid: optional(
          some(patterns, 2).map((list) => ({ form: 'many' as const, patterns: list })),
        ),
        time: optional(time),
      }),
      classes: fc.constantFrom(CLASSES, CLASSES, [1040], [1060]),
      types: fc.constantFrom([6], [6, 7], [16, 6], [7]),
      data: fc.record({ sensor: optional(bytes, 3), zone: optional(some([0, 5], 1), 4) }),
      measured: fc.nat(3).map((n) => n > 0),
      unit: optional(some(UNIT_NAMES, 2)),
      value: optional(value),
      size: fc.constantFrom(0, 12, 15, { ge: 5 }, { le: 4 }, { ge: 2, le: 12 }),
    })
    .map(({ head, classes, types, data, measured, unit, value, size }): Match => {
      if (sized) return dense<Match>({ ...head, classes, types, size });
      if (measured) return dense<Match>({ ...head, classes, types: [6], ...data, unit, value });
      return dense<Match>({ ...head, classes, types, ...data });
    });

function eventOf(
  vscpClass: number,
  type: number,
  data: readonly number[],
  { priority, guid }: { priority: number; guid: bigint } = HEADS[0]!,
): VscpEvent {
  return {
    head: priority * 32,
    vscpClass,
    type,
    obid: 0,
    datetime: '',
    timestamp: 0n,
    guid: guidBytes(guid),
    data: Uint8Array.from(data),
  };
}

const EVENTS = new Map(
  CLASSES.flatMap((vscpClass) =>
    TYPES.map((type) => [
      `${vscpClass} ${type}`,
      DATA[vscpClass]!.map((data) => eventOf(vscpClass, type, data)),
    ]),
  ),
);

/** Whether some event at some instant matches both: every head, data and instant is tried. */
function meet(one: Match, two: Match): boolean {
  const both = [one, two];
  const { length } = INSTANTS.filter((now) =>
    both.every(({ time }) => !time || matchesTime(time, now)),
  );
  if (length === 0) return false;
  const heads = both.map(({ sources, priorities, guid }) =>
    dense<Match>({ sources, priorities, guid }),
  );
  const met = HEADS.some((head) =>
    heads.every((match) => matches(match, eventOf(1060, 6, [], head), head.source)),
  );
  if (!met) return false;
  return CLASSES.some((vscpClass) => {
    if (!both.every(({ classes }) => classes!.includes(vscpClass))) return false;
    return TYPES.some((type) => {
      if (!both.every(({ types }) => types!.includes(type))) return false;
      return EVENTS.get(`${vscpClass} ${type}`)!.some((event) =>
        both.every((match) => matchesData(match, event, false)),
      );
    });
  });
}

/** With bounds further apart, or closer together. */
function eased(match: Match, by: number): Match {
  if (!match.value) return match;
  const { unit, ge, gt, le, lt } = match.value;
  const low = ge ?? gt;
  const high = le ?? lt;
  return {
    ...match,
    value: dense<Bounds>({
      unit,
      ge: low === undefined ? undefined : low - by,
      le: high === undefined ? undefined : high + by,
      gt: undefined,
      lt: undefined,
    }),
  };
}

/** Whether it hangs on how a double is rounded: in one unit, that of the bounds, nothing does. */
function isOnTheEdge(one: Match, two: Match): boolean {
  const units = new Set([one, two].flatMap(({ value }) => value?.unit ?? []));
  if (units.size < 2 && !one.unit && !two.unit) return false;
  return meet(eased(one, 1e-6), eased(two, 1e-6)) !== meet(eased(one, -1e-6), eased(two, -1e-6));
}

function permit(
  name: string,
  match: Match,
  emit?: EmitWords,
  limits?: LimitWords,
  urgent?: boolean,
): NaiveRule {
  return {
    name,
    effect: 'permit',
    to: ['open'],
    match,
    ...(emit && { emit }),
    ...(limits && { limits }),
    ...(urgent !== undefined && { urgent }),
  };
}

/** Whether a match asks for size, or for what the data says. */
const asksSize = ({ size }: Match): boolean => size !== undefined;
const asksData = ({ sensor, zone, unit, value }: Match): boolean =>
  [sensor, zone, unit, value].some((asked) => asked !== undefined);

await t.test('permits that differ are refused exactly if some event matches both', (t) => {
  const seen = {
    ...{ meet: 0, apart: 0, time: 0, value: 0, unit: 0, sensor: 0, size: 0, guid: 0 },
    ...{ urgent: 0, urgentApart: 0 },
  };
  const apart = { time: 0, value: 0, unit: 0, sensor: 0, guid: 0 };
  const key = fc.constantFrom('emit', 'emit', 'limits', 'urgent');
  const pair = fc.nat(6).chain((n) => fc.tuple(matchOf(n === 0), matchOf(n === 0)));
  fc.assert(
    fc.property(pair, fc.boolean(), key, ([one, two], across, differ) => {
      fc.pre(!((asksSize(one) && asksData(two)) || (asksSize(two) && asksData(one))));
      const urgent = differ === 'urgent' ? true : undefined;
      const rules = [
        permit('a', one, undefined, differ === 'limits' ? { rate: '1/s' } : undefined),
        permit('b', two, differ === 'emit' ? { time: 'keep' } : undefined, undefined, urgent),
      ];
      const said = across ? complaint([rules[0]!], [rules[1]!]) : complaint(rules);
      // A schedule of no day, bounds of no value: not what this is about.
      fc.pre(said === 'fine' || said.startsWith('permits'));
      fc.pre(!isOnTheEdge(one, two));
      const expected = meet(one, two);
      const names = across ? "'p0/a' and 'p1/b'" : "'p0/a' and 'p0/b'";
      assert.equal(
        said,
        expected
          ? `permits ${names} match the same events for channel 'open' but differ in ${differ}`
          : 'fine',
      );
      seen[expected ? 'meet' : 'apart']++;
      if (urgent !== undefined) seen[expected ? 'urgent' : 'urgentApart']++;
      for (const key of ['time', 'value', 'unit', 'sensor', 'size', 'guid'] as const) {
        if (one[key] === undefined || two[key] === undefined) continue;
        seen[key] += Number(expected);
        if (key !== 'size' && !expected) {
          const rest = dense<Match>({ ...one, [key]: undefined });
          apart[key] += Number(meet(rest, two));
        }
      }
    }),
    { numRuns: runs(1200) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 0, `${what}: ${count}`);
  for (const [what, count] of Object.entries(apart)) t.ok(count > 0, `apart by ${what}: ${count}`);
  t.end();
});

await t.test('bounds that touch meet where both have the point', (t) => {
  const rule = (name: string, value: Bounds, emit?: EmitWords): NaiveRule =>
    permit(name, { classes: [1060], types: [6], unit: [value.unit], value }, emit);
  for (const unit of UNIT_NAMES) {
    const below = [rule('a', { unit, le: 20.1 }), rule('a', { unit, lt: 20.1 })];
    const above = [rule('b', { unit, ge: 20.1 }, {}), rule('b', { unit, gt: 20.1 }, {})];
    for (const [i, one] of below.entries()) {
      for (const [j, two] of above.entries()) {
        const said = complaint([one, { ...two, emit: { time: 'keep' } }]);
        t.equal(said.startsWith('permits'), i === 0 && j === 0, `${unit} ${i} ${j}`);
      }
    }
  }
  t.end();
});

await t.test('what the same event can never be is refused with it, never taken', (t) => {
  const measured = { classes: [1060], types: [6] };
  const small = permit('a', { ...measured, size: { le: 3 } });
  const valued = permit('b', { ...measured, value: { unit: 'celsius', ge: 0 } }, { time: 'keep' });
  t.match(complaint([small, valued]), /match the same events/, 'though a value has 12 bytes');
  const apart = permit('a', { ...measured, size: { le: 3 } });
  t.equal(complaint([apart, permit('b', { ...measured, size: 4 }, { time: 'keep' })]), 'fine');
  t.end();
});

await t.test('what the class cannot say is no overlap', (t) => {
  // Class 10 has three bits for the sensor: none of its events has sensor 200.
  const coded = { classes: [10], types: [6] };
  const one = permit('a', { ...coded, sensor: [200, 3] });
  t.equal(complaint([one, permit('b', { ...coded, sensor: [200, 4] }, { time: 'keep' })]), 'fine');
  // Class 60 has no unit field, its temperatures are kelvin: such a permit would be dead.
  const plain = { classes: [60], types: [6] };
  t.match(complaint([permit('a', { ...plain, unit: ['celsius'] })]), 'can have such a unit');
  t.end();
});

await t.test('other channels, expired permits and forbids never disagree', (t) => {
  const match = { classes: [10], types: [6] };
  const one = permit('a', match);
  const two = permit('b', match, { time: 'keep' });
  const words =
    "permits 'p0/a' and 'p0/b' match the same events for channel 'open' but differ in emit";
  t.equal(complaint([one, two]), words);
  t.equal(complaint([one, { ...two, to: ['press'] }]), 'fine');
  t.equal(complaint([{ ...one, to: ['press', 'open'] }, two]), words);
  t.equal(complaint([one, { ...two, expires: '2026-05-31' }]), 'fine', 'its last day is over');
  t.equal(complaint([{ ...one, expires: '2026-05-31' }, two]), 'fine');
  t.equal(complaint([one, { ...two, expires: '2026-06-01' }]), words, 'its last day is today');
  const forbid: NaiveRule = { name: 'c', effect: 'forbid', match };
  t.equal(complaint([one, forbid]), 'fine');
  const later = { zone: 'UTC' as const, dates: ['2026-06-02..2026-06-30'] };
  const timed = permit('b', { ...match, time: later }, { time: 'keep' });
  t.equal(complaint([one, timed]), words);
  t.equal(complaint([{ ...one, expires: '2026-06-01' }, timed]), 'fine', 'expired before it opens');
  t.equal(complaint([{ ...one, expires: '2026-06-02' }, timed]), words);
  const past = { zone: 'UTC' as const, dates: ['2026-05-01..2026-05-31'] };
  t.equal(complaint([one, permit('b', { ...match, time: past }, { time: 'keep' })]), 'fine');
  const far = { zone: 'UTC' as const, dates: ['2031-01-01'] };
  t.equal(complaint([one, permit('b', { ...match, time: far }, { time: 'keep' })]), words);
  t.end();
});

await t.test('every difference in what is sent counts, none in how it is written', (t) => {
  const match = { classes: [1060], types: [6] };
  const value = { unit: 'celsius', round: 1, clamp: { ge: 0 } };
  const base: EmitWords = { value, guid: 'keep', sensor: 'keep', time: { floor: '1m' } };
  const key = { key_file: 'k', prefix: '02/8' };
  const window = { every: '1m', per: ['guid' as const, 'sensor' as const] };
  const mean: EmitWords = { ...base, value: { ...value, fn: 'mean' }, window };
  const deadband = { change: 1, unit: 'celsius' };
  const pairs: [EmitWords, EmitWords][] = [
    [base, { ...base, value: { ...value, unit: 'kelvin' } }],
    [base, { ...base, value: { ...value, round: 2 } }],
    [base, { ...base, value: { ...value, clamp: { ge: 0, le: 1e9 } } }],
    [base, { ...base, value: 'keep' }],
    [base, { ...base, guid: 'zero' }],
    [base, { ...base, sensor: 7 }],
    [base, { ...base, zone: 'keep' }],
    [base, { ...base, subzone: 1 }],
    [base, { ...base, priority: 3 }],
    [base, { ...base, class: 1040 }],
    [base, { ...base, time: { floor: '61s' } }],
    [base, { ...base, time: { floor: '1m', of: 'relay' } }],
    [base, { ...base, time: 'relay' }],
    [base, { ...base, deadband }],
    [
      { ...base, deadband },
      { ...base, deadband: { ...deadband, change: 2 } },
    ],
    [
      { ...base, deadband },
      { ...base, deadband: { ...deadband, unit: 'kelvin' } },
    ],
    [
      { ...base, deadband },
      { ...base, deadband: { ...deadband, refresh: '1h' } },
    ],
    [
      { ...base, deadband },
      { ...base, deadband: { ...deadband, per: ['guid'] } },
    ],
    [base, { ...base, guid: { pseudonym: key } }],
    [{ guid: { pseudonym: key } }, { guid: { pseudonym: { ...key, key_file: 'l' } } }],
    [{ guid: { pseudonym: key } }, { guid: { pseudonym: { ...key, prefix: '02:00/9' } } }],
    [{ data: [1] }, { data: [1, 2] }],
    [{ data: [1] }, { data: 'zero' }],
    [mean, { ...mean, value: { ...value, fn: 'max' } }],
    [mean, { ...mean, window: { ...window, every: '2m' } }],
    [mean, { ...mean, window: { ...window, min_samples: 2 } }],
    [mean, { ...mean, window: { ...window, per: ['guid', 'sensor', 'source'] } }],
  ];
  for (const [one, two] of pairs) {
    const said = complaint([permit('a', match, one), permit('b', match, two)]);
    t.match(said, /^permits .* differ in emit$/, JSON.stringify(two));
  }
  const limits: [LimitWords, LimitWords][] = [
    [{ rate: '1/s' }, { rate: '2/s' }],
    [{ rate: '2/s' }, { rate: '2/s', burst: 3 }],
    [{ rate: '1/s' }, { rate: '1/s', size: 12 }],
    [{ size: 11 }, { size: 12 }],
  ];
  for (const [one, two] of limits) {
    const said = complaint([permit('a', match, base, one), permit('b', match, base, two)]);
    t.match(said, /^permits .* differ in limits$/, JSON.stringify(two));
  }
  const urgency = (one?: boolean, two?: boolean, emit = base, other = emit): string =>
    complaint([
      permit('a', match, emit, undefined, one),
      permit('b', match, other, undefined, two),
    ]).replace(/^permits .* differ/, 'differ');
  t.equal(urgency(true), 'differ in urgent');
  t.equal(urgency(true, false), 'differ in urgent');
  t.equal(urgency(undefined, true), 'differ in urgent');
  const highest: EmitWords = { ...base, priority: 0 };
  t.equal(urgency(undefined, true, highest), 'differ in urgent', 'though all of it is urgent');
  t.equal(urgency(undefined, true, base, highest), 'differ in emit', 'what comes first is said');
  t.equal(urgency(true, true), 'fine');
  t.equal(urgency(undefined, false), 'fine');
  const same: [EmitWords, EmitWords][] = [
    [base, { ...base, priority: 'keep', zone: 'zero', subzone: 0 }],
    [base, { ...base, time: { floor: '60s', of: 'event' } }],
    [
      { ...base, deadband },
      { ...base, deadband: { ...deadband, per: ['sensor', 'guid'] } },
    ],
    [mean, { ...mean, window: { every: '60s', per: ['sensor', 'guid'], min_samples: 1 } }],
    [
      { priority: 0, data: 'keep' },
      { priority: 'zero', data: 'keep', guid: 'zero', time: 'zero' },
    ],
    [{ guid: colons(0n) }, { guid: 'zero' }],
  ];
  for (const [one, two] of same) {
    const said = complaint([permit('a', match, one), permit('b', match, two)]);
    t.equal(said, 'fine', JSON.stringify(two));
  }
  t.equal(
    complaint([
      permit('a', match, base, { rate: '60/m', burst: 1 }),
      permit('b', match, base, { rate: '1/s' }),
    ]),
    'fine',
    'one a second',
  );
  t.end();
});
