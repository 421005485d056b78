import fc from 'fast-check';
import { existsSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { JournalReader } from '../../src/journal/reader.js';
import { scanSegment } from '../../src/journal/scan.js';
import { Spare } from '../../src/journal/spare.js';
import type { JournalWriter } from '../../src/journal/writer.js';
import { runs } from '../arbitrary/runs.js';
import { mountSmallDisk } from './small-disk.js';
import {
  append,
  drain,
  expected,
  numbered,
  openWriter,
  segmentName,
  segments,
  write,
} from './tools.js';

const START = { epoch: 0, sequence: 0 };
const SEGMENT = 8192;
const entries = Array.from({ length: 2000 }, (_, i) => numbered(i));

/** Has the room for the next segment taken, as if this one had been filled slowly. */
async function prepare(writer: JournalWriter, directory: string): Promise<void> {
  await writer.prepare(performance.now() + 1e6);
  const path = join(directory, 'next');
  for (let i = 0; i < 1000; i++) {
    if (existsSync(path) && statSync(path).size === SEGMENT) break;
    await sleep(5);
  }
  await sleep(20);
}

await t.test(
  'a segment whose room was taken ahead is read, scanned and mended like any',
  async (t) => {
    const directory = t.testdir({});
    const writer = openWriter(directory, { segmentBytes: SEGMENT });
    const reader = new JournalReader(directory, START);
    write(writer, entries.slice(0, 80));
    t.same(drain(reader), expected(entries.slice(0, 80)));
    await prepare(writer, directory);
    write(writer, entries.slice(80, 120));
    const path = join(directory, segmentName(81, 1));
    t.same(segments(directory), [segmentName(1, 1), segmentName(81, 1)]);
    t.equal(statSync(path).size, SEGMENT, 'zeros behind the mark');
    t.notOk(existsSync(join(directory, 'next')));
    t.same(drain(reader), expected(entries.slice(80, 120), 81));
    t.notOk(reader.hasMore, 'zeros are nothing');
    const scan = scanSegment(path);
    t.equal(scan?.mark?.sequence, 120);
    t.equal(scan?.last, 120);
    t.equal(scan?.committed, scan?.end);
    // A kill, with a batch that has no mark, and zeros behind it.
    append(writer, entries.slice(120, 125));
    writer.flush();
    t.ok(reader.hasMore);
    t.same(drain(reader), []);
    writer.close();
    const second = openWriter(directory, { segmentBytes: SEGMENT });
    t.ok(second.mended.cut > 0 && second.mended.cut < 1000, `${second.mended.cut} bytes`);
    t.equal(second.sequence, 120);
    t.equal(statSync(path).size, scan?.committed, 'room that is not needed is given back');
    write(second, entries.slice(120, 130));
    await prepare(second, directory);
    second.close();
    const third = openWriter(directory, { segmentBytes: SEGMENT });
    t.equal(third.mended.cut, 0, 'room is nothing that was cut');
    t.notOk(existsSync(join(directory, 'next')), 'what a gate before had prepared is given back');
    third.close();
    t.same(drain(reader), expected(entries.slice(120, 130), 121));
    t.same([reader.expired, reader.rewound], [0, 0]);
    reader.close();
  },
);

await t.test('batches that are rolled back leave no room, and nothing in it', async (t) => {
  const directory = t.testdir({});
  const writer = openWriter(directory, { segmentBytes: SEGMENT });
  write(writer, entries.slice(0, 80));
  await prepare(writer, directory);
  append(writer, entries.slice(80, 120));
  writer.flush();
  t.equal(writer.rollback(), 40);
  write(writer, entries.slice(200, 203));
  t.same(
    drain(new JournalReader(directory, { epoch: 1, sequence: 80 })),
    expected(entries.slice(200, 203), 81),
  );
  writer.close();
});

await t.test(
  'a segment that is filled in a hurry, or holds nothing, prepares no other',
  async (t) => {
    const directory = t.testdir({});
    const writer = openWriter(directory, { segmentBytes: SEGMENT });
    await writer.prepare(performance.now() + 1e6);
    await sleep(50);
    t.notOk(existsSync(join(directory, 'next')), 'no record yet');
    write(writer, entries.slice(0, 5));
    await writer.prepare(performance.now());
    await sleep(50);
    t.notOk(existsSync(join(directory, 'next')), 'just begun');
    await prepare(writer, directory);
    t.ok(existsSync(join(directory, 'next')));
    unlinkSync(join(directory, 'next'));
    write(writer, entries.slice(5, 85));
    write(writer, entries.slice(85, 120));
    t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 120)));
    writer.close();
  },
);

