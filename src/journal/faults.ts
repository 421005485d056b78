/** What is wrong with a whole record, or a whole header, in the place where it stands. */
import { DATA, MAX_DATA, readU16, SIZE } from '../event/layout.js';
import {
  bodyOf,
  EVENT,
  KIND,
  type Lane,
  RELAY,
  RULE,
  type SegmentHeader,
  type SegmentName,
  SOURCE,
  URGENT,
} from './format.js';
import type { Place } from './places.js';

/** Whether the event record of `length` bytes at `at` holds an event, and nothing else. */
export function holdsEvent(bytes: Uint8Array, at: number, length: number): boolean {
  const body = bodyOf(bytes, at);
  if (body + DATA + 4 > at + length) return false;
  const size = readU16(bytes, body + SIZE);
  return size <= MAX_DATA && body + DATA + size + 4 === at + length;
}

/** What is wrong with the event record of `length` bytes at `at`. */
export function eventFaults(
  bytes: Uint8Array,
  at: number,
  length: number,
  lane: Lane,
  { sources, rules }: SegmentHeader,
): string[] {
  const wrong: string[] = [];
  if (bytes[at + KIND] !== (lane === 'urgent' ? URGENT : EVENT)) wrong.push('is of the other lane');
  if (!holdsEvent(bytes, at, length)) wrong.push('holds no event');
  const [source, rule] = [readU16(bytes, at + SOURCE), readU16(bytes, at + RULE)];
  const own = source === RELAY && rule === RELAY;
  if (!own && source >= sources.length) wrong.push('is of no source in the header');
  if (!own && rule >= rules.length) wrong.push('is of no rule in the header');
  return wrong;
}

/** Where a header says something else than the segment's name and place. */
export function headerFaults(header: SegmentHeader, { first, epoch }: SegmentName, place: Place) {
  const { channel, lane = 'routine' } = header;
  const pairs = [
    ['first sequence', header.first, first],
    ['epoch', header.epoch, epoch],
    ['channel', channel, place.channel],
    ['lane', lane, place.lane],
  ] as const;
  return pairs
    .filter(([, said, expected]) => said !== expected)
    .map(([what, said, expected]) => `the header says ${what} ${said}, but it is ${expected} here`);
}
