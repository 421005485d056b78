/** Writes leaves; those of batches without an object per event. */
import { CLASS, readU16, readU32, TYPE, writeU32 } from '../event/layout.js';
import { crc32 } from '../journal/crc.js';
import { bodyOf, LENGTH, RULE, SOURCE } from '../journal/format.js';
import {
  CLOCKS,
  type Clock,
  type Denials,
  type Head,
  KINDS,
  type Kind,
  MAX_RECORDS,
  type Plain,
} from './leaf.js';
import { HASH_BYTES } from './merkle.js';
import { MAX_LEAF } from './tiles.js';
import { MAX_VARINT, writeVarint } from './varint.js';

/** What all leaves begin with, but for their place in the log. */
export interface Heading {
  readonly time: number;
  readonly clock: Clock;
  readonly start: number;
  readonly policies: number | undefined;
}

const CRC_BYTES = 4;
const MAX_HEAD = 2 + 4 * MAX_VARINT;

function writeHead(bytes: Uint8Array, kind: Kind, index: number, heading: Heading): number {
  const { time, clock, start, policies } = heading;
  bytes[0] = KINDS.indexOf(kind);
  bytes[1] = CLOCKS.indexOf(clock);
  let at = writeVarint(bytes, 2, index);
  at = writeVarint(bytes, at, time);
  at = writeVarint(bytes, at, start);
  return writeVarint(bytes, at, policies === undefined ? 0 : policies + 1);
}

function seal(bytes: Uint8Array, end: number): number {
  writeU32(bytes, end, crc32(bytes, 0, end));
  return end + CRC_BYTES;
}

/**
 * A leaf of a rare kind.
 *
 * @throws RangeError if it is longer than a leaf can be
 */
export function encodePlain({ index, ...heading }: Head, { kind, ...own }: Plain): Buffer {
  const json = Buffer.from(JSON.stringify(own));
  const bytes = Buffer.alloc(MAX_HEAD + json.length + CRC_BYTES);
  const at = writeHead(bytes, kind, index, heading);
  json.copy(bytes, at);
  const length = seal(bytes, at + json.length);
  if (length > MAX_LEAF)
    throw new RangeError(`a leaf of kind ${kind} is too long: ${length} bytes`);
  return bytes.subarray(0, length);
}

/** Denials in one leaf, at most. */
export const MAX_DENIALS = 2048;

/** @param leaf of MAX_DENIALS denials at most */
export function encodeDenials({ index, ...heading }: Head, { since, denied }: Denials): Buffer {
  const bytes = Buffer.alloc(MAX_HEAD + (2 + 3 * denied.length) * MAX_VARINT + CRC_BYTES);
  let at = writeHead(bytes, 'denials', index, heading);
  at = writeVarint(bytes, at, since);
  at = writeVarint(bytes, at, denied.length);
  for (const { source, rule, count } of denied) {
    at = writeVarint(bytes, at, source);
    at = writeVarint(bytes, at, rule === undefined ? 0 : rule + 1);
    at = writeVarint(bytes, at, count);
  }
  return bytes.subarray(0, seal(bytes, at));
}

/** Records of one journal that a batch will show. */
export interface Pending {
  /** Number of the journal. */
  readonly journal: number;
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  /** The commitment of some records of it: see src/journal/commitment.ts. */
  commit(first: number, start: number, end: number): Uint8Array;
}

/** What a batch's last leaf says beyond its records. */
export interface Sums {
  readonly batch: number;
  /** By source and by channel, as they are with this batch. */
  readonly counts: readonly Float64Array[];
  readonly sums: readonly Float64Array[];
  /** By journal: the last sequence. */
  readonly sequences: Float64Array;
}

/** Different decisions in one leaf, at most. */
const DECISIONS = 1024;
const SLOTS = 2 * DECISIONS;
const MAX_DECISION = 3 + 3 + 3 + 3;
/** Of what is behind the decisions: numbers that changed. */
const MAX_SUMS = 24 * 1024;
/** Bytes of decisions and indices in one leaf. */
const FULL = MAX_LEAF - MAX_HEAD - MAX_SUMS - 4096;

interface Stretch {
  readonly pending: Pending;
  readonly first: number;
  count: number;
  readonly start: number;
  end: number;
}

/** Puts batches into leaves: the decisions once each, a number per record. */
export class BatchEncoder {
  readonly #leaf = Buffer.alloc(MAX_LEAF);
  readonly #decisions = Buffer.alloc(DECISIONS * MAX_DECISION);
  #decided = 0;
  #decisionEnd = 0;
  readonly #of = Buffer.alloc(MAX_LEAF);
  #ofEnd = 0;
  #records = 0;
  /** A hash table of the decisions of the leaf at hand: their number + 1, and what they are. */
  readonly #slots = new Uint16Array(SLOTS);
  readonly #origins = new Uint32Array(SLOTS);
  readonly #pairs = new Uint32Array(SLOTS);
  /** What the leaf before has said. */
  readonly #counts: readonly Float64Array[];
  readonly #sums: readonly Float64Array[];

  /** @param counts by source, and `sums` by channel: what the start leaf says */
  constructor(counts: readonly Float64Array[], sums: readonly Float64Array[]) {
    this.#counts = counts.map((vector) => vector.slice());
    this.#sums = sums.map((vector) => vector.slice());
  }

