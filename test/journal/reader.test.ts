import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseBody } from '../../src/event/event.js';
import { readU32 } from '../../src/event/layout.js';
import { MARK } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import {
  append,
  COUNTERS,
  delivered,
  drain,
  type Entry,
  expected,
  numbered,
  openWriter,
  segmentName,
  segments,
  write,
} from './tools.js';

const entries = Array.from({ length: 60 }, (_, i) => numbered(i));
const START = { epoch: 0, sequence: 0 };

/** Three epochs of several segments each, records 1 to 60; the epoch of each record. */
function fill(directory: string): number[] {
  const epochs: number[] = [];
  for (let epoch = 1; epoch <= 3; epoch++) {
    const writer = openWriter(directory, { segmentBytes: 500 });
    for (let batch = 0; batch < 5; batch++) {
      write(writer, entries.slice(epochs.length, epochs.length + 4));
      epochs.push(epoch, epoch, epoch, epoch);
    }
    writer.close();
  }
  return epochs;
}

await t.test('a reader resumes exactly from a cursor at every position', (t) => {
  const directory = t.testdir();
  const epochs = fill(directory);
  t.ok(segments(directory).length > 6);
  for (let sequence = 0; sequence <= 60; sequence++) {
    const reader = new JournalReader(directory, { epoch: epochs[sequence - 1] ?? 0, sequence });
    t.same(drain(reader), expected(entries.slice(sequence), sequence + 1), `after ${sequence}`);
    t.same([reader.expired, reader.rewound], [0, 0]);
    t.same(reader.position, { epoch: 3, sequence: 60 });
    reader.close();
  }
  t.end();
});

await t.test('its position after any delivery is a cursor to resume from', (t) => {
  const directory = t.testdir();
  fill(directory);
  const seen: string[] = [];
  let position = START;
  for (let deliveries = 1; ; deliveries++) {
    const reader = new JournalReader(directory, position);
    const count = reader.read();
    seen.push(...delivered(reader, count));
    position = reader.position;
    t.equal(position.sequence, seen.length);
    if (count > 0) t.equal(reader.header?.epoch, position.epoch);
    reader.close();
    if (count === 0) {
      t.ok(deliveries > 6, `${deliveries} deliveries`);
      break;
    }
  }
  t.same(seen, expected(entries));
  t.end();
});

await t.test('it catches up over many segments of a directory that has long been at rest', (t) => {
  const directory = t.testdir();
  fill(directory);
  utimesSync(directory, 1000, 1000);
  const reader = new JournalReader(directory, START);
  t.same(drain(reader), expected(entries));
  t.equal(reader.read(), 0);
  reader.close();
  t.end();
});

await t.test('it sees a new segment although the directory shows no other time', (t) => {
  const directory = t.testdir();
  const clock = Date.now;
  t.teardown(() => (Date.now = clock));
  const writer = openWriter(directory, { segmentBytes: 300 });
  const reader = new JournalReader(directory, START);
  write(writer, entries.slice(0, 4));
  utimesSync(directory, 1_700_000_000, 1_700_000_000);
  Date.now = () => 1_700_000_000_005;
  t.same(drain(reader), expected(entries.slice(0, 4)));
  write(writer, entries.slice(4, 8));
  utimesSync(directory, 1_700_000_000, 1_700_000_000);
  Date.now = () => 1_700_000_001_000;
  t.same(drain(reader), expected(entries.slice(4, 8), 5));
  writer.close();
  reader.close();
  t.end();
});

await t.test('it lists a directory at rest again only after that has changed', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  const reader = new JournalReader(directory, START);
  write(writer, entries.slice(0, 4));
  utimesSync(directory, 1000, 1000);
  t.same(drain(reader), expected(entries.slice(0, 4)));
  writer.close();
  const next = openWriter(directory);
  write(next, entries.slice(4, 8));
  next.close();
  utimesSync(directory, 1000, 1000);
  t.same(drain(reader), [], 'a time that is the same says that nothing has changed');
  utimesSync(directory, 2000, 2000);
  t.same(drain(reader), expected(entries.slice(4, 8), 5));
  reader.close();
  t.end();
});

