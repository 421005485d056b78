/** The tree of a log, derived from its leaves alone; tiles are compared with it, never believed. */
import { type LogDirectory, LogError } from './directory.js';
import type { Findings } from './findings.js';
import { Edge, hashLeaf, rootOf } from './merkle.js';
import { tilePath, WIDTH } from './tiles.js';

/** What somebody else has noted of a log. */
export interface Witness {
  readonly size: number;
  readonly root: Uint8Array;
}

export class Derivation {
  readonly #log: LogDirectory;
  readonly #findings: Findings;
  readonly #edge = new Edge();
  /** By level: full tiles before, and the hashes since. */
  readonly #levels: { tiles: number; hashes: Uint8Array[] }[] = [];
  /** In the order of their sizes. */
  readonly #witnesses: readonly Witness[];
  #next = 0;

  constructor(log: LogDirectory, findings: Findings, witnesses: readonly Witness[]) {
    this.#log = log;
    this.#findings = findings;
    this.#witnesses = [...witnesses].sort((a, b) => a.size - b.size);
    this.#look();
  }

  get size(): number {
    return this.#edge.size;
  }

  root(): Uint8Array {
    return this.#edge.root();
  }

  add(leaf: Uint8Array): void {
    let hash: Uint8Array = hashLeaf(leaf);
    this.#edge.add(hash);
    for (let level = 0; ; level++) {
      const own = (this.#levels[level] ??= { tiles: 0, hashes: [] });
      own.hashes.push(hash);
      if (own.hashes.length < WIDTH) break;
      this.#compare(level, own.tiles++, own.hashes);
      hash = rootOf(own.hashes);
      own.hashes = [];
    }
    this.#look();
  }

  /** The log ends here: the last tiles are compared, and no witness may have seen more. */
  finish(): void {
    this.#levels.forEach(({ tiles, hashes }, level) => {
      if (hashes.length > 0) this.#compare(level, tiles, hashes);
    });
    for (const { size } of this.#witnesses.slice(this.#next)) {
      this.#findings.add(
        'witness',
        `the log was cut: a witness has seen ${size} leaves, and there are ${this.size}`,
      );
    }
  }

  #look(): void {
    for (; this.#witnesses[this.#next]?.size === this.size; this.#next++) {
      if (Buffer.compare(this.#witnesses[this.#next]!.root, this.root()) === 0) continue;
      this.#findings.add(
        'witness',
        `the log was rewritten: its first ${this.size} leaves are not what a witness has seen`,
      );
    }
  }

  #compare(level: number, index: number, hashes: readonly Uint8Array[]): void {
    const path = tilePath(level, index, hashes.length);
    let tile: Uint8Array | undefined;
    let why = 'is not there, or damaged';
    try {
      tile = this.#log.tile(level, index, hashes.length);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      why = 'is no file, or too large';
    }
    if (!tile) this.#findings.add('tile', `${path} ${why}`);
    else if (Buffer.compare(tile, Buffer.concat(hashes)) !== 0) {
      this.#findings.add('tile', `${path} is not what the leaves give`);
    }
  }
}
