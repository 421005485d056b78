/** How the bytes that a history may have on disk are divided. */

const MIB = 2 ** 20;
export const PAGE = 4096;
/** A page in the write-ahead log, with its header (SQLite file format, 4.1). */
export const FRAME = PAGE + 24;

/** Bytes, below which there is no room for a log beside the database. */
export const LEAST_SIZE = 16 * MIB;
const LEAST_LOG = 4 * MIB;
const GREATEST_LOG = 64 * MIB;
/** The lock, and what a directory itself takes. */
const SMALL_FILES = MIB / 8;

export interface Room {
  /** Of the database, in pages. */
  readonly pages: number;
  /** Of its write-ahead log, bytes. */
  readonly log: number;
}

/** @param aside bytes of databases that were moved aside */
export function divide(size: number, aside: number): Room {
  const left = Math.max(size, LEAST_SIZE) - aside;
  const log = Math.min(Math.max(left / 8, LEAST_LOG), GREATEST_LOG);
  // The log's index has 8 bytes for a frame, in blocks of 32 KiB (SQLite file format, 4.5).
  const index = log / 256 + 65_536;
  return { pages: Math.floor((left - log - index - SMALL_FILES) / PAGE), log };
}

/** Bytes of databases that were moved aside which may be kept. */
export function roomAside(size: number): number {
  return Math.floor(Math.max(size, LEAST_SIZE) / 2);
}
