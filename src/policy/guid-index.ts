/** Finds out whether a GUID is among many patterns: one look into a table for each of their masks. */
import { readWord } from '../event/layout.js';
import { mix } from './streams.js';

/** From so many alternatives on, a table is faster than trying one after the other. */
export const MANY = 24;

/** Words of a pattern as the compiler writes them: value and mask of each of four. */
const WORDS = 8;

/** Patterns that share a mask. */
interface Group {
  readonly mask: Int32Array;
  /** Four words each. */
  readonly values: Int32Array;
  /** By hash: pattern + 1, or 0; at least half of them are empty. */
  readonly slots: Int32Array;
}

export class GuidIndex {
  readonly #groups: readonly Group[];
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  readonly #words = new Int32Array(4);

  /** @param patterns eight 32-bit words each: value and mask of each of four */
  constructor(patterns: Int32Array) {
    const groups = new Map<string, number[]>();
    for (let at = 0; at < patterns.length; at += WORDS) {
      const key = [1, 3, 5, 7].map((i) => patterns[at + i]!).join();
      const group = groups.get(key);
      if (group) group.push(at);
      else groups.set(key, [at]);
    }
    this.#groups = [...groups.values()].map((places) => this.#makeGroup(patterns, places));
  }

  /** Whether the 16 bytes at `from` are in any of the patterns. */
  has(body: Uint8Array, from: number): boolean {
    const words = this.#words;
    for (const { mask, values, slots } of this.#groups) {
      for (let i = 0; i < 4; i++) {
        words[i] = readWord(body, from + 4 * i) & mask[i]!;
      }
      let slot = this.#hash(words, 0) & (slots.length - 1);
      for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
        if (holds(values, 4 * (entry - 1), words)) return true;
        slot = (slot + 1) & (slots.length - 1);
      }
    }
    return false;
  }

  #makeGroup(patterns: Int32Array, places: readonly number[]): Group {
    const mask = Int32Array.from([1, 3, 5, 7], (i) => patterns[places[0]! + i]!);
    const values = new Int32Array(4 * places.length);
    const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * places.length + 1)));
    places.forEach((at, pattern) => {
      for (let i = 0; i < 4; i++) values[4 * pattern + i] = patterns[at + 2 * i]! & mask[i]!;
      let slot = this.#hash(values, 4 * pattern) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = pattern + 1;
    });
    return { mask, values, slots };
  }

  #hash(words: Int32Array, at: number): number {
    let hash = this.#seed;
    for (let i = 0; i < 4; i++) hash = mix(hash ^ words[at + i]!);
    return hash;
  }
}

function holds(values: Int32Array, at: number, words: Int32Array): boolean {
  for (let i = 0; i < 4; i++) if (values[at + i] !== words[i]) return false;
  return true;
}

/** All patterns in one array. */
export function concatenate(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
