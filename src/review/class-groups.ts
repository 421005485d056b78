/** Parts the 65536 classes into those that the same sets hold: one of each stands for all. */
import { contains, type NumberSet } from '../policy/match.js';

const CLASSES = 65536;

export class ClassGroups {
  readonly #group = new Int32Array(CLASSES);
  #first: Int32Array | undefined;

  constructor(sets: readonly NumberSet[]) {
    let count = 1;
    const seen = new Set<string>();
    for (const set of sets) {
      const key = 'values' in set ? [...set.values].join() : `${set.value}&${set.mask}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const split = new Map<number, number>();
      for (const n of members(set)) {
        const old = this.#group[n]!;
        if (!split.has(old)) split.set(old, count++);
        this.#group[n] = split.get(old)!;
      }
    }
  }

  of(vscpClass: number): number {
    return this.#group[vscpClass]!;
  }

  /** One class of each group that has some in a set. */
  *samples(set: NumberSet): Generator<number> {
    const seen = new Set<number>();
    const candidates = 'mask' in set && set.mask === 0 ? this.#representatives() : members(set);
    for (const n of candidates) {
      if (seen.has(this.of(n))) continue;
      seen.add(this.of(n));
      yield n;
    }
  }

  #representatives(): Int32Array {
    const first = new Map<number, number>();
    if (!this.#first) {
      this.#group.forEach((group, n) => first.has(group) || first.set(group, n));
      this.#first = Int32Array.from(first.values());
    }
    return this.#first;
  }
}

function* members(set: NumberSet): Generator<number> {
  if ('values' in set) yield* set.values;
  else for (let n = 0; n < CLASSES; n++) if (contains(set, n)) yield n;
}
