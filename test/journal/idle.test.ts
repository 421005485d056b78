import fs, { statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { JournalReader } from '../../src/journal/reader.js';
import { JournalWriter } from '../../src/journal/writer.js';
import { parseBody } from '../../src/event/event.js';
import { scanSegment } from '../../src/journal/scan.js';
import {
  append,
  COUNTERS,
  drain,
  expected,
  numbered,
  openWriter,
  segmentName,
  write,
} from './tools.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

await t.test(
  'a channel that is silent for a day keeps its journal, its size and its readers',
  (t) => {
    const directory = t.testdir({});
    const writer = JournalWriter.open(directory, {
      channel: 'alarms',
      sources: Array.from({ length: 64 }, (_, i) => `plant-${i}`),
      rules: ['p/alarm'],
      counters: Array.from({ length: 36 }, (_, i) => `c${i}`),
      segmentBytes: 2 ** 20,
      retain: { size: 4 * 2 ** 20, age: 7 * 86_400_000 },
    });
    const counters = Array.from({ length: 64 }, () => new Float64Array(36));
    const reader = new JournalReader(directory, { epoch: 0, sequence: 0 });
    const append = (): void => {
      const body = parseBody(`0,1,2,0,,0,${GUID},1`);
      writer.buffer.set(body, writer.bodyAt);
      writer.append(body.length, 0, 0);
    };
    append();
    writer.flush();
    writer.commit(1, 0, counters);
    t.equal(reader.read(), 1);
    const size = (): number => statSync(join(directory, '0000000000000001-00000001.tgj')).size;
    let settled = 0;
    for (let second = 1; second <= 86_400; second++) {
      counters[0]![0] = second;
      writer.flush();
      writer.commit(1 + second, second * 1000, counters);
      if (second === 1) settled = size();
      if (second % 3600 === 0) {
        t.equal(size(), settled);
        t.equal(reader.read(), 0);
      }
    }
    append();
    writer.flush();
    writer.commit(100_000, 86_401_000, counters);
    t.equal(reader.read(), 1, 'the next alarm arrives');
    t.equal(reader.expired, 0);
    writer.close();
    reader.close();
    const { newest } = JournalWriter.inspect(directory);
    t.equal(newest?.mark?.counters[0]?.[0], 86_400, 'the counters of record are the last ones');
    t.end();
  },
);

await t.test('a mark that is written over in part is restored before records follow', (t) => {
  const directory = t.testdir({});
  const path = join(directory, segmentName(1, 1));
  const entries = [numbered(1), numbered(2), numbered(3), numbered(4)];
  const writer = openWriter(directory);
  const reader = new JournalReader(directory, { epoch: 0, sequence: 0 });
  write(writer, entries.slice(0, 2));
  write(writer, []);
  t.same(drain(reader), expected(entries.slice(0, 2)), 'one reader is beyond the mark');

  const { writeSync } = fs;
  /** So many bytes of the next mark are written, then nothing is, for `failures` calls. */
  const tear = (bytes: number, failures: number): void => {
    let calls = 0;
    fs.writeSync = ((fd: number, buffer: Uint8Array, at: number, length: number, to: number) => {
      if (calls++ === 0) return writeSync(fd, buffer, at, bytes, to);
      if (calls <= 1 + failures) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return writeSync(fd, buffer, at, length, to);
    }) as typeof fs.writeSync;
    syncBuiltinESMExports();
  };
  t.teardown(() => {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  });
  const size = statSync(path).size;
  for (const failures of [1, 2, 3]) {
    tear(30, failures);
    writer.flush();
    const changed = COUNTERS.map((vector) => vector.map((value) => value + failures));
    t.throws(() => writer.commit(100 + failures, 0, changed), { code: 'EIO' });
    // The disk may refuse what mends it as well, once and again.
    for (let i = 1; i < failures; i++) t.throws(() => writer.rollback(), { code: 'EIO' });
    writer.rollback();
    t.equal(scanSegment(path)?.committed, size, 'it is as it was');
  }
  tear(30, 2);
  writer.flush();
  t.throws(() => writer.commit(200, 0, COUNTERS));
  t.throws(() => writer.rollback());
  append(writer, entries.slice(2));
  writer.flush();
  writer.commit(201, 0, COUNTERS);
  t.same(drain(reader), expected(entries.slice(2), 3));
  const late = new JournalReader(directory, { epoch: 0, sequence: 0 });
  t.same(drain(late), expected(entries), 'one from the beginning stops at nothing');
  t.equal(scanSegment(path)?.mark?.sequence, 4);
  for (const each of [writer, reader, late]) each.close();
  t.end();
});
