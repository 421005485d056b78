/**
 * What a start finds of a log: its end is checked against what was signed, and what follows is derived
 * again from the leaves.
 *
 * What is trusted is what a checkpoint signs; what is behind it stands in the file of leaves and in at
 * most a few bundles, each leaf with its checksum and its place.
 */
import { mkdirSync, readFileSync, renameSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Note, parseNote } from '../note/note.js';
import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import { decodeLeaf, type Leaf, placeOf } from './leaf.js';
import { HASH_BYTES, hashLeaf } from './merkle.js';
import { bundlePath, CHECKPOINT, LEAVES, splitBundle, tilePath, WIDTH } from './tiles.js';
import { type FullTile, type Tiles, Tree } from './tree.js';
import type { End } from './writer.js';

/** The log is not what it was: nothing may be added to it. */
export class LogMismatch extends Error {
  override readonly name = 'LogMismatch';
}

export interface Found {
  readonly end: End;
  readonly size: number;
  readonly checkpoint: (Checkpoint & { readonly note: Note }) | undefined;
  /** Bytes behind the last whole leaf, of a write that a kill has cut short. */
  readonly torn: number;
  /** By its place. @throws LogMismatch if it cannot be read */
  leaf(index: number): Leaf;
}

/**
 * Looks at a log's directory, and makes it if it is not there.
 *
 * @throws LogMismatch, NoteError, or Error of the file system
 */
export function inspectLog(directory: string): Found {
  mkdirSync(directory, { recursive: true });
  const text = read(directory, CHECKPOINT)?.toString('utf8');
  const note = text === undefined ? undefined : parseNote(text);
  const checkpoint = note && { ...parseCheckpoint(note.text), note };
  const signed = checkpoint?.size ?? 0;
  const fits = ({ tree }: { tree: Tree }): boolean =>
    !checkpoint || Buffer.from(tree.root()).equals(checkpoint.root);
  let found = signedTree(directory, signed, true);
  // A power cut may have left a partial tile that is not what was written: nobody has synced it.
  if (!fits(found)) found = signedTree(directory, signed, false);
  const { tree, partial } = found;
  if (!fits(found)) {
    throw new LogMismatch(
      `the first ${signed} leaves of the log are not those that its checkpoint signs`,
    );
  }
  const missing: FullTile[] = [];
  const grow = (leaves: readonly Uint8Array[], from: number): void => {
    leaves.forEach((leaf, i) => {
      checkPlace(leaf, from + i);
      tree.add(hashLeaf(leaf), (tile) => missing.push(tile));
    });
  };
  let bundle = Math.floor(signed / WIDTH);
  finishBundle(directory, bundle);
  for (let bytes; (bytes = read(directory, bundlePath(bundle)));) {
    const { leaves, end } = splitBundle(bytes);
    if (leaves.length !== WIDTH || end !== bytes.length) {
      throw new LogMismatch(`${bundlePath(bundle)} is no bundle of ${WIDTH} leaves`);
    }
    grow(leaves.slice(tree.size - bundle * WIDTH), tree.size);
    finishBundle(directory, ++bundle);
  }
  const { leaves, end, torn } = openBundle(directory, bundle * WIDTH);
  const known = tree.size - bundle * WIDTH;
  if (leaves.length < known) {
    throw new LogMismatch(
      `the log has ${bundle * WIDTH + leaves.length} leaves, and its checkpoint signs ${signed}`,
    );
  }
  grow(leaves.slice(known), tree.size);
  // Whoever asks for many goes from one to the next.
  let kept = { bundle: -1, leaves };
  return {
    end: { tiles: tree.tiles, bytes: end, signed, partial, missing },
    size: tree.size,
    checkpoint,
    torn,
    leaf: (index) => {
      const at = Math.floor(index / WIDTH);
      if (at !== bundle && at !== kept.bundle) {
        kept = { bundle: at, leaves: leavesOf(directory, at) ?? [] };
      }
      const leaf = (at === bundle ? leaves : kept.leaves)[index % WIDTH];
      if (!leaf) throw new LogMismatch(`leaf ${index} is not there`);
      checkPlace(leaf, index);
      return understood(index, () => decodeLeaf(leaf));
    },
  };
}

