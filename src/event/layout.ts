/**
 * The compact binary form of an event: fixed offsets, big-endian, typed fields and nothing else.
 *
 * The decoder writes it, the policy reads it, the journal stores it and the encoder turns it back
 * into text; so no byte goes up because it came in.
 */
export const HEAD = 0; // u16
export const CLASS = 2; // u16
export const TYPE = 4; // u16
export const SIZE = 6; // u16, data bytes
export const OBID = 8; // u32
export const STAMP_HIGH = 12; // u32, upper half of the timestamp
export const STAMP_LOW = 16; // u32
export const GUID = 20; // 16 bytes, MSB first
export const DATE_FORM = 36; // u8, one of DateForm
export const MONTH = 37; // u8, 1..12
export const DAY = 38; // u8, 1..31
export const HOUR = 39; // u8
export const MINUTE = 40; // u8
export const SECOND = 41; // u8, 60 only at 23:59
export const YEAR = 42; // u16, 0..9999
export const DATA = 44;

/** VSCP specification, "Level II specifics": a Level II event carries 0..512 data bytes. */
export const MAX_DATA = 512;
export const MAX_BODY = DATA + MAX_DATA;

/** How the datetime field was written; the two spellings are what real servers send. */
export const DateForm = { none: 0, plain: 1, zulu: 2 } as const;

/** Reads an unsigned 16-bit field. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Reads an unsigned 32-bit field. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

/** Reads a 32-bit word as V8 keeps it unboxed: signed. */
export function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Writes an unsigned 16-bit field. */
export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes an unsigned 32-bit field. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Length in bytes of the event that starts at `at`. */
export function bodyLength(bytes: Uint8Array, at: number): number {
  return DATA + readU16(bytes, at + SIZE);
}

/** Priority 0..7, 0 the highest: bits 7..5 of head. */
export function priorityOf(head: number): number {
  return (head >>> 5) & 7;
}
