/** What the segments of a journal hold, at a glance: of a closed one, its first and last bytes. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkRecord,
  KIND,
  MARK,
  MAX_RECORD,
  readU64,
  type SegmentName,
  SEQUENCE,
  TIME,
} from './format.js';
import { isMarkOf, markLength, openSegment, readStart, type Start } from './header.js';
import { listSegments } from './places.js';
import { Walker } from './walk.js';

export interface SegmentFacts {
  readonly name: string;
  readonly epoch: number;
  /** Sequence of the first record that it may hold; of the last one that is committed. */
  readonly first: number;
  readonly last: number;
  /** Committed ones. */
  readonly records: number;
  /** Bytes: of the file, and up to the last mark. */
  readonly size: number;
  readonly committed: number;
  /** ms since 1970: when it was begun; of its last mark, if it has one. */
  readonly created?: number;
  readonly marked?: number;
  /** Why there is no more to be said of it. */
  readonly unreadable?: string;
}

interface LastMark {
  readonly sequence: number;
  readonly time: number;
  readonly end: number;
}

/** @throws Error of the file system */
export function surveyJournal(directory: string): SegmentFacts[] {
  return listSegments(directory).flatMap((segment) => {
    const fd = openSegment(join(directory, segment.name));
    // Retention was here since.
    if (fd < 0) return [];
    try {
      return [survey(fd, segment)];
    } finally {
      closeSync(fd);
    }
  });
}

function survey(fd: number, { name, epoch, first }: SegmentName): SegmentFacts {
  const { size } = fstatSync(fd);
  const nothing = { name, epoch, first, last: first - 1, records: 0, size, committed: 0 };
  const start = readStart(fd);
  if (typeof start !== 'object') {
    return { ...nothing, unreadable: start ?? 'its header is torn or damaged' };
  }
  const { created } = start.header;
  const mark = markAtEnd(fd, start, size) ?? lastMark(fd, start);
  if (!mark) return { ...nothing, committed: start.length, created };
  return {
    ...nothing,
    created,
    last: mark.sequence,
    records: Math.max(0, mark.sequence - first + 1),
    committed: mark.end,
    marked: mark.time,
  };
}

/** A segment that is closed ends with its last mark. */
function markAtEnd(fd: number, { header, length: begin }: Start, size: number) {
  const length = markLength(header);
  if (length > MAX_RECORD || size - length < begin) return undefined;
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, size - length);
  if (checkRecord(bytes, 0, length) !== length || bytes[KIND] !== MARK) return undefined;
  return isMarkOf(bytes, 0, header) ? markIn(bytes, 0, size) : undefined;
}

function lastMark(fd: number, { header, length }: Start): LastMark | undefined {
  const walker = new Walker();
  let last: LastMark | undefined;
  walker.enter(fd, length);
  while (walker.next()) {
    const { bytes, at, offset } = walker;
    if (bytes[at + KIND] !== MARK || !isMarkOf(bytes, at, header)) continue;
    last = markIn(bytes, at, offset + walker.length);
  }
  return last;
}

function markIn(bytes: Buffer, at: number, end: number): LastMark {
  return { sequence: readU64(bytes, at + SEQUENCE), time: bytes.readDoubleBE(at + TIME), end };
}
