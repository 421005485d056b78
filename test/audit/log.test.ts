import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Pending } from '../../src/audit/encode.js';
import type { Leaf, Start } from '../../src/audit/leaf.js';
import { AuditError, AuditLog } from '../../src/audit/log.js';
import { Past } from '../../src/audit/past.js';
import type { Done, Scribe } from '../../src/audit/scribe.js';
import { inspectLog } from '../../src/audit/tail.js';
import { splitBundle } from '../../src/audit/tiles.js';
import { LogWriter } from '../../src/audit/writer.js';
import { CLASS, DATA, TYPE, writeU16 } from '../../src/event/layout.js';
import { BODY, EVENT, RULE, sealRecord, SOURCE } from '../../src/journal/format.js';
import { signerOf } from '../../src/note/note.js';

const SIGNER = signerOf('relay', generateKeyPairSync('ed25519').privateKey);

/** What the disk does with the next order. */
type Fault = 'none' | 'refuses' | 'half' | 'slow' | 'slow, then refuses';

/** The thread's work done at once, on a disk that does what it is told. */
class Disk implements Scribe {
  readonly leaves = new Uint8Array(2 ** 20);
  fault: Fault = 'none';
  readonly checkpoint = undefined;
  readonly unpublished = undefined;
  readonly writer: LogWriter;
  #done: Done | undefined = { size: 0, failure: undefined };
  #late: Done | undefined;

  constructor(writer: LogWriter) {
    this.writer = writer;
  }

  append(length: number): void {
    this.#done = undefined;
    const bytes = this.leaves.slice(0, length);
    const { fault, writer } = this;
    let failure: string | undefined;
    if (fault === 'refuses' || fault === 'slow, then refuses') failure = 'ENOSPC';
    else if (fault === 'half') {
      const { leaves } = splitBundle(bytes);
      const half = leaves
        .slice(0, Math.floor(leaves.length / 2))
        .reduce((n, leaf) => n + 2 + leaf.length, 0);
      if (half > 0) writer.append(bytes.subarray(0, half), true);
      failure = 'EIO';
    } else writer.append(bytes, true);
    const done = { size: writer.size, failure };
    if (fault.startsWith('slow')) this.#late = done;
    else this.#done = done;
  }

  probe(): void {
    this.append(0);
  }

  await(): Done | undefined {
    return this.#done;
  }

  /** What was slow is done. */
  answer(): void {
    this.#done = this.#late ?? this.#done;
    this.#late = undefined;
  }

  close(): void {
    this.writer.publish(true);
  }
}

/** Records of one journal, as it has them. */
function pendingOf(journal: number, first: number, count: number): Pending {
  const length = BODY + DATA + 4;
  const bytes = new Uint8Array(count * length);
  for (let i = 0; i < count; i++) {
    const at = i * length;
    writeU16(bytes, at + SOURCE, i % 2);
    writeU16(bytes, at + RULE, (first + i) % 3);
    writeU16(bytes, at + BODY + CLASS, 10);
    // Many different decisions: a batch of several leaves.
    writeU16(bytes, at + BODY + TYPE, (first + i) % 5000);
    sealRecord(bytes, at, length, EVENT);
  }
  const commit: Pending['commit'] = (from) => new Uint8Array(32).fill(from & 0xff);
  return { journal, first, count, bytes, commit };
}

const START: Start = {
  kind: 'start',
  boot: '0011223344556677',
  relay: 'relay',
  key: 'key',
  sources: ['a', 'b'],
  channels: ['public', 'archive'],
  journals: ['public', 'archive'],
  counters: ['in'],
  outcomes: ['emitted'],
  counts: [[0], [0]],
  sums: [[0], [0]],
  sequences: [0, 0],
};

function readAll(directory: string): Leaf[] {
  const found = inspectLog(directory);
  return Array.from({ length: found.size }, (_, index) => found.leaf(index));
}

