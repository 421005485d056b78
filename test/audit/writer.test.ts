import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseCheckpoint } from '../../src/audit/checkpoint.js';
import { encodePlain } from '../../src/audit/encode.js';
import { inspectLog, LogMismatch } from '../../src/audit/tail.js';
import { splitBundle } from '../../src/audit/tiles.js';
import { LogWriter } from '../../src/audit/writer.js';
import { openNote, signerOf } from '../../src/note/note.js';
import { Recorder } from '../journal/crash.js';
import { mountSmallDisk } from '../journal/small-disk.js';

const SIGNER = signerOf('relay', generateKeyPairSync('ed25519').privateKey);

const sha256 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** RFC 6962, 2.1, as it stands there. */
function rootOf(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]!);
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return sha256(Uint8Array.of(1), rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
}

function leafOf(index: number, run: number): Buffer {
  const head = {
    index,
    time: 1000 + index,
    clock: 'steady',
    start: 0,
    policies: undefined,
  } as const;
  const reason = `${run} `.repeat(1 + ((index * 7) % 50));
  return encodePlain(head, { kind: 'loss', source: 0, reason, count: index + 1 });
}

function bundled(leaves: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    leaves.flatMap((leaf) => [Uint8Array.of(leaf.length >>> 8, leaf.length & 0xff), leaf]),
  );
}

/** All leaves of a directory, by the files' names alone. */
function leavesIn(directory: string): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let i = 0; ; i++) {
    const path = join(directory, 'tile/entries', String(i).padStart(3, '0'));
    if (!existsSync(path)) break;
    leaves.push(...splitBundle(readFileSync(path)).leaves);
  }
  const open = join(directory, 'leaves');
  return existsSync(open) ? [...leaves, ...splitBundle(readFileSync(open)).leaves] : leaves;
}

/** The checkpoint's leaves and root, and every tile and bundle that a reader needs for them. */
function checkPublished(directory: string): number {
  const { text } = openNote(readFileSync(join(directory, 'checkpoint'), 'utf8'), [SIGNER]);
  const { size, root } = parseCheckpoint(text);
  const leaves = leavesIn(directory).slice(0, size);
  assert.equal(leaves.length, size);
  assert.ok(rootOf(leaves).equals(root), `the root of ${size}`);
  const hashes: Buffer[] = leaves.map((leaf) => sha256(Uint8Array.of(0), leaf));
  for (let level = 0, of = hashes; of.length > 0; level++) {
    for (let at = 0; at < of.length; at += 256) {
      const part = of.slice(at, at + 256);
      const name =
        String(at / 256).padStart(3, '0') + (part.length < 256 ? `.p/${part.length}` : '');
      const tile = readFileSync(join(directory, 'tile', String(level), name));
      assert.ok(tile.equals(Buffer.concat(part)), `tile ${level}/${name}`);
      if (level > 0) continue;
      const bundle = readFileSync(join(directory, 'tile/entries', name));
      assert.ok(bundle.equals(bundled(leaves.slice(at, at + 256))), `bundle ${name}`);
    }
    const full = Math.floor(of.length / 256);
    of = Array.from({ length: full }, (_, i) => {
      let row = of.slice(256 * i, 256 * (i + 1));
      while (row.length > 1) {
        row = Array.from({ length: row.length / 2 }, (_, k) =>
          sha256(Uint8Array.of(1), row[2 * k]!, row[2 * k + 1]!),
        );
      }
      return row[0]!;
    });
  }
  return size;
}

/** Opens a log, and gives what it holds. */
function reopen(directory: string): { writer: LogWriter; leaves: Uint8Array[] } {
  const found = inspectLog(directory);
  const leaves = leavesIn(directory).slice(0, found.size);
  assert.equal(leaves.length, found.size);
  return { writer: new LogWriter(directory, 'relay', [SIGNER], found.end), leaves };
}

await t.test('tiles, bundles and checkpoints are what any reader derives', (t) => {
  const directory = t.testdir();
  let { writer } = reopen(directory);
  let count = 0;
  const sizes: number[] = [];
  // Bundles that become full in one write, by one write more, by several at once.
  for (const more of [1, 3, 250, 2, 1, 255, 1, 300, 700, 256, 0, 5]) {
    const leaves = Array.from({ length: more }, () => leafOf(count++, 0));
    writer.append(bundled(leaves), true);
    assert.equal(writer.size, count);
    writer.publish(sizes.length % 3 === 0);
    sizes.push(checkPublished(directory));
    if (sizes.length % 4 !== 0) continue;
    writer.close();
    ({ writer } = reopen(directory));
  }
  writer.publish(true);
  t.equal(checkPublished(directory), count);
  t.ok(sizes.includes(1280), `while bundles fill, what is signed ends at one: ${sizes.join(' ')}`);
  writer.close();
  t.end();
});

