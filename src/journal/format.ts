/**
 * The journal's file format: segments of length-prefixed records, big-endian, each with a CRC.
 *
 * A segment is `<first sequence>-<epoch>.tgj`: a header that names channel, sources and rules, then
 * event records and commit marks. Only what stands before the last mark exists for a reader; behind
 * it, a segment is filled with zeros up to the room that was taken for it.
 */
import { readU16, readU32, writeU16, writeU32 } from '../event/layout.js';
import { crc32 } from './crc.js';

export const MAGIC = Buffer.from('TGJRNL1\n');
export const SUFFIX = '.tgj';

export const EVENT = 1;
export const MARK = 2;
/** An event of the urgent lane. */
export const URGENT = 3;

/** The lanes of a channel, each a journal of its own; the urgent one is in a directory of the other. */
export const LANES = ['routine', 'urgent'] as const;
export type Lane = (typeof LANES)[number];

/** A lane's directory, and its name among the journals of a gate. */
export function laneOf(channel: string, lane: Lane): string {
  return lane === 'routine' ? channel : `${channel}/${lane}`;
}

// Every record: u32 length of the whole, u8 kind, ..., u32 CRC of all before it.
export const LENGTH = 0;
export const KIND = 4;
export const SEQUENCE = 8; // u64; of a mark: the last sequence that it commits

// An event record.
export const SOURCE = 6; // u16, index into the header's sources
export const RULE = 16; // u16, index into the header's rules
export const BODY = 20;
export const EVENT_OVERHEAD = BODY + 4;
// Of the urgent lane, before the body: u64, the routine lane's last sequence before it.
export const AFTER = 20;
export const URGENT_BODY = 28;

/** In place of the source and the rule of an event of the relay's own. */
export const RELAY = 0xffff;

// A commit mark.
export const BATCH = 16; // u64, numbers the gate's batches across channels
export const TIME = 24; // f64, the gate's clock, ms since 1970
export const VECTORS = 32; // sources, channels, journals: u16 count, u16 width, f64 each

const TWO32 = 0x1_0000_0000;

/** A last mark that is further ahead than this, ms, was made by a clock that was wrong. */
export const MAX_BEHIND = 86_400_000;

/** A batch that has grown to this is committed before another frame is taken. */
export const BATCH_BYTES = 512 * 1024;

/** Largest record that a reader accepts: a mark of 256 sources. */
export const MAX_RECORD = 128 * 1024;

/** What a segment says of itself; the counters of record refer to these names. */
export interface SegmentHeader {
  readonly version: 1;
  readonly channel: string;
  /** Absent: routine. */
  readonly lane?: Lane;
  /** Grows with each start of the gate, and after a segment that holds no record. */
  readonly epoch: number;
  /** Sequence of the first record that this segment may hold. */
  readonly first: number;
  /** When the segment was begun, ms since 1970. */
  readonly created: number;
  readonly sources: readonly string[];
  readonly rules: readonly string[];
  /** Names of the numbers in a mark's counter vectors. */
  readonly counters: readonly string[];
  /** All channels of the gate, and names of the numbers in their vectors of a mark, if it has any. */
  readonly channels?: readonly string[];
  readonly outcomes?: readonly string[];
  /** All journals of the gate: a mark says how far each had come. */
  readonly journals?: readonly string[];
  /** Of the commitments to its records: 64 hexadecimal digits, by chance. */
  readonly salt?: string;
}

/** Where the body of the event record at `at` begins. */
export function bodyOf(bytes: Uint8Array, at: number): number {
  return at + (bytes[at + KIND] === URGENT ? URGENT_BODY : BODY);
}

/** Whether the record at `at` is an event. */
export function isEvent(bytes: Uint8Array, at: number): boolean {
  return bytes[at + KIND] !== MARK;
}

export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * TWO32 + readU32(bytes, at + 4);
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / TWO32));
  writeU32(bytes, at + 4, value % TWO32);
}

/** Completes a record of `length` bytes at `at`: its length, kind and CRC. */
export function sealRecord(bytes: Uint8Array, at: number, length: number, kind: number): void {
  writeU32(bytes, at + LENGTH, length);
  bytes[at + KIND] = kind;
  writeU32(bytes, at + length - 4, crc32(bytes, at, at + length - 4));
}

/**
 * Checks the record at `at` of which `available` bytes are there.
 *
 * @returns its length, 0 if more bytes are needed, -1 if it is torn or damaged
 */
export function checkRecord(bytes: Uint8Array, at: number, available: number): number {
  if (available < 8) return 0;
  const length = readU32(bytes, at + LENGTH);
  if (length < EVENT_OVERHEAD || length > MAX_RECORD) return -1;
  if (available < length) return 0;
  const kind = bytes[at + KIND];
  if (kind !== EVENT && kind !== MARK && kind !== URGENT) return -1;
  return crc32(bytes, at, at + length - 4) === readU32(bytes, at + length - 4) ? length : -1;
}

