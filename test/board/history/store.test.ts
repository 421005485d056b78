import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import fc from 'fast-check';
import t from 'tap';
import { openToRead } from '../../../src/board/history/schema.js';
import { Store } from '../../../src/board/history/store.js';
import { Queries } from '../../../src/board/history/queries.js';
import { DAY, HOUR } from '../../../src/board/history/time.js';
import { add, aggregatesOf, bytesIn, FOR_EVER, NOW, reading, rowsOf, WIDE } from './support.js';

await t.test('a reading twice is one, and events have ids that grow by one', (t) => {
  const directory = t.testdir();
  let store = Store.open(directory, WIDE);
  const sums = add(store, [
    reading('a', NOW, 1),
    { received: NOW, event: 'other' },
    reading('a', NOW, 2),
    reading('b', NOW, 3),
  ]);
  t.match(sums, { kept: 4, readings: 2, duplicates: 1, late: 0, refused: 0, dropped: 0 });
  t.match(add(store, [reading('a', NOW, 1)]), { kept: 1, readings: 0, duplicates: 1 });
  store.close();
  store = Store.open(directory, WIDE);
  t.equal(store.begunAnew, undefined);
  t.match(add(store, [reading('a', NOW + 1, 5)]), { readings: 1 });
  t.same(rowsOf(directory, 'SELECT id FROM event').flat(), [1, 2, 3, 4, 5, 6]);
  t.same(rowsOf(directory, 'SELECT sensor, time, value FROM raw'), [
    [1, NOW, 1],
    [1, NOW + 1, 5],
    [2, NOW, 3],
  ]);
  const { byRows, kept } = aggregatesOf(directory);
  t.same(kept, byRows);
  store.close();
  t.end();
});

await t.test('what is no reading is kept as an event, and harms no other', (t) => {
  const directory = t.testdir();
  const store = Store.open(directory, WIDE);
  const bad = [
    ...[NaN, Infinity, -1, 0.5, 8.64e15 + 1, 2 ** 60].map((time) => reading('a', time, 1)),
    ...[NaN, Infinity, -Infinity, 1e300].map((value) => reading('a', NOW, value)),
    ...['', ' ', 'ä', 'a\0b', '\ud800', 'a'.repeat(201)].map((id) => reading(id, NOW, 1)),
  ];
  const sums = add(store, [reading('a', NOW, 1), ...bad, reading('a', NOW + 1, -1e290)]);
  t.match(sums, { kept: bad.length + 2, readings: 2, refused: bad.length });
  t.equal(rowsOf(directory, 'SELECT count(*) FROM event')[0]?.[0], bad.length + 2);
  t.match(add(store, [reading('a', 0, 1)], 2e13), { late: 1, readings: 0 }, 'older than all');
  store.close();
  t.end();
});

await t.test('any text of an event comes back as it was', (t) => {
  const directory = t.testdir();
  const store = Store.open(directory, WIDE);
  const texts = ['', "'; DROP TABLE raw; --", 'a\nb', 'ä€😀', 'x'.repeat(16_384)];
  add(
    store,
    texts.map((event) => ({ received: NOW, event })),
  );
  t.same(
    rowsOf(directory, 'SELECT text FROM event').map(([text]) => text),
    texts,
  );
  store.close();
  t.end();
});

await t.test(
  'sensors beyond the most are not taken, and those of which nothing is left go',
  (t) => {
    const directory = t.testdir();
    const store = Store.open(directory, { ...WIDE, keep: { raw: DAY, hour: DAY, day: DAY } });
    const many = Array.from({ length: 20_050 }, (_, i) => reading(`s${i}`, NOW, i));
    t.match(add(store, many), { readings: 20_000, refused: 50 });
    for (let i = 0; store.tidy(NOW + 3 * DAY, 1000) && i < 100; i++);
    t.same(rowsOf(directory, 'SELECT count(*) FROM sensor'), [[0]]);
    t.match(add(store, [reading('new', NOW, 1)]), { readings: 1 });
    t.same(rowsOf(directory, 'SELECT id FROM sensor'), [[20_001]], 'an id is never given twice');
    store.close();
    t.end();
  },
);