await t.test('what is marked between reading and listing is not passed over', (t) => {
  const directory = t.testdir();
  const clock = Date.now;
  t.teardown(() => (Date.now = clock));
  const writer = openWriter(directory);
  const reader = new JournalReader(directory, START);
  write(writer, entries.slice(0, 2));
  t.equal(reader.read(), 2);
  // The reader asks for the time when it has found nothing new and is about to list.
  Date.now = () => {
    Date.now = clock;
    write(writer, entries.slice(2, 8));
    writer.setRules(['of the next segment']);
    write(writer, entries.slice(8, 10));
    return clock();
  };
  t.same(drain(reader), expected(entries.slice(2, 10), 3));
  t.same(segments(directory), [segmentName(1, 1), segmentName(9, 1)]);
  t.equal(reader.expired, 0);
  writer.close();
  reader.close();
  t.end();
});

await t.test('of a segment that grows byte by byte it sees exactly what is marked', (t) => {
  const root = t.testdir({ whole: {}, copy: {} });
  const writer = openWriter(join(root, 'whole'));
  for (let i = 0; i < 4; i++) write(writer, entries.slice(3 * i, 3 * i + 3));
  writer.close();
  const bytes = readFileSync(join(root, 'whole', segmentName(1, 1)));
  const ends: number[] = []; // of marks
  for (let at = 12 + bytes.readUInt32BE(8) + 4; at < bytes.length;) {
    const length = readU32(bytes, at);
    if (bytes[at + 4] === MARK) ends.push(at + length);
    at += length;
  }
  t.equal(ends.length, 4);
  const copy = join(root, 'copy', segmentName(1, 1));
  const reader = new JournalReader(join(root, 'copy'), START);
  t.equal(reader.read(), 0, 'an empty directory');
  const seen: string[] = [];
  for (let size = 0; size <= bytes.length; size++) {
    appendFileSync(copy, bytes.subarray(size - 1, size));
    seen.push(...drain(reader));
    const marks = ends.filter((end) => end <= size).length;
    if (seen.length !== 3 * marks) t.fail(`${seen.length} records at ${size} bytes`);
  }
  t.same(seen, expected(entries.slice(0, 12)));
  reader.close();
  t.end();
});

await t.test('one reader follows the writer through segments and epochs', (t) => {
  const directory = t.testdir();
  const reader = new JournalReader(directory, START);
  const seen: string[] = [];
  for (let epoch = 0; epoch < 3; epoch++) {
    const writer = openWriter(directory, { segmentBytes: 300 });
    for (let i = 0; i < 5; i++) {
      write(writer, entries.slice(seen.length, seen.length + 4));
      seen.push(...drain(reader));
      t.same(seen, expected(entries.slice(0, 20 * epoch + 4 * i + 4)));
      t.equal(reader.header?.epoch, epoch + 1);
    }
    writer.close();
  }
  t.same([reader.expired, reader.rewound], [0, 0]);
  reader.close();
  t.end();
});

await t.test('a record is delivered before, not with, the end of its segment', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { segmentBytes: 300 });
  const reader = new JournalReader(directory, START);
  t.equal(reader.read(), 0);
  write(writer, entries.slice(0, 4));
  write(writer, entries.slice(4, 8));
  write(writer, []);
  t.equal(reader.read(), 4);
  t.equal(reader.header?.first, 1);
  t.equal(reader.read(), 4);
  t.equal(reader.header?.first, 5);
  t.equal(reader.read(), 0);
  t.equal(reader.header?.first, 9);
  writer.close();
  reader.close();
  t.end();
});

await t.test('what retention deleted unread is counted as expired', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { segmentBytes: 300 });
  for (let i = 0; i < 3; i++) write(writer, entries.slice(4 * i, 4 * i + 4));
  const slow = new JournalReader(directory, START);
  t.equal(slow.read(), 4);
  const cursor = slow.position;
  for (let i = 3; i < 6; i++) write(writer, entries.slice(4 * i, 4 * i + 4));
  for (const first of [1, 5, 9, 13]) unlinkSync(join(directory, segmentName(first, 1)));
  t.same(drain(slow), expected(entries.slice(16, 24), 17), 'a reader that was there');
  t.equal(slow.expired, 12);
  for (const [position, expired] of [
    [cursor, 12],
    [START, 16],
    [{ epoch: 1, sequence: 16 }, 0],
  ] as const) {
    const reader = new JournalReader(directory, position);
    t.same(drain(reader), expected(entries.slice(16, 24), 17));
    t.equal(reader.expired, expired);
    t.equal(reader.rewound, 0);
    reader.close();
  }
  slow.close();
  writer.close();
  t.end();
});

