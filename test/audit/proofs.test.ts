import { createHash } from 'node:crypto';
import t from 'tap';
import {
  hashOfRange,
  type HashReader,
  isConsistent,
  proveConsistency,
  proveInclusion,
  rootByInclusion,
} from '../../src/audit/proofs.js';
import { treeHash } from './build.js';

const MOST = 300;
const HASHES = Array.from({ length: MOST }, (_, i) =>
  createHash('sha256').update(String(i)).digest(),
);

const known = new Map<number, Uint8Array>();

/** MTH(D[from:to]), each computed once. */
function root(from: number, to: number): Uint8Array {
  const key = from * 1000 + to;
  let hash = known.get(key);
  if (!hash) {
    if (to - from <= 1) hash = treeHash(HASHES.slice(from, to));
    else {
      const k = below(to - from);
      const [left, right] = [root(from, from + k), root(from + k, to)];
      hash = createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest();
    }
    known.set(key, hash);
  }
  return hash;
}

function below(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}

/** PATH(m, D[from:to]) of RFC 6962, 2.1.1. */
function path(m: number, from: number, to: number): Uint8Array[] {
  if (to - from === 1) return [];
  const middle = from + below(to - from);
  return m < middle
    ? [...path(m, from, middle), root(middle, to)]
    : [...path(m, middle, to), root(from, middle)];
}

/** SUBPROOF(m, D[from:to], b) of RFC 6962, 2.1.2. */
function subproof(m: number, from: number, to: number, whole: boolean): Uint8Array[] {
  if (m === to) return whole ? [] : [root(from, to)];
  const middle = from + below(to - from);
  return m <= middle
    ? [...subproof(m, from, middle, whole), root(middle, to)]
    : [...subproof(m, middle, to, false), root(from, middle)];
}

const read: HashReader = (level, index) => root(index * 2 ** level, (index + 1) * 2 ** level);
const hex = (hashes: readonly Uint8Array[]): string =>
  hashes.map((hash) => Buffer.from(hash).toString('hex')).join();

await t.test('inclusion, for every leaf of every size', (t) => {
  for (let size = 1; size <= MOST; size++) {
    const whole = hex([root(0, size)]);
    if (hex([hashOfRange(0, size, read)]) !== whole) t.fail(`root of ${size}`);
    for (let index = 0; index < size; index++) {
      const proof = proveInclusion(index, size, read);
      if (hex(proof) !== hex(path(index, 0, size))) t.fail(`proof of ${index} in ${size}`);
      const led = rootByInclusion(index, size, HASHES[index]!, proof);
      if (!led || hex([led]) !== whole) t.fail(`${index} in ${size}`);
      const other = rootByInclusion(index, size, HASHES[(index + 1) % MOST]!, proof);
      if (other && hex([other]) === whole) t.fail(`another leaf than ${index} in ${size}`);
      const longer = rootByInclusion(index, size, HASHES[index]!, [...proof, HASHES[0]!]);
      if (longer) t.fail(`a longer proof of ${index} in ${size}`);
    }
  }
  t.throws(() => proveInclusion(3, 3, read), RangeError);
  t.equal(rootByInclusion(3, 3, HASHES[0]!, []), undefined);
  t.end();
});

await t.test('consistency, for every pair of sizes', (t) => {
  for (let size = 1; size <= MOST; size++) {
    const later = { size, root: root(0, size) };
    for (let before = 1; before <= size; before++) {
      const proof = proveConsistency(before, size, read);
      if (hex(proof) !== hex(subproof(before, 0, size, true))) t.fail(`${before} in ${size}`);
      const earlier = { size: before, root: root(0, before) };
      if (!isConsistent(earlier, later, proof)) t.fail(`${before} is not of ${size}`);
      const rewritten = { size: before, root: HASHES[0]! };
      if (before > 1 && isConsistent(rewritten, later, proof)) t.fail(`rewritten ${before}`);
      if (proof.length > 0 && isConsistent(earlier, later, proof.slice(1))) t.fail('cut');
      if (isConsistent(earlier, { size, root: HASHES[1]! }, proof)) t.fail('another root');
    }
  }
  const empty = { size: 0, root: root(0, 0) };
  t.ok(isConsistent(empty, { size: 5, root: root(0, 5) }, []));
  t.notOk(isConsistent({ size: 6, root: root(0, 6) }, { size: 5, root: root(0, 5) }, []));
  t.throws(() => proveConsistency(0, 3, read), RangeError);
  t.throws(() => proveConsistency(4, 3, read), RangeError);
  t.end();
});
