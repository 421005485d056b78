import fs, {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { pbkdf2 } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { DATA, MAX_BODY } from '../../src/event/layout.js';
import { BATCH_BYTES, EVENT_OVERHEAD, parseHeader } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import { JournalWriter, steadyTime } from '../../src/journal/writer.js';
import { Recorder } from './crash.js';
import { mountSmallDisk } from './small-disk.js';
import {
  append,
  COUNTERS,
  drain,
  type Entry,
  expected,
  numbered,
  openWriter,
  segmentName,
  segments,
  write,
} from './tools.js';

const entries = Array.from({ length: 40 }, (_, i) => numbered(i));
const START = { epoch: 0, sequence: 0 };

await t.test('a segment that is full ends before the batch that is pending', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { segmentBytes: 1000 });
  write(writer, entries.slice(0, 20));
  t.same(segments(directory), [segmentName(1, 1)]);
  append(writer, entries.slice(20, 23));
  t.equal(writer.pending, 3);
  writer.flush();
  t.same(segments(directory), [segmentName(1, 1), segmentName(21, 1)]);
  t.equal(parseHeader(readFileSync(join(directory, segmentName(21, 1))))?.header.first, 21);
  writer.commit(2, 0, COUNTERS);
  t.equal(writer.pending, 0);
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 23)));
  writer.close();
  t.end();
});

await t.test('a full segment ends before a mark without records too', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { segmentBytes: 300 });
  write(writer, entries.slice(0, 2));
  write(writer, []);
  writer.close();
  t.same(segments(directory), [segmentName(1, 1), segmentName(3, 1)]);
  const again = openWriter(directory);
  t.equal(again.mended.cut, 0);
  t.equal(again.sequence, 2);
  again.close();
  t.end();
});

await t.test('each start is a new epoch that continues the sequence', (t) => {
  const directory = t.testdir();
  for (let start = 0; start < 3; start++) {
    const writer = openWriter(directory);
    t.equal(writer.sequence, 4 * start);
    write(writer, entries.slice(4 * start, 4 * start + 4));
    writer.close();
  }
  t.same(segments(directory), [segmentName(1, 1), segmentName(5, 2), segmentName(9, 3)]);
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 12)));
  t.end();
});

await t.test('a batch that is rolled back leaves no byte and no gap', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  const path = join(directory, segmentName(1, 1));
  write(writer, entries.slice(0, 2));
  const size = statSync(path).size;
  append(writer, entries.slice(10, 15));
  writer.flush();
  t.ok(statSync(path).size > size);
  t.equal(writer.rollback(), 5);
  t.equal(statSync(path).size, size);
  append(writer, entries.slice(10, 15));
  t.equal(writer.rollback(), 5, 'before it was written');
  t.equal(writer.rollback(), 0);
  t.equal(writer.sequence, 2);
  write(writer, entries.slice(2, 4));
  writer.close();
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 4)));
  t.end();
});

await t.test('the counters of record survive in the last mark, whoever wrote it', (t) => {
  const directory = t.testdir();
  const first = openWriter(directory, {
    sources: ['a', 'b'],
    counters: ['x', 'y'],
    channels: ['open'],
    outcomes: ['u', 'v'],
    journals: ['open', 'open/urgent'],
  });
  t.equal(JournalWriter.inspect(directory).newest?.mark, undefined);
  append(first, entries.slice(0, 3));
  first.flush();
  first.commit(1, 10, [Float64Array.of(1, 1), Float64Array.of(1, 1)]);
  first.flush();
  const counters = [Float64Array.of(1, 2), Float64Array.of(3, 2 ** 53)];
  first.commit(7, 20.5, counters, [Float64Array.of(5, 6)], Float64Array.of(3, 9));
  first.close();
  // The second writes no mark at all: the next one looks further back.
  openWriter(directory, { sources: ['c'], counters: ['z'] }).close();
  const { newest } = JournalWriter.inspect(directory);
  t.match(newest?.header, {
    sources: ['a', 'b'],
    counters: ['x', 'y'],
    channels: ['open'],
    outcomes: ['u', 'v'],
    journals: ['open', 'open/urgent'],
  });
  const outcomes = [Float64Array.of(5, 6)];
  const sequences = Float64Array.of(3, 9);
  t.same(newest?.mark, { sequence: 3, batch: 7, time: 20.5, counters, outcomes, sequences });
  const third = openWriter(directory);
  t.equal(third.mended.cut, 0);
  t.equal(third.sequence, 3);
  t.same(segments(directory), [segmentName(1, 1), segmentName(4, 3)]);
  third.close();
  t.end();
});

