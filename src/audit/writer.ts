/**
 * Writes a log's files: leaves first, made durable; tiles and checkpoints follow from what is durable.
 *
 * The bundle that is being filled is the file of leaves. When it is full it becomes that bundle by its
 * name alone; so a leaf is written once.
 */
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory, writeAll } from '../journal/file.js';
import { type Signer, signNote } from '../note/note.js';
import { type Checkpoint, formatCheckpoint } from './checkpoint.js';
import { hashLeaf } from './merkle.js';
import { bundlePath, CHECKPOINT, LEAVES, splitBundle, tilePath, WIDTH } from './tiles.js';
import { type FullTile, type Tiles, Tree } from './tree.js';

/** Room that the file of leaves takes ahead, so that a leaf costs no more than its own bytes. */
const ROOM = Buffer.alloc(256 * 1024);

/** A disk that refuses room for so many bytes of leaves is not well again. */
const MIN_ROOM = 64 * 1024;

/** Where a log ends. */
export interface End {
  readonly tiles: Tiles;
  /** Bytes of the bundle that is being filled. */
  readonly bytes: number;
  /** Leaves that the newest checkpoint signs. */
  readonly signed: number;
  /** Tiles and bundles that go with that checkpoint only. */
  readonly partial: readonly string[];
  /** Full tiles that no checkpoint signs, and that may not be there. */
  readonly missing: readonly FullTile[];
}

export class LogWriter {
  readonly #directory: string;
  readonly #origin: string;
  readonly #signers: readonly Signer[];
  readonly #tree: Tree;
  /** The file of leaves; -1: none is open. */
  #fd = -1;
  #bytes: number;
  /** Up to here it has taken its room. */
  #room = 0;
  /** Something may stand behind `#bytes` that does not count. */
  #dirty = false;
  #unsynced = false;
  #signed: number;
  /** Full bundles when the checkpoint before was made. */
  #bundles: number;
  /** Full tiles that are to be written before the next checkpoint. */
  readonly #missing: FullTile[];
  /** Partial tiles and bundles of the newest checkpoints, the newest first. */
  #partial: (readonly string[])[] = [];

