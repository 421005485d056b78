import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from '@photostructure/sqlite';
import t from 'tap';
import { mountSmallDisk } from '../../journal/small-disk.js';
import { HOUR } from '../../../src/board/history/time.js';
import { aggregatesOf, BUILT, bytesIn, History, NOW, reading, rowsOf, WIDE } from './support.js';

const quiet = (): void => undefined;
/** Times that a history is killed. */
const ROUNDS = Number(process.env['TIDEGATE_ROUNDS'] ?? 4);

await t.test(
  'what is added is there when it is flushed, and after it is opened again',
  async (t) => {
    const directory = join(t.testdir(), 'a', 'b');
    const options = { ...WIDE, directory };
    let history = await History.open(options, (why) => t.fail(String(why)));
    t.same(await history.recent(), []);
    for (let i = 0; i < 12_000; i++) {
      if (!history.add(reading(`s${i % 3}`, NOW + i, i))) t.fail('it is dropped');
    }
    await history.flush();
    t.match(history.counters, { added: 12_000, kept: 12_000, readings: 12_000, waiting: 0 });
    history.add({ received: NaN, event: 'last' });
    await history.close();
    t.equal(history.add(reading('s1', 1, 1)), false, 'it is closed');
    await t.rejects(history.recent(), /closed/);
    await history.close();
    t.same(readdirSync(directory).sort(), ['history.db', 'lock']);

    history = await History.open(options, (why) => t.fail(String(why)));
    const recent = await history.recent();
    t.same(
      recent.map(({ sensor, readings }) => [sensor, readings.length]),
      [
        ['s0', 2],
        ['s1', 2],
        ['s2', 2],
      ],
    );
    t.same(recent[0]?.readings.at(-1), { sensor: 's0', time: NOW + 11_997, value: 11_997 });
    t.same(await history.readings('s1', NOW + 2, NOW + 9, 2), [
      { sensor: 's1', time: NOW + 4, value: 4 },
      { sensor: 's1', time: NOW + 7, value: 7 },
    ]);
    t.same(await history.series('s1', NOW, NOW + 4, 9), {
      sensor: 's1',
      resolution: 'raw',
      points: [
        [NOW + 1, 1, 1, 1],
        [NOW + 4, 4, 4, 4],
      ],
    });
    t.match((await history.series('s1', NOW, NOW + 1e9, 9)).resolution, 'hour');
    const { events, next, gap } = await history.events(11_999, 10);
    t.match(events, [
      { id: 12_000, received: NOW, event: `s2 ${NOW + 11_999} 11999`, sensor: 's2', value: 11_999 },
      { id: 12_001, event: 'last' },
    ]);
    t.notOk('sensor' in events[1]!);
    t.ok(events[1]!.received > 0);
    t.same([next, gap], [12_001, false]);
    await t.rejects(history.series('s1', NaN, 0, 9), /from is no number/);
    await history.close();
  },
);

await t.test('a second one is refused as long as the first has the directory', async (t) => {
  const options = { ...WIDE, directory: t.testdir() };
  const history = await History.open(options, quiet);
  await t.rejects(History.open(options, quiet), new RegExp(`in use by pid ${process.pid}`));
  await history.close();
  await (await History.open(options, quiet)).close();
});

await t.test('what can be no history is an error at once', async (t) => {
  const directory = t.testdir({ file: '', other: { 'history.db': {} } });
  await t.rejects(History.open({ ...WIDE, directory, size: 1e6 }, quiet), /size: 16777216 bytes/);
  await t.rejects(History.open({ ...WIDE, directory, size: NaN }, quiet), /size/);
  await t.rejects(History.open({ ...WIDE, directory: join(directory, 'file') }, quiet), /EEXIST/);
  const other = { ...WIDE, directory: join(directory, 'other') };
  await t.rejects(History.open(other, quiet), /cannot be written: .*unable to open/);
  await t.rejects(History.open(other, quiet), /unable to open/, 'the lock is given back');
});

