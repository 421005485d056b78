/** The kinds of malformed line, as the negative results of the decoder and as counter names. */
export const MALFORMED_KINDS = [
  'empty',
  'head',
  'class',
  'type',
  'obid',
  'datetime',
  'timestamp',
  'guid',
  'data',
  'size',
  'truncated',
  'too-long',
  /** NaN or an infinity, in a measurement. */
  'value',
] as const;

export type MalformedKind = (typeof MALFORMED_KINDS)[number];

export const EMPTY = -1;
export const BAD_HEAD = -2;
export const BAD_CLASS = -3;
export const BAD_TYPE = -4;
export const BAD_OBID = -5;
export const BAD_DATETIME = -6;
export const BAD_TIMESTAMP = -7;
export const BAD_GUID = -8;
export const BAD_DATA = -9;
export const BAD_SIZE = -10;
export const TRUNCATED = -11;
export const BAD_VALUE = -13;

/** Index into {@link MALFORMED_KINDS} of a decoder's negative result. */
export function malformedIndex(result: number): number {
  return -result - 1;
}

/** Name of a decoder's negative result. */
export function malformedKind(result: number): MalformedKind {
  return MALFORMED_KINDS[malformedIndex(result)] ?? 'empty';
}
