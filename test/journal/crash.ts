/**
 * A disk that forgets: records what a process writes below a directory, and lays out what a kill or a
 * power cut at any moment would have left of it.
 *
 * What was synced is there. After a kill all else is there too, in the order of the program, to any
 * byte of the last write; after a power cut each file has its own part of the rest.
 */
import fs, { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative } from 'node:path';

interface Inode {
  /** What was on the disk when the recording began; a spare's zeros are. */
  readonly initial: Buffer;
}

type Op =
  | { readonly kind: 'write'; readonly file: Inode; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly file: Inode; readonly length: number }
  | { readonly kind: 'sync'; readonly file: Inode }
  | { readonly kind: 'link'; readonly path: string; readonly file: Inode }
  | { readonly kind: 'unlink'; readonly path: string }
  /** Of a file that is recorded: at once, in both directories. */
  | { readonly kind: 'rename'; readonly path: string; readonly from: string; readonly file: Inode }
  | { readonly kind: 'sync-directory'; readonly path: string };

/** Chooses a number in [0, n). */
export type Choose = (n: number) => number;

export class Recorder {
  readonly ops: Op[];
  /** Files that got their room ahead. */
  spares = 0;
  readonly #root: string;
  readonly #isFile: (path: string) => boolean;
  readonly #names: Map<string, Inode>;
  readonly #initial: ReadonlyMap<string, Inode>;
  readonly #fds = new Map<number, Inode | string>();
  readonly #real = { ...fs };
  #replaced: Partial<typeof fs> = {};