await t.test('each table forgets by its own age, and the log by its rows', (t) => {
  const directory = t.testdir();
  const keep = { raw: DAY, hour: 3 * DAY, day: 10 * DAY };
  const store = Store.open(directory, { keep, events: 700, size: 2 ** 30 });
  const events = ['a', 'b', 'c'].flatMap((sensor) =>
    Array.from({ length: 9 * 24 * 4 }, (_, i) => reading(sensor, NOW - i * (HOUR / 4), i)),
  );
  add(store, events);
  for (let i = 0; store.tidy(NOW, 1) && i < 10_000; i++);
  const oldest = (table: string): unknown =>
    rowsOf(directory, `SELECT min(time), count(DISTINCT sensor) FROM ${table}`)[0];
  t.same(oldest('raw'), [NOW - DAY, 3]);
  t.same(oldest('hour'), [NOW - 3 * DAY, 3]);
  t.same(oldest('day'), [NOW - 9 * DAY - 12 * HOUR, 3]);
  t.same(rowsOf(directory, 'SELECT count(*), max(id) FROM event'), [[700, events.length]]);
  t.equal(rowsOf(directory, 'SELECT min(count) FROM day WHERE time > 0')[0]?.[0], 47);
  store.close();
  t.end();
});

await t.test('a database that cannot be used is moved aside, and begun anew', (t) => {
  const directory = t.testdir();
  const file = join(directory, 'history.db');
  const alter = (sql: string) => (): void => {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  };
  const damages: (() => void)[] = [
    () => writeFileSync(file, 'This is no database, and never was one.'.repeat(1000)),
    () => writeFileSync(file, 'short'),
    alter('DROP TABLE hour'),
    alter('ALTER TABLE event ADD COLUMN more'),
    alter('PRAGMA user_version = 2'),
    alter('PRAGMA application_id = 0'),
    () => truncateSync(file, 40_000),
    () => truncateSync(file, 4097),
    () => truncateSync(file, 99),
    () => writeFileSync(file, readFileSync(file).fill(0xff, 4096)),
    () => writeFileSync(file, readFileSync(file).fill(0, 0, 4096)),
  ];
  const events = Array.from({ length: 5000 }, (_, i) => reading(`s${i % 50}`, NOW + i, i));
  let store = Store.open(directory, WIDE);
  add(store, events);
  for (const [i, damage] of damages.entries()) {
    store.close();
    damage();
    store = Store.open(directory, WIDE);
    t.match(store.begunAnew, new RegExp(`history.db.broken-${i + 1} now, and begun anew`));
    t.match(add(store, events), { kept: 5000, readings: 5000 });
  }
  store.close();
  store = Store.open(directory, WIDE);
  t.equal(store.begunAnew, undefined);
  store.close();
  const aside = readdirSync(directory).filter((name) => /broken-\d+$/.test(name));
  t.equal(aside.length, damages.length);
  t.end();
});

await t.test('an empty file, or what a kill left of a first start, is one that begins', (t) => {
  for (const content of ['PRAGMA journal_mode = WAL', 'PRAGMA user_version = 0', '']) {
    const directory = t.testdir();
    const begun = new DatabaseSync(join(directory, 'history.db'));
    begun.exec(content);
    begun.close();
    const store = Store.open(directory, WIDE);
    t.equal(store.begunAnew, undefined);
    t.match(add(store, [reading('a', NOW, 1)]), { readings: 1 });
    store.close();
  }
  t.end();
});

const LONG = 'x'.repeat(16_384);

await t.test('the directory never has more bytes than its bound, and the newest stay', (t) => {
  const directory = t.testdir();
  const size = 16 * 2 ** 20;
  const store = Store.open(directory, { keep: FOR_EVER, events: 1e6, size });
  let most = 0;
  let readings = 0;
  for (let round = 0; round < 45; round++) {
    const events = Array.from({ length: 5000 }, (_, i) => {
      const time = NOW + round * HOUR + i;
      // Now and then each of another sensor and day, which touches the most pages.
      if (round % 10 === 9) return reading(`s${i % 400}`, time + i * DAY, i);
      return reading(`s${i % 7}`, time, i);
    });
    const long = Array.from({ length: 30 }, () => ({ received: NOW, event: LONG }));
    const sums = add(store, [...events, ...long]);
    t.equal(sums.kept, 5030);
    readings += sums.readings;
    most = Math.max(most, bytesIn(directory));
    store.tidy(NOW, 20);
    most = Math.max(most, bytesIn(directory));
  }
  t.ok(most <= size, `${most} bytes`);
  const [[raw, newest, sensors]] = rowsOf(
    directory,
    'SELECT count(*), max(time), count(DISTINCT sensor) FROM raw',
  ) as [[number, number, number]];
  t.ok(raw < readings, 'some went');
  t.ok(raw > 5000, `${raw} stayed`);
  t.ok(newest >= NOW + 44 * HOUR);
  t.ok(sensors > 7);
  store.close();
  t.ok(bytesIn(directory) <= size);
  t.end();
});

