import fc from 'fast-check';
import {
  appendFileSync,
  cpSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { markLength, parseHeader, writeMark } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import { JournalWriter } from '../../src/journal/writer.js';
import {
  append,
  drain,
  entry,
  expected,
  numbered,
  openWriter,
  segmentName,
  segments,
  write,
  COUNTERS,
} from './tools.js';

const entries = Array.from({ length: 20 }, (_, i) => numbered(i));
const START = { epoch: 0, sequence: 0 };
const NOTHING = { time: 0, counters: [], outcomes: [], sequences: new Float64Array() };

/** Opens a damaged copy: what it holds, and what it holds once a record has been added. */
function recover(directory: string) {
  const writer = openWriter(directory);
  const { sequence, mended } = writer;
  const found = drain(new JournalReader(directory, START));
  write(writer, entries.slice(19));
  writer.close();
  return { sequence, cut: mended.cut, found, next: drain(new JournalReader(directory, START)) };
}

await t.test('a last batch cut at any byte is gone as a whole, and its numbers are free', (t) => {
  const root = t.testdir({ whole: {} });
  const whole = join(root, 'whole');
  const path = join(whole, segmentName(5, 1));
  const writer = openWriter(whole);
  write(writer, entries.slice(0, 4));
  writer.setRules(['of the next segment']);
  write(writer, entries.slice(4, 6));
  const marked = statSync(path).size;
  write(writer, entries.slice(6, 8));
  writer.close();
  t.same(segments(whole), [segmentName(1, 1), segmentName(5, 1)]);
  const size = statSync(path).size;
  t.ok(size - marked > 150);
  const bytes = readFileSync(path);
  for (let end = marked; end <= size; end++) {
    const directory = join(root, 'copy');
    cpSync(whole, directory, { recursive: true });
    truncateSync(join(directory, segmentName(5, 1)), end);
    const left = entries.slice(0, end === size ? 8 : 6);
    // Zeros at the end are room that was taken ahead: there is nothing in them to be cut.
    const content = bytes.subarray(marked, end).findLastIndex((byte) => byte !== 0) + 1;
    const cut = end === size ? 0 : content;
    t.same(
      recover(directory),
      {
        sequence: left.length,
        cut,
        found: expected(left),
        next: expected([...left, entries[19]!]),
      },
      `cut at ${end}`,
    );
    rmSync(directory, { recursive: true });
  }
  t.end();
});

await t.test('a last batch with any byte changed is gone as a whole', (t) => {
  const root = t.testdir({ whole: {} });
  const whole = join(root, 'whole');
  const path = join(whole, segmentName(1, 1));
  const writer = openWriter(whole);
  write(writer, entries.slice(0, 6));
  const marked = statSync(path).size;
  write(writer, entries.slice(6, 8));
  writer.close();
  const bytes = readFileSync(path);
  for (let at = marked; at < bytes.length; at++) {
    const directory = join(root, 'copy');
    cpSync(whole, directory, { recursive: true });
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << (at % 8);
    writeFileSync(join(directory, segmentName(1, 1)), flipped);
    const reader = new JournalReader(directory, START);
    t.same(drain(reader), expected(entries.slice(0, 6)), `a reader, with byte ${at} changed`);
    reader.close();
    t.same(
      recover(directory),
      {
        sequence: 6,
        cut: bytes.length - marked,
        found: expected(entries.slice(0, 6)),
        next: expected([...entries.slice(0, 6), entries[19]!]),
      },
      `a writer, with byte ${at} changed`,
    );
    rmSync(directory, { recursive: true });
  }
  t.end();
});

await t.test('a batch that was written and not marked is cut', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  write(writer, entries.slice(0, 3));
  const size = statSync(join(directory, segmentName(1, 1))).size;
  append(writer, entries.slice(3, 8));
  writer.flush();
  writer.close();
  const written = statSync(join(directory, segmentName(1, 1))).size;
  t.ok(written > size);
  const again = openWriter(directory);
  // The room of the mark that did not come is nothing that was cut.
  const room = markLength([
    [COUNTERS.length, COUNTERS[0]!.length],
    [0, 0],
    [1, 0],
  ]);
  t.equal(again.mended.cut, written - size - room);
  t.equal(again.sequence, 3);
  t.equal(statSync(join(directory, segmentName(1, 1))).size, size);
  again.close();
  t.end();
});