await t.test('records of other rules begin a segment that names them', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { rules: ['p/a', 'p/b'] });
  write(writer, entries.slice(0, 2));
  writer.setRules(['q/z']);
  // Too long for any header: the rules before stay.
  t.throws(() => writer.checkRules(['r'.repeat(2 ** 20)]), RangeError);
  write(writer, []);
  write(writer, entries.slice(2, 3));
  const reader = new JournalReader(directory, { epoch: 0, sequence: 0 });
  t.equal(reader.read(), 2);
  t.same(reader.header?.rules, ['p/a', 'p/b']);
  t.equal(reader.read(), 1);
  t.same(reader.header?.rules, ['q/z']);
  t.equal(reader.read(), 0);
  reader.close();
  writer.close();
  t.end();
});

await t.test('retention by size deletes whole segments, oldest first, never the current', (t) => {
  const directory = t.testdir();
  const retain = { size: 3500, age: Infinity };
  const writer = openWriter(directory, { segmentBytes: 1000, retain });
  for (let i = 0; i < 12; i++) {
    write(writer, entries.slice(0, 15));
    const sizes = segments(directory).map((name) => statSync(join(directory, name)).size);
    const total = sizes.reduce((sum, size) => sum + size);
    t.ok(total <= retain.size + Math.max(...sizes), `${total} bytes`);
  }
  t.equal(segments(directory).at(-1), segmentName(166, 1));
  t.ok(segments(directory).length > 1);
  writer.close();
  const tiny = openWriter(directory, { retain: { size: 0, age: Infinity } });
  t.same(segments(directory), [segmentName(166, 1), segmentName(181, 2)], 'until the first mark');
  write(tiny, entries.slice(0, 15));
  tiny.expire(Date.now());
  t.same(segments(directory), [segmentName(181, 2)]);
  tiny.close();
  t.end();
});

await t.test('retention by age counts from the end of a segment', (t) => {
  const directory = t.testdir();
  const age = 1e14;
  for (let epoch = 1; epoch <= 3; epoch++) {
    const writer = openWriter(directory, { segmentBytes: 300 });
    write(writer, entries.slice(0, 1));
    writer.close();
    utimesSync(join(directory, segmentName(epoch, epoch)), epoch, epoch);
  }
  const writer = openWriter(directory, { retain: { size: Infinity, age } });
  const left = () => segments(directory).map((name) => Number(name.slice(17, 25)));
  writer.expire(1000 + age);
  t.same(left(), [1, 2, 3, 4]);
  writer.expire(1001 + age);
  t.same(left(), [2, 3, 4]);
  writer.expire(3000 + age);
  t.same(left(), [3, 4]);
  writer.expire(Number.MAX_SAFE_INTEGER);
  t.same(left(), [3, 4], 'the last mark is still in the third');
  write(writer, []);
  writer.expire(Number.MAX_SAFE_INTEGER);
  t.same(left(), [4]);
  writer.close();
  t.end();
});

await t.test('a quiet segment is ended, so that its events expire as well', (t) => {
  const directory = t.testdir();
  const age = 4000;
  const writer = openWriter(directory, { retain: { size: Infinity, age } });
  const begun = Date.now();
  write(writer, entries.slice(0, 3));
  append(writer, entries.slice(3, 5));
  writer.expire(begun + 1e6);
  writer.flush();
  writer.commit(1, 0, COUNTERS);
  t.same(segments(directory), [segmentName(1, 1)], 'not while records are pending');
  writer.expire(begun + 900);
  write(writer, []);
  t.same(segments(directory), [segmentName(1, 1)], 'nor while it is young');
  writer.expire(begun + 1e6);
  t.same(segments(directory), [segmentName(1, 1)], 'it goes when there is another mark');
  write(writer, []);
  t.same(segments(directory), [segmentName(1, 1), segmentName(6, 1)]);
  writer.expire(begun + 1e6);
  t.same(segments(directory), [segmentName(6, 1)]);
  writer.expire(begun + 1e9);
  t.same(segments(directory), [segmentName(6, 1)], 'a segment without records stays');
  writer.close();
  t.end();
});

