import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { JournalReader } from '../../src/journal/reader.js';
import { JournalWriter } from '../../src/journal/writer.js';
import { parseBody } from '../../src/event/event.js';

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