await t.test(
  'a segment whose header is torn, or whole without a mark behind it, is dropped',
  (t) => {
    const root = t.testdir({ whole: {} });
    const whole = join(root, 'whole');
    const writer = openWriter(whole, { segmentBytes: 300 });
    write(writer, entries.slice(0, 3));
    append(writer, entries.slice(3, 5));
    writer.flush();
    writer.close();
    const torn = segmentName(4, 1);
    const header = parseHeader(readFileSync(join(whole, torn)))!.length;
    for (const end of [0, 1, 7, 8, 11, 12, 100, header - 4, header - 1, header]) {
      const directory = join(root, 'copy');
      cpSync(whole, directory, { recursive: true });
      truncateSync(join(directory, torn), end);
      const { sequence, found, next } = recover(directory);
      t.equal(sequence, 3);
      t.same(found, expected(entries.slice(0, 3)));
      t.same(next, expected([...entries.slice(0, 3), entries[19]!]));
      t.same(segments(directory), [segmentName(1, 1), segmentName(4, 2)]);
      rmSync(directory, { recursive: true });
    }
    t.end();
  },
);

await t.test('a mark that names other records than those before it is none', (t) => {
  const directory = t.testdir();
  const mark = Buffer.alloc(200);
  for (const sequence of [2, 4]) {
    const writer = openWriter(directory);
    write(writer, entries.slice(0, 3));
    writer.close();
    const length = writeMark(mark, 0, { ...NOTHING, sequence, batch: 99 });
    appendFileSync(join(directory, segmentName(1, 1)), mark.subarray(0, length));
    const found = JournalWriter.inspect(directory);
    t.ok(found.newest?.mark);
    t.not(found.newest?.mark?.batch, 99);
    const again = openWriter(directory);
    t.equal(again.sequence, 3);
    t.equal(again.mended.cut, length);
    again.close();
    for (const name of segments(directory)) rmSync(join(directory, name));
  }
  t.end();
});

await t.test('a torn segment that is alone still says where the sequence stood', (t) => {
  const directory = t.testdir();
  for (const bytes of ['', 'TGJRNL1\n\0\0']) {
    writeFileSync(join(directory, segmentName(501, 4)), bytes);
    const writer = openWriter(directory);
    t.equal(writer.sequence, 500);
    t.same(segments(directory), [segmentName(501, 5)]);
    writer.close();
    rmSync(join(directory, segmentName(501, 5)));
  }
  t.end();
});

await t.test('killed after any steps, it holds what was marked, without a gap', (t) => {
  const root = t.testdir();
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(entry, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom('flush', 'rollback', 'kill' as const) },
  );
  let runs = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 4, maxLength: 14 }),
      fc.integer({ min: 1, max: 900 }),
      (steps, segmentBytes) => {
        const directory = join(root, String(runs++));
        const open = () => openWriter(directory, { segmentBytes });
        let writer = open();
        const live = new JournalReader(directory, START);
        const marked: string[] = [];
        const seen: string[] = [];
        for (const step of steps) {
          if (typeof step !== 'string') {
            marked.push(...expected(step, marked.length + 1));
            write(writer, step);
          } else {
            append(writer, entries.slice(0, 2));
            if (step !== 'rollback') writer.flush();
            seen.push(...drain(live));
            t.same(seen, marked, 'a reader that looks before the mark');
            if (step === 'kill') {
              writer.close();
              writer = open();
            } else t.equal(writer.rollback(), 2);
          }
          seen.push(...drain(live));
          t.same(seen, marked, 'a reader that follows');
          t.equal(writer.sequence, marked.length);
        }
        writer.close();
        live.close();
        t.same([live.expired, live.rewound], [0, 0]);
        t.same(drain(new JournalReader(directory, START)), marked, 'a reader that comes later');
      },
    ),
    { numRuns: 30 },
  );
  t.end();
});

await t.test('an epoch whose marks a power cut took is not begun again, whatever follows', (t) => {
  const directory = t.testdir();
  for (const from of [0, 5]) {
    const writer = openWriter(directory);
    write(writer, entries.slice(from, from + 5));
    writer.close();
  }
  const path = join(directory, segmentName(6, 2));
  const reader = new JournalReader(directory, START);
  t.equal(drain(reader).length, 10);
  const { position } = reader;
  t.same(position, { epoch: 2, sequence: 10 });
  reader.close();
  truncateSync(path, parseHeader(readFileSync(path))!.length);
  // The next gate ends, as by a kill, when it has mended the journal and has not begun its segment.
  t.throws(() => openWriter(directory, { rules: ['r'.repeat(2 ** 21)] }), RangeError);
  const writer = openWriter(directory);
  write(writer, entries.slice(15, 18));
  const resumed = new JournalReader(directory, position);
  t.same(drain(resumed), expected(entries.slice(15, 18), 6));
  t.same([resumed.rewound, resumed.expired], [5, 0]);
  t.notOk(segments(directory).includes(segmentName(6, 2)), 'what held nothing is gone');
  resumed.close();
  writer.close();
  t.end();
});