await t.test('what it has open it reads to the end, deleted or not', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  write(writer, entries.slice(0, 4));
  const reader = new JournalReader(directory, START);
  t.equal(reader.read(), 4);
  write(writer, entries.slice(4, 8));
  writer.setRules(['of the next segment']);
  write(writer, entries.slice(8, 12));
  t.same(segments(directory), [segmentName(1, 1), segmentName(9, 1)]);
  unlinkSync(join(directory, segmentName(1, 1)));
  t.same(drain(reader), expected(entries.slice(4, 12), 5));
  t.equal(reader.expired, 0);
  reader.close();
  writer.close();
  t.end();
});

await t.test('a segment that is deleted between listing and opening is no error', (t) => {
  const directory = t.testdir();
  const gone = join(directory, segmentName(1, 1));
  symlinkSync('nowhere', gone);
  const reader = new JournalReader(directory, START);
  t.equal(reader.read(), 0);
  unlinkSync(gone);
  const writer = openWriter(directory, { segmentBytes: 300 });
  write(writer, entries.slice(0, 4));
  t.same(drain(reader), expected(entries.slice(0, 4)));
  const next = join(directory, segmentName(5, 1));
  symlinkSync('nowhere', next);
  t.equal(reader.read(), 0);
  unlinkSync(next);
  write(writer, entries.slice(4, 8));
  t.same(drain(reader), expected(entries.slice(4, 8), 5));
  t.equal(reader.expired, 0);
  writer.close();
  reader.close();
  t.end();
});

/** The end of a segment goes as in a power cut: marked, not synced. */
function loseTail(directory: string, first: number, size: number): void {
  truncateSync(join(directory, segmentName(first, 1)), size);
}

await t.test('what a power cut took that was read already is counted as rewound', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  write(writer, entries.slice(0, 5));
  const { size } = statSync(join(directory, segmentName(1, 1)));
  write(writer, entries.slice(5, 10));
  const live = new JournalReader(directory, START);
  const partly = new JournalReader(directory, { epoch: 1, sequence: 2 });
  t.equal(live.read(), 10);
  writer.close();
  loseTail(directory, 1, size + 10);
  const second = openWriter(directory);
  t.equal(second.sequence, 5);
  t.same(drain(live), []);
  t.equal(live.rewound, 5);
  t.same(live.position, { epoch: 2, sequence: 5 });
  write(second, entries.slice(20, 24));
  t.same(drain(live), expected(entries.slice(20, 24), 6), 'numbers are given anew');
  const resumed = new JournalReader(directory, { epoch: 1, sequence: 10 });
  t.same(drain(resumed), expected(entries.slice(20, 24), 6));
  t.equal(resumed.rewound, 5);
  const behind = new JournalReader(directory, { epoch: 1, sequence: 5 });
  t.same(drain(behind), expected(entries.slice(20, 24), 6));
  t.equal(behind.rewound, 0, 'what was lost had not been read');
  t.same(drain(partly), [
    ...expected(entries.slice(2, 5), 3),
    ...expected(entries.slice(20, 24), 6),
  ]);
  t.equal(partly.rewound, 0);
  const current = new JournalReader(directory, { epoch: 2, sequence: 9 });
  t.same(drain(current), []);
  t.equal(current.rewound, 0);
  write(second, entries.slice(24, 26));
  for (const reader of [live, resumed, behind, partly, current]) {
    t.same(drain(reader), expected(entries.slice(24, 26), 10));
    t.equal(reader.expired, 0);
    reader.close();
  }
  second.close();
  t.end();
});

await t.test('so is what was in whole segments, once, over further epochs', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, { segmentBytes: 300 });
  for (let i = 0; i < 4; i++) write(writer, entries.slice(4 * i, 4 * i + 4));
  const live = new JournalReader(directory, START);
  t.equal(drain(live).length, 16);
  writer.close();
  // The second mark is gone, and so are the segments behind it.
  loseTail(directory, 5, statSync(join(directory, segmentName(5, 1))).size - 1);
  for (const first of [9, 13]) rmSync(join(directory, segmentName(first, 1)));
  for (const from of [30, 34]) {
    const next = openWriter(directory);
    write(next, entries.slice(from, from + 4));
    next.close();
  }
  t.same(segments(directory), [segmentName(1, 1), segmentName(5, 2), segmentName(9, 3)]);
  const resumed = new JournalReader(directory, { epoch: 1, sequence: 16 });
  for (const reader of [live, resumed]) {
    t.same(drain(reader), expected(entries.slice(30, 38), 5));
    t.same([reader.rewound, reader.expired], [12, 0]);
    t.same(reader.position, { epoch: 3, sequence: 12 });
    reader.close();
  }
  t.end();
});

