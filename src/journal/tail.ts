/** What stands behind the last whole record of a segment: room, the trace of a kill, or damage. */
import { fstatSync, readSync } from 'node:fs';
import { DATA, readU16, readU32, SIZE, writeU32 } from '../event/layout.js';
import {
  BODY,
  checkRecord,
  KIND,
  LENGTH,
  MAGIC,
  MARK,
  MAX_RECORD,
  readU64,
  SEQUENCE,
  URGENT,
  URGENT_BODY,
} from './format.js';

export interface Tail {
  /** Up to the last byte that is not zero. */
  readonly bytes: number;
  /** torn: the beginning of a record, as a kill leaves it. */
  readonly state: 'room' | 'torn' | 'damaged';
  /** A whole mark stands behind: where, and up to which sequence it commits. */
  readonly mark?: { readonly offset: number; readonly sequence: number };
}

/** What the next record would be. */
export interface Expected {
  /** Of an event in this lane. */
  readonly kind: number;
  /** Sequence of the last whole record. */
  readonly last: number;
  readonly markLength: number;
}

const PIECE = 256 * 1024;
const ZEROS = Buffer.alloc(PIECE);

/** Bytes from `from` on, up to the last one that is not zero. @throws Error of the file system */
export function writtenBehind(fd: number, from: number): number {
  if (fstatSync(fd).size <= from) return 0;
  const piece = Buffer.allocUnsafe(PIECE);
  let last = from;
  for (let at = from, read; (read = readSync(fd, piece, 0, PIECE, at)) > 0; at += read) {
    if (piece.compare(ZEROS, 0, read, 0, read) === 0) continue;
    let end = read;
    while (piece[end - 1] === 0) end--;
    last = at + end;
  }
  return last - from;
}

/** Whether a record begins at `at`, whole or not. @throws Error of the file system */
export function writesAt(fd: number, at: number): boolean {
  const start = Buffer.alloc(4);
  return readSync(fd, start, 0, start.length, at) > 0 && start.readUInt32BE() !== 0;
}

/** Looks at what stands from `from` on, where no whole record does. @throws Error of the file system */
export function inspectTail(fd: number, from: number, size: number, expected: Expected): Tail {
  const bytes = writtenBehind(fd, from);
  if (bytes === 0) return { bytes, state: 'room' };
  const mark = findMark(fd, from + 1, from + bytes, expected.markLength);
  if (mark) return { bytes, state: 'damaged', mark };
  const head = Buffer.alloc(URGENT_BODY + DATA);
  readSync(fd, head, 0, head.length, from);
  const length = readU32(head, LENGTH);
  // A kill ends a write somewhere: from there on, all is zero or not there.
  const cut = from + length > size || bytes <= length - 4;
  const torn = bytes < SEQUENCE || (cut && begins(head, Math.min(bytes, size - from), expected));
  return { bytes, state: torn ? 'torn' : 'damaged' };
}

/** Whether the first `there` bytes may begin the record that is expected. */
function begins(head: Uint8Array, there: number, { kind, last, markLength }: Expected): boolean {
  const length = readU32(head, LENGTH);
  const numbered = there >= SEQUENCE + 8;
  const sequence = readU64(head, SEQUENCE);
  if (head[KIND] === MARK) return length === markLength && (!numbered || sequence === last);
  if (head[KIND] !== kind || (numbered && sequence !== last + 1)) return false;
  const body = kind === URGENT ? URGENT_BODY : BODY;
  const sized = there >= body + SIZE + 2;
  return !sized || length === body + DATA + readU16(head, body + SIZE) + 4;
}

/** The first whole mark of this length in a part of a file. */
function findMark(fd: number, from: number, to: number, length: number): Tail['mark'] {
  if (length > MAX_RECORD) return undefined;
  const start = Buffer.alloc(5);
  writeU32(start, LENGTH, length);
  start[KIND] = MARK;
  const piece = Buffer.alloc(PIECE + length);
  for (let at = from; at < to; at += PIECE) {
    const read = readSync(fd, piece, 0, Math.min(piece.length, to - at + 4), at);
    const there = piece.subarray(0, read);
    for (let i = there.indexOf(start); i >= 0; i = there.indexOf(start, i + 1)) {
      if (checkRecord(piece, i, read - i) === length) {
        return { offset: at + i, sequence: readU64(piece, i + SEQUENCE) };
      }
    }
  }
  return undefined;
}

/** Whether a header that is not whole is the beginning of one, as a kill leaves it. */
export function isTornHeader(fd: number, size: number): boolean {
  const bytes = writtenBehind(fd, 0);
  const head = Buffer.alloc(MAGIC.length + 4);
  const read = readSync(fd, head, 0, head.length, 0);
  const there = Math.min(bytes, MAGIC.length);
  if (!head.subarray(0, there).equals(MAGIC.subarray(0, there))) return false;
  if (bytes < head.length || read < head.length) return true;
  const length = head.length + head.readUInt32BE(MAGIC.length) + 4;
  return length > size || bytes <= length - 4;
}
