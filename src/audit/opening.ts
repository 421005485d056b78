/** What a commitment was made of, shown to somebody who can check it. */
import { encodeEvent, MAX_TEXT } from '../event/encode.js';
import { readU32 } from '../event/layout.js';
import { commitmentOf } from '../journal/commitment.js';
import { holdsEvent } from '../journal/faults.js';
import { bodyOf, checkRecord, isEvent, LENGTH, readU64, SEQUENCE } from '../journal/format.js';
import type { Range } from './leaf.js';

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