await t.test('a smaller bound than before gives space back', (t) => {
  const directory = t.testdir();
  let store = Store.open(directory, WIDE);
  for (let round = 0; round < 45; round++) {
    const events = Array.from({ length: 2000 }, (_, i) => {
      const time = NOW + round * 2000 + i;
      return { ...reading(`s${i % 5}`, time, i), event: 'x'.repeat(400) };
    });
    add(store, events);
  }
  store.close();
  const size = 16 * 2 ** 20;
  t.ok(bytesIn(directory) > 2 * size);
  store = Store.open(directory, { ...WIDE, size });
  for (let i = 0; store.tidy(NOW, 100) && i < 1000; i++);
  t.ok(bytesIn(directory) <= size, `${bytesIn(directory)} bytes`);
  t.match(add(store, [reading('s1', NOW + 1e9, 1)]), { readings: 1 });
  store.close();
  t.ok(bytesIn(directory) <= size);
  t.end();
});

await t.test('no question scans a table, whatever is in it', async (t) => {
  const { STATEMENTS } = await import('../../../src/board/history/queries.js');
  const directory = t.testdir();
  const store = Store.open(directory, WIDE);
  add(
    store,
    Array.from({ length: 3000 }, (_, i) => reading(`s${i % 9}`, NOW + i, i)),
  );
  const names = Object.keys(STATEMENTS);
  t.equal(names.length, 18);
  for (const name of names) {
    const plan = rowsOf(directory, `EXPLAIN QUERY PLAN ${STATEMENTS[name]!.replaceAll('?', '1')}`);
    const steps = plan.map((row) => String(row[3]));
    // The least or greatest id of a rowid table is its first or last row.
    const allowed = /^(first|last) event$/.test(name) ? /^SEARCH event$/ : /^SEARCH .*(=|>|<)\?\)/;
    for (const step of steps) t.match(step, allowed, `${name}: ${step}`);
  }
  store.close();
});

/** As view.ts says, over arrays. */
interface Kept {
  readonly sensor: string;
  readonly time: number;
  readonly value: number;
}

type Point = [time: number, mean: number, min: number, max: number];

function naive(kept: readonly Kept[], from: number, to: number, ms: number): Point[] {
  const begin = (time: number): number => time - (time % ms);
  const groups = new Map<number, number[]>();
  for (const { time, value } of [...kept].sort((a, b) => a.time - b.time)) {
    if (begin(time) < begin(from) || time > to - (to % ms) + ms - 1) continue;
    groups.set(begin(time), [...(groups.get(begin(time)) ?? []), value]);
  }
  return [...groups].map(([time, values]) => {
    const sum = values.reduce((a, b) => a + b, 0);
    return [time, sum / values.length, Math.min(...values), Math.max(...values)];
  });
}

function pointsOf(numbers: Float64Array): Point[] {
  return Array.from(
    { length: numbers.length / 4 },
    (_, i) => [...numbers.subarray(4 * i, 4 * i + 4)] as Point,
  );
}

const UNITS = { raw: 1, hour: HOUR, day: DAY } as const;
const RESOLUTIONS = ['raw', 'hour', 'day'] as const;

