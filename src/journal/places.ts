/** Where the journals in a directory are: that of a relay, of one channel, or a copy of either. */
import { closeSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import {
  type Lane,
  LANES,
  laneOf,
  type SegmentHeader,
  type SegmentName,
  sortSegments,
} from './format.js';
import { openSegment, readStart } from './header.js';

/** The journal of one lane. */
export interface Place {
  readonly channel: string;
  readonly lane: Lane;
  /** As the marks of its gate call it. */
  readonly name: string;
  readonly directory: string;
}

/** The lanes of a channel whose journal is in `directory`. */
export function lanesIn(directory: string, channel: string): Place[] {
  return LANES.map((lane) => ({
    channel,
    lane,
    name: laneOf(channel, lane),
    directory: laneOf(directory, lane),
  }));
}

/**
 * The segments of a journal, oldest first; none where there is no such directory.
 *
 * @throws Error of the file system
 */
export function listSegments(directory: string): SegmentName[] {
  return sortSegments(namesIn(directory));
}

/** @throws Error of the file system */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * The channels in a directory: one, if it holds segments itself, or those of its directories.
 *
 * @throws Error of the file system
 */
export function channelsIn(directory: string): { channel: string; directory: string }[] {
  const names = readdirSync(directory).sort();
  if (sortSegments(names).length > 0) {
    const header = headerIn(directory);
    if (header?.lane === 'urgent') {
      throw new Error(`${directory} is one lane of a channel: name the directory that it is in`);
    }
    return [{ channel: header?.channel ?? basename(resolve(directory)), directory }];
  }
  return names
    .map((channel) => ({ channel, directory: join(directory, channel) }))
    .filter((each) => statSync(each.directory, { throwIfNoEntry: false })?.isDirectory() === true)
    .filter((each) => LANES.some((lane) => listSegments(laneOf(each.directory, lane)).length > 0));
}

/** Says whose segments they are: a copy of a channel's directory may be called otherwise. */
function headerIn(directory: string): SegmentHeader | undefined {
  for (const { name } of listSegments(directory)) {
    const fd = openSegment(join(directory, name));
    if (fd < 0) continue;
    try {
      const start = readStart(fd);
      if (typeof start === 'object') return start.header;
    } finally {
      closeSync(fd);
    }
  }
  return undefined;
}
