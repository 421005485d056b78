/** An event as an object: for tools, tests and people; never on the path of a forwarded event. */
import { decodeEvent } from './decode.js';
import { encodeEvent, MAX_TEXT, writeStoredDatetime } from './encode.js';
import {
  CLASS,
  DATA,
  DATE_FORM,
  DateForm,
  GUID,
  HEAD,
  MAX_BODY,
  OBID,
  priorityOf,
  readU16,
  readU32,
  SIZE,
  STAMP_HIGH,
  STAMP_LOW,
  TYPE,
} from './layout.js';
import { malformedKind } from './malformed.js';

export interface VscpEvent {
  /** Bits 7..5 priority, bit 4 hard-coded, bit 3 no CRC, bits 2..0 rolling index. */
  readonly head: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly obid: number;
  /** UTC, `YYYY-MM-DDTHH:MM:SS` with or without `Z`, or empty. */
  readonly datetime: string;
  /** Relative microseconds beside a datetime, Unix nanoseconds without one. */
  readonly timestamp: bigint;
  /** 16 bytes, MSB first. */
  readonly guid: Uint8Array;
  /** 0..512 bytes. */
  readonly data: Uint8Array;
}

/** Reads the binary form at `at` into an object of its own. */
export function unpackEvent(body: Uint8Array, at = 0): VscpEvent {
  const text = new Uint8Array(20);
  const length =
    body[at + DATE_FORM] === DateForm.none ? 0 : writeStoredDatetime(body, at, text, 0);
  return {
    head: readU16(body, at + HEAD),
    vscpClass: readU16(body, at + CLASS),
    type: readU16(body, at + TYPE),
    obid: readU32(body, at + OBID),
    datetime: String.fromCharCode(...text.subarray(0, length)),
    timestamp:
      (BigInt(readU32(body, at + STAMP_HIGH)) << 32n) | BigInt(readU32(body, at + STAMP_LOW)),
    guid: body.slice(at + GUID, at + GUID + 16),
    data: body.slice(at + DATA, at + DATA + readU16(body, at + SIZE)),
  };
}

/**
 * Parses the text form of one event.
 *
 * @throws Error naming the field that is malformed
 */
export function parseEvent(text: string): VscpEvent {
  return unpackEvent(parseBody(text));
}

/**
 * Parses the text form of one event into its binary form.
 *
 * @throws Error naming the field that is malformed
 */
export function parseBody(text: string): Uint8Array {
  const line = Uint8Array.from(text, (character) => Math.min(character.charCodeAt(0), 255));
  const body = new Uint8Array(MAX_BODY);
  const length = decodeEvent(line, 0, line.length, body, 0);
  if (length < 0) throw new Error(`malformed event: ${malformedKind(length)}`);
  return body.slice(0, length);
}

/** The canonical text form of the event whose binary form starts at `at`. */
export function formatEvent(body: Uint8Array, at = 0): string {
  const text = new Uint8Array(MAX_TEXT);
  return String.fromCharCode(...text.subarray(0, encodeEvent(body, at, text, 0)));
}

/** Priority 0..7, 0 the highest. */
export function eventPriority(event: VscpEvent): number {
  return priorityOf(event.head);
}
