/** Goes over the leaves of a log, each with what it refers to. */
import type { LogDirectory } from './directory.js';
import { LogError } from './directory.js';
import { decodeLeaf, KINDS, type Leaf, LeafError } from './leaf.js';
import { Course } from './course.js';
import { Findings } from './findings.js';
import { checkNames, type Scene } from './scene.js';
import { WIDTH } from './tiles.js';

export interface Seen {
  readonly leaf: Leaf;
  readonly scene: Scene;
  readonly bytes: Uint8Array;
}

/**
 * The leaves of the first `size`, one after the other; verifies nothing.
 *
 * @throws LogError at the first that cannot be read, or refers to what is not there
 */
export function* walkLog(log: LogDirectory, size: number): Generator<Seen> {
  const findings = new Findings();
  const course = new Course(findings, { gaps: true, late: true });
  for (const { index, bytes } of log.leaves(size)) {
    let leaf: Leaf;
    try {
      leaf = decodeLeaf(bytes);
    } catch (error) {
      if (error instanceof LeafError) throw broken(index, error.message);
      throw error;
    }
    const scene = course.take(leaf);
    if (!scene || !checkNames(leaf, scene, findings)) {
      throw broken(index, findings.list.at(-1)?.message ?? 'it is in no place');
    }
    yield { leaf, scene, bytes };
  }
}

function broken(index: number, message: string): LogError {
  return new LogError(`leaf ${index}: ${message}; see tidegate audit verify`);
}

/** From a sequence on, what leaves before have named of a journal does not exist. */
export interface Taken {
  readonly leaf: number;
  readonly journal: string;
  readonly first: number;
}

const VOID = KINDS.indexOf('void');
const START = KINDS.indexOf('start');

/** All void leaves of a log. @throws LogError */
export function findVoids(log: LogDirectory, size: number): Taken[] {
  const voids: Taken[] = [];
  let journals: readonly string[] = [];
  for (const { index, bytes } of log.leaves(size)) {
    if (bytes[0] !== VOID && bytes[0] !== START) continue;
    try {
      const leaf = decodeLeaf(bytes);
      if (leaf.kind === 'start') journals = leaf.journals;
      if (leaf.kind !== 'void') continue;
      voids.push({ leaf: index, journal: journals[leaf.journal] ?? '', first: leaf.first });
    } catch (error) {
      if (error instanceof LeafError) throw broken(index, error.message);
      throw error;
    }
  }
  return voids;
}

/** How many records from `first` on a leaf names that no later leaf has taken back. */
export function standing(
  voids: readonly Taken[],
  leaf: number,
  journal: string,
  { first, count }: { readonly first: number; readonly count: number },
): number {
  let end = first + count;
  for (const each of voids) {
    if (each.leaf > leaf && each.journal === journal) end = Math.min(end, each.first);
  }
  return Math.max(0, end - first);
}

function wholeLeaf(bytes: Uint8Array | undefined): Leaf | undefined {
  try {
    return bytes && decodeLeaf(bytes);
  } catch (error) {
    // A kill may have left the last one torn.
    if (error instanceof LeafError) return undefined;
    throw error;
  }
}

/**
 * Leaves that the checkpoint does not sign yet, as far as each follows the one before.
 *
 * @throws LogError if a file of them is none, or too large
 */
export function* leavesBehind(log: LogDirectory, size: number): Generator<Leaf> {
  for (let index = size; ;) {
    const bundle = Math.floor(index / WIDTH);
    const first = bundle * WIDTH;
    let leaves = log.bundle(bundle, WIDTH);
    if (!leaves) {
      const open = log.open();
      // A gate that runs may have made the file of leaves that bundle since.
      leaves = wholeLeaf(open[0])?.index === first ? open : (log.bundle(bundle, WIDTH) ?? []);
    }
    for (const bytes of leaves.slice(index - first)) {
      const leaf = wholeLeaf(bytes);
      if (leaf?.index !== index) return;
      yield leaf;
      index++;
    }
    if (index < first + WIDTH) return;
  }
}

/** How many leaves the checkpoint does not sign yet. */
export function unsignedLeaves(log: LogDirectory, size: number, findings: Findings): number {
  let count = 0;
  try {
    for (const leaf of leavesBehind(log, size)) count = leaf.index + 1 - size;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    findings.add('bundle', error.message);
  }
  return count;
}
