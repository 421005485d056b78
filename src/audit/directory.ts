/** Reads a log's directory, which may be anybody's: bounded in what each file can make it take. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HASH_BYTES, hashNode } from './merkle.js';
import type { HashReader } from './proofs.js';
import { bundlePath, CHECKPOINT, LEAVES, MAX_LEAF, splitBundle, tilePath, WIDTH } from './tiles.js';

/** The log cannot be read, and the reason is said. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

/** Bytes of a signed checkpoint, at most. */
const MAX_CHECKPOINT = 64 * 1024;
const MAX_BUNDLE = WIDTH * (2 + MAX_LEAF);
/** The gate takes room ahead. */
const MAX_LEAVES = MAX_BUNDLE + 2 ** 20;
/** 256 hashes a level: eight bits of an index. */
const BITS = 8;
/** Tiles that are kept to answer from. */
const KEPT = 64;

export class LogDirectory {
  readonly path: string;
  readonly #tiles = new Map<string, Buffer>();

  constructor(path: string) {
    this.path = path;
  }

  /** The signed note. @throws LogError if there is none, or Error of the file system */
  checkpoint(): string {
    const bytes = readFile(join(this.path, CHECKPOINT), MAX_CHECKPOINT);
    if (bytes) return bytes.toString('utf8');
    throw new LogError(`${this.path} holds no checkpoint: name the directory of an audit log`);
  }

  /**
   * The first `width` leaves of a bundle, from it or from another that holds at least as many.
   *
   * @returns undefined if there is none; fewer leaves if it ends too early
   * @throws LogError if it is no file or too large, or Error of the file system
   */
  bundle(index: number, width: number): Uint8Array[] | undefined {
    const whole = this.#read((each) => bundlePath(index, each), width, MAX_BUNDLE);
    if (!whole) return undefined;
    const { leaves, end } = splitBundle(whole.bytes);
    // Nothing stands in a bundle but its leaves, and as many as its name says.
    if (end !== whole.bytes.length || leaves.length !== whole.width) return leaves.slice(0, 0);
    return leaves.slice(0, width);
  }

  /** The first `width` hashes of a tile, one behind the other; undefined if it is not there. */
  tile(level: number, index: number, width: number): Buffer | undefined {
    const key = `${level}/${index}/${width}`;
    const known = this.#tiles.get(key);
    if (known) return known;
    const whole = this.#read((each) => tilePath(level, index, each), width, WIDTH * HASH_BYTES);
    if (!whole) return undefined;
    if (whole.bytes.length !== whole.width * HASH_BYTES) return undefined;
    const bytes = whole.bytes.subarray(0, width * HASH_BYTES);
    if (this.#tiles.size >= KEPT) this.#tiles.delete(this.#tiles.keys().next().value!);
    this.#tiles.set(key, bytes);
    return bytes;
  }

  /** One leaf of a log of `size`. @throws LogError if it is not there */
  leaf(index: number, size: number): Uint8Array {
    const bundle = Math.floor(index / WIDTH);
    const leaf = this.bundle(bundle, Math.min(WIDTH, size - bundle * WIDTH))?.[index % WIDTH];
    if (!leaf) throw new LogError(`leaf ${index} of ${this.path} is not there, or damaged`);
    return leaf;
  }

  /** Leaves of the bundle that is being filled, signed or not. @throws Error of the file system */
  open(): Uint8Array[] {
    const bytes = readFile(join(this.path, LEAVES), MAX_LEAVES);
    return bytes ? splitBundle(bytes).leaves.slice(0, WIDTH) : [];
  }

  /** Hashes as the tiles have them, which may be anything: what is made of them must be verified. */
  hashes(size: number): HashReader {
    return (level, index) => {
      const tileLevel = Math.floor(level / BITS);
      const own = level % BITS;
      const first = index * 2 ** own;
      const tile = Math.floor(first / WIDTH);
      const there = Math.floor(size / 2 ** (BITS * tileLevel)) - tile * WIDTH;
      const bytes = this.tile(tileLevel, tile, Math.min(WIDTH, there));
      if (!bytes) {
        throw new LogError(`${tilePath(tileLevel, tile)} of ${this.path} is not there, or damaged`);
      }
      const at = (i: number): Uint8Array => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      const over = (from: number, count: number): Uint8Array =>
        count === 1 ? at(from) : hashNode(over(from, count / 2), over(from + count / 2, count / 2));
      return over(first % WIDTH, 2 ** own);
    };
  }

  /** Each leaf of the first `size`, a bundle at a time. @throws LogError at the first that is not there */
  *leaves(size: number, from = 0): Generator<{ index: number; bytes: Uint8Array }> {
    for (let index = from; index < size;) {
      const bundle = Math.floor(index / WIDTH);
      const width = Math.min(WIDTH, size - bundle * WIDTH);
      const leaves = this.bundle(bundle, width) ?? [];
      if (leaves.length < width) {
        throw new LogError(`${bundlePath(bundle)} of ${this.path} is not there, or damaged`);
      }
      for (; index < bundle * WIDTH + width; index++) {
        yield { index, bytes: leaves[index % WIDTH]! };
      }
    }
  }

  #read(
    pathOf: (width: number) => string,
    width: number,
    most: number,
  ): { bytes: Buffer; width: number } | undefined {
    // A log that grows replaces what is partial by what is wider.
    for (const each of new Set([width, WIDTH])) {
      const bytes = readFile(join(this.path, pathOf(each)), most);
      if (bytes) return { bytes, width: each };
    }
    for (const each of widthsIn(dirname(join(this.path, pathOf(1))))) {
      if (each < width) continue;
      const bytes = readFile(join(this.path, pathOf(each)), most);
      if (bytes) return { bytes, width: each };
    }
    return undefined;
  }
}