  constructor(directory: string, origin: string, signers: readonly Signer[], end: End) {
    this.#directory = directory;
    this.#origin = origin;
    this.#signers = signers;
    this.#tree = new Tree(end.tiles);
    this.#bytes = end.bytes;
    this.#dirty = true;
    this.#signed = end.signed;
    this.#bundles = Math.floor(end.signed / WIDTH);
    this.#partial = [end.partial];
    this.#missing = [...end.missing];
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Whether there are leaves that no checkpoint signs. */
  get unsigned(): boolean {
    return this.#tree.size > this.#signed;
  }

  /**
   * Appends leaves, each behind its length (u16).
   *
   * @param sync makes them durable, and all before them
   * @throws Error of the file system: then `size` says which of them are in the log all the same
   */
  append(bytes: Uint8Array, sync: boolean): void {
    this.#attempt(() => this.#append(bytes, sync));
  }

  #append(bytes: Uint8Array, sync: boolean): void {
    const { leaves } = splitBundle(bytes);
    for (let done = 0, from = 0; done < leaves.length;) {
      const part = leaves.slice(done, done + WIDTH - (this.#tree.size % WIDTH));
      const to = part.reduce((end, leaf) => end + 2 + leaf.length, from);
      const hashes = part.map(hashLeaf);
      const fills = (this.#tree.size + part.length) % WIDTH === 0;
      this.#write(bytes.subarray(from, to), sync && !fills);
      this.#dirty = true;
      if (fills) this.#finish(this.#bytes + to - from, hashes);
      else {
        this.#grow(hashes);
        this.#bytes += to - from;
      }
      this.#dirty = false;
      done += part.length;
      from = to;
    }
  }

  /**
   * Takes room for leaves to come, if there is none, and keeps it: whether the disk takes them.
   *
   * @throws Error of the file system
   */
  probe(): void {
    this.#attempt(() => {
      this.#ready();
      this.#dirty = true;
      if (this.#bytes + MIN_ROOM > this.#room) this.#takeRoom();
      this.#dirty = false;
      fdatasyncSync(this.#fd);
      this.#unsynced = false;
    });
  }

  /** @throws Error of the file system */
  sync(): void {
    if (this.#unsynced && this.#fd >= 0) fdatasyncSync(this.#fd);
    this.#unsynced = false;
  }

  /**
   * Signs what is there, and leaves everything that a reader needs for it.
   *
   * While bundles become full quickly, what is signed ends at one: no bundle is copied that will be full
   * in a moment.
   *
   * @returns what was signed, and the signature of the first key
   * @throws Error of the file system: then the checkpoint before stands
   */
  publish(whole = false): Checkpoint & { readonly note: string } {
    this.sync();
    const bundles = this.#tree.tiles[0]?.tiles ?? 0;
    const all = whole || bundles === this.#bundles;
    const size = all ? this.#tree.size : bundles * WIDTH;
    const root = this.#tree.root(all);
    const partial = this.#publishPartial(all);
    const note = signNote(formatCheckpoint({ origin: this.#origin, size, root }), this.#signers);
    this.#replace(CHECKPOINT, Buffer.from(note));
    this.#signed = size;
    this.#bundles = bundles;
    // Whoever has just read the checkpoint before still finds its tiles.
    this.#partial = [partial, ...this.#partial];
    const gone = this.#partial.splice(2).flat();
    const kept = this.#partial.flat();
    for (const path of gone) if (!kept.includes(path)) this.#remove(path);
    return { origin: this.#origin, size, root, note };
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #write(bytes: Uint8Array, sync: boolean): void {
    this.#ready();
    const end = this.#bytes + bytes.length;
    this.#dirty = true;
    if (end + 2 > this.#room) {
      // A disk without that much room may still have enough for the leaves.
      try {
        this.#takeRoom();
      } catch {
        this.#room = this.#bytes;
      }
    }
    writeAll(this.#fd, bytes, bytes.length, this.#bytes);
    this.#room = Math.max(this.#room, end);
    if (sync) fdatasyncSync(this.#fd);
    this.#unsynced = !sync;
  }

  #ready(): void {
    if (this.#fd < 0) this.#open();
    if (this.#dirty) this.#clean();
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      // A start after a kill would find leaves that nobody was told of.
      if (this.#fd >= 0 && this.#dirty) this.#tryToClean();
      throw error;
    }
  }

  #takeRoom(): void {
    const from = Math.max(this.#room, this.#bytes);
    writeAll(this.#fd, ROOM, ROOM.length, from);
    this.#room = from + ROOM.length;
  }

  #open(): void {
    mkdirSync(this.#directory, { recursive: true });
    const path = join(this.#directory, LEAVES);
    try {
      this.#fd = openSync(path, 'r+');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#fd = openSync(path, 'wx+', 0o644);
      syncDirectory(this.#directory);
    }
    this.#dirty = true;
  }

  /** Cuts what a failed write has left behind. */
  #clean(): void {
    ftruncateSync(this.#fd, this.#bytes);
    this.#room = this.#bytes;
    this.#dirty = false;
  }

  #tryToClean(): void {
    try {
      this.#clean();
    } catch {
      // The next write does it, or is refused.
    }
  }

  /** The file of leaves, full and durable, becomes the bundle that it is. */
  #finish(end: number, hashes: readonly Uint8Array[]): void {
    const path = join(this.#directory, bundlePath(this.#tree.tiles[0]?.tiles ?? 0));
    ftruncateSync(this.#fd, end);
    fdatasyncSync(this.#fd);
    mkdirSync(dirname(path), { recursive: true });
    renameSync(join(this.#directory, LEAVES), path);
    this.#grow(hashes);
    this.#bytes = this.#room = 0;
    this.#unsynced = false;
    this.close();
    syncDirectory(dirname(path));
    syncDirectory(this.#directory);
  }

  #grow(hashes: readonly Uint8Array[]): void {
    for (const hash of hashes) this.#tree.add(hash, (tile) => this.#missing.push(tile));
  }

  #publishPartial(all: boolean): string[] {
    for (let tile; (tile = this.#missing[0]); this.#missing.shift()) {
      this.#place(tilePath(tile.level, tile.index), Buffer.concat(tile.hashes), true);
    }
    const paths: string[] = [];
    this.#tree.tiles.forEach(({ tiles, hashes }, level) => {
      if (hashes.length === 0 || (level === 0 && !all)) return;
      paths.push(tilePath(level, tiles, hashes.length));
      this.#place(paths.at(-1)!, Buffer.concat(hashes));
      if (level > 0) return;
      paths.push(bundlePath(tiles, hashes.length));
      this.#copyLeaves(paths.at(-1)!);
    });
    return paths;
  }

  #copyLeaves(path: string): void {
    if (this.#fd < 0) this.#open();
    const bytes = Buffer.allocUnsafe(this.#bytes);
    readSync(this.#fd, bytes, 0, bytes.length, 0);
    this.#place(path, bytes);
  }

  #place(path: string, bytes: Uint8Array, durable = false): void {
    const whole = join(this.#directory, path);
    const made = mkdirSync(dirname(whole), { recursive: true });
    if (made !== undefined && durable) syncDirectory(dirname(made));
    const fd = openSync(whole, 'w', 0o644);
    try {
      writeAll(fd, bytes, bytes.length, 0);
      if (durable) fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    // A checkpoint whose tile has lost its name would be one of a log that nobody can read.
    if (durable) syncDirectory(dirname(whole));
  }

  #replace(path: string, bytes: Uint8Array): void {
    this.#place(`${path}.new`, bytes, true);
    renameSync(join(this.#directory, `${path}.new`), join(this.#directory, path));
  }

  #remove(path: string): void {
    const whole = join(this.#directory, path);
    rmSync(whole, { force: true });
    try {
      rmdirSync(dirname(whole));
    } catch {
      // Others are still in it.
    }
  }
}