export interface Mark {
  readonly sequence: number;
  readonly batch: number;
  readonly time: number;
  /** One vector per source of the segment's header. */
  readonly counters: readonly Float64Array[];
  /** One vector per channel of the segment's header, if it names any. */
  readonly outcomes: readonly Float64Array[];
  /** The last committed sequence of each journal of the header, if it names any. */
  readonly sequences: Float64Array;
}

/** Writes a commit mark at `at`; returns its length. */
export function writeMark(bytes: Uint8Array, at: number, mark: Mark): number {
  writeU16(bytes, at + 5, 0);
  bytes[at + 7] = 0;
  writeU64(bytes, at + SEQUENCE, mark.sequence);
  writeU64(bytes, at + BATCH, mark.batch);
  new DataView(bytes.buffer, bytes.byteOffset).setFloat64(at + TIME, mark.time);
  let end = writeVectors(bytes, at + VECTORS, mark.counters);
  end = writeVectors(bytes, end, mark.outcomes);
  const length = writeVectors(bytes, end, [mark.sequences]) + 4 - at;
  sealRecord(bytes, at, length, MARK);
  return length;
}

/** Bytes of a mark with vectors of these counts and widths. */
export function markLength(vectors: readonly (readonly [count: number, width: number])[]): number {
  return vectors.reduce((sum, [count, width]) => sum + 4 + count * width * 8, VECTORS) + 4;
}

/** Writes how many vectors there are, how wide they are, and their numbers; returns the end. */
function writeVectors(bytes: Uint8Array, at: number, vectors: readonly Float64Array[]): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const width = vectors[0]?.length ?? 0;
  writeU16(bytes, at, vectors.length);
  writeU16(bytes, at + 2, width);
  let to = at + 4;
  for (const vector of vectors) {
    for (let i = 0; i < width; i++, to += 8) view.setFloat64(to, vector[i]!);
  }
  return to;
}

/** Reads what writeVectors wrote. */
function readVectors(bytes: Uint8Array, at: number): [vectors: Float64Array[], end: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const count = readU16(bytes, at);
  const width = readU16(bytes, at + 2);
  const vectors = Array.from({ length: count }, (_, vector) =>
    Float64Array.from({ length: width }, (_, i) =>
      view.getFloat64(at + 4 + 8 * (vector * width + i)),
    ),
  );
  return [vectors, at + 4 + 8 * count * width];
}

/** Reads the commit mark at `at`, which `checkRecord` has found whole; an older one has less. */
export function readMark(bytes: Uint8Array, at: number): Mark {
  const last = at + readU32(bytes, at + LENGTH) - 4;
  const groups: Float64Array[][] = [];
  for (let from = at + VECTORS; from < last;) {
    const [vectors, end] = readVectors(bytes, from);
    groups.push(vectors);
    from = end;
  }
  const [counters = [], outcomes = [], sequences = []] = groups;
  return {
    sequence: readU64(bytes, at + SEQUENCE),
    batch: readU64(bytes, at + BATCH),
    time: new DataView(bytes.buffer, bytes.byteOffset).getFloat64(at + TIME),
    counters,
    outcomes,
    sequences: sequences[0] ?? new Float64Array(),
  };
}

/**
 * The bytes that begin a segment: magic, u32 length, JSON, CRC.
 *
 * @throws RangeError if no reader would look for so long a header
 */
export function formatHeader(header: SegmentHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.alloc(MAGIC.length + 4 + json.length + 4);
  if (bytes.length > MAX_HEADER) {
    throw new RangeError('the names of the sources and rules are too long for a journal');
  }
  MAGIC.copy(bytes);
  bytes.writeUInt32BE(json.length, MAGIC.length);
  json.copy(bytes, MAGIC.length + 4);
  bytes.writeUInt32BE(crc32(bytes, 0, bytes.length - 4), bytes.length - 4);
  return bytes;
}

/** Parses a segment's first bytes; undefined while they are torn. */
export function parseHeader(bytes: Buffer): { header: SegmentHeader; length: number } | undefined {
  if (bytes.length < MAGIC.length + 8 || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  const length = MAGIC.length + 4 + bytes.readUInt32BE(MAGIC.length) + 4;
  if (bytes.length < length || bytes.readUInt32BE(length - 4) !== crc32(bytes, 0, length - 4)) {
    return undefined;
  }
  const json = bytes.toString('utf8', MAGIC.length + 4, length - 4);
  return { header: JSON.parse(json) as SegmentHeader, length };
}

/** Longest header that a reader looks for. */
export const MAX_HEADER = 1024 * 1024;

export function segmentName(first: number, epoch: number): string {
  return `${String(first).padStart(16, '0')}-${String(epoch).padStart(8, '0')}${SUFFIX}`;
}

export interface SegmentName {
  readonly name: string;
  readonly first: number;
  readonly epoch: number;
}

/** The segments among the names of a directory, oldest first. */
export function sortSegments(names: readonly string[]): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const name of names) {
    const match = /^(\d{16})-(\d{8})\.tgj$/.exec(name);
    if (match) segments.push({ name, first: Number(match[1]), epoch: Number(match[2]) });
  }
  return segments.sort((a, b) => a.epoch - b.epoch || a.first - b.first);
}