await t.test('retention spares the last mark, so that a start knows where it stood', (t) => {
  const directory = t.testdir();
  const retain = { size: 0, age: 0 };
  const first = openWriter(directory, { retain });
  write(first, entries.slice(0, 5));
  first.expire(Number.MAX_SAFE_INTEGER);
  first.close();
  for (let start = 0; start < 2; start++) {
    const writer = openWriter(directory, { retain });
    t.equal(writer.sequence, 5);
    t.same(JournalWriter.inspect(directory).newest?.mark?.counters, COUNTERS);
    writer.expire(Number.MAX_SAFE_INTEGER);
    writer.close();
  }
  t.end();
});

await t.test('marks without records take no more room than one', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  const reader = new JournalReader(directory, START);
  const path = join(directory, segmentName(1, 1));
  write(writer, entries.slice(0, 2));
  write(writer, []);
  const { size } = statSync(path);
  t.equal(reader.read(), 2);
  for (let i = 0; i < 5; i++) {
    writer.flush();
    writer.commit(100 + i, 0, COUNTERS);
    t.equal(reader.read(), 0);
  }
  t.equal(statSync(path).size, size);
  write(writer, entries.slice(2, 4));
  t.same(drain(reader), expected(entries.slice(2, 4), 3));
  append(writer, entries.slice(4, 6));
  writer.flush();
  writer.rollback();
  writer.flush();
  writer.commit(200, 0, COUNTERS);
  writer.close();
  t.equal(JournalWriter.inspect(directory).newest?.mark?.batch, 200);
  const again = openWriter(directory);
  t.equal(again.mended.cut, 0);
  again.close();
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 4)));
  reader.close();
  t.end();
});

await t.test('a segment that somebody else deleted is no error', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { segmentBytes: 300, retain: { size: 1e6, age: 1e6 } });
  for (let i = 0; i < 3; i++) write(writer, entries.slice(0, 1));
  t.equal(segments(directory).length, 3);
  unlinkSync(join(directory, segmentName(1, 1)));
  writer.expire(Number.MAX_SAFE_INTEGER);
  t.same(segments(directory), [segmentName(3, 1)], 'it holds the counters of record');
  writer.close();
  t.end();
});

await t.test('a segment that cannot be deleted is said, and holds up nothing', (t) => {
  const directory = t.testdir();
  const said: string[] = [];
  const undeleted = (_: Error, path: string): void => void said.push(path);
  const retain = { size: 1600, age: Infinity };
  const writer = openWriter(directory, { segmentBytes: 300, retain, undeleted });
  write(writer, entries.slice(0, 3));
  const first = join(directory, segmentName(1, 1));
  unlinkSync(first);
  mkdirSync(first);
  for (let i = 3; i < 30; i += 3) write(writer, entries.slice(i, i + 3));
  t.same(said, [first], 'once');
  t.equal(segments(directory).length, 3, 'it, the one before the last, and the last');
  rmdirSync(first);
  for (let i = 30; i < 36; i += 3) write(writer, entries.slice(i, i + 3));
  t.same(
    drain(new JournalReader(directory, { epoch: 1, sequence: 33 })),
    expected(entries.slice(33, 36), 34),
  );
  writer.close();
  t.end();
});

