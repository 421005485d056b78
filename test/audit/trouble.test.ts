/** The audit log when something is wrong: what it takes all the same, and what it says. */
import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import t, { type Test } from 'tap';
import { Course } from '../../src/audit/course.js';
import { encodePlain } from '../../src/audit/encode.js';
import { Findings } from '../../src/audit/findings.js';
import type { Leaf, Start } from '../../src/audit/leaf.js';
import { AuditError, AuditLog } from '../../src/audit/log.js';
import { Past } from '../../src/audit/past.js';
import { type Done, NoScribe, type Scribe } from '../../src/audit/scribe.js';
import { CONTROL, nextRequest, Shared } from '../../src/audit/shared.js';
import { inspectLog } from '../../src/audit/tail.js';
import { LogWriter } from '../../src/audit/writer.js';
import { signerOf } from '../../src/note/note.js';

const SIGNER = signerOf('relay', generateKeyPairSync('ed25519').privateKey);
const START: Start = {
  kind: 'start',
  boot: '0011223344556677',
  relay: 'relay',
  key: 'key',
  ...{ sources: ['a'], channels: ['public'], journals: ['public'] },
  ...{ counters: ['in'], outcomes: ['emitted'] },
  ...{ counts: [[0]], sums: [[0]], sequences: [0] },
};
const POLICIES = { kind: 'policies', digest: 'd', files: [], rules: [], signers: [] } as const;
const LOSS = { kind: 'loss', source: 0, reason: 'audit', count: 1 } as const;

/** A thread that does its work at once, on a disk that may refuse, and may make no checkpoint. */
class Disk implements Scribe {
  readonly leaves = new Uint8Array(2 ** 20);
  refuses = false;
  readonly checkpoint = undefined;
  readonly signed = undefined;
  unpublished: string | undefined;
  readonly writer: LogWriter;
  #failure: string | undefined;

  constructor(writer: LogWriter) {
    this.writer = writer;
  }

  append(length: number): void {
    this.#failure = this.refuses ? 'ENOSPC' : undefined;
    if (!this.refuses) this.writer.append(this.leaves.slice(0, length), true);
  }

  probe(): void {
    this.append(0);
  }

  await(): Done {
    return { size: this.writer.size, failure: this.#failure };
  }

  close(): void {
    this.writer.publish(true);
  }
}

function open(t: Test, past?: { time: number }) {
  const directory = t.testdir({});
  const disk = new Disk(new LogWriter(directory, 'relay', [SIGNER], inspectLog(directory).end));
  t.teardown(() => disk.writer.close());
  const log = new AuditLog(disk, 0, past as never, START);
  const read = (): Leaf[] => {
    const found = inspectLog(directory);
    return Array.from({ length: found.size }, (_, i) => found.leaf(i));
  };
  return { directory, disk, log, read };
}

function faultsOf(leaves: readonly Leaf[]): string[] {
  const findings = new Findings();
  const course = new Course(findings, { gaps: false, late: false });
  for (const leaf of leaves) course.take(leaf);
  return findings.list.map(({ leaf, message }) => `${leaf!}: ${message}`);
}

await t.test('numbers of requests come round', (t) => {
  const { control } = new Shared();
  Atomics.store(control, CONTROL.request, 2 ** 31 - 2);
  for (let i = 0; i < 3; i++) t.equal(nextRequest(control), Atomics.load(control, CONTROL.request));
  t.ok(Atomics.load(control, CONTROL.request) < 0);
  t.end();
});

await t.test('a log that is not continued says why', (t) => {
  const log = new AuditLog(new NoScribe('it is of another relay'), 0, undefined, START);
  const why = { name: 'AuditError', message: 'it is of another relay' };
  t.throws(() => {
    log.flush(1000);
    log.flush(1000);
  }, why);
  t.throws(() => log.probe(1000), why);
  t.end();
});

await t.test('what is counted on leaves room for what is not', (t) => {
  const { disk, log, read } = open(t);
  disk.refuses = true;
  let losses = 0;
  while (losses < 1000 && log.note(LOSS)) losses++;
  t.ok(log.crowded && losses < 1000);
  t.ok(log.note(POLICIES), 'other policies are never missing');
  t.notOk(log.note(LOSS));
  t.throws(() => log.probe(1000), AuditError);
  disk.refuses = false;
  log.probe(1000);
  t.equal(read().at(-1)?.policies, read().length - 1);
  t.notOk(log.crowded);
  t.end();
});

await t.test('without a checkpoint nothing goes out, and a probe does not say otherwise', (t) => {
  const { disk, log } = open(t);
  log.probe(1000);
  disk.unpublished = 'EIO';
  t.equal(log.trouble, undefined);
  const machine = performance.now.bind(performance);
  t.teardown(() => (performance.now = machine));
  performance.now = () => machine() + 61_000;
  t.throws(() => log.probe(1000), { name: 'AuditError', message: 'no checkpoint: EIO' });
  disk.unpublished = undefined;
  log.probe(1000);
  t.end();
});

await t.test('what waits while the clock is set has its time by the clock as it was', (t) => {
  const HOUR = 3_600_000;
  const { disk, log, read } = open(t);
  let now = 10 * HOUR;
  log.probe(now);
  const times = [now];
  const set = (...steps: number[]): void => {
    disk.refuses = true;
    for (const by of steps) {
      log.note(LOSS);
      now += by;
      log.clockSet(by);
    }
    t.throws(() => log.probe(now), AuditError);
    disk.refuses = false;
    now += 1000;
    log.probe(now);
    times.push(read().at(-1)!.time);
  };
  set(HOUR);
  set(-3 * HOUR);
  set(-HOUR, 3 * HOUR);
  set(2 * HOUR, -4 * HOUR, HOUR);
  t.same(
    times.map((time) => Math.round(time / HOUR)),
    [10, 11, 8, 10, 9],
  );
  t.same(faultsOf(read()), []);
  t.end();
});

await t.test('a start behind the newest leaf does not wait for the clock', (t) => {
  const { log, read } = open(t, { time: 9_000_000 });
  log.clockSet(1_000_000 - 9_000_000);
  log.probe(1_000_010);
  t.match(read(), [
    { kind: 'start', time: 9_000_010, clock: 'steady' },
    { kind: 'clock', time: 1_000_010, clock: 'steady' },
  ]);
  t.end();
});

await t.test('a log of several bundles is read in any order, and by the gate that follows', (t) => {
  const { directory, log } = open(t);
  for (let i = 0; i < 600; i++) if (!log.note(LOSS)) log.probe(1000 + i);
  log.note(POLICIES);
  log.probe(2000);
  const found = inspectLog(directory);
  const { size } = found;
  t.ok(size > 512);
  for (const index of [size - 1, 0, size - 1, 300, 0, size - 2]) {
    t.equal(found.leaf(index).index, index);
  }
  t.match(new Past(found), { start: { index: 0 }, policies: size - 1 });
  t.end();
});

await t.test('leaves that were refused are not there after a kill', (t) => {
  const { directory, disk, log } = open(t);
  log.probe(1000);
  const machine = fs.fdatasyncSync;
  fs.fdatasyncSync = () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  syncBuiltinESMExports();
  const head = { index: 1, time: 1000, clock: 'steady', start: 0, policies: undefined } as const;
  const leaf = encodePlain(head, LOSS);
  t.throws(() => disk.writer.append(Buffer.from([0, leaf.length, ...leaf]), true));
  fs.fdatasyncSync = machine;
  syncBuiltinESMExports();
  t.equal(disk.writer.size, 1);
  t.equal(inspectLog(directory).size, 1);
  t.end();
});