/** Of a full bundle, if it is there. */
function leavesOf(directory: string, bundle: number): Uint8Array[] | undefined {
  const bytes = read(directory, bundlePath(bundle));
  return bytes && splitBundle(bytes).leaves;
}

/** @throws LogMismatch if it is no leaf, or stands elsewhere */
function checkPlace(bytes: Uint8Array, index: number): void {
  const place = understood(index, () => placeOf(bytes));
  if (place !== index) throw new LogMismatch(`leaf ${index} says that it is ${place}`);
}

function understood<T>(index: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new LogMismatch(`leaf ${index}: ${(error as Error).message}`);
  }
}

/** The leaves of the bundle that is being filled; a kill may have left the last one torn. */
function openBundle(directory: string, from: number) {
  const bytes = read(directory, LEAVES) ?? Buffer.alloc(0);
  const { leaves } = splitBundle(bytes);
  let whole = 0;
  let end = 0;
  for (const leaf of leaves) {
    try {
      checkPlace(leaf, from + whole);
    } catch (error) {
      if (whole === 0 && isOther(leaf, from)) throw error;
      break;
    }
    whole++;
    end += 2 + leaf.length;
  }
  let last = bytes.length;
  while (last > end && bytes[last - 1] === 0) last--;
  return { leaves: leaves.slice(0, whole), end, torn: last - end };
}

/** A kill may have left the file of leaves full, and not named as the bundle that it is. */
function finishBundle(directory: string, bundle: number): void {
  if (read(directory, bundlePath(bundle))) return;
  const { leaves, end } = openBundle(directory, bundle * WIDTH);
  if (leaves.length < WIDTH) return;
  const path = join(directory, LEAVES);
  truncateSync(path, end);
  mkdirSync(dirname(join(directory, bundlePath(bundle))), { recursive: true });
  renameSync(path, join(directory, bundlePath(bundle)));
}

/** Whether it is a whole leaf, of another place: then the file is of another bundle. */
function isOther(leaf: Uint8Array, index: number): boolean {
  try {
    return placeOf(leaf) !== index;
  } catch {
    return false;
  }
}

/**
 * The tree of the first `size` leaves, by the tiles that went with its checkpoint.
 *
 * @param believed whether partial tiles are; if not, they are derived from full ones
 */
function signedTree(
  directory: string,
  size: number,
  believed: boolean,
): { tree: Tree; partial: string[] } {
  const tiles: Tiles[number][] = [];
  const partial: string[] = [];
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / WIDTH)) {
    const full = Math.floor(count / WIDTH);
    const width = count % WIDTH;
    tiles.push({ tiles: full, hashes: hashesOf(directory, level, full, width, believed) });
    if (width === 0) continue;
    partial.push(tilePath(level, full, width));
    if (level === 0) partial.push(bundlePath(full, width));
  }
  return { tree: new Tree(tiles), partial };
}

/** The first hashes of a tile, which may have become full since; or what it is derived from. */
function hashesOf(
  directory: string,
  level: number,
  index: number,
  width: number,
  believed = true,
): Uint8Array[] {
  if (width === 0) return [];
  if (level === 0) {
    const leaves = leavesOf(directory, index) ?? openBundle(directory, index * WIDTH).leaves;
    if (leaves.length >= width) return leaves.slice(0, width).map(hashLeaf);
    const there = index * WIDTH + leaves.length;
    throw new LogMismatch(`leaf ${there} is not there, and the log's checkpoint signs it`);
  }
  const partial = believed ? [tilePath(level, index, width)] : [];
  for (const path of [...partial, tilePath(level, index)]) {
    const bytes = read(directory, path);
    if (bytes && bytes.length >= width * HASH_BYTES) {
      return Array.from({ length: width }, (_, i) =>
        bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
      );
    }
  }
  return Array.from({ length: width }, (_, i) => tileRoot(directory, level, index * WIDTH + i));
}

/** The root over the full tile below. */
function tileRoot(directory: string, level: number, index: number): Uint8Array {
  const tree = new Tree();
  const below = hashesOf(directory, level - 1, index, WIDTH);
  for (const hash of below) tree.add(hash, () => undefined);
  return tree.root();
}

function read(directory: string, path: string): Buffer | undefined {
  try {
    return readFileSync(join(directory, path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
