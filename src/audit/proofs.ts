/**
 * Proofs that a leaf is in a log, and that a log continues an earlier one (RFC 6962, 2.1).
 *
 * Sizes go beyond 2^32: no bit operators here.
 */
import { EMPTY_ROOT, hashNode } from './merkle.js';

/** The hash of a full subtree: of 2^level leaves, the index-th of its level. */
export type HashReader = (level: number, index: number) => Uint8Array;

/** The largest power of two below a size of 2 at least. */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** The hash over leaves [from, to); `from` is a multiple of a power of two that is large enough. */
export function hashOfRange(from: number, to: number, read: HashReader): Uint8Array {
  const size = to - from;
  if (size === 0) return EMPTY_ROOT;
  let power = 1;
  let level = 0;
  while (power < size) {
    power *= 2;
    level++;
  }
  if (power === size) return read(level, from / size);
  const half = power / 2;
  return hashNode(hashOfRange(from, from + half, read), hashOfRange(from + half, to, read));
}

/** @throws RangeError if there is no such leaf */
export function proveInclusion(index: number, size: number, read: HashReader): Uint8Array[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`there is no leaf ${index} of ${size}`);
  const proof: Uint8Array[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      proof.push(hashOfRange(middle, to, read));
      to = middle;
    } else {
      proof.push(hashOfRange(from, middle, read));
      from = middle;
    }
  }
  return proof.reverse();
}

const half = (value: number): number => Math.floor(value / 2);

/**
 * The root that a proof leads to (RFC 9162, 2.1.3.2); undefined if it proves nothing.
 *
 * @param leaf the leaf's hash
 */
export function rootByInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!(index >= 0 && index < size)) return undefined;
  let [place, last] = [index, size - 1];
  let hash = leaf;
  for (const other of proof) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      hash = hashNode(other, hash);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      hash = hashNode(hash, other);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 ? hash : undefined;
}

/** @throws RangeError if the earlier log is larger, or empty */
export function proveConsistency(before: number, size: number, read: HashReader): Uint8Array[] {
  if (!(before > 0 && before <= size)) throw new RangeError(`${before} leaves are not of ${size}`);
  const proof: Uint8Array[] = [];
  let [from, to] = [0, size];
  // Of what is left of the earlier log: whether its root is known to who verifies.
  let known = true;
  while (before !== to) {
    const middle = from + split(to - from);
    if (before <= middle) {
      proof.push(hashOfRange(middle, to, read));
      to = middle;
    } else {
      proof.push(hashOfRange(from, middle, read));
      from = middle;
      known = false;
    }
  }
  if (!known) proof.push(hashOfRange(from, to, read));
  return proof.reverse();
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Whether a proof shows that a log begins with all of an earlier one (RFC 9162, 2.1.4.2). */
export function isConsistent(
  earlier: { readonly size: number; readonly root: Uint8Array },
  later: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (earlier.size > later.size) return false;
  if (earlier.size === later.size) return proof.length === 0 && same(earlier.root, later.root);
  if (earlier.size === 0) return proof.length === 0 && same(earlier.root, EMPTY_ROOT);
  let [place, last] = [earlier.size - 1, later.size - 1];
  while (place % 2 === 1) [place, last] = [half(place), half(last)];
  const path = place === 0 ? [earlier.root, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (!first) return false;
  let [was, is] = [first, first];
  for (const hash of rest) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      was = hashNode(hash, was);
      is = hashNode(hash, is);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      is = hashNode(is, hash);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && same(was, earlier.root) && same(is, later.root);
}
