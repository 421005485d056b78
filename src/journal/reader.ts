/**
 * Reads one channel's journal up to its last commit mark, through descriptors opened read-only.
 *
 * Nothing flows back: no lock, no acknowledgement; what the reader has done stands in its own cursor.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  BATCH_BYTES,
  checkRecord,
  EVENT,
  KIND,
  MARK,
  readU64,
  SEQUENCE,
  type SegmentHeader,
  type SegmentName,
  sortSegments,
} from './format.js';
import { readHeader } from './scan.js';

/** The last record that a reader is done with. */
export interface Position {
  readonly epoch: number;
  readonly sequence: number;
}

/** Up to this many records are delivered at once. */
export const MAX_RECORDS = 16 * 1024;

/** A directory's time stands still for a tick of the kernel's clock: it says nothing so soon, ms. */
const CLOCK_GRAIN = 100;

export class JournalReader {
  /** Records that retention deleted before they were read. */
  expired = 0;
  /** Times that the journal had lost, by a power cut, a tail that was read already. */
  rewinds = 0;
  /** The delivered records: `buffer` holds them, `offsets` says where each begins. */
  readonly buffer = Buffer.allocUnsafe(4 * BATCH_BYTES);
  readonly offsets = new Int32Array(MAX_RECORDS);
  readonly #directory: string;
  #fd = -1;
  #segment: SegmentName | undefined;
  #header: SegmentHeader | undefined;
  /** File offset up to which everything was delivered. */
  #position = 0;
  /** Last sequence delivered, or passed over because the cursor is beyond it. */
  #sequence: number;
  #epoch: number;
  /** Modification time of the directory when a listing of it showed no further segment. */
  #listed = NaN;

  constructor(directory: string, after: Position) {
    this.#directory = directory;
    this.#sequence = after.sequence;
    this.#epoch = after.epoch;
  }

  /** The header of the segment that the delivered records came from. */
  get header(): SegmentHeader | undefined {
    return this.#header;
  }

  /** Where reading stands after the delivered records. */
  get position(): Position {
    return { epoch: this.#epoch, sequence: this.#sequence };
  }

  /**
   * Delivers the next committed records of one segment.
   *
   * @returns how many; 0 if there is nothing new
   * @throws Error of the file system
   */
  read(): number {
    for (;;) {
      if (this.#fd < 0 && !this.#open()) return 0;
      const count = this.#readSegment();
      if (count > 0) return count;
      const next = this.#next();
      if (!next) return 0;
      // The writer ends a segment before it begins the next: what is here now is all there is.
      const rest = this.#readSegment();
      if (rest > 0) return rest;
      if (!this.#enter(next)) return 0;
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #readSegment(): number {
    const { buffer, offsets } = this;
    for (;;) {
      const filled = readSync(this.#fd, buffer, 0, buffer.length, this.#position);
      let at = 0;
      let found = 0;
      let count = 0;
      let marked = 0;
      let sequence = this.#sequence;
      while (found < MAX_RECORDS) {
        const length = checkRecord(buffer, at, filled - at);
        if (length <= 0) break;
        if (buffer[at + KIND] === EVENT) {
          sequence = readU64(buffer, at + SEQUENCE);
          // A record at or below the cursor was read before this reader began.
          if (sequence > this.#sequence) offsets[found++] = at;
        } else if (buffer[at + KIND] === MARK) {
          count = found;
          marked = at + length;
          this.#sequence = Math.max(this.#sequence, sequence);
        }
        at += length;
      }
      // What stands beyond the mark is read again: it may be cut away before it is committed.
      this.#position += marked;
      if (count > 0 || marked === 0) return count;
    }
  }

  #open(): boolean {
    const segments = sortSegments(readdirSync(this.#directory));
    const rewound = segments.find(
      ({ epoch, first }) => epoch > this.#epoch && first <= this.#sequence,
    );
    const next = rewound ?? segments.findLast(({ first }) => first <= this.#sequence + 1);
    return this.#enter(next ?? segments[0]);
  }

  #next(): SegmentName | undefined {
    const now = Date.now();
    const { mtimeMs } = statSync(this.#directory);
    if (mtimeMs === this.#listed) return undefined;
    const next = sortSegments(readdirSync(this.#directory)).find(
      ({ epoch, first }) =>
        epoch > this.#segment!.epoch ||
        (epoch === this.#segment!.epoch && first > this.#segment!.first),
    );
    this.#listed = next || now - mtimeMs <= CLOCK_GRAIN ? NaN : mtimeMs;
    return next;
  }

  /** Goes over to a segment; false while its header is torn, or where there is none any more. */
  #enter(segment: SegmentName | undefined): boolean {
    const fd = segment ? openIfThere(join(this.#directory, segment.name)) : -1;
    if (!segment || fd < 0) return false;
    const start = readHeader(fd);
    if (!start) {
      closeSync(fd);
      return false;
    }
    this.close();
    this.#fd = fd;
    this.#segment = segment;
    this.#header = start.header;
    this.#position = start.length;
    if (segment.first > this.#sequence + 1) {
      this.expired += segment.first - this.#sequence - 1;
      this.#sequence = segment.first - 1;
    } else if (segment.epoch > this.#epoch && segment.first <= this.#sequence) {
      this.rewinds++;
      this.#sequence = segment.first - 1;
    }
    this.#epoch = segment.epoch;
    return true;
  }
}

/** Opens a file; -1 if retention has deleted it since it was listed. */
function openIfThere(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1;
    throw error;
  }
}