await t.test('on a disk that is full since, one more segment can be written', async (t) => {
  const disk = mountSmallDisk(t, 256);
  if (!disk) return;
  const directory = join(disk.directory, 'journal');
  const writer = openWriter(directory, { segmentBytes: SEGMENT });
  write(writer, entries.slice(0, 80));
  await prepare(writer, directory);
  disk.fill();
  let count = 80;
  let room = 0;
  for (;;) {
    append(writer, entries.slice(count, count + 5));
    try {
      writer.flush();
    } catch (error) {
      t.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      writer.rollback();
      break;
    }
    writer.commit(count, 0, [new Float64Array(3), new Float64Array(3)]);
    count += 5;
    const second = segments(directory)[1];
    if (second !== undefined) room = statSync(join(directory, second)).size;
  }
  t.ok(count >= 80 + (0.6 * SEGMENT) / 90, `${count - 80} more were written`);
  t.equal(room, SEGMENT, 'all of its room was there');
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, count)));
  disk.free();
  write(writer, entries.slice(count, count + 5));
  writer.close();
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, count + 5)));
});

await t.test('it is not prepared with the last that a disk has', async (t) => {
  const disk = mountSmallDisk(t, 512);
  if (!disk) return;
  const path = join(disk.directory, 'next');
  const free = (size: number): Promise<void> => new Spare(disk.directory, size).prepare(0);
  await free(300 * 1024);
  t.notOk(existsSync(path), 'less than twice that is free');
  await free(200 * 1024);
  t.equal(statSync(path).size, 200 * 1024);
  const spare = new Spare(disk.directory, 400 * 1024);
  t.notOk(existsSync(path), 'it begins without');
  await spare.prepare(0);
  await spare.prepare(9999);
  t.notOk(existsSync(path));
  t.equal(spare.become(join(disk.directory, 'x')), false);
});

await t.test('a disk that fills up while it is prepared stops nothing', async (t) => {
  const disk = mountSmallDisk(t, 8 * 1024);
  if (!disk) return;
  const spare = new Spare(disk.directory, 3 * 2 ** 20);
  const done = spare.prepare(0);
  disk.fill();
  await done;
  t.notOk(existsSync(join(disk.directory, 'next')), 'what there was of it is given back');
  t.equal(spare.become(join(disk.directory, 'x')), false);
  disk.free();
  await spare.prepare(5000);
  t.notOk(existsSync(join(disk.directory, 'next')), 'not tried again at once');
  await spare.prepare(20_000);
  t.ok(spare.become(join(disk.directory, 'x')));
  t.equal(statSync(join(disk.directory, 'x')).size, 3 * 2 ** 20);
  t.equal(spare.become(join(disk.directory, 'x')), false);
});

/** All that a journal takes of the disk. */
function sizeOf(directory: string): number {
  return readdirSync(directory).reduce(
    (sum, name) => sum + statSync(join(directory, name)).size,
    0,
  );
}

await t.test('a journal never takes more than is retained, with all its room', async (t) => {
  const root = t.testdir({});
  let run = 0;
  let [largest, expired] = [0, 0];
  const retain = { size: 8 * SEGMENT, age: Infinity };
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 60 }) },
    // A batch may be larger than a segment: four times with the least that can be retained.
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 340 }) },
    { weight: 1, arbitrary: fc.constantFrom('tend', 'restart', 'rules' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 70 }), async (steps) => {
      const directory = join(root, String(++run));
      const open = (): JournalWriter => openWriter(directory, { segmentBytes: SEGMENT, retain });
      let writer = open();
      for (const [i, each] of steps.entries()) {
        if (each === 'tend') await prepare(writer, directory);
        else if (each === 'rules') writer.setRules([String(i)]);
        else if (each === 'restart') {
          writer.close();
          writer = open();
        } else write(writer, entries.slice(0, each));
        const size = sizeOf(directory);
        if (size > retain.size) throw new Error(`${size} bytes after step ${i}`);
        largest = Math.max(largest, size);
      }
      const reader = new JournalReader(directory, START);
      drain(reader);
      expired += reader.expired;
      reader.close();
      writer.close();
    }),
    { numRuns: runs(10) },
  );
  t.ok(largest > 0.7 * retain.size && expired > 60, `${largest} bytes, ${expired} expired`);
});

await t.test('what is no spare is none', (t) => {
  const directory = t.testdir({ next: 'hostile' });
  const writer = openWriter(directory, { segmentBytes: SEGMENT });
  writeFileSync(join(directory, 'next'), 'put there by hand');
  write(writer, entries.slice(0, 80));
  write(writer, entries.slice(80, 120));
  t.same(drain(new JournalReader(directory, START)), expected(entries.slice(0, 120)));
  writer.close();
  t.end();
});
