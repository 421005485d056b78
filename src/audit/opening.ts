/** What a commitment was made of, shown to somebody who can check it. */
import { encodeEvent, MAX_TEXT } from '../event/encode.js';
import { CLASS, readU16, readU32, TYPE } from '../event/layout.js';
import { commitmentOf } from '../journal/commitment.js';
import { holdsEvent } from '../journal/faults.js';
import {
  bodyOf,
  checkRecord,
  isEvent,
  LENGTH,
  readU64,
  RULE,
  SEQUENCE,
  SOURCE,
} from '../journal/format.js';
import type { Batch, Range } from './leaf.js';

export interface Opening {
  readonly opening: Uint8Array;
  /** The event records of a range, one behind the other, as the journal has them. */
  readonly records: Uint8Array;
}

/** Whether an opening fits a range's commitment. */
export function opens({ commitment }: Pick<Range, 'commitment'>, made: Opening): boolean {
  const own = commitmentOf(made.opening, made.records, 0, made.records.length);
  return Buffer.compare(own, commitment) === 0;
}

/**
 * Whether records are those of a range, each as the leaf says: rule, source, class and type.
 *
 * @returns the first sequence that is not; undefined: all are
 */
export function oddRecord(
  { first, count, of }: Range,
  decisions: Batch['decisions'],
  records: Uint8Array,
): number | undefined {
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = checkRecord(records, at, records.length - at);
    const said = decisions[of[i]!];
    if (length <= 0 || !isEvent(records, at) || !holdsEvent(records, at, length)) return first + i;
    const body = bodyOf(records, at);
    const same =
      readU64(records, at + SEQUENCE) === first + i &&
      readU16(records, at + RULE) === said?.rule &&
      readU16(records, at + SOURCE) === said.source &&
      readU16(records, body + CLASS) === said.vscpClass &&
      readU16(records, body + TYPE) === said.type;
    if (!same) return first + i;
    at += length;
  }
  return at === records.length ? undefined : first + count;
}

/** The event of a sequence, as VSCP servers write it; undefined if it is not among the records. */
export function eventIn(records: Uint8Array, sequence: number): string | undefined {
  for (let at = 0; at < records.length;) {
    if (checkRecord(records, at, records.length - at) <= 0 || !isEvent(records, at)) break;
    const length = readU32(records, at + LENGTH);
    if (readU64(records, at + SEQUENCE) === sequence) {
      if (!holdsEvent(records, at, length)) break;
      const text = Buffer.alloc(MAX_TEXT);
      return text.toString('latin1', 0, encodeEvent(records, bodyOf(records, at), text, 0));
    }
    at += length;
  }
  return undefined;
}
