/** Hashes of a Merkle tree (RFC 6962, 2.1): of leaves, of nodes, and of the right edge as it grows. */
import { createHash } from 'node:crypto';

export const HASH_BYTES = 32;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function hashLeaf(leaf: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF).update(leaf).digest();
}

export function hashNode(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}

/** The root of a tree without leaves. */
export const EMPTY_ROOT: Buffer = createHash('sha256').digest();

/** The root over some hashes of one level, side by side; `EMPTY_ROOT` if there are none. */
export function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const edge = new Edge();
  for (const hash of hashes) edge.add(hash);
  return edge.root();
}

/**
 * The right edge of a growing tree: the roots of the largest full subtrees, from left to right, one
 * for each bit of the size.
 */
export class Edge {
  #size = 0;
  readonly #roots: Uint8Array[] = [];

  get size(): number {
    return this.#size;
  }

  /** From left to right. */
  get roots(): readonly Uint8Array[] {
    return this.#roots;
  }

  /** Adds a leaf's hash; or a full subtree's, where all are of one size. */
  add(hash: Uint8Array): void {
    let top = hash;
    for (let size = this.#size; size % 2 === 1; size = Math.floor(size / 2)) {
      top = hashNode(this.#roots.pop()!, top);
    }
    this.#roots.push(top);
    this.#size++;
  }

  root(): Uint8Array {
    const [last, ...others] = this.#roots.toReversed();
    return others.reduce((right, left) => hashNode(left, right), last ?? EMPTY_ROOT);
  }
}