await t.test('a file is not closed while it is made durable', async (t) => {
  const writer = openWriter(t.testdir(), { retain: { size: Infinity, age: 4 } });
  write(writer, entries.slice(0, 2));
  // As with more journals than the pool has threads, on a slow disk.
  const hash = promisify(pbkdf2);
  const busy = Array.from({ length: 8 }, () => hash('x', 'y', 50_000, 32, 'sha512'));
  writer.syncMark();
  writer.expire(steadyTime() + 1000);
  await Promise.all(busy);
  await hash('x', 'y', 1, 32, 'sha512');
  t.doesNotThrow(() => {
    write(writer, entries.slice(2, 4));
    write(writer, entries.slice(4, 6));
  });
  writer.syncMark();
  writer.close();
  t.end();
});

await t.test('what is no segment is neither read nor touched', (t) => {
  const directory = t.testdir();
  const garbage = ['README', '1-1.tgj', `${segmentName(1, 1)}.part`, '.hidden', 'x.tgj'];
  for (const name of garbage) writeFileSync(join(directory, name), 'garbage');
  mkdirSync(join(directory, 'folder'));
  for (let start = 0; start < 2; start++) {
    const writer = openWriter(directory, { segmentBytes: 300 });
    for (let i = 0; i < 3; i++) write(writer, [entries[3 * start + i]!]);
    writer.expire(Date.now());
    writer.close();
  }
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 6)));
  for (const name of garbage) t.equal(readFileSync(join(directory, name), 'utf8'), 'garbage');
  t.equal(readdirSync(directory).length, garbage.length + 1 + 6);
  t.end();
});

await t.test('a frame of the shortest events fits on top of a batch that is almost full', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  const body = new Uint8Array(DATA);
  const shortest = '0,0,0,,,,0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0\n'.length;
  const inFrame = Math.floor((256 * 1024) / shortest);
  const before = Math.ceil(BATCH_BYTES / (EVENT_OVERHEAD + DATA)) - 1;
  const batch = new Array<Entry>(before + inFrame).fill({ source: 0, rule: 0, body });
  append(writer, batch.slice(0, before));
  t.ok(writer.pendingBytes < BATCH_BYTES);
  append(writer, batch.slice(before));
  t.ok(writer.bodyAt + MAX_BODY <= writer.buffer.length);
  writer.flush();
  writer.commit(1, 0, COUNTERS);
  const reader = new JournalReader(directory, START);
  t.equal(reader.read(), batch.length, 'and comes out at once');
  reader.close();
  writer.close();
  t.end();
});

await t.test('on a full disk a batch fails as a whole, and the next one goes on', (t) => {
  const disk = mountSmallDisk(t, 256);
  if (!disk) return;
  const directory = join(disk.directory, 'journal');
  const writer = openWriter(directory);
  const reader = new JournalReader(directory, START);
  write(writer, entries.slice(0, 5));
  t.same(drain(reader), expected(entries.slice(0, 5)));
  const path = join(directory, segmentName(1, 1));
  const size = statSync(path).size;
  disk.fill();
  const many = Array.from({ length: 1000 }, (_, i) => numbered(1000 + i));
  for (let attempt = 0; attempt < 2; attempt++) {
    append(writer, many);
    t.throws(() => writer.flush(), { code: 'ENOSPC' });
    t.ok(statSync(path).size > size, 'a part of it was written');
    t.same(drain(reader), []);
    t.equal(writer.rollback(), 1000);
    t.equal(statSync(path).size, size);
  }
  disk.free();
  write(writer, many);
  const all = [...entries.slice(0, 5), ...many];
  t.same(drain(reader), expected(many, 6));
  writer.close();
  const again = openWriter(directory);
  t.equal(again.mended.cut, 0);
  t.equal(again.sequence, 1005);
  again.close();
  t.same(drain(new JournalReader(directory, START)), expected(all));
  reader.close();
  t.end();
});