await t.test(
  'that a database was moved aside is said, until the next events are there',
  async (t) => {
    const directory = t.testdir({ 'history.db': 'This is no database, and never was one.' });
    const troubles: (string | undefined)[] = [];
    const history = await History.open({ ...WIDE, directory }, (why) => troubles.push(why));
    t.same(troubles, ['file is not a database: it is history.db.broken-1 now, and begun anew']);
    history.add(reading('a', NOW, 1));
    await history.flush();
    t.same(troubles.slice(1), [undefined]);
    t.equal((await history.readings('a', 0, 1e15, 9)).length, 1);
    await history.close();
  },
);

await t.test(
  'databases that were moved aside do not take more than half of the room',
  async (t) => {
    const directory = t.testdir();
    const size = 16 * 2 ** 20;
    for (const i of [1, 2, 3]) {
      writeFileSync(join(directory, `history.db.broken-${i}`), Buffer.alloc(5 * 2 ** 20));
    }
    const history = await History.open({ ...WIDE, directory, size }, quiet);
    await history.close();
    const names = readdirSync(directory).filter((name) => name.includes('broken'));
    t.same(names, ['history.db.broken-3']);
  },
);

await t.test('a database that is damaged while it is open is moved aside as well', async (t) => {
  const directory = t.testdir();
  const troubles: (string | undefined)[] = [];
  const history = await History.open({ ...WIDE, directory }, (why) => troubles.push(why));
  for (let i = 0; i < 30_000; i++) history.add(reading(`s${i % 50}`, NOW + i, i));
  await history.close();
  const again = await History.open({ ...WIDE, directory }, (why) => troubles.push(why));
  const file = join(directory, 'history.db');
  const bytes = readFileSync(file);
  bytes.fill(0xff, 4096 * 20);
  writeFileSync(file, bytes);
  for (let i = 0; i < 1000; i++) again.add(reading(`s${i % 50}`, NOW + i, i));
  await again.flush();
  for (let i = 0; i < 1000; i++) again.add(reading(`t${i % 50}`, NOW + i, i));
  await again.flush();
  t.match(troubles[0], /broken-1 now, and begun anew/);
  t.equal(troubles.at(-1), undefined, 'it goes on');
  const { added, kept, dropped } = again.counters;
  t.equal(kept + dropped, added);
  t.ok(kept >= 1000);
  t.equal((await again.readings('t1', 0, 1e15, 100)).length, 20, 'of the new one');
  await again.close();
});

await t.test(
  'a thread that cannot go on is started anew, and what it had is counted',
  async (t) => {
    const directory = join(t.testdir(), 'history');
    const troubles: (string | undefined)[] = [];
    const history = await History.open({ ...WIDE, directory }, (why) => troubles.push(why));
    // Gone, and there can be no other.
    rmSync(directory, { recursive: true });
    symlinkSync(join(t.testdirName, 'nowhere', 'at', 'all'), directory);
    for (let i = 0; i < 20_000; i++) history.add(reading(`s${i % 50}`, NOW + i, i));
    while (history.counters.restarts < 2) await sleep(50);
    t.match(troubles, [/the thread that writes: .*(EEXIST|ENOENT)/], 'said once');
    rmSync(directory);
    await history.flush();
    for (let i = 0; i < 1000; i++) history.add(reading(`t${i % 50}`, NOW + i, i));
    await history.flush();
    t.equal(troubles.at(-1), undefined, 'it goes on');
    const { added, kept, dropped } = history.counters;
    t.same([added, kept + dropped], [21_000, 21_000]);
    t.ok(kept >= 11_000, 'no more than what the thread had is lost');
    t.equal((await history.readings('t1', 0, 1e15, 100)).length, 20);
    await history.close();
    t.same(rowsOf(directory, 'SELECT count(*) FROM event'), [[kept]]);
  },
);

