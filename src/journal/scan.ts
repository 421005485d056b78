/** Walks a segment file: to its last commit mark, and over the whole records that stand behind it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  checkRecord,
  isEvent,
  type Mark,
  MAX_HEADER,
  MAX_RECORD,
  parseHeader,
  readMark,
  readU64,
  type SegmentHeader,
  SEQUENCE,
} from './format.js';

export interface Scan {
  readonly header: SegmentHeader;
  /** Where the bytes after the last mark begin. */
  readonly committed: number;
  readonly size: number;
  readonly mark: Mark | undefined;
  /** Event records before the last mark. */
  readonly records: number;
  /** Sequence of the last whole record, marked or not, and where it ends. */
  readonly last: number;
  readonly end: number;
}

/** Reads the header of an open segment; undefined while it is torn. */
export function readHeader(fd: number) {
  const size = Math.min(fstatSync(fd).size, MAX_HEADER);
  const bytes = Buffer.alloc(size);
  const read = readSync(fd, bytes, 0, size, 0);
  return parseHeader(bytes.subarray(0, read));
}

/**
 * Scans one segment.
 *
 * @param until the last sequence to look at
 * @param visit is called for each event record and mark before the last mark, in order
 * @returns undefined if the header is torn
 * @throws Error of the file system
 */
export function scanSegment(
  path: string,
  visit?: (bytes: Uint8Array, at: number, length: number) => void,
  until = Infinity,
): Scan | undefined {
  const fd = openSync(path, 'r');
  try {
    const start = readHeader(fd);
    if (!start) return undefined;
    const size = fstatSync(fd).size;
    const buffer = Buffer.allocUnsafe(8 * MAX_RECORD);
    let position = start.length; // file offset of buffer[0]
    let committed = start.length;
    let mark: Mark | undefined;
    let records = 0;
    let uncommitted = 0;
    let last = start.header.first - 1;
    let end = start.length;
    let waiting: Uint8Array[] = [];
    for (;;) {
      const filled = readSync(fd, buffer, 0, buffer.length, position);
      let at = 0;
      let length = 0;
      while ((length = checkRecord(buffer, at, filled - at)) > 0) {
        const sequence = readU64(buffer, at + SEQUENCE);
        if (isEvent(buffer, at)) {
          if (sequence !== last + 1 || sequence > until) break;
          last = sequence;
          uncommitted++;
          if (visit) waiting.push(Uint8Array.from(buffer.subarray(at, at + length)));
        } else {
          if (sequence !== last) break;
          mark = readMark(buffer, at);
          committed = position + at + length;
          records += uncommitted;
          uncommitted = 0;
          if (visit) {
            for (const record of waiting) visit(record, 0, record.length);
            visit(buffer, at, length);
            waiting = [];
          }
        }
        at += length;
        end = position + at;
      }
      position += at;
      if (at === 0 || length < 0) break;
    }
    return { header: start.header, committed, size, mark, records, last, end };
  } finally {
    closeSync(fd);
  }
}
