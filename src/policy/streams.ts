/**
 * A bounded table of streams: what of a rule's events belongs together, by GUID, sensor and more.
 *
 * Keys come from untrusted events: the hash is seeded, a long run of collisions counts as full.
 */

/** Words of a key: GUID (4), class and type, sensor with zone and subzone, source. */
export const KEY_WORDS = 7;

/** Streams that all tables of a gate may hold together. */
export const MAX_STREAMS = 131_072;

const MAX_PROBES = 64;
const SMALLEST = 64;
/** A table that has grown beyond this gives its memory back when it is emptied. */
const KEPT = 1024;
/** Of a table that has never had an entry: most never have. */
const NONE = new Int32Array(1);

/** How many streams may still be added, shared by all tables. */
export class Budget {
  left: number;

  constructor(left: number = MAX_STREAMS) {
    this.left = left;
  }
}

const KEY = new Int32Array(KEY_WORDS);

export class StreamTable {
  /** The key to look for, written by the caller; all tables have the same one. */
  readonly key = KEY;
  /** Entries 0 to count-1 stand dense, in the order in which they were added. */
  count = 0;
  readonly #budget: Budget;
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  #keys = new Int32Array(0);
  /** By hash: entry + 1, or 0. */
  #slots = NONE;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Whether no table takes another stream. */
  get isFull(): boolean {
    return this.#budget.left <= 0;
  }

  /** Entries that fit before the caller's own columns have to grow. */
  get capacity(): number {
    return this.#keys.length / KEY_WORDS;
  }

  /** The entry of `key`, -1 if there is none. */
  find(): number {
    const slot = this.#slotOf();
    return slot < 0 ? -1 : this.#slots[slot]! - 1;
  }

  /** Adds `key`, which must not be there; -1 if there is no room for it. */
  add(): number {
    if (this.#budget.left <= 0) return -1;
    if (this.count === this.capacity) this.#grow();
    const slot = this.#slotOf();
    if (slot < 0) return -1;
    const entry = this.count++;
    this.#budget.left--;
    this.#slots[slot] = entry + 1;
    this.#keys.set(this.key, entry * KEY_WORDS);
    return entry;
  }

  /** A word of an entry's key. */
  word(entry: number, word: number): number {
    return this.#keys[entry * KEY_WORDS + word]!;
  }

  clear(): void {
    this.#budget.left += this.count;
    this.count = 0;
    if (this.capacity > KEPT) {
      this.#keys = new Int32Array(0);
      this.#slots = NONE;
    } else if (this.#slots !== NONE) this.#slots.fill(0);
  }

  /**
   * Keeps only entries that the predicate holds for, moved together.
   *
   * @param moved is called for each that gets another number, in rising order
   */
  retain(keep: (entry: number) => boolean, moved: (from: number, to: number) => void): void {
    let kept = 0;
    for (let entry = 0; entry < this.count; entry++) {
      if (!keep(entry)) continue;
      if (kept !== entry) {
        this.#keys.copyWithin(kept * KEY_WORDS, entry * KEY_WORDS, (entry + 1) * KEY_WORDS);
        moved(entry, kept);
      }
      kept++;
    }
    this.#budget.left += this.count - kept;
    this.count = kept;
    let capacity = this.capacity;
    while (capacity > KEPT && capacity > 4 * kept) capacity /= 2;
    if (capacity < this.capacity) {
      this.#keys = this.#keys.slice(0, capacity * KEY_WORDS);
      this.#slots = new Int32Array(2 * capacity);
    }
    this.#rehash();
  }

  /** The slot that holds `key`, or the empty one where it belongs; -1 after too many others. */
  #slotOf(): number {
    const { key } = this;
    const mask = this.#slots.length - 1;
    let slot = this.#hash(key, 0) & mask;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const entry = this.#slots[slot]!;
      if (entry === 0 || this.#holds(entry - 1)) return slot;
      slot = (slot + 1) & mask;
    }
    return -1;
  }

  #holds(entry: number): boolean {
    const { key } = this;
    const keys = this.#keys;
    const at = entry * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) if (keys[at + i] !== key[i]) return false;
    return true;
  }

  #hash(words: Int32Array, at: number): number {
    let hash = this.#seed;
    for (let i = 0; i < KEY_WORDS; i++) hash = mix(hash ^ words[at + i]!);
    return hash >>> 1;
  }

  #grow(): void {
    const keys = new Int32Array(Math.max(2 * this.#keys.length, SMALLEST * KEY_WORDS));
    keys.set(this.#keys);
    this.#keys = keys;
    this.#slots = new Int32Array(2 * this.capacity);
    this.#rehash();
  }

  #rehash(): void {
    if (this.#slots === NONE) return;
    this.#slots.fill(0);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.count; entry++) {
      let slot = this.#hash(this.#keys, entry * KEY_WORDS) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }
}

/** A round of multiplication and shifts: every bit of the word reaches the low ones. */
export function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