await t.test('after any kill and any power cut the log goes on from what is durable', (t) => {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tidegate-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const seen = { kept: 0, cut: 0, finished: 0 };
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 120 }) }) },
    { weight: 2, arbitrary: fc.record({ publish: fc.boolean() }) },
  );
  const round = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 12 }),
    power: fc.boolean(),
    where: fc.double({ min: 0, max: 1, noNaN: true }),
    seed: fc.integer(),
  });
  let run = 0;
  fc.assert(
    fc.property(fc.array(round, { minLength: 1, maxLength: 4 }), (rounds) => {
      let directory = join(root, `${run++}.log`);
      mkdirSync(directory);
      let durable: Uint8Array[] = [];
      for (const { steps, power, where, seed } of rounds) {
        const recorder = new Recorder(directory, undefined, (path) =>
          /(leaves|\.new|point|\/\d{3}|\.p\/\d+)$/.test(path),
        );
        const promised: { ops: number; leaves: number }[] = [];
        let all: Uint8Array[];
        try {
          const { writer, leaves } = reopen(directory);
          all = leaves;
          assert.ok(durable.every((leaf, i) => leaves[i] && Buffer.compare(leaf, leaves[i]) === 0));
          for (const each of steps) {
            if ('publish' in each) {
              writer.publish(each.publish);
              checkPublished(directory);
              continue;
            }
            const more = Array.from({ length: each.append }, (_, i) => leafOf(all.length + i, run));
            writer.append(bundled(more), true);
            all = [...all, ...more];
            promised.push({ ops: recorder.ops.length, leaves: all.length });
          }
          writer.close();
        } finally {
          recorder.stop();
        }
        const until = Math.floor(where * (recorder.ops.length + 1));
        const next = join(root, `${run++}.log`);
        mkdirSync(next);
        let state = seed >>> 0;
        const choose = (n: number): number => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return (state >>> 8) % n;
        };
        if (power) recorder.cutPower(until, next, choose);
        else recorder.kill(until, next, choose);
        const kept = promised.findLast(({ ops }) => ops <= until)?.leaves;
        durable = all.slice(0, Math.max(kept ?? 0, durable.length));
        seen.kept += durable.length;
        rmSync(directory, { recursive: true });
        directory = next;
        const { writer, leaves } = reopen(directory);
        assert.ok(leaves.length >= durable.length, `${leaves.length} of ${durable.length}`);
        leaves.forEach((leaf, i) => assert.ok(Buffer.compare(leaf, all[i]!) === 0, `leaf ${i}`));
        seen.cut += all.length - leaves.length;
        durable = leaves;
        writer.publish(true);
        assert.equal(checkPublished(directory), leaves.length);
        writer.close();
        seen.finished++;
      }
      rmSync(directory, { recursive: true });
    }),
    { numRuns: Number(process.env['TIDEGATE_CRASHES'] ?? 60) },
  );
  t.ok(seen.kept > 50 && seen.cut > 50, JSON.stringify(seen));
  t.end();
});

await t.test('a log that is not what it was is not continued', (t) => {
  const make = (): string => {
    const directory = mkdtempSync(join(t.testdirName, 'log-'));
    const { writer } = reopen(directory);
    writer.append(bundled(Array.from({ length: 300 }, (_, i) => leafOf(i, 0))), true);
    writer.publish(true);
    writer.close();
    return directory;
  };
  t.testdir();
  const change = (path: string, edit: (bytes: Buffer) => Buffer): void => {
    const directory = make();
    writeFileSync(join(directory, path), edit(readFileSync(join(directory, path))));
    t.throws(() => inspectLog(directory), LogMismatch, path);
  };
  t.equal(inspectLog(make()).size, 300);
  // A leaf that was changed, with its checksum; the last one gone; all of them gone.
  change('leaves', () =>
    bundled(Array.from({ length: 44 }, (_, i) => leafOf(256 + i, i === 9 ? 1 : 0))),
  );
  change('leaves', () => bundled(Array.from({ length: 43 }, (_, i) => leafOf(256 + i, 0))));
  change('leaves', () => Buffer.alloc(0));
  change('leaves', (bytes) => bytes.subarray(0, 700));
  change('checkpoint', (bytes) => Buffer.from(bytes.toString().replace('\n300\n', '\n301\n')));
  change('checkpoint', (bytes) => Buffer.from(bytes.toString().replace('\n300\n', '\n299\n')));
  // What is derived is derived again.
  const directory = make();
  rmSync(join(directory, 'tile/1'), { recursive: true });
  rmSync(join(directory, 'tile/0/001.p'), { recursive: true });
  t.equal(inspectLog(directory).size, 300);
  // Nobody syncs a partial tile: after a power cut it may hold anything.
  const cut = make();
  writeFileSync(join(cut, 'tile/1/000.p/1'), Buffer.alloc(32));
  t.equal(inspectLog(cut).size, 300);
  t.end();
});

await t.test('a full disk is well again when it has room for leaves, and the room is kept', (t) => {
  const disk = mountSmallDisk(t, 1024);
  if (!disk) return;
  const { directory } = disk;
  const writer = new LogWriter(directory, 'relay', [SIGNER], inspectLog(directory).end);
  const leaf = (index: number): Buffer => bundled([leafOf(index, 0)]);
  writer.append(leaf(0), true);
  const left = statfsSync(directory).bavail;
  disk.fill();
  const many = bundled(Array.from({ length: 200 }, () => Buffer.alloc(2000, 1)));
  t.throws(() => writer.append(many, true), { code: 'ENOSPC' });
  // What that has given back others take.
  disk.fill();
  t.throws(() => writer.probe(), { code: 'ENOSPC' });
  t.throws(() => writer.probe(), { code: 'ENOSPC' });
  disk.free();
  writer.probe();
  t.ok(statfsSync(directory).bavail <= left, 'as much room as before');
  disk.fill();
  writer.probe();
  for (let i = 1; i < 50; i++) writer.append(leaf(i), true);
  writer.close();
  const found = inspectLog(directory);
  t.same(
    Array.from({ length: found.size }, (_, i) => found.leaf(i).index),
    Array.from({ length: 50 }, (_, i) => i),
  );
  t.end();
});
