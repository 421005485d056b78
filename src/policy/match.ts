/** What a rule matches, in a form that algebra can read: ternary bits and finite sets, no more. */

/** A set of 16-bit numbers: listed, or all `n` with `(n ^ value) & mask == 0`. */
export type NumberSet =
  { readonly values: ReadonlySet<number> } | { readonly value: number; readonly mask: number };

export const EVERY: NumberSet = { value: 0, mask: 0 };

/** A GUID pattern: bits of `value` where `mask` is set; 16 bytes each. */
export interface GuidCube {
  readonly value: Uint8Array;
  readonly mask: Uint8Array;
}

/** One conjunction; a rule matches an event if any of its arms does. */
export interface Arm {
  /** Names of lower links; undefined: all. */
  readonly sources: ReadonlySet<string> | undefined;
  /** Bit p is set if priority p matches. */
  readonly priorities: number;
  readonly classes: NumberSet;
  readonly types: NumberSet;
  /** Alternatives; undefined: every GUID. */
  readonly guids: readonly GuidCube[] | undefined;
}

export function contains(set: NumberSet, n: number): boolean {
  return 'values' in set ? set.values.has(n) : ((n ^ set.value) & set.mask) === 0;
}

function setsMeet(a: NumberSet, b: NumberSet): boolean {
  if ('values' in a) {
    for (const n of a.values) if (contains(b, n)) return true;
    return false;
  }
  if ('values' in b) return setsMeet(b, a);
  return ((a.value ^ b.value) & a.mask & b.mask) === 0;
}

function cubesMeet(a: GuidCube, b: GuidCube): boolean {
  for (let i = 0; i < 16; i++) {
    if (((a.value[i]! ^ b.value[i]!) & a.mask[i]! & b.mask[i]!) !== 0) return false;
  }
  return true;
}

/** Whether some event matches both arms: exact, because every dimension is independent. */
export function armsMeet(a: Arm, b: Arm): boolean {
  if ((a.priorities & b.priorities) === 0) return false;
  if (a.sources && b.sources && ![...a.sources].some((name) => b.sources!.has(name))) return false;
  if (!setsMeet(a.classes, b.classes) || !setsMeet(a.types, b.types)) return false;
  if (!a.guids || !b.guids) return true;
  return a.guids.some((x) => b.guids!.some((y) => cubesMeet(x, y)));
}