await t.test('a series is what a naive count over arrays says', (t) => {
  const directory = t.testdir();
  const time = fc.integer({ min: 0, max: 5 * 24 * 12 }).map((i) => NOW + i * (HOUR / 12));
  const kept = fc.array(
    fc.record({
      sensor: fc.constantFrom('a', 'b'),
      time,
      value: fc.integer({ min: -100, max: 100 }),
    }),
    { maxLength: 120 },
  );
  const jitter = fc.integer({ min: -1, max: 1 });
  const most = fc.integer({ min: 1, max: 150 });
  let round = 0;
  const property = (all: Kept[], at: number, end: number, by: number, most: number): void => {
    // In one database each time: the sensors are others.
    const mark = `${++round}.`;
    const batches = [all.slice(0, 40), all.slice(40)];
    for (const batch of batches) {
      add(
        store,
        batch.map(({ sensor, time, value }) => reading(mark + sensor, time, value)),
      );
    }
    const [from, to] = [at + by, end - by];
    const seen = new Set<number>();
    const ofA = all.filter(({ sensor, time }) => {
      if (sensor !== 'a' || seen.has(time)) return false;
      seen.add(time);
      return true;
    });
    const expected = Object.fromEntries(
      RESOLUTIONS.map((name) => [name, from > to ? [] : naive(ofA, from, to, UNITS[name])]),
    ) as Record<(typeof RESOLUTIONS)[number], Point[]>;
    for (const resolution of RESOLUTIONS) {
      const got = queries.series(`${mark}a`, from, to, most, resolution);
      t.equal(got.resolution, resolution);
      const points = pointsOf(got.numbers);
      const whole = expected[resolution];
      if (whole.length <= most) check(points, whole);
      else checkThinned(points, whole, most);
    }
    const chosen = queries.series(`${mark}a`, from, to, most);
    const finest = RESOLUTIONS.find((name) => expected[name].length <= most);
    if (chosen.resolution !== (finest ?? 'day')) throw new Error(`${chosen.resolution} is chosen`);
    if (finest) check(pointsOf(chosen.numbers), expected[finest]);
    else checkThinned(pointsOf(chosen.numbers), expected.day, most);
  };
  const check = (points: Point[], whole: Point[]): void => {
    if (JSON.stringify(points) !== JSON.stringify(whole)) {
      throw new Error(`${JSON.stringify(points)} instead of ${JSON.stringify(whole)}`);
    }
  };
  const checkThinned = (points: Point[], whole: Point[], most: number): void => {
    const least = Math.min(...whole.map(([, , min]) => min));
    const greatest = Math.max(...whole.map(([, , , max]) => max));
    const fits =
      points.length <= most &&
      points.length > 0 &&
      points[0]![0] === whole[0]![0] &&
      Math.min(...points.map(([, , min]) => min)) === least &&
      Math.max(...points.map(([, , , max]) => max)) === greatest &&
      points.every(([at, mean, min, max], i) => {
        return mean >= min && mean <= max && (i === 0 || at > points[i - 1]![0]);
      }) &&
      points.every(([at]) => whole.some(([time]) => time === at));
    if (!fits) throw new Error(`thinned to ${most}: ${JSON.stringify({ points, whole })}`);
  };
  const store = Store.open(directory, WIDE);
  const queries = new Queries(openToRead(directory), 10_000);
  fc.assert(fc.property(kept, time, time, jitter, most, property), { numRuns: 150 });
  queries.close();
  store.close();
  t.end();
});

await t.test('of what has only aggregates left, the finest whole one is taken', (t) => {
  const directory = t.testdir();
  const keep = { raw: DAY, hour: 5 * DAY, day: 100 * DAY };
  const store = Store.open(directory, { ...WIDE, keep });
  add(
    store,
    Array.from({ length: 20 * 24 }, (_, i) => reading('a', NOW - i * HOUR, i)),
  );
  for (let i = 0; store.tidy(NOW, 1000) && i < 100; i++);
  const queries = new Queries(openToRead(directory), 1000);
  const chosen = (days: number): string =>
    queries.series('a', NOW - days * DAY, NOW, 1000).resolution;
  t.same([chosen(0.5), chosen(4), chosen(15)], ['raw', 'hour', 'day']);
  t.equal(pointsOf(queries.series('a', 0, NOW, 1000).numbers).length, 21);
  t.equal(pointsOf(queries.series('a', 0, NOW, 1000, 'raw').numbers).length, 25);
  queries.close();
  store.close();
  t.end();
});