await t.test('a database that is taken away is noticed by itself, and begun anew', async (t) => {
  const directory = join(t.testdir(), 'history');
  let told: (() => void) | undefined;
  const troubles: (string | undefined)[] = [];
  const history = await History.open({ ...WIDE, directory }, (why) => {
    troubles.push(why);
    told?.();
  });
  history.add(reading('a', NOW, 1));
  await history.flush();
  t.equal((await history.readings('a', 0, 1e15, 9)).length, 1);
  const noticed = new Promise<void>((resolve) => (told = resolve));
  rmSync(directory, { recursive: true });
  await noticed;
  t.same(troubles, ['its file has been taken away: it is begun anew']);
  history.add(reading('b', NOW, 2));
  await history.flush();
  t.same(troubles.slice(1), [undefined]);
  t.same(await history.readings('a', 0, 1e15, 9), []);
  t.equal((await history.readings('b', 0, 1e15, 9)).length, 1);
  await history.close();
  t.same(rowsOf(directory, 'SELECT count(*) FROM event'), [[1]]);
});

await t.test(
  'what is too old goes by the time that it is told, and before that nothing',
  async (t) => {
    const directory = t.testdir();
    const keep = { raw: HOUR, hour: HOUR, day: HOUR };
    const history = await History.open({ ...WIDE, keep, directory }, quiet);
    const add = async (time: number): Promise<void> => {
      history.add(reading('a', time, 1));
      await history.flush();
    };
    await add(1000);
    t.match(history.counters, { readings: 1, late: 0 }, 'half a century old');
    history.setTime(NOW);
    await add(NOW - 2 * HOUR);
    t.match(history.counters, { readings: 1, late: 1 });
    await add(NOW);
    t.match(history.counters, { readings: 2, late: 1 });
    await history.close();
  },
);

await t.test('a page of events ends where it becomes long', async (t) => {
  const directory = t.testdir();
  const history = await History.open({ ...WIDE, directory }, quiet);
  const text = 'x'.repeat(10_000);
  for (let i = 0; i < 250; i++) history.add({ received: NOW, event: text });
  await history.flush();
  const lengths: number[] = [];
  for (let since = 0; ;) {
    const { events, next } = await history.events(since, 1000);
    if (events.length === 0) break;
    lengths.push(events.length);
    t.equal(next, since + events.length);
    since = next;
  }
  t.same(lengths, [105, 105, 40]);
  await history.close();
});

await t.test('on a full disk events are dropped and counted, until there is room', async (t) => {
  const disk = mountSmallDisk(t, 12 * 1024);
  if (!disk) return;
  const directory = join(disk.directory, 'history');
  mkdirSync(directory);
  const troubles: (string | undefined)[] = [];
  const history = await History.open({ ...WIDE, directory }, (why) => troubles.push(why));
  let time = NOW;
  const round = async (): Promise<void> => {
    for (let i = 0; i < 2000; i++) history.add(reading(`s${i % 50}`, ++time, i));
    await history.flush();
  };
  await round();
  t.equal(history.counters.kept, 2000);
  disk.fill();
  for (let i = 0; i < 5; i++) await round();
  const full = history.counters;
  t.ok(full.dropped > 0, `${full.dropped} are dropped`);
  t.match(troubles, [/full/], 'the reason is said once');
  t.ok((await history.series('s1', 0, 1e15, 100)).points.length > 0, 'it is still read');
  disk.free();
  await round();
  t.same(troubles.slice(1), [undefined]);
  const { added, kept, dropped, readings } = history.counters;
  t.equal(kept + dropped, added);
  t.equal(dropped, full.dropped, 'no more of them');
  await history.close();
  t.same(rowsOf(directory, 'SELECT count(*), max(id) FROM event'), [[kept, kept]]);
  t.same(rowsOf(directory, 'SELECT count(*) FROM raw'), [[readings]]);
  const { byRows, kept: aggregates } = aggregatesOf(directory);
  t.same(aggregates, byRows);
});