await t.test('in a directory that is not there yet, or is empty, there is nothing', (t) => {
  const directory = join(t.testdir(), 'later');
  const reader = new JournalReader(directory, START);
  t.equal(reader.read(), 0);
  t.notOk(reader.hasMore);
  mkdirSync(directory);
  t.equal(reader.read(), 0);
  t.notOk(reader.hasMore);
  const writer = openWriter(directory);
  append(writer, entries.slice(0, 2));
  writer.flush();
  t.equal(reader.read(), 0);
  writer.commit(1, 0, COUNTERS);
  t.equal(reader.read(), 2);
  reader.close();
  reader.close();
  writer.close();
  t.end();
});

/** An entry whose record, in the routine lane, is of that many bytes. */
function sized(bytes: number, n: number): Entry {
  const { source, rule, body } = numbered(n);
  const small = 24 + body.length - 3;
  if (bytes < small + 1 || bytes > small + 512) throw new Error(`no record of ${bytes} bytes`);
  const data = new Array<string>(bytes - small).fill('7').join();
  const guid = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
  return { source, rule, body: parseBody(`96,10,6,0,,${n},${guid},${data}`) };
}

/** Entries whose records are of that many bytes together. */
function filling(bytes: number): Entry[] {
  const found: Entry[] = [];
  for (let left = bytes; left > 0;) {
    const next = left > 800 ? 300 : left > 400 ? left - (left >> 1) : left;
    found.push(sized(next, found.length));
    left -= next;
  }
  return found;
}

await t.test('records and marks that end where a read ends are delivered, once', (t) => {
  const root = t.testdir();
  const mark = 32 + 4 + 6 * 8 + 4 + 4 + 4;
  let number = 0;
  for (const end of [4096, 128 * 1024, 512 * 1024]) {
    // The mark, or the last record before it, ends there, or just before or behind it.
    for (const shift of [-8, -1, 0, 1, 7, 8]) {
      for (const behind of [0, mark]) {
        const directory = join(root, String(++number));
        const writer = openWriter(directory, { segmentBytes: 2 ** 26 });
        const first = filling(end + shift - behind);
        const reader = new JournalReader(directory, START);
        write(writer, first);
        t.same(drain(reader), expected(first), `${first.length} records to ${end}${shift}`);
        t.notOk(reader.hasMore);
        write(writer, entries.slice(0, 3));
        t.ok(reader.hasMore);
        t.same(drain(reader), expected(entries.slice(0, 3), first.length + 1));
        t.equal(reader.read(), 0);
        const late = new JournalReader(directory, START);
        t.same(drain(late), expected([...first, ...entries.slice(0, 3)]));
        late.close();
        reader.close();
        writer.close();
      }
    }
  }
  t.end();
});

await t.test('hasMore sees a record without its mark, and the next segment', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  const reader = new JournalReader(directory, START);
  t.ok(reader.hasMore, 'a segment that was not looked at yet');
  t.equal(reader.read(), 0);
  t.notOk(reader.hasMore);
  append(writer, entries.slice(0, 2));
  t.notOk(reader.hasMore);
  writer.flush();
  t.ok(reader.hasMore);
  t.equal(reader.read(), 0);
  t.ok(reader.hasMore);
  writer.commit(1, 0, COUNTERS);
  t.equal(reader.read(), 2);
  t.notOk(reader.hasMore);
  writer.setRules(['another']);
  append(writer, entries.slice(2, 4));
  writer.flush();
  utimesSync(directory, 2000, 2000);
  t.ok(reader.hasMore);
  writer.commit(2, 0, COUNTERS);
  t.equal(reader.read(), 2);
  utimesSync(directory, 3000, 3000);
  t.notOk(reader.hasMore);
  reader.close();
  writer.close();
  t.end();
});
