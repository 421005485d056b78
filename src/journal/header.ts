/** A segment's header for who trusts none: whether it is one, and what its marks must look like. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { readU16, readU32 } from '../event/layout.js';
import { LANES, LENGTH, type SegmentHeader, VECTORS } from './format.js';
import { readHeader } from './scan.js';

export interface Start {
  readonly header: SegmentHeader;
  /** Bytes of it. */
  readonly length: number;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isNames = (value: unknown): boolean =>
  Array.isArray(value) && value.every((name) => typeof name === 'string');
const isNamesOrNone = (value: unknown): boolean => value === undefined || isNames(value);

const SALT = /^[0-9a-f]{64}$/;
const FIELDS: Readonly<Record<keyof SegmentHeader, (value: unknown) => boolean>> = {
  version: (value) => value === 1,
  channel: (value) => typeof value === 'string',
  lane: (value) => value === undefined || (LANES as readonly unknown[]).includes(value),
  epoch: isCount,
  first: isCount,
  created: (value) => typeof value === 'number',
  sources: isNames,
  rules: isNames,
  counters: isNames,
  channels: isNamesOrNone,
  outcomes: isNamesOrNone,
  journals: isNamesOrNone,
  salt: (value) => value === undefined || (typeof value === 'string' && SALT.test(value)),
};

/**
 * Reads the header of an open segment.
 *
 * @returns undefined if it is torn or damaged; a text: it is whole, and says what no gate says
 * @throws Error of the file system
 */
export function readStart(fd: number): Start | string | undefined {
  let start;
  try {
    start = readHeader(fd);
  } catch (error) {
    if (error instanceof SyntaxError) return 'the header is no JSON';
    throw error;
  }
  if (start === undefined) return undefined;
  const header: unknown = start.header;
  if (typeof header !== 'object' || header === null) return 'the header is no object';
  for (const [field, holds] of Object.entries(FIELDS)) {
    if (!holds((header as Record<string, unknown>)[field]))
      return `the header's '${field}' is wrong`;
  }
  return start;
}

/** Opens a file that should be a segment; -1 if there is none any more. Never waits for a writer. */
export function openSegment(path: string): number {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1;
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new Error(`${path} is no file`);
}

/** How many vectors a mark has in each of its groups, and how wide they are. */
function groupsOf(header: SegmentHeader): [count: number, width: number][] {
  const { sources, counters, channels = [], outcomes = [], journals = [] } = header;
  const groups: [number, number][] = [
    [sources.length, counters.length],
    [channels.length, outcomes.length],
    [1, journals.length],
  ];
  return groups.map(([count, width]) => [count, count === 0 ? 0 : width]);
}

/** Bytes of every mark of a segment. */
export function markLength(header: SegmentHeader): number {
  return groupsOf(header).reduce((sum, [count, width]) => sum + 4 + 8 * count * width, VECTORS + 4);
}

/** Whether the whole record at `at` is built as the marks of its segment are. */
export function isMarkOf(bytes: Uint8Array, at: number, header: SegmentHeader): boolean {
  if (readU32(bytes, at + LENGTH) !== markLength(header)) return false;
  let from = at + VECTORS;
  for (const [count, width] of groupsOf(header)) {
    if (readU16(bytes, from) !== count || readU16(bytes, from + 2) !== width) return false;
    from += 4 + 8 * count * width;
  }
  return true;
}
