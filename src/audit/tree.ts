/** A log's tree as it grows: what of each level's last tile is there, and the root (C2SP tlog-tiles). */
import { Edge, EMPTY_ROOT, hashNode } from './merkle.js';
import { WIDTH } from './tiles.js';

/** A tile that has become full. */
export interface FullTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
}

interface Level {
  /** Full tiles before the hashes that are held. */
  tiles: number;
  hashes: Uint8Array[];
  /** Over them. */
  edge: Edge;
}

/** The last tiles, from the lowest level on: how many full ones are before, and their hashes. */
export type Tiles = readonly { readonly tiles: number; readonly hashes: readonly Uint8Array[] }[];

export class Tree {
  readonly #levels: Level[];

  constructor(tiles: Tiles = []) {
    this.#levels = tiles.map(({ tiles, hashes }) => ({
      tiles,
      hashes: [...hashes],
      edge: edgeOf(hashes),
    }));
  }

  get size(): number {
    const lowest = this.#levels[0];
    return lowest ? lowest.tiles * WIDTH + lowest.hashes.length : 0;
  }

  /** The last tiles as they are. */
  get tiles(): Tiles {
    return this.#levels;
  }

  /** Adds a leaf's hash; `full` gets each tile that it fills, from the lowest level on. */
  add(hash: Uint8Array, full: (tile: FullTile) => void): void {
    let top = hash;
    for (let number = 0; ; number++) {
      const level = (this.#levels[number] ??= { tiles: 0, hashes: [], edge: new Edge() });
      level.hashes.push(top);
      level.edge.add(top);
      if (level.hashes.length < WIDTH) return;
      full({ level: number, index: level.tiles, hashes: level.hashes });
      top = level.edge.root();
      level.tiles++;
      level.hashes = [];
      level.edge = new Edge();
    }
  }

  /** The root of all; or, without the leaves of the last bundle, of those in full ones. */
  root(whole = true): Uint8Array {
    const roots = this.#levels.slice(whole ? 0 : 1).flatMap(({ edge }) => edge.roots.toReversed());
    const [last, ...others] = roots;
    return others.reduce((right, left) => hashNode(left, right), last ?? EMPTY_ROOT);
  }
}

function edgeOf(hashes: readonly Uint8Array[]): Edge {
  const edge = new Edge();
  for (const hash of hashes) edge.add(hash);
  return edge;
}
