import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DocumentError, type Field, parseDocument } from '../../src/document/document.js';
import {
  isOpen,
  MAX_WINDOWS,
  parseSchedule,
  type Schedule,
  scheduleKey,
  schedulesMeet,
} from '../../src/policy/schedule.js';
import { runs } from '../arbitrary/runs.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function fieldOf(text: string): Field {
  return parseDocument(`time: ${text}`, 'f').record(['time']).time!;
}

function parse(text: string): Schedule {
  return parseSchedule(fieldOf(text));
}

function complaint(text: string): string {
  try {
    parse(text);
    return 'fine';
  } catch (error) {
    assert.ok(error instanceof DocumentError, String(error));
    return error.message;
  }
}

/** A schedule as it is written; JSON is YAML. */
interface Written {
  readonly zone: string;
  readonly daily?: readonly string[];
  readonly days?: readonly string[];
  readonly dates?: readonly string[];
}

/** What a wall clock and a calendar on that wall show. */
interface Wall {
  readonly time: string;
  readonly date: string;
  readonly day: string;
  readonly yesterday: string;
  readonly dayBefore: string;
}

const NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function wallOf(zone: string): (now: number) => Wall {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (now) => {
    const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
    const date = `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`;
    const day = parts.get('weekday')!.toLowerCase();
    return {
      time: `${parts.get('hour')}:${parts.get('minute')}`,
      date,
      day,
      yesterday: new Date(Date.parse(date) - DAY).toISOString().slice(0, 10),
      dayBefore: NAMES[(NAMES.indexOf(day) + 6) % 7]!,
    };
  };
}

/** The second implementation: by comparison of what is written with what the wall shows. */
function naive(written: Written, wall: Wall): boolean {
  const on = (day: string, date: string): boolean =>
    (written.days?.includes(day) ?? true) &&
    (written.dates?.some((item) => date >= item.slice(0, 10) && date <= item.slice(-10)) ?? true);
  const [today, yesterday] = [on(wall.day, wall.date), on(wall.dayBefore, wall.yesterday)];
  if (!written.daily) return today;
  return written.daily.some((window) => {
    const [from, to] = [window.slice(0, 5), window.slice(6)];
    if (from < to) return today && wall.time >= from && wall.time < to;
    return (today && wall.time >= from) || (yesterday && wall.time < to);
  });
}

/** A zone, around a change of its clock or where nothing changes. */
const CHANGES: readonly (readonly [zone: string, around: string])[] = [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['America/New_York', '2026-11-01'],
  ['Australia/Lord_Howe', '2026-04-05'],
  ['Australia/Lord_Howe', '2026-10-04'],
  ['Asia/Kathmandu', '1985-12-31'],
  ['Asia/Kathmandu', '2026-06-15'],
  ['Pacific/Apia', '2011-12-30'],
  ['America/Havana', '2026-11-01'],
  ['Africa/Cairo', '2026-04-24'],
  ['UTC', '2026-02-28'],
];

/** Two days before to three days after, each minute. */
const BEFORE = 2 * DAY;
const MINUTES = 5 * 1440;

const walls = new Map<string, readonly Wall[]>();

function wallsOf(zone: string, start: number, step: number, count: number): readonly Wall[] {
  const key = `${zone} ${start} ${step}`;
  let known = walls.get(key);
  if (!known) {
    const wall = wallOf(zone);
    known = Array.from({ length: count }, (_, i) => wall(start + i * step));
    walls.set(key, known);
  }
  return known;
}

const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** Mostly in the hours in which clocks change, and short, so that two often do not meet. */
function dailyOf(step: number): fc.Arbitrary<string> {
  const minute = fc
    .oneof(
      fc.integer({ min: 0, max: 240 }),
      fc.integer({ min: 1380, max: 1439 }),
      fc.integer({ min: 0, max: 1439 }),
    )
    .map((at) => at - (at % step));
  const length = fc.oneof(
    fc.constantFrom(1, 2, 15, 30, 45, 60, 1439),
    fc.integer({ min: 1, max: 1439 }),
  );
  return fc.tuple(minute, length).map(([from, long]) => {
    const to = from + Math.max(step, long - (long % step));
    return `${clock(from)}-${to === 1440 ? '24:00' : clock(to % 1440)}`;
  });
}