  /**
   * Encodes a batch.
   *
   * @param index of its first leaf
   * @param take gets each leaf: bytes that the next one is written over
   * @returns how many leaves it has
   */
  encode(
    index: number,
    heading: Heading,
    pending: readonly Pending[],
    sums: Sums,
    take: (leaf: Uint8Array) => void,
  ): number {
    let part = 0;
    let stretches: Stretch[] = [];
    const end = (last: boolean): void => {
      take(this.#finish(index + part, heading, stretches, sums, part, last));
      part++;
      stretches = [];
      this.#forget();
    };
    this.#forget();
    for (const range of pending) {
      let stretch: Stretch | undefined;
      for (let at = 0, i = 0; i < range.count; i++) {
        const full =
          this.#decided === DECISIONS ||
          this.#records === MAX_RECORDS ||
          this.#decisionEnd + this.#ofEnd + MAX_DECISION + 2 + stretches.length * 64 > FULL;
        if (full) {
          end(false);
          stretch = undefined;
        }
        stretch ??= this.#begin(range, range.first + i, at, stretches);
        this.#note(range.bytes, at);
        at += readU32(range.bytes, at + LENGTH);
        stretch.count++;
        stretch.end = at;
      }
    }
    end(true);
    return part;
  }

  /** The batch that was encoded last is in the log: the next one says what has changed since. */
  logged({ counts, sums }: Pick<Sums, 'counts' | 'sums'>): void {
    counts.forEach((vector, i) => this.#counts[i]!.set(vector));
    sums.forEach((vector, i) => this.#sums[i]!.set(vector));
  }

  #begin(pending: Pending, first: number, start: number, into: Stretch[]): Stretch {
    const stretch = { pending, first, count: 0, start, end: start };
    into.push(stretch);
    return stretch;
  }

  #forget(): void {
    this.#slots.fill(0);
    this.#decided = this.#decisionEnd = this.#ofEnd = this.#records = 0;
  }

  /** Notes the decision of the record at `at`. */
  #note(bytes: Uint8Array, at: number): void {
    const body = bodyOf(bytes, at);
    const [rule, source] = [readU16(bytes, at + RULE), readU16(bytes, at + SOURCE)];
    const [vscpClass, type] = [readU16(bytes, body + CLASS), readU16(bytes, body + TYPE)];
    const origin = ((rule << 16) | source) >>> 0;
    const pair = ((vscpClass << 16) | type) >>> 0;
    const mixed = Math.imul(origin ^ Math.imul(pair, 0x9e3779b1), 0x85ebca6b);
    let slot = (mixed >>> 16) % SLOTS;
    let number = this.#slots[slot]!;
    while (number !== 0 && (this.#origins[slot] !== origin || this.#pairs[slot] !== pair)) {
      slot = (slot + 1) % SLOTS;
      number = this.#slots[slot]!;
    }
    if (number === 0) {
      number = ++this.#decided;
      this.#slots[slot] = number;
      this.#origins[slot] = origin;
      this.#pairs[slot] = pair;
      const to = this.#decisions;
      let end = writeVarint(to, this.#decisionEnd, rule);
      end = writeVarint(to, end, source);
      end = writeVarint(to, end, vscpClass);
      this.#decisionEnd = writeVarint(to, end, type);
    }
    this.#ofEnd = writeVarint(this.#of, this.#ofEnd, number - 1);
    this.#records++;
  }

  #finish(
    index: number,
    heading: Heading,
    stretches: readonly Stretch[],
    sums: Sums,
    part: number,
    last: boolean,
  ): Uint8Array {
    const leaf = this.#leaf;
    let at = writeHead(leaf, 'batch', index, heading);
    at = writeVarint(leaf, at, sums.batch);
    at = writeVarint(leaf, at, part);
    at = writeVarint(leaf, at, Number(last));
    at = writeVarint(leaf, at, this.#decided);
    at += this.#decisions.copy(leaf, at, 0, this.#decisionEnd);
    at = writeVarint(leaf, at, stretches.length);
    for (const { pending, first, count, start, end } of stretches) {
      at = writeVarint(leaf, at, pending.journal);
      at = writeVarint(leaf, at, first);
      at = writeVarint(leaf, at, count);
      leaf.set(pending.commit(first, start, end), at);
      at += HASH_BYTES;
    }
    if (this.#decided > 1) at += this.#of.copy(leaf, at, 0, this.#ofEnd);
    at = writeChanges(leaf, at, last ? this.#counts : [], sums.counts);
    at = writeChanges(leaf, at, last ? this.#sums : [], sums.sums);
    const sequences = last ? sums.sequences : [];
    at = writeVarint(leaf, at, sequences.length);
    for (const sequence of sequences) at = writeVarint(leaf, at, sequence);
    return leaf.subarray(0, seal(leaf, at));
  }
}

/** Writes which numbers are others than before: how many, then vector, place and value of each. */
function writeChanges(
  bytes: Uint8Array,
  at: number,
  before: readonly Float64Array[],
  now: readonly Float64Array[],
): number {
  let count = 0;
  before.forEach((vector, i) => {
    for (let k = 0; k < vector.length; k++) if (vector[k] !== now[i]![k]) count++;
  });
  let end = writeVarint(bytes, at, count);
  before.forEach((vector, i) => {
    for (let k = 0; k < vector.length; k++) {
      const value = now[i]![k]!;
      if (vector[k] === value) continue;
      end = writeVarint(bytes, end, i);
      end = writeVarint(bytes, end, k);
      end = writeVarint(bytes, end, value);
    }
  });
  return end;
}
