/** Finds GUID patterns that meet another one, among many: lists may hold thousands. */
import type { GuidCube } from './match.js';

/** Patterns of one mask: by a part of that mask, by the value under it. */
interface Group<T> {
  readonly mask: Uint8Array;
  readonly cubes: readonly T[];
  readonly indices: Map<string, Map<string, T[]>>;
}

const keyOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function under(value: Uint8Array, mask: Uint8Array): string {
  return keyOf(value.map((byte, i) => byte & mask[i]!));
}

export class Cubes<T extends GuidCube> {
  readonly #groups: readonly Group<T>[];

  constructor(cubes: readonly T[]) {
    const groups = new Map<string, { mask: Uint8Array; cubes: T[] }>();
    for (const cube of cubes) {
      const key = keyOf(cube.mask);
      const group = groups.get(key);
      if (group) group.cubes.push(cube);
      else groups.set(key, { mask: cube.mask, cubes: [cube] });
    }
    this.#groups = [...groups.values()].map((group) => ({ ...group, indices: new Map() }));
  }

  /** Those that have some GUID in common with a pattern. */
  *meeting(part: GuidCube): Generator<T> {
    for (const group of this.#groups) yield* find(group, part);
  }

  /** Those that hold all of a pattern. */
  *holding(part: GuidCube): Generator<T> {
    for (const group of this.#groups) {
      if (group.mask.every((byte, i) => (byte & ~part.mask[i]!) === 0)) yield* find(group, part);
    }
  }
}

function find<T extends GuidCube>(
  { mask, cubes, indices }: Group<T>,
  part: GuidCube,
): readonly T[] {
  const common = mask.map((byte, i) => byte & part.mask[i]!);
  const key = keyOf(common);
  let index = indices.get(key);
  if (!index) {
    index = new Map<string, T[]>();
    for (const cube of cubes) {
      const value = under(cube.value, common);
      const same = index.get(value);
      if (same) same.push(cube);
      else index.set(value, [cube]);
    }
    indices.set(key, index);
  }
  return index.get(under(part.value, common)) ?? [];
}
