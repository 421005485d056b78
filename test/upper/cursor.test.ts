import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Cursor, type Progress, zeroProgress } from '../../src/upper/cursor.js';

const ZERO = zeroProgress();

/** Numbers that no other generation shares, the last beyond 32 bits. */
function generation(n: number): Progress {
  return {
    epoch: n,
    sequence: 1000 * n + 1,
    sent: 1000 * n + 2,
    answered: 1000 * n + 3,
    refused: 1000 * n + 4,
    expired: 1000 * n + 5,
    resent: 1000 * n + 6,
    rewinds: 1000 * n + 7,
    stray: 1000 * n + 8,
    discarded: Number.MAX_SAFE_INTEGER - n,
  };
}

function load(path: string): Progress {
  const cursor = new Cursor(path);
  const progress = { ...cursor.progress };
  cursor.close();
  return progress;
}

/** The bytes of a cursor's file after each of `count` saves of one process. */
function saves(t: Test, count: number): Buffer[] {
  const path = join(t.testdir({}), 'cursor');
  const cursor = new Cursor(path);
  const states = Array.from({ length: count }, (_, i) => {
    Object.assign(cursor.progress, generation(i + 1));
    cursor.save();
    return readFileSync(path);
  });
  cursor.close();
  return states;
}

await t.test('a new cursor stands at the start, and what is saved is found again', (t) => {
  const path = join(t.testdir({}), 'cursor');
  t.strictSame(load(path), ZERO);
  for (let n = 1; n <= 5; n++) {
    const cursor = new Cursor(path);
    t.strictSame(cursor.progress, n === 1 ? ZERO : generation(n - 1));
    Object.assign(cursor.progress, generation(n));
    cursor.save();
    cursor.close();
    t.strictSame(load(path), generation(n));
  }
  t.end();
});

await t.test('a kill at every byte of a write leaves the state before it, whole', (t) => {
  const states = saves(t, 6);
  const path = join(t.testdir({}), 'torn');
  for (let n = 1; n < states.length; n++) {
    const [before, after] = [states[n - 1]!, states[n]!];
    const size = Math.max(before.length, after.length);
    const old = Buffer.concat([before, Buffer.alloc(size - before.length)]);
    const changed = [...after.keys()].filter((i) => old[i] !== after[i]);
    const [first, last] = [changed[0]!, changed.at(-1)!];
    for (let end = first; end <= last; end++) {
      writeFileSync(path, Buffer.concat([after.subarray(0, end), old.subarray(end)]));
      t.strictSame(load(path), generation(n), `write ${n + 1}, torn before byte ${end}`);
    }
    writeFileSync(path, Buffer.concat([after.subarray(0, last + 1), old.subarray(last + 1)]));
    t.strictSame(load(path), generation(n + 1));
  }
  t.end();
});

await t.test('a write that was torn is followed by whole ones', (t) => {
  const states = saves(t, 4);
  const path = join(t.testdir({}), 'cursor');
  writeFileSync(path, Buffer.concat([states[3]!.subarray(0, 50), states[2]!.subarray(50)]));
  t.strictSame(load(path), generation(3));
  for (let n = 10; n < 14; n++) {
    const cursor = new Cursor(path);
    Object.assign(cursor.progress, generation(n));
    cursor.save();
    cursor.close();
    t.strictSame(load(path), generation(n));
  }
  t.end();
});

await t.test('a damaged bit costs its slot, never gives a number that was not saved', (t) => {
  const state = saves(t, 4)[3]!;
  const path = join(t.testdir({}), 'damaged');
  let fallen = 0;
  for (let bit = 0; bit < state.length * 8; bit++) {
    const bytes = Buffer.from(state);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, bytes);
    const { epoch, ...rest } = load(path);
    t.ok(epoch === 3 || epoch === 4);
    t.strictSame({ epoch, ...rest }, generation(epoch));
    if (epoch === 3) fallen++;
  }
  t.equal(fallen, 128 * 8, 'every bit of the newer slot counts');
  t.end();
});

await t.test('a file of garbage, or of no or too few bytes, is a new cursor', (t) => {
  const path = join(t.testdir({}), 'garbage');
  const magic = Buffer.from('TGC1');
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(256),
    Buffer.alloc(256, 0xff),
    randomBytes(7),
    randomBytes(4096),
    Buffer.concat([magic, randomBytes(124), magic, randomBytes(124)]),
  ]) {
    writeFileSync(path, bytes);
    t.strictSame(load(path), ZERO, `${bytes.length} bytes`);
    const cursor = new Cursor(path);
    Object.assign(cursor.progress, generation(1));
    cursor.save();
    cursor.close();
    t.strictSame(load(path), generation(1));
  }
  t.end();
});
