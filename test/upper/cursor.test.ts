import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Cursor, type Progress, zeroProgress } from '../../src/upper/cursor.js';
import { CURSOR_BYTES, openSlots } from '../../src/wire/slots.js';

/** Numbers that no other generation shares, the last beyond 32 bits. */
function progressOf(n: number): Progress {
  return {
    epoch: n,
    sequence: 1000 * n + 1,
    sent: 1000 * n + 2,
    answered: 1000 * n + 3,
    refused: 1000 * n + 4,
    expired: 1000 * n + 5,
    resent: 1000 * n + 6,
    rewound: Number.MAX_SAFE_INTEGER - n,
  };
}

interface State {
  readonly routine: Progress;
  readonly urgent: Progress;
  readonly stray: number;
  readonly discarded: number;
}

const ZERO: State = {
  routine: zeroProgress(),
  urgent: zeroProgress(),
  stray: 0,
  discarded: 0,
};

/** All that a cursor holds: no two numbers of it are the same. */
function generation(n: number): State {
  return {
    routine: progressOf(n),
    urgent: progressOf(n + 500),
    stray: 1000 * n + 8,
    discarded: Number.MAX_SAFE_INTEGER - n - 250,
  };
}

const open = (path: string): Cursor => new Cursor(openSlots(path, CURSOR_BYTES));

function read({ lanes, counts }: Cursor): State {
  return { routine: { ...lanes.routine }, urgent: { ...lanes.urgent }, ...counts };
}

function put({ lanes, counts }: Cursor, { routine, urgent, stray, discarded }: State): void {
  Object.assign(lanes.routine, routine);
  Object.assign(lanes.urgent, urgent);
  Object.assign(counts, { stray, discarded });
}

function load(path: string): State {
  const cursor = open(path);
  const state = read(cursor);
  cursor.close();
  return state;
}

/** The bytes of a cursor's file after each of `count` saves of one process. */
function saves(t: Test, count: number): Buffer[] {
  const path = join(t.testdir({}), 'cursor');
  const cursor = open(path);
  const states = Array.from({ length: count }, (_, i) => {
    put(cursor, generation(i + 1));
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
    const cursor = open(path);
    t.strictSame(read(cursor), n === 1 ? ZERO : generation(n - 1));
    put(cursor, generation(n));
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
    const cursor = open(path);
    put(cursor, generation(n));
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
    const found = load(path);
    const { epoch } = found.routine;
    t.ok(epoch === 3 || epoch === 4);
    t.strictSame(found, generation(epoch));
    if (epoch === 3) fallen++;
  }
  // Magic, CRC, number, length, then 18 numbers.
  t.equal(fallen, (20 + 18 * 8) * 8, 'every bit of the newer slot counts');
  t.end();
});

await t.test('a file of garbage, or of no or too few bytes, is a new cursor', (t) => {
  const path = join(t.testdir({}), 'garbage');
  const magic = Buffer.from('TGS2');
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
    const cursor = open(path);
    put(cursor, generation(1));
    cursor.save();
    cursor.close();
    t.strictSame(load(path), generation(1));
  }
  t.end();
});