await t.test('a thread that is too far behind costs events, and never memory', async (t) => {
  const directory = t.testdir();
  const history = await History.open({ ...WIDE, directory }, quiet);
  const added = 150_000;
  let taken = 0;
  // The thread is told of nothing in between: this one does not come back to its loop.
  for (let i = 0; i < added; i++) if (history.add(reading(`s${i % 9}`, NOW + i, i))) taken++;
  t.equal(taken, 100_000);
  t.match(history.counters, { added, waiting: taken, dropped: added - taken });
  await history.flush();
  t.match(history.counters, { added, waiting: 0, kept: taken, dropped: added - taken });
  t.equal(history.add({ received: NOW, event: 'x'.repeat(16_385) }), false, 'too long');
  const long = { received: NOW, event: 'x'.repeat(16_384) };
  let texts = 0;
  while (history.add(long)) texts++;
  t.equal(texts, 2048);
  await history.flush();
  t.equal(history.counters.kept, taken + texts);
  await history.close();
});

await t.test('of too many questions some are refused as busy, the others answered', async (t) => {
  const directory = t.testdir();
  const history = await History.open({ ...WIDE, directory }, quiet);
  for (let i = 0; i < 1000; i++) history.add(reading('a', NOW + i, i));
  await history.flush();
  const asked = Array.from({ length: 100 }, () => history.series('a', 0, 1e15, 10));
  const answers = await Promise.allSettled(asked);
  const refused = answers.filter(({ status }) => status === 'rejected');
  t.equal(refused.length, 35);
  for (const answer of refused) {
    t.match((answer as PromiseRejectedResult).reason, new Error('busy'));
  }
  t.match(history.counters, { questions: 100, busy: 35, slow: 0 });
  t.equal((await history.series('a', 0, 1e15, 10)).resolution, 'hour');
  await history.close();
});

await t.test('kill -9 at any moment leaves a history whose sums are right', async (t) => {
  const code = `
    const { History } = await import(${JSON.stringify(BUILT)});
    const options = JSON.parse(process.argv[2]);
    const history = await History.open(options, (why) => {
      if (why !== undefined) process.stdout.write('TROUBLE ' + why);
    });
    let time = options.from;
    for (;;) {
      for (let i = 0; i < 3000; i++) {
        const reading = { sensor: 's' + (i % 60), time: time += 977, value: i % 100 };
        history.add({ received: time, event: 'event ' + time, reading });
      }
      await history.flush();
      process.stdout.write('.');
    }`;
  const place = t.testdir({ 'main.mjs': code });
  const directory = join(place, 'history');
  const keep = { raw: 1e13, hour: 1e13, day: 1e13 };
  let ids = 0;
  let most = 0;
  const size = 64 * 2 ** 20;
  for (let round = 0; round < ROUNDS; round++) {
    const options = { directory, keep, events: 20_000, size, from: NOW + round * 1e9 };
    const child = spawn(process.execPath, [join(place, 'main.mjs'), JSON.stringify(options)]);
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.pipe(process.stderr);
    const exit = once(child, 'exit');
    // In the midst of opening, of the first batches, of a checkpoint.
    if (round % 4 !== 3) await Promise.race([once(child.stdout, 'data'), exit]);
    await new Promise((resolve) => setTimeout(resolve, 40 + ((round * 67) % 200)));
    child.kill('SIGKILL');
    t.same(await exit, [null, 'SIGKILL']);
    t.notMatch(output, /TROUBLE/);
    most = Math.max(most, bytesIn(directory));
    // As it is, with what a recovery makes of it.
    const database = new DatabaseSync(join(directory, 'history.db'));
    t.match(database.prepare('PRAGMA integrity_check').get(), { integrity_check: 'ok' });
    database.close();
    const { byRows, kept } = aggregatesOf(directory);
    t.same(kept, byRows);
    const [[rows, last, first, raw]] = rowsOf(
      directory,
      'SELECT count(*), max(id), min(id), (SELECT count(*) FROM raw) FROM event',
    ) as [[number, number, number, number]];
    t.equal(rows, last - first + 1);
    t.equal(raw, last, 'each event is there with its reading, or not at all');
    t.ok(last >= ids + 3000 * (output.match(/\./g)?.length ?? 0), 'what was flushed is there');
    ids = last;
  }
  t.ok(ids > 0);
  t.ok(most <= size);
});