await t.test('a disk that is full at a rotation stops neither writer nor reader for good', (t) => {
  const disk = mountSmallDisk(t, 256);
  if (!disk) return;
  const directory = join(disk.directory, 'journal');
  // A header beyond one page, so that a full disk tears it.
  const rules = Array.from({ length: 500 }, (_, i) => `policy/rule-${i}`);
  const writer = openWriter(directory, {
    segmentBytes: JSON.stringify(rules).length + 300,
    rules,
  });
  const reader = new JournalReader(directory, START);
  write(writer, entries.slice(0, 5));
  t.same(drain(reader), expected(entries.slice(0, 5)));
  disk.fill();
  for (let attempt = 0; attempt < 3; attempt++) {
    append(writer, entries.slice(5, 9));
    t.throws(() => writer.flush(), { code: 'ENOSPC' });
    t.equal(writer.rollback(), 4);
    t.same(drain(reader), []);
  }
  writer.expire(Number.MAX_SAFE_INTEGER);
  t.same(segments(directory), [segmentName(1, 1), segmentName(6, 1)]);
  disk.free();
  // Long after the reader has listed the directory: writing on changes no name in it.
  utimesSync(directory, 1000, 1000);
  t.same(drain(reader), []);
  append(writer, entries.slice(5, 9));
  writer.flush();
  utimesSync(directory, 1000, 1000);
  t.same(drain(reader), []);
  writer.commit(9, 0, COUNTERS);
  t.same(drain(reader), expected(entries.slice(5, 9), 6));
  writer.close();
  reader.close();
  t.end();
});

await t.test('a segment of marks alone that ends is followed by another, not overwritten', (t) => {
  const directory = t.testdir();
  const retain = { size: Infinity, age: 1e6 };
  const writer = openWriter(directory, { segmentBytes: 1, retain });
  const reader = new JournalReader(directory, START);
  write(writer, []);
  t.same(drain(reader), []);
  for (const rule of ['a', 'b', 'c']) {
    writer.setRules([rule]);
    write(writer, []);
  }
  t.same(
    segments(directory),
    [1, 2, 3, 4].map((epoch) => segmentName(1, epoch)),
  );
  writer.setRules(['d']);
  write(writer, entries.slice(0, 2));
  t.same(drain(reader), expected(entries.slice(0, 2)));
  write(writer, entries.slice(2, 4));
  t.same(drain(reader), expected(entries.slice(2, 4), 3));
  t.same([reader.expired, reader.rewound], [0, 0]);
  writer.expire(Number.MAX_SAFE_INTEGER);
  t.same(segments(directory), [segmentName(3, 5)], 'retention spares the last mark');
  writer.close();
  const again = openWriter(directory, { retain });
  t.equal(again.sequence, 4);
  again.close();
  reader.close();
  t.end();
});

await t.test('what was rolled back is gone from the disk before more is written', (t) => {
  const root = t.testdir();
  const recorder = new Recorder(root);
  const writer = openWriter(root);
  write(writer, [entries[1]!]);
  append(writer, [entries[2]!, entries[3]!]);
  writer.flush();
  t.equal(writer.rollback(), 2);
  const from = recorder.ops.length;
  append(writer, [entries[4]!]);
  writer.writeOut();
  recorder.stop();
  t.same(
    recorder.ops.slice(from).map(({ kind }) => kind),
    ['truncate', 'sync', 'write'],
  );
  writer.sync();
  writer.commit(9, 0, COUNTERS);
  writer.close();
  t.end();
});

await t.test('a mark is made durable, whatever marks are written over behind it', async (t) => {
  const writer = openWriter(t.testdir());
  write(writer, [entries[1]!]);
  for (let batch = 2; batch < 5; batch++) {
    writer.flush();
    writer.commit(batch, 0, COUNTERS);
  }
  let synced = 0;
  const real = fs.fdatasync;
  t.teardown(() => {
    fs.fdatasync = real;
    syncBuiltinESMExports();
    writer.close();
  });
  const failing = (_: number, done: (error: Error | null) => void): void => {
    synced++;
    setImmediate(done, new Error('EIO'));
  };
  fs.fdatasync = failing as typeof fs.fdatasync;
  syncBuiltinESMExports();
  writer.syncMark();
  writer.syncMark();
  t.equal(synced, 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  append(writer, [entries[2]!]);
  t.throws(() => writer.flush(), { message: 'EIO' }, 'and if it cannot be, the next batch is told');
  writer.rollback();
  append(writer, [entries[2]!]);
  writer.flush();
});