  /**
   * Begins recording; only directories and some files count.
   *
   * @param before what a kill has ended: what it had not synced is still to be synced
   * @param isFile which files; all others that are opened are directories
   */
  constructor(
    root: string,
    before?: { readonly recorder: Recorder; readonly until: number },
    isFile = (path: string): boolean => path.endsWith('.tgj'),
  ) {
    this.#root = root;
    this.#isFile = isFile;
    if (before) {
      this.#initial = before.recorder.#initial;
      this.ops = before.recorder.ops.slice(0, before.until);
      this.#names = new Map(this.#initial);
      for (const op of this.ops) applyName(this.#names, op);
      this.#patch();
      return;
    }
    this.ops = [];
    this.#names = new Map();
    for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !isFile(path)) continue;
      this.#names.set(path, { initial: readFileSync(path) });
    }
    this.#initial = new Map(this.#names);
    this.#patch();
  }

  stop(): void {
    Object.assign(fs, this.#replaced);
    syncBuiltinESMExports();
  }

  #concerns(path: unknown): path is string {
    return typeof path === 'string' && path.startsWith(this.#root);
  }

  /** The name of a file begins to mean a file, or another one. */
  #link(path: string, file: Inode): void {
    this.#names.set(path, file);
    this.ops.push({ kind: 'link', path, file });
  }

  #patch(): void {
    const real = this.#real;
    const { ops } = this;
    const fileOf = (fd: number): Inode | undefined => {
      const file = this.#fds.get(fd);
      return typeof file === 'string' ? undefined : file;
    };
    const forget = (path: unknown): void => {
      if (this.#concerns(path) && this.#names.delete(path)) ops.push({ kind: 'unlink', path });
    };
    const patches = {
      openSync: (path: string, flags: string, mode?: number): number => {
        const fd = real.openSync(path, flags, mode);
        if (!this.#concerns(path)) return fd;
        if (!this.#isFile(path)) this.#fds.set(fd, path);
        else {
          if (!this.#names.has(path)) this.#link(path, { initial: Buffer.alloc(0) });
          const file = this.#names.get(path)!;
          if (flags.startsWith('w')) ops.push({ kind: 'truncate', file, length: 0 });
          this.#fds.set(fd, file);
        }
        return fd;
      },
      closeSync: (fd: number): void => {
        this.#fds.delete(fd);
        real.closeSync(fd);
      },
      writeSync: (fd: number, data: Buffer, from: number, length: number, at: number): number => {
        const file = fileOf(fd);
        const bytes = Buffer.from(data.subarray(from, from + length));
        if (file) ops.push({ kind: 'write', file, at, bytes });
        return real.writeSync(fd, data, from, length, at);
      },
      fdatasyncSync: (fd: number): void => {
        const file = fileOf(fd);
        if (file) ops.push({ kind: 'sync', file });
      },
      fsyncSync: (fd: number): void => {
        const file = this.#fds.get(fd);
        if (typeof file === 'string') ops.push({ kind: 'sync-directory', path: file });
        else if (file) ops.push({ kind: 'sync', file });
      },
      // Of what runs in the background nothing is promised.
      fdatasync: (_fd: number, done: () => void): void => {
        setImmediate(done);
      },
      ftruncateSync: (fd: number, length = 0): void => {
        const file = fileOf(fd);
        if (file) ops.push({ kind: 'truncate', file, length });
        real.ftruncateSync(fd, length);
      },
      truncateSync: (path: string, length = 0): void => {
        if (this.#concerns(path)) {
          ops.push({ kind: 'truncate', file: this.#names.get(path)!, length });
        }
        real.truncateSync(path, length);
      },
      unlinkSync: (path: string): void => {
        forget(path);
        real.unlinkSync(path);
      },
      rmSync: (path: string, options?: object): void => {
        forget(path);
        real.rmSync(path, options);
      },
      renameSync: (from: string, to: string): void => {
        const file = this.#names.get(from);
        if (file) {
          ops.push({ kind: 'rename', path: to, from, file });
          applyName(this.#names, ops.at(-1)!);
        } else if (this.#concerns(to)) {
          // A spare was made durable before it is given a name.
          this.#link(to, { initial: readFileSync(from) });
          this.spares++;
        }
        real.renameSync(from, to);
      },
    };
    for (const name of Object.keys(patches) as (keyof typeof patches)[]) {
      Object.assign(this.#replaced, { [name]: real[name] });
    }
    Object.assign(fs, patches);
    syncBuiltinESMExports();
  }

  /** Writes that were synced before `until`, and that no other write has begun to take the place of. */
  synced(until: number): Extract<Op, { kind: 'write' }>[] {
    return this.ops.slice(0, until).filter((op, i): op is Extract<Op, { kind: 'write' }> => {
      if (op.kind !== 'write') return false;
      const own = (each: Op): boolean => 'file' in each && each.file === op.file;
      const over = (each: Op): boolean => each.kind === 'write' && each.at === op.at && own(each);
      if (this.ops.slice(i + 1, until + 1).some(over)) return false;
      return this.ops.slice(i, until).some((each) => each.kind === 'sync' && own(each));
    });
  }

  /**
   * Lays out in `target` what a kill in the operation `until` leaves.
   *
   * @returns how many operations there were then; of the last one, what was written of it
   */
  kill(until: number, target: string, choose: Choose): number {
    const torn = this.ops[until];
    if (torn?.kind === 'write') {
      this.ops[until] = { ...torn, bytes: torn.bytes.subarray(0, choose(torn.bytes.length)) };
      until++;
    }
    const contents = new Map<Inode, Buffer>();
    const names = new Map(this.#initial);
    for (const op of this.ops.slice(0, until)) {
      applyName(names, op);
      applyContent(contents, op, Infinity);
    }
    this.#layOut(names, contents, target);
    return until;
  }

  /** The same of a power cut. */
  cutPower(until: number, target: string, choose: Choose): void {
    const ops = this.ops.slice(0, until + (this.ops[until]?.kind === 'write' ? 1 : 0));
    const names = new Map(this.#initial);
    const directories = new Set(ops.flatMap((op) => ('path' in op ? [directoryOf(op)] : [])));
    for (const directory of directories) {
      const own = ops.filter((op) => 'path' in op && directoryOf(op) === directory);
      const synced = own.findLastIndex(({ kind }) => kind === 'sync-directory') + 1;
      for (const op of own.slice(0, synced + choose(own.length - synced + 1))) applyName(names, op);
    }
    const contents = new Map<Inode, Buffer>();
    const files = new Set(ops.flatMap((op) => ('file' in op ? [op.file] : [])));
    for (const file of files) {
      const own = ops.filter((op) => 'file' in op && op.file === file);
      const synced = own.findLastIndex(({ kind }) => kind === 'sync') + 1;
      for (const op of own.slice(0, synced)) applyContent(contents, op, Infinity);
      const rest = own.slice(synced);
      if (choose(2) === 0) {
        // In order, to any byte.
        const left = choose(rest.length + 1);
        for (const op of rest.slice(0, left)) applyContent(contents, op, Infinity);
        const torn = rest[left];
        if (torn?.kind === 'write') applyContent(contents, torn, choose(torn.bytes.length + 1));
      } else {
        // In any order: some of it, cut anywhere, or room for it without its bytes.
        for (const op of rest) {
          const what = choose(4);
          if (what === 0) applyContent(contents, op, Infinity);
          if (what === 1 && op.kind === 'write') {
            applyContent(contents, op, choose(op.bytes.length + 1));
          }
          if (what === 2 && op.kind === 'write') {
            applyContent(contents, { ...op, bytes: Buffer.alloc(op.bytes.length) }, Infinity);
          }
        }
      }
    }
    this.#layOut(names, contents, target);
  }

  #layOut(
    names: ReadonlyMap<string, Inode>,
    contents: ReadonlyMap<Inode, Buffer>,
    target: string,
  ): void {
    for (const [path, file] of names) {
      const to = join(target, relative(this.#root, path));
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, contents.get(file) ?? file.initial);
    }
  }
}

function directoryOf(op: Op & { readonly path: string }): string {
  return op.kind === 'sync-directory' ? op.path : dirname(op.path);
}

function applyName(names: Map<string, Inode>, op: Op): void {
  if (op.kind === 'link') names.set(op.path, op.file);
  else if (op.kind === 'unlink') names.delete(op.path);
  else if (op.kind === 'rename') {
    names.set(op.path, op.file);
    if (names.get(op.from) === op.file) names.delete(op.from);
  }
}

/** @param most bytes of a write */
function applyContent(contents: Map<Inode, Buffer>, op: Op, most: number): void {
  if (op.kind !== 'write' && op.kind !== 'truncate') return;
  const before = contents.get(op.file) ?? op.file.initial;
  if (op.kind === 'truncate') {
    const after = Buffer.alloc(op.length);
    before.copy(after);
    contents.set(op.file, after);
    return;
  }
  const bytes = op.bytes.subarray(0, most);
  if (bytes.length === 0) return;
  const after = Buffer.alloc(Math.max(before.length, op.at + bytes.length));
  before.copy(after);
  bytes.copy(after, op.at);
  contents.set(op.file, after);
}
