/** Checks the records of a lane from one mark to the next: what they are, and their order. */
import { eventFaults } from './faults.js';
import { MAX_FINDINGS } from './finding.js';
import {
  AFTER,
  BATCH_BYTES,
  type Lane,
  type Mark,
  readU64,
  type SegmentHeader,
  SEQUENCE,
} from './format.js';
import { MAX_RECORDS } from './reader.js';

interface Fault {
  readonly message: string;
  readonly offset: number;
}

export class BatchCheck {
  /** Sequences of the last whole record, and of the last one that a mark commits. */
  last = 0;
  committed = 0;
  /** Records since the last mark, and their bytes. */
  count = 0;
  bytes = 0;
  readonly #lane: Lane;
  #header: SegmentHeader | undefined;
  /** Of the urgent lane: what its records stand after, and the least that it can be. */
  #after = 0;
  #floor = 0;
  #faults: Fault[] = [];

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  /** @param renewed a gate has begun: after a power cut the routine lane's sequences come again */
  begin(header: SegmentHeader, committed: number, renewed: boolean): void {
    this.#header = header;
    this.last = this.committed = committed;
    this.count = this.bytes = 0;
    this.#faults = [];
    if (renewed) this.#after = this.#floor = 0;
  }

  /** Takes the event record of `length` bytes at `at`, which is at `offset` in its file. */
  take(bytes: Uint8Array, at: number, length: number, offset: number): void {
    const sequence = readU64(bytes, at + SEQUENCE);
    const wrong = eventFaults(bytes, at, length, this.#lane, this.#header!);
    if (sequence !== this.last + 1) wrong.push(`stands where ${this.last + 1} should`);
    this.last = sequence;
    this.count++;
    this.bytes += length;
    if (this.#lane === 'urgent') {
      const after = readU64(bytes, at + AFTER);
      if (after < this.#after) wrong.push(`stands after routine record ${after}, too early`);
      this.#after = after;
    }
    for (const message of wrong) {
      if (this.#faults.length === MAX_FINDINGS) return;
      this.#faults.push({ message: `record ${sequence} ${message}`, offset });
    }
  }

  /** What is wrong with the records. */
  takeFaults(): Fault[] {
    const faults = this.#faults;
    this.#faults = [];
    return faults;
  }

  /** The records since the last mark are to be read again. */
  forget(): void {
    this.last = this.committed;
    this.count = this.bytes = 0;
    this.#after = this.#floor;
    this.#faults = [];
  }

  /**
   * Takes the mark that ends the batch.
   *
   * @param routine the routine lane's last sequence, as the mark has it
   * @returns what is wrong with it
   */
  end({ sequence }: Mark, length: number, routine: number | undefined): string[] {
    const wrong: string[] = [];
    if (sequence !== this.last) {
      wrong.push(`commits up to record ${sequence}, but the last one is ${this.last}`);
    }
    if (this.count > MAX_RECORDS || this.bytes + length > 4 * BATCH_BYTES) {
      wrong.push('commits more than any reader takes at once');
    }
    if (this.#lane === 'urgent' && routine !== undefined) {
      if (this.#after > routine) {
        wrong.push(`a record stands after routine record ${this.#after}, of ${routine}`);
      }
      // A record to come is not older.
      this.#after = this.#floor = routine;
    }
    this.committed = this.last;
    this.count = this.bytes = 0;
    return wrong;
  }
}
