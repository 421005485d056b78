import { appendFileSync, cpSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Outflow } from '../../src/gate/outflow.js';
import { Ledger } from '../../src/gate/ledger.js';
import { readU32 } from '../../src/event/layout.js';
import { MARK } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import { CHANNEL_PERMITTED, EMITTED } from '../../src/policy/outcome.js';
import { drain, expected, numbered } from './tools.js';

const JOURNALS = ['a/urgent', 'b/urgent', 'a', 'b'];
const entries = Array.from({ length: 12 }, (_, i) => ({ ...numbered(i), source: 0, rule: 0 }));
const LATER = Date.now() + 1e6;

function open(directory: string): Ledger {
  return new Ledger(
    {
      sources: ['plant'],
      channels: ['a', 'b'].map((name) => ({
        name,
        directory: join(directory, name),
        retain: { size: 2 ** 26, age: Infinity },
      })),
      directory,
    },
    ['rule'],
  );
}

/** Appends so many records to each journal, and commits them. */
function write(ledger: Ledger, from: number, count: number, now: number): void {
  const outflow = new Outflow(ledger.lanes, ledger.outcomes);
  for (const channel of [0, 1]) {
    for (const urgent of [true, false]) {
      for (const { body } of entries.slice(from, from + count)) {
        outflow.turnTo(channel);
        outflow.buffer.set(body, outflow.at);
        outflow.append(body.length, 0, 0, false, urgent);
        outflow.count(channel, CHANNEL_PERMITTED, 1);
        outflow.count(channel, EMITTED, 1);
      }
    }
  }
  ledger.counters[0]![9] = now;
  if (ledger.commit(now) !== 'stands') throw new Error(ledger.failure);
  outflow.committed();
}

const pathOf = (directory: string, name: string): string => {
  const segments = readdirSync(join(directory, name)).filter((file) => file.endsWith('.tgj'));
  return join(directory, name, segments.sort().at(-1)!);
};

/** Where each record of a segment begins, and its kind. */
function records(bytes: Buffer): { at: number; mark: boolean }[] {
  const found: { at: number; mark: boolean }[] = [];
  for (let at = 12 + bytes.readUInt32BE(8) + 4; at < bytes.length; at += readU32(bytes, at)) {
    found.push({ at, mark: bytes[at + 4] === MARK });
  }
  return found;
}

/** Two batches of three records in each journal. */
function fill(directory: string): void {
  const ledger = open(directory);
  write(ledger, 0, 3, LATER);
  write(ledger, 3, 3, LATER + 1);
  ledger.close();
}

const read = (directory: string, name: string): string[] => {
  const reader = new JournalReader(join(directory, name), { epoch: 0, sequence: 0 });
  const all = drain(reader);
  reader.close();
  return all;
};

const GARBAGE: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  zeros: Buffer.alloc(5000),
  noise: Buffer.from('torn'.repeat(100)),
  'half a record': Buffer.concat([Buffer.from([0, 0, 0, 90, 1]), Buffer.alloc(40, 7)]),
};

await t.test('where one mark of a batch stands, all journals have the batch', (t) => {
  const root = t.testdir({});
  const whole = join(root, 'whole');
  fill(whole);
  // Whichever marks are missing, but not all of them.
  for (let stands = 1; stands < 16; stands++) {
    for (const [what, garbage] of Object.entries(GARBAGE)) {
      const copy = join(root, 'copy');
      cpSync(whole, copy, { recursive: true });
      let missing = 0;
      JOURNALS.forEach((name, i) => {
        if ((stands >> i) & 1) return;
        missing++;
        const path = pathOf(copy, name);
        const bytes = readFileSync(path);
        truncateSync(path, records(bytes).at(-1)!.at);
        appendFileSync(path, garbage);
      });
      const ledger = open(copy);
      t.same(ledger.mended.adopted, 3 * missing, `${stands}, ${what} behind`);
      t.equal(ledger.mended.missing, 0);
      t.equal(ledger.counters[0]![9], LATER + 1);
      t.match(ledger.describe(), [
        { journalled: 12, urgent: 6, emitted: 12, permitted: 12 },
        { journalled: 12, urgent: 6, emitted: 12, permitted: 12 },
      ]);
      for (const name of JOURNALS) t.same(read(copy, name), expected(entries.slice(0, 6)), name);
      write(ledger, 6, 2, LATER + 2);
      ledger.close();
      for (const name of JOURNALS) t.same(read(copy, name), expected(entries.slice(0, 8)), name);
      const again = open(copy);
      t.same(again.mended, { cut: 0, adopted: 0, missing: 0, unshown: 0 });
      again.close();
      rmSync(copy, { recursive: true });
    }
  }
  t.end();
});

await t.test('what a mark names and is not there is booked, and the sums hold', (t) => {
  const root = t.testdir({});
  fill(root);
  // No disk that keeps its word does this: one journal has lost two records of the batch.
  const path = pathOf(root, 'b');
  const bytes = readFileSync(path);
  truncateSync(path, records(bytes).at(-3)!.at + 5);
  const ledger = open(root);
  t.same([ledger.mended.adopted, ledger.mended.missing], [1, 2]);
  t.match(ledger.describe(), [
    { journalled: 12, emitted: 12, permitted: 12, withheld: {} },
    { journalled: 10, emitted: 10, permitted: 12, withheld: { interrupted: 2 } },
  ]);
  t.same(read(root, 'b'), expected(entries.slice(0, 4)));
  write(ledger, 6, 2, LATER + 2);
  ledger.close();
  t.same(read(root, 'b'), expected([...entries.slice(0, 4), ...entries.slice(6, 8)]));
  const again = open(root);
  t.same(again.mended, { cut: 0, adopted: 0, missing: 0, unshown: 0 });
  t.match(again.describe()[1], { journalled: 14, emitted: 14, withheld: { interrupted: 2 } });
  again.close();
  t.end();
});

await t.test('without any mark the batch is gone from all of them', (t) => {
  const root = t.testdir({});
  fill(root);
  for (const name of JOURNALS) {
    const path = pathOf(root, name);
    truncateSync(path, records(readFileSync(path)).at(-1)!.at);
  }
  const ledger = open(root);
  t.same([ledger.mended.adopted, ledger.mended.missing], [0, 0]);
  t.ok(ledger.mended.cut > 0);
  t.equal(ledger.counters[0]![9], LATER);
  for (const name of JOURNALS) t.same(read(root, name), expected(entries.slice(0, 3)));
  ledger.close();
  t.end();
});