function writtenOf(zone: string, around: number, days: number, step = 1): fc.Arbitrary<Written> {
  const date = (offset: number): string =>
    new Date(around + offset * DAY).toISOString().slice(0, 10);
  const dates = fc
    .tuple(fc.integer({ min: -3, max: days }), fc.integer({ min: 0, max: 3 }))
    .map(([first, more]) => (more ? `${date(first)}..${date(first + more)}` : date(first)));
  const list = <T>(of: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> =>
    fc.array(of, { minLength: 1, maxLength });
  return fc
    .record(
      {
        zone: fc.constant(zone),
        daily: list(dailyOf(step), 3),
        days: list(fc.constantFrom(...NAMES), 4),
        dates: list(dates, 3),
      },
      { requiredKeys: ['zone'] },
    )
    .filter((written) => Object.keys(written).length > 1);
}

/** Undefined where it is refused because it never opens. */
function parseWritten(written: Written): Schedule | undefined {
  try {
    return parse(JSON.stringify(written));
  } catch (error) {
    assert.match(String(error), /no day of time\.dates is one of 'days'|never opens: the clock of/);
    return undefined;
  }
}

await t.test('it is open when the wall says so, at each minute around a change', (t) => {
  for (const [zone, date] of CHANGES) {
    const start = Date.parse(date) - BEFORE;
    const shown = wallsOf(zone, start, MINUTE, MINUTES);
    let refused = 0;
    fc.assert(
      fc.property(writtenOf(zone, Date.parse(date), 3), (written) => {
        const schedule = parseWritten(written);
        if (!schedule) refused++;
        for (let i = 0; i < MINUTES; i++) {
          const expected = naive(written, shown[i]!);
          // The last ms of a minute as the first one: it changes only at whole minutes.
          const now = start + i * MINUTE + (i % 2) * (MINUTE - 1);
          const found = schedule !== undefined && isOpen(schedule, now);
          if (found !== expected) {
            assert.fail(`${new Date(now).toISOString()}: ${String(expected)}`);
          }
        }
      }),
      { numRuns: runs(15) },
    );
    t.ok(refused < 0.9 * runs(15), `${zone} ${date}: ${refused} never open`);
  }
  t.end();
});

await t.test('two meet when there is a minute at which both walls say so', (t) => {
  const counts = { yes: 0, no: 0 };
  const change = fc.constantFrom(...CHANGES);
  const zones = fc.constantFrom(...new Set(CHANGES.map(([zone]) => zone)));
  const both = fc.tuple(change, zones, fc.boolean()).chain(([[zone, date], other, same]) => {
    const around = Date.parse(date);
    return fc.record({
      start: fc.constant(around - BEFORE),
      a: writtenOf(zone, around, 3),
      b: writtenOf(same ? zone : other, around, 3),
      from: fc.integer({ min: 0, max: MINUTES * MINUTE - 1 }),
      // Often a whole minute, and often a short time.
      whole: fc.boolean(),
      length: fc.oneof(
        fc.integer({ min: 1, max: 2 * HOUR }),
        fc.integer({ min: 1, max: MINUTES * MINUTE }),
      ),
    });
  });
  fc.assert(
    fc.property(both, ({ start, a, b, from, whole, length }) => {
      const [inA, inB] = [parseWritten(a), parseWritten(b)];
      if (!inA || !inB) return;
      const first = whole ? from - (from % MINUTE) : from;
      const last = Math.min(first + length, MINUTES * MINUTE);
      const ofA = wallsOf(a.zone, start, MINUTE, MINUTES);
      const ofB = wallsOf(b.zone, start, MINUTE, MINUTES);
      let expected = false;
      for (let i = Math.floor(first / MINUTE); i * MINUTE < last && !expected; i++) {
        expected = naive(a, ofA[i]!) && naive(b, ofB[i]!);
      }
      counts[expected ? 'yes' : 'no']++;
      assert.equal(schedulesMeet(inA, inB, start + first, start + last), expected);
      assert.equal(schedulesMeet(inB, inA, start + first, start + last), expected);
    }),
    { numRuns: runs(1200) },
  );
  t.ok(Math.min(counts.yes, counts.no) > 40, `${counts.yes} meet, ${counts.no} do not`);
  t.end();
});

await t.test('two meet within a year when there is such a quarter of an hour', (t) => {
  const start = Date.parse('2026-01-10');
  const step = 15;
  const count = (370 * 1440) / step;
  const zone = fc.constantFrom(
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'UTC',
  );
  const counts = { yes: 0, no: 0 };
  const narrow = zone.chain((name) =>
    fc.oneof(
      dailyOf(step).map((window): Written => ({ zone: name, daily: [window] })),
      writtenOf(name, start, 360, step),
    ),
  );
  const period = fc.tuple(fc.nat({ max: count - 1 }), fc.integer({ min: 1, max: count }));
  fc.assert(
    fc.property(narrow, narrow, period, (a, b, [first, length]) => {
      const [inA, inB] = [parseWritten(a), parseWritten(b)];
      if (!inA || !inB) return;
      const last = Math.min(first + length, count);
      const ofA = wallsOf(a.zone, start, step * MINUTE, count);
      const ofB = wallsOf(b.zone, start, step * MINUTE, count);
      let expected = false;
      for (let i = first; i < last && !expected; i++) {
        expected = naive(a, ofA[i]!) && naive(b, ofB[i]!);
      }
      counts[expected ? 'yes' : 'no']++;
      const [from, until] = [first, last].map((i) => start + i * step * MINUTE);
      assert.equal(schedulesMeet(inA, inB, from!, until!), expected);
    }),
    { numRuns: runs(200) },
  );
  t.ok(Math.min(counts.yes, counts.no) > 15, `${counts.yes} meet, ${counts.no} do not`);
  t.end();
});

await t.test('what changes of the clock do', (t) => {
  const at = (text: string, times: string[]): boolean[] =>
    times.map((time) => isOpen(parse(text), Date.parse(time)));
  const twice = '{ zone: Europe/Berlin, daily: ["02:15-02:45"] }';
  t.same(
    at(twice, [
      '2026-10-25T00:14:59.999Z',
      '2026-10-25T00:15Z',
      '2026-10-25T00:45Z',
      '2026-10-25T01:15Z',
      '2026-10-25T01:45Z',
    ]),
    [false, true, false, true, false],
    'a time that exists twice',
  );
  const [from, until] = [Date.parse('2026-03-28T12:00Z'), Date.parse('2026-03-29T12:00Z')];
  const all = parse('{ zone: UTC, days: [sat, sun, mon] }');
  t.notOk(schedulesMeet(parse(twice), all, from, until), 'a time that does not exist');
  t.ok(schedulesMeet(parse(twice), all, from, until + DAY));
  const night = '{ zone: Europe/Berlin, daily: ["22:00-05:00"], days: [fri], dates: [2026-10-23] }';
  t.same(
    at(night, ['2026-10-23T00:00Z', '2026-10-23T20:00Z', '2026-10-24T02:59Z', '2026-10-24T03:00Z']),
    [false, true, true, false],
    'a night is of the day and the date on which it starts',
  );
  t.same(at('{ zone: UTC, daily: ["22:00-00:00"] }', ['2026-01-01T23:59Z', '2026-01-02T00:00Z']), [
    true,
    false,
  ]);
  t.end();
});

await t.test('two that only touch do not meet, and a period bounds both', (t) => {
  const start = Date.parse('2026-01-01');
  const meet = (a: string, b: string, from = start, until = start + 730 * DAY): boolean =>
    schedulesMeet(parse(`{ ${a} }`), parse(`{ ${b} }`), from, until);
  const morning = 'zone: UTC, daily: ["05:00-12:00"]';
  t.notOk(meet(morning, 'zone: UTC, daily: ["12:00-05:00"]'));
  t.ok(meet(morning, 'zone: UTC, daily: ["11:59-05:00"]'));
  t.notOk(meet('zone: UTC, days: [mon]', 'zone: UTC, days: [tue, sun]'));
  t.ok(meet('zone: UTC, days: [mon]', 'zone: Asia/Kathmandu, days: [tue]'));
  // Only in the three weeks in which New York is an hour nearer to Berlin.
  const [berlin, york] = ['zone: Europe/Berlin', 'zone: America/New_York'];
  const close = [`${berlin}, daily: ["14:00-15:00"]`, `${york}, daily: ["09:00-10:00"]`] as const;
  t.ok(meet(...close));
  t.notOk(meet(...close, start, Date.parse('2026-03-08T07:00Z')));
  t.ok(meet(...close, start, Date.parse('2026-03-08T13:00:00.001Z')));
  t.notOk(meet(...close, Date.parse('2026-03-28T14:00Z'), Date.parse('2026-10-25T01:00Z')));
  t.notOk(meet(morning, morning, start + 5 * HOUR, start + 5 * HOUR), 'no period at all');
  t.notOk(meet(morning, morning, start + 6 * HOUR, start + 5 * HOUR));
  t.ok(meet(morning, morning, start + 12 * HOUR - 1, start + 12 * HOUR));
  t.notOk(meet(morning, morning, start + 12 * HOUR, start + 29 * HOUR));
  // Each weekday comes once in any seven days, whichever they begin with.
  for (const day of NAMES) {
    for (let first = 0; first < 7; first++) {
      const from = start + first * DAY + 11 * HOUR;
      const weekly = [`zone: UTC, days: [${day}], daily: ["10:00-11:00"]`, morning] as const;
      t.ok(meet(...weekly, from, from + 30 * DAY), `${day}, ${first}`);
      t.ok(meet(...weekly, from, from + 7 * DAY));
    }
  }
  const dated = `${berlin}, dates: [2026-12-24]`;
  t.ok(meet(dated, morning, -Infinity, Infinity), 'dates bound it');
  t.notOk(meet(dated, `${york}, dates: [2026-12-26..2027-01-01]`, -Infinity, Infinity));
  for (const wrong of [NaN, Infinity]) {
    t.throws(() => meet(morning, morning, start, wrong), { name: 'RangeError' });
    t.throws(() => isOpen(parse(`{ ${morning} }`), wrong), { name: 'RangeError' });
  }
  t.throws(() => meet(morning, morning, NaN), { name: 'RangeError' });
  t.end();
});

await t.test('the most windows that there can be are compared', (t) => {
  // 64 windows each, on each day of two years; 22 minutes apart, so shifted ones never meet.
  const many = (shift: number): Schedule => {
    const daily = Array.from({ length: MAX_WINDOWS }, (_, i) => {
      const from = i * 22 + shift;
      return `"${clock(from)}-${clock(from + 5)}"`;
    });
    const rest = 'zone: Europe/Berlin, dates: [2026-01-01..2027-12-31]';
    return parse(`{ ${rest}, daily: [${daily.join()}] }`);
  };
  const [a, b] = [many(0), many(10)];
  const [from, until] = [Date.parse('2026-01-01'), Date.parse('2028-01-01')];
  t.notOk(schedulesMeet(a, b, from, until));
  t.end();
});

await t.test('every good spelling is taken, and its key is one', (t) => {
  const zone = 'zone: Europe/Berlin';
  t.same(parse(`{ ${zone}, daily: ["22:00-05:00", "08:00-24:00"], days: [sun, mon, mon] }`), {
    zone: 'Europe/Berlin',
    daily: [{ from: 480, to: 1740 }],
    days: 0x41,
    dates: undefined,
  });
  t.same(parse(`{ ${zone}, dates: [1970-01-04..1970-01-05, 1970-01-01, "1970-01-03"] }`), {
    zone: 'Europe/Berlin',
    daily: undefined,
    days: 0x7f,
    dates: [
      { first: 0, last: 0 },
      { first: 2, last: 4 },
    ],
  });
  for (const name of ['UTC', 'Etc/UTC', 'US/Eastern', 'America/Argentina/Ushuaia', 'Etc/GMT+5']) {
    t.equal(complaint(`{ zone: ${name}, daily: [05:00-22:00] }`), 'fine', name);
  }
  const key = (text: string): string => scheduleKey(parse(`{ ${text} }`));
  t.equal(key(`${zone}, days: [mon]`), 'Europe/Berlin 0-1440 1 ever');
  t.equal(key(`days: [mon], daily: ["00:00-24:00"], ${zone}`), key(`${zone}, days: [mon]`));
  t.equal(
    key(`${zone}, daily: ["01:00-02:00", "05:00-06:00"], dates: [2026-12-24, 2026-12-25]`),
    key(`${zone}, daily: ["05:00-06:00", "01:00-02:00"], dates: [2026-12-24..2026-12-25]`),
  );
  t.equal(key('zone: Asia/Katmandu, days: [mon]'), key('zone: Asia/Kathmandu, days: [mon]'));
  const others = [
    `${zone}, days: [mon]`,
    `${zone}, days: [tue]`,
    'zone: Europe/Vienna, days: [mon]',
    `${zone}, days: [mon], daily: ["00:00-23:59"]`,
    `${zone}, days: [mon], dates: [2026-12-21]`,
  ];
  t.equal(new Set(others.map(key)).size, others.length);
  t.end();
});

await t.test('more zones than are remembered', (t) => {
  const names = Intl.supportedValuesOf('timeZone').slice(0, 150);
  for (const zone of [...names, ...names]) {
    assert.ok(isOpen(parse(`{ zone: ${zone}, daily: ["00:00-24:00"] }`), 0), zone);
  }
  t.end();
});

await t.test('a bad schedule names its place, here marked ^, and the way out', (t) => {
  const list = (item: string, count: number): string => Array(count).fill(item).join();
  const daily = 'zone: UTC, daily';
  const dates = 'zone: UTC, dates';
  const notTimes = /' must be two times of day as 05:00-22:00, from 00:00 to 24:00$/;
  const notDates = /' must be a date as 2026-12-24, or two as 2026-12-24\.\.2026-12-31$/;
  const cases: [string, RegExp][] = [
    ['^', /^time must be a map$/],
    ['^7', /^time must be a map$/],
    ['^.nan', /^time must be a map$/],
    ['^"05:00-22:00"', /^time must be a map$/],
    ['^[]', /^time must be a map$/],
    ['^{}', /^time needs 'zone'$/],
    ['^{ days: [mon] }', /^time needs 'zone'$/],
    ['^{ zone: UTC }', /^time needs 'daily', 'days' or 'dates': without them it is always$/],
    ['{ zone: UTC, ^day: [mon] }', /^unknown key 'day'; did you mean 'days'\?$/],
    ['{ zone: UTC, ^__proto__: [mon] }', /^unknown key '__proto__'/],
    ['{ zone: UTC, days: [mon], ^days: [tue] }', /^a second key 'days'$/],
    ['{ zone: ^, days: [mon] }', /^time\.zone must be text, not empty$/],
    ['{ zone: ^"", days: [mon] }', /^time\.zone must be text, not empty$/],
    ['{ zone: ^2, days: [mon] }', /^time\.zone must be text: put it in quotes$/],
    ['{ zone: ^.nan, days: [mon] }', /^time\.zone must be text/],
    ['{ zone: ^[UTC], days: [mon] }', /^time\.zone must be a single value$/],
    [`{ zone: ^${'A/'.repeat(40)}, days: [mon] }`, /^time\.zone is longer than 64 characters$/],
    ['{ zone: ^"a\\nb", days: [mon] }', /^time\.zone must not hold control characters$/],
    ['{ zone: ^Europe/Berln, days: [mon] }', /^unknown zone .*; did you mean 'Europe\/Berlin'\?$/],
    ['{ zone: ^Q/x-x-x-x-x-x-x, days: [mon] }', /^unknown zone '.*': write it as Europe\/Berlin/],
    ...['"+02:00"', 'CET', 'BST', 'utc', 'Z', 'UTC+2', 'SystemV/PST8', 'Berlin', 'a/b/c/d'].map(
      (zone): [string, RegExp] => [
        `{ zone: ^${zone}, days: [mon] }`,
        /' names no zone: write it as Europe\/Berlin, or UTC$/,
      ],
    ),
    [`{ ${daily}: ^"05:00-22:00" }`, /^time\.daily must be a list$/],
    [`{ ${daily}: ^}`, /^time\.daily must be a list$/],
    [`{ ${daily}: ^[] }`, /^time\.daily must not be empty$/],
    [`{ ${daily}: [^5] }`, /^time\.daily\[0\] must be text: put it in quotes$/],
    [`{ ${daily}: [^null] }`, /^time\.daily\[0\] must be text, not empty$/],
    [`{ ${daily}: [^.nan] }`, /^time\.daily\[0\] must be text/],
    [`{ ${daily}: [^[]] }`, /^time\.daily\[0\] must be a single value$/],
    [`{ ${daily}: [^"${'1'.repeat(65)}"] }`, /^time\.daily\[0\] is longer than 64 characters$/],
    [
      `{ ${daily}: [${list('"00:00-01:00"', MAX_WINDOWS)},^x] }`,
      /^time\.daily holds more than 64: spread/,
    ],
    ...[
      '25:00-26:00',
      '05:00-25:00',
      '05:60-06:00',
      '24:00-05:00',
      '05:00-24:01',
      '5:00-22:00',
      '05:00',
      '05:00-',
      '-22:00',
      '05:00-06:00-07:00',
      '05:00 - 22:00',
      '05:00–22:00',
      '05:00:00-22:00:00',
      '٠٥:00-22:00',
      'NaN-NaN',
    ].map((text): [string, RegExp] => [`{ ${daily}: ["00:00-24:00", ^"${text}"] }`, notTimes]),
    [`{ ${daily}: [^"05:00-05:00"] }`, /^'05:00-05:00' ends where it starts: the whole day is 00/],
    ['{ zone: UTC, days: ^mon }', /^time\.days must be a list$/],
    ['{ zone: UTC, days: ^[] }', /^time\.days must not be empty$/],
    ['{ zone: UTC, days: [mon, ^Tue] }', /^time\.days\[1\] must be mon or tue or .*, not 'Tue'$/],
    ['{ zone: UTC, days: [^monday] }', /^time\.days\[0\] must be mon or .*, not 'monday'$/],
    ['{ zone: UTC, days: [^1] }', /^time\.days\[0\] must be text/],
    ['{ zone: UTC, days: [^mon..fri] }', /^time\.days\[0\] must be mon or .*, not 'mon\.\.fri'$/],
    [`{ ${dates}: ^"2026-12-24" }`, /^time\.dates must be a list$/],
    [`{ ${dates}: ^[] }`, /^time\.dates must not be empty$/],
    [`{ ${dates}: [^2026] }`, /^time\.dates\[0\] must be text/],
    [`{ ${dates}: [^{}] }`, /^time\.dates\[0\] must be a single value$/],
    [
      `{ ${dates}: [${list('2026-12-24', MAX_WINDOWS)},^x] }`,
      /^time\.dates holds more than 64: spread/,
    ],
    ...[
      '2026-02-30',
      '2027-02-29',
      '2026-13-01',
      '2026-00-01',
      '2026-1-1',
      '+002026-01-01',
      '2026-12-24..',
      '..2026-12-24',
      '2026-12-24...2026-12-31',
      '2026-12-24..2026-12-25..2026-12-26',
      '2026-12-24-2026-12-31',
      '2026-12-24..2026-11-31',
      '2026-12-24T00:00Z',
    ].map((text): [string, RegExp] => [`{ ${dates}: [2026-12-24, ^${text}] }`, notDates]),
    [`{ ${dates}: [^2026-12-31..2026-12-24] }`, /' ends before it starts: swap the two$/],
    [`{ days: [sat, sun], ${dates}: ^[2026-12-21..2026-12-25] }`, /^no day of time\.dates is one/],
    [
      '{ zone: Europe/Berlin, daily: ["02:00-03:00"], dates: ^[2026-03-29] }',
      /^never opens: the clock of Europe\/Berlin skips all of these times$/,
    ],
    ['{ zone: Pacific/Apia, dates: ^[2011-12-30] }', /^never opens: the clock of Pacific\/Apia sk/],
  ];
  for (const [marked, words] of cases) {
    const text = marked.replace('^', '');
    const column = 'time: '.length + 1 + marked.indexOf('^');
    const [place, message] = /^(f:\d+:\d+): (.*)$/s.exec(complaint(text))?.slice(1) ?? [];
    t.match(message, words, text);
    t.equal(place, `f:1:${column}`, `${text}: ${message}`);
  }
  t.end();
});