/** What partial ones there are, the narrowest first. */
function widthsIn(directory: string): number[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^[1-9]\d{0,2}$/.test(name) && basename(name) === name)
      .map(Number)
      .filter((width) => width < WIDTH)
      .sort((a, b) => a - b);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * Opens a file, never waiting for a writer of it.
 *
 * @returns undefined if there is none
 * @throws LogError if it is no file, or larger than `most`; Error of the file system
 */
function openFile(path: string, most: number): { fd: number; size: number } | undefined {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    const { code } = error as NodeJS.ErrnoException;
    // A link to itself, a socket.
    if (code === 'ELOOP' || code === 'ENXIO') throw new LogError(`${path} is no file`);
    throw error;
  }
  const stat = fstatSync(fd);
  if (stat.isFile() && stat.size <= most) return { fd, size: stat.size };
  closeSync(fd);
  throw new LogError(stat.isFile() ? `${path} has more than ${most} bytes` : `${path} is no file`);
}

/**
 * Reads a whole file.
 *
 * @returns undefined if there is none
 * @throws LogError if it is no file, or larger than `most`; Error of the file system
 */
export function readFile(path: string, most: number): Buffer | undefined {
  const file = openFile(path, most);
  if (!file) return undefined;
  const { fd, size } = file;
  try {
    const bytes = Buffer.alloc(size);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, length);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** Characters of a line that are kept; a beacon of 256 sources takes a tenth. */
const MAX_LINE = 256 * 1024;

/**
 * The lines of a file, bounded in memory: of one that is too long the beginning is kept.
 *
 * @throws LogError if there is none, as readFile does, or Error of the file system
 */
export function* readLines(path: string, most: number): Generator<string> {
  const file = openFile(path, most);
  if (!file) throw new LogError(`there is no file ${path}`);
  const { fd } = file;
  try {
    const decoder = new TextDecoder();
    const bytes = Buffer.alloc(64 * 1024);
    let rest = '';
    for (let read; (read = readSync(fd, bytes)) > 0;) {
      const lines = (rest + decoder.decode(bytes.subarray(0, read), { stream: true })).split('\n');
      rest = lines.pop()!.slice(0, MAX_LINE);
      yield* lines;
    }
    if (rest !== '') yield rest;
  } finally {
    closeSync(fd);
  }
}