await t.test('what small lines begin with: the last reading of each 10 s', (t) => {
  const directory = t.testdir();
  const store = Store.open(directory, WIDE);
  add(
    store,
    Array.from({ length: 6000 }, (_, i) => reading('dense', NOW + i * 100, i)),
  );
  add(store, [reading('one', NOW, 7)]);
  add(
    store,
    Array.from({ length: 50 }, (_, i) => reading('sparse', NOW + i * HOUR, i)),
  );
  const recentOf = (ms: number): Record<string, number[][]> => {
    const queries = new Queries(openToRead(directory), ms);
    const all = queries.recent().map(({ sensor, numbers }) => {
      return [sensor, [0, 1].map((part) => [...numbers].filter((_, i) => i % 2 === part))];
    });
    queries.close();
    return Object.fromEntries(all) as Record<string, number[][]>;
  };
  const { dense, one, sparse } = recentOf(10_000);
  const last = Array.from({ length: 30 }, (_, i) => 5999 - 100 * (29 - i));
  t.same(dense, [last.map((i) => NOW + i * 100), last]);
  t.same(one, [[NOW], [7]]);
  t.same(sparse?.[1]?.slice(-2), [48, 49]);
  t.equal(sparse?.[1]?.length, 30);
  t.same(recentOf(-1)['dense'], [[NOW + 599_900], [5999]], 'when time is short');
  store.close();
  t.end();
});

await t.test('questions that make no sense are answered with nothing, or refused', (t) => {
  const directory = t.testdir();
  const store = Store.open(directory, WIDE);
  const queries = new Queries(openToRead(directory), 1000);
  t.same(queries.events(0, 10), {
    numbers: new Float64Array(0),
    texts: [],
    sensors: [],
    next: 0,
    gap: false,
  });
  add(
    store,
    Array.from({ length: 50 }, (_, i) => reading('a', NOW + i, i)),
  );
  const length = (from: number, to: number, most = 100): number =>
    queries.series('a', from, to, most).numbers.length / 4;
  t.equal(length(NOW + 1, NOW), 0);
  t.equal(length(-Infinity, Infinity), 50);
  t.equal(length(NOW, NOW), 1);
  t.equal(length(NOW + 0.9, NOW + 1.9), 2);
  t.equal(length(-5, -1), 0);
  t.equal(length(0, Infinity, -3), 1);
  t.equal(length(0, Infinity, Infinity), 50);
  t.throws(() => length(NaN, 0), /from is no number/);
  t.throws(() => length(0, NaN), /to is no number/);
  t.throws(() => length(0, 1, NaN), /most is no number/);
  t.throws(() => queries.series('a', 0, 1, 1, 'week' as 'day'), /no resolution week/);
  t.equal(queries.series("a' OR 1=1", 0, 1e15, 9).numbers.length, 0);
  t.equal(queries.series('b'.repeat(1e6), 0, 1e15, 9).numbers.length, 0);
  t.same(
    [...queries.readings('a', NOW + 2, NOW + 9, 3)].filter((_, i) => i % 2),
    [2, 3, 4],
  );
  t.equal(queries.readings('c', 0, 1e15, 3).length, 0);
  queries.close();
  store.close();
  t.end();
});

await t.test('pages of the event log go on where the last one ended, and say what is gone', (t) => {
  const directory = t.testdir();
  const store = Store.open(directory, { ...WIDE, events: 40 });
  const queries = new Queries(openToRead(directory), 1000);
  add(
    store,
    Array.from({ length: 100 }, (_, i) => reading('a', NOW + i, i)),
  );
  for (let i = 0; store.tidy(NOW, 1000) && i < 100; i++);
  const ids = (since: number, limit: number): [unknown, number, boolean] => {
    const { numbers, next, gap } = queries.events(since, limit);
    return [[...numbers].filter((_, i) => i % 3 === 0), next, gap];
  };
  t.same(ids(0, 2), [[61, 62], 62, false]);
  t.same(ids(62, 2), [[63, 64], 64, false]);
  t.same(ids(60, 1), [[61], 61, false]);
  t.same(ids(59, 1), [[61], 61, true]);
  t.same(ids(99, 10), [[100], 100, false]);
  t.same(ids(100, 10), [[], 100, false]);
  t.same(ids(5000, 1), [[61], 61, true], 'of a history before this one');
  queries.close();
  store.close();
  t.end();
});
