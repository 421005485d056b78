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
  isEvent,
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

/** Bytes that are looked at, one amount after the other: behind the last mark is room, or nothing. */
const READS = [4096, 128 * 1024, 4 * BATCH_BYTES];

/** A directory's time stands still for a tick of the kernel's clock: it says nothing so soon, ms. */
const CLOCK_GRAIN = 100;

export class JournalReader {
  /** Records that retention deleted before they were read. */
  expired = 0;
  /** Records that were read already when a power cut took them back from the journal. */
  rewound = 0;
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

  /** Whether anything stands behind what was delivered, committed or not. */
  get hasMore(): boolean {
    if (this.#fd < 0) return listSegments(this.#directory).length > 0;
    const start = Buffer.alloc(4);
    const filled = readSync(this.#fd, start, 0, start.length, this.#position);
    return (filled === start.length && start.readUInt32BE() !== 0) || this.#next() !== undefined;
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #readSegment(): number {
    const { buffer, offsets } = this;
    for (;;) {
      let filled = 0;
      let at = 0;
      let found = 0;
      let count = 0;
      let marked = 0;
      let sequence = this.#sequence;
      for (const size of READS) {
        filled += readSync(this.#fd, buffer, filled, size - filled, this.#position + filled);
        let length = 0;
        while (found < MAX_RECORDS && (length = checkRecord(buffer, at, filled - at)) > 0) {
          if (isEvent(buffer, at)) {
            sequence = readU64(buffer, at + SEQUENCE);
            // A record at or below the cursor was read before this reader began.
            if (sequence > this.#sequence) offsets[found++] = at;
          } else {
            count = found;
            marked = at + length;
            this.#sequence = Math.max(this.#sequence, sequence);
          }
          at += length;
        }
        if (filled < size || length < 0 || found === MAX_RECORDS) break;
      }
      // What stands beyond the mark is read again: it may be cut away before it is committed.
      this.#position += marked;
      if (count > 0 || marked === 0) return count;
    }
  }

  #open(): boolean {
    const segments = listSegments(this.#directory);
    // Put back from a copy, or begun anew: what was read of it says nothing.
    if (Number.isFinite(this.#epoch) && (segments.at(-1)?.epoch ?? Infinity) < this.#epoch) {
      this.#epoch = -1;
    }
    const rewound = segments.find(
      ({ epoch, first }) => epoch > this.#epoch && first <= this.#sequence,
    );
    const next = rewound ?? segments.findLast(({ first }) => first <= this.#sequence + 1);
    return this.#enter(next ?? segments[0]);
  }

  #next(): SegmentName | undefined {
    const now = Date.now();
    const mtimeMs = statSync(this.#directory, { throwIfNoEntry: false })?.mtimeMs ?? NaN;
    if (mtimeMs === this.#listed) return undefined;
    const next = listSegments(this.#directory).find(
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
      this.rewound += this.#sequence - (segment.first - 1);
      this.#sequence = segment.first - 1;
    }
    this.#epoch = segment.epoch;
    return true;
  }
}

/** None where there is no directory: the writer has not been there yet. */
function listSegments(directory: string): SegmentName[] {
  try {
    return sortSegments(readdirSync(directory));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
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