const REFUSED = new Error('EIO');

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      journal: fc.nat(1),
      count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(2500)),
      /** Its disk does, while the log takes the batch. */
      journalRefuses: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ note: fc.constantFrom('loss', 'policies', 'denials') }) },
  { weight: 2, arbitrary: fc.record({ flush: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
);
const faults = fc.constantFrom<Fault[]>(
  'none',
  'none',
  'none',
  'refuses',
  'half',
  'slow',
  'slow, then refuses',
);

await t.test('whatever the disk does, the log says what stands, and each thing once', (t) => {
  let run = 0;
  const root = t.testdir();
  const seen = { stands: 0, lost: 0, refused: 0, withdrawn: 0, waited: 0, parts: 0 };
  fc.assert(
    fc.property(fc.array(fc.tuple(step, faults), { minLength: 1, maxLength: 25 }), (steps) => {
      const directory = join(root, String(run++));
      mkdirSync(directory);
      const open = (): { disk: Disk; log: AuditLog } => {
        const found = inspectLog(directory);
        const disk = new Disk(new LogWriter(directory, 'relay', [SIGNER], found.end));
        const past = found.size > 0 ? new Past(found) : undefined;
        return { disk, log: new AuditLog(disk, found.size, past, START) };
      };
      let { disk, log } = open();
      let [batch, noted, starts] = [0, 0, 1];
      const next = [1, 1];
      /** By batch number: its place and size, and whether it stands. */
      const batches = new Map<
        number,
        { journal: number; first: number; count: number; stands: boolean; counted: number }
      >();
      const numbers = {
        counts: [Float64Array.of(1), Float64Array.of(1)],
        sums: [Float64Array.of(1), Float64Array.of(1)],
      };
      for (const [each, fault] of steps) {
        disk.fault = fault;
        if ('note' in each) {
          const count = ++noted;
          const files = [{ id: 'p', revision: count, sha256: '00'.repeat(32) }];
          if (each.note === 'loss') log.note({ kind: 'loss', source: 0, reason: 'torn', count });
          else if (each.note === 'denials') {
            log.note({
              kind: 'denials',
              since: count,
              denied: [{ source: 0, rule: undefined, count }],
            });
          } else
            log.note({ kind: 'policies', digest: '', files, rules: ['x', 'y', 'z'], signers: [] });
        } else if ('flush' in each) {
          try {
            log.flush(1000);
          } catch (error) {
            assert.ok(error instanceof AuditError);
          }
        } else if ('restart' in each) {
          // In order: what was noted is not to be lost.
          disk.fault = 'none';
          disk.answer();
          try {
            log.probe(1000);
          } catch {
            log.probe(1000);
          }
          log.close(1000);
          starts++;
          ({ disk, log } = open());
        } else {
          const { journal, count, journalRefuses } = each;
          const first = next[journal]!;
          const pending = [pendingOf(journal, first, count)];
          numbers.counts[0]![0]!++;
          const counted = numbers.counts[1]![0]!;
          const own = { journal, first, count, stands: false, counted };
          batches.set(++batch, own);
          const sequences = Float64Array.from(next, (n, i) => n - 1 + (i === journal ? count : 0));
          try {
            own.stands = log.append(1000, { batch, ...numbers, sequences, pending }, () => {
              if (journalRefuses) throw REFUSED;
            });
            if (!own.stands) {
              seen.waited++;
              assert.equal(log.settle(0), false);
              // What is lost meanwhile is counted.
              numbers.counts[1]![0]!++;
              disk.answer();
              own.stands = log.settle(0);
              assert.ok(own.stands);
            }
            assert.ok(!journalRefuses);
            next[journal] = first + count;
            seen.stands++;
          } catch (error) {
            assert.ok(error instanceof AuditError || error === REFUSED, String(error));
            disk.answer();
            seen.lost++;
            if (error === REFUSED) seen.refused++;
          }
        }
        disk.answer();
      }
      disk.fault = 'none';
      try {
        log.probe(1000);
      } catch {
        log.probe(1000);
      }
      log.close(1000);
      const leaves = readAll(directory);
      assert.equal(leaves.filter(({ kind }) => kind === 'start').length, starts);
      const notes = leaves.flatMap((leaf) => {
        if (leaf.kind === 'loss') return [leaf.count];
        if (leaf.kind === 'denials') return [leaf.since];
        return leaf.kind === 'policies' ? [leaf.files[0]!.revision] : [];
      });
      assert.deepEqual(
        notes,
        Array.from({ length: noted }, (_, i) => i + 1),
      );
      let [start, policies]: [number, number | undefined] = [0, undefined];
      const standing = [0, 0];
      let counted = 0;
      const complete = new Set<number>();
      for (const leaf of leaves) {
        if (leaf.kind === 'start') [start, counted] = [leaf.index, 0];
        if (leaf.kind === 'policies') policies = leaf.index;
        assert.deepEqual([leaf.start, leaf.policies], [start, policies], `leaf ${leaf.index}`);
        if (leaf.kind === 'void') {
          standing[leaf.journal] = leaf.first - 1;
          seen.withdrawn++;
        }
        if (leaf.kind !== 'batch') continue;
        seen.parts += Number(leaf.part > 0);
        for (const { journal, first, count, of } of leaf.ranges) {
          assert.equal(first, standing[journal]! + 1, 'no gap, nothing twice');
          standing[journal] = first + count - 1;
          of.forEach((decision, i) => {
            const { rule, source, type } = leaf.decisions[decision]!;
            const place = first + i;
            assert.deepEqual([rule, type], [place % 3, place % 5000]);
            assert.equal(source, (place - batches.get(leaf.batch)!.first) % 2);
          });
        }
        if (!leaf.last) continue;
        complete.add(leaf.batch);
        for (const [i, , value] of leaf.counts) if (i === 1) counted = value;
        assert.equal(counted, batches.get(leaf.batch)!.counted, 'the numbers of its time');
      }
      assert.deepEqual(
        standing,
        next.map((n) => n - 1),
      );
      for (const [number, { stands }] of batches) if (stands) assert.ok(complete.has(number));
    }),
    { numRuns: 200 },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 2, `${what}: ${count}`);
  t.end();
});

await t.test('a gate that follows knows what may lack its marks', (t) => {
  const directory = t.testdir();
  const open = () => {
    const found = inspectLog(directory);
    const past = found.size > 0 ? new Past(found) : undefined;
    const disk = new Disk(new LogWriter(directory, 'relay', [SIGNER], found.end));
    return { past, disk, log: new AuditLog(disk, found.size, past, START) };
  };
  const { disk, log } = open();
  log.note({
    kind: 'policies',
    digest: 'd',
    files: [{ id: 'p', revision: 7, sha256: '00'.repeat(32) }],
    rules: [],
    signers: [],
  });
  const counts = [Float64Array.of(0), Float64Array.of(0)];
  const sums = [Float64Array.of(0), Float64Array.of(0)];
  const append = (
    batch: number,
    journal: number,
    first: number,
    count: number,
    ...sequences: number[]
  ): boolean => {
    counts[0]![0] = batch * 10;
    const pending = [pendingOf(journal, first, count)];
    const own = { batch, counts, sums, sequences: Float64Array.from(sequences), pending };
    return log.append(1000 + batch, own, () => undefined);
  };
  t.ok(append(5, 0, 1, 3, 3, 0));
  t.ok(append(6, 1, 1, 2, 3, 2));
  t.ok(append(7, 1, 3, 2, 3, 4));
  log.withdraw([{ journal: 1, first: 3 }], 'of a test');
  log.probe(2000);
  disk.writer.close();
  const { past } = open();
  t.match(past, { ended: false, policies: 1, time: 2000 });
  t.same(
    past!.named,
    new Map([
      ['public', 3],
      ['archive', 2],
    ]),
    'the last batch is void',
  );
  t.same([...past!.revisions], [['p', 7]]);
  t.match(past!.beyond(4), {
    batch: 6,
    sequences: [3, 2],
    counts: [
      [0, 0, 50],
      [0, 0, 60],
    ],
  });
  t.same(past!.beyond(5)?.counts, [[0, 0, 60]]);
  t.equal(past!.beyond(6), undefined);
  // A batch of which only a part is there.
  const { disk: again, log: next } = open();
  next.probe(3000);
  again.fault = 'half';
  t.throws(
    () =>
      next.append(
        3000,
        {
          batch: 8,
          counts,
          sums,
          sequences: Float64Array.of(2503, 2),
          pending: [pendingOf(0, 4, 2500)],
        },
        () => undefined,
      ),
    AuditError,
  );
  again.writer.close();
  const torn = open().past!;
  t.equal(torn.beyond(7), undefined);
  t.ok(torn.named.get('public')! > 3, 'a part of it is');
  // The next gate is killed before it has said that they are void.
  const { disk: third, log: brief } = open();
  brief.probe(4000);
  third.writer.close();
  t.same(open().past!.named, torn.named);
  t.end();
});
