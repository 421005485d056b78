/**
 * What a start finds in the journals: first all are looked at, then each is mended by the newest mark.
 *
 * All records of a batch are durable before the first of its marks is written: where one mark stands,
 * the batch stands, and journals that a kill or a power cut left without theirs get it.
 */
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeAll } from './file.js';
import { type Mark, MAX_RECORD, type SegmentName, sortSegments, writeMark } from './format.js';
import { type Scan, scanSegment } from './scan.js';
import { writtenBehind } from './tail.js';

interface Segment extends SegmentName {
  readonly path: string;
  readonly bytes: number;
  /** When it was last written to, ms since 1970. */
  readonly ended: number;
  /** Whether it may need mending: none does that is older than one with a mark. */
  readonly open: boolean;
  /** Of an open one; undefined: its header is torn. */
  readonly scan: Scan | undefined;
}

/** A journal as it was found. */
export interface Found {
  readonly epoch: number;
  readonly segments: readonly Segment[];
  /** The segment that holds the journal's last mark. */
  readonly newest: Scan | undefined;
  /** Last sequence that the journal's own marks commit. */
  readonly sequence: number;
}

/** Reads a journal's directory. @throws Error of the file system */
export function inspectJournal(directory: string): Found {
  const names = sortSegments(readdirSync(directory));
  const epoch = names.at(-1)?.epoch ?? 0;
  let newest: Scan | undefined;
  const segments = names
    .toReversed()
    .map((name): Segment => {
      const path = join(directory, name.name);
      const { size, mtimeMs } = statSync(path);
      const open = name.epoch === epoch && newest === undefined;
      const scan = open ? scanSegment(path) : undefined;
      if (scan?.mark) newest = scan;
      return { ...name, path, bytes: size, ended: mtimeMs, open, scan };
    })
    .reverse();
  newest ??= lastMarked(segments, epoch);
  const sequence = newest?.mark?.sequence ?? (names.at(-1)?.first ?? 1) - 1;
  return { epoch, segments, newest, sequence };
}

/** The newest segment of an earlier epoch that holds a mark. */
function lastMarked(segments: readonly Segment[], epoch: number): Scan | undefined {
  for (const { path, epoch: own } of segments.toReversed()) {
    const scan = own === epoch ? undefined : scanSegment(path);
    if (scan?.mark) return scan;
  }
  return undefined;
}

/** What the newest mark of all journals says of this one. */
export interface Standing {
  readonly mark: Mark;
  /** The last sequence that it commits here. */
  readonly sequence: number;
}

export interface Mended {
  /** Segments that hold committed records or marks, oldest first. */
  readonly closed: { name: string; bytes: number; ended: number }[];
  readonly sequence: number;
  /** Records that had no mark, and were given it. */
  readonly adopted: number;
  /** Records that the newest mark names, and that are not there. */
  readonly missing: number;
  /** Bytes that no mark commits, cut away. */
  readonly cut: number;
  /**
   * Segments without a mark. They go when the next one is there: its epoch is new then, whatever
   * happens in between, and a reader that was in one of them sees that it was taken back.
   */
  readonly emptied: readonly string[];
}

/** Cuts every segment back to its last mark, and drops those whose header is torn. */
export function mendJournal(found: Found, standing: Standing | undefined): Mended {
  const { segments } = found;
  const wanted = Math.max(found.sequence, standing?.sequence ?? 0);
  const closed: Mended['closed'] = [];
  let sequence = found.sequence;
  const emptied: string[] = [];
  let cut = 0;
  for (const segment of segments) {
    const { name, path, bytes, ended, open, scan } = segment;
    if (!open) {
      closed.push({ name, bytes, ended });
      continue;
    }
    let committed = scan?.mark ? scan.committed : 0;
    if (scan && standing && segment === segments.at(-1) && scan.last > sequence) {
      const last = Math.min(wanted, scan.last);
      if (last > sequence) committed = adopt(path, last, standing.mark);
      sequence = Math.max(last, sequence);
    }
    cut += bytesBehind(path, committed || (scan?.committed ?? 0));
    if (!scan) unlinkSync(path);
    else if (committed === 0) emptied.push(path);
    else {
      keep(path, committed, bytes);
      closed.push({ name, bytes: committed, ended });
    }
  }
  return {
    closed,
    sequence,
    adopted: sequence - found.sequence,
    missing: wanted - sequence,
    cut,
    emptied,
  };
}

/**
 * Cuts a segment, and makes durable what stands: a kill may have left marks that nobody has synced,
 * and whoever writes the next segment does not sync this one.
 */
function keep(path: string, committed: number, bytes: number): void {
  const fd = openSync(path, 'r+');
  try {
    if (committed < bytes) ftruncateSync(fd, committed);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Gives the records up to `sequence` the mark that they have on other journals; returns its end. */
function adopt(path: string, sequence: number, mark: Mark): number {
  const { end } = scanSegment(path, undefined, sequence)!;
  const bytes = Buffer.alloc(MAX_RECORD);
  const length = writeMark(bytes, 0, { ...mark, sequence });
  const fd = openSync(path, 'r+');
  try {
    writeAll(fd, bytes, length, end);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return end + length;
}

function bytesBehind(path: string, from: number): number {
  const fd = openSync(path, 'r');
  try {
    return writtenBehind(fd, from);
  } finally {
    closeSync(fd);
  }
}
