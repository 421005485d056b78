/**
 * Commitments to records: they say nothing of the records, and fit no others.
 *
 * `SHA-256(opening ‖ SHA-256(records))`, where the opening is HMAC-SHA256 of the sequence of the first
 * record, u64, under the segment's salt. The salt is in the segment's header: whoever has the journal
 * can open what it still holds, and when a segment expires, so do its openings. An opening is of use for
 * its own commitment only.
 */
import { createHash, createHmac } from 'node:crypto';
import { writeU64 } from './format.js';

/** @param salt of the segment's header, in hexadecimal digits */
export function openingOf(salt: string, first: number): Buffer {
  const number = Buffer.alloc(8);
  writeU64(number, 0, first);
  return createHmac('sha256', Buffer.from(salt, 'hex')).update(number).digest();
}

/** The commitment of the event records at `bytes[start..end)`, whole, as the journal has them. */
export function commitmentOf(
  opening: Uint8Array,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): Buffer {
  const records = createHash('sha256').update(bytes.subarray(start, end)).digest();
  return createHash('sha256').update(opening).update(records).digest();
}
