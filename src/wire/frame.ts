/**
 * Frames on the pipe from a valve to the gate: whole lines, running totals, a CRC of each.
 *
 * The magic begins with two newlines and a payload never holds an empty line, so no text of a lower
 * server can look like the start of a frame: a reader that meets a torn frame after a kill scans to
 * the next magic and books the gap from the totals. A header has a CRC of its own, because its
 * numbers can look like the magic: in a header that is whole, no frame begins. It ends with a zero,
 * so that the magic behind a torn header never completes it.
 */
import { crc32 } from 'node:zlib';
import { readU16, readU32, writeU16, writeU32 } from '../event/layout.js';

export const MAX_PAYLOAD = 256 * 1024;
export const HEADER = 84;
export const MAX_FRAME = HEADER + MAX_PAYLOAD;

const MAGIC = Buffer.from('\n\nTG');
const VERSION = 1;
const LINES = 1;
/** The valve's last frame of this connection: lines like any other's. */
const LAST = 2;
const NEWLINE = 0x0a;
const TOTALS = 18;
/** CRC of the payload, CRC of the header before it, and two zeros. */
const PAYLOAD_CRC = HEADER - 10;
const HEADER_CRC = HEADER - 6;
const ZEROS = HEADER - 2;
const TWO32 = 0x1_0000_0000;

/** What a valve has seen since its connection began; each number only grows. */
export interface Totals {
  /** Lines that were not signs of life: forwarded, dropped, empty, overlong or truncated. */
  read: number;
  empty: number;
  overlong: number;
  /** A last line without its ending, when the connection broke. */
  truncated: number;
  /** Whole lines dropped because the pipe was full. */
  overflow: number;
  /** Signs of life (`+OK` lines). */
  alive: number;
  bytes: number;
}

/** A frame as the reader delivers it; valid only during the call. */
export interface Frame {
  /** Which connection of this lower server: two valves never share one. */
  generation: number;
  /** Lines in the payload, each ended by a newline. */
  lines: number;
  /** Nothing more comes of this connection. */
  last: boolean;
  totals: Totals;
  payload: Uint8Array;
  start: number;
  end: number;
}

const FIELDS = ['read', 'empty', 'overlong', 'truncated', 'overflow', 'alive', 'bytes'] as const;

export function zeroTotals(): Totals {
  return { read: 0, empty: 0, overlong: 0, truncated: 0, overflow: 0, alive: 0, bytes: 0 };
}

/**
 * Completes a frame in place: `buffer` holds HEADER bytes of room, then `length` payload bytes.
 */
export function sealFrame(
  buffer: Buffer,
  length: number,
  generation: number,
  lines: number,
  totals: Totals,
  last = false,
): void {
  MAGIC.copy(buffer, 0);
  buffer[4] = VERSION;
  buffer[5] = last ? LAST : LINES;
  writeU32(buffer, 6, length);
  writeU32(buffer, 10, generation);
  writeU32(buffer, 14, lines);
  let at = TOTALS;
  for (const field of FIELDS) {
    writeU32(buffer, at, Math.floor(totals[field] / TWO32));
    writeU32(buffer, at + 4, totals[field] % TWO32);
    at += 8;
  }
  writeU32(buffer, PAYLOAD_CRC, crc32(buffer.subarray(HEADER, HEADER + length)));
  writeU32(buffer, HEADER_CRC, crc32(buffer.subarray(0, HEADER_CRC)));
  writeU16(buffer, ZEROS, 0);
}

/** Finds frames in a stream of chunks that may be torn anywhere. */
export class FrameReader {
  /** Bytes that belonged to no valid frame. */
  skipped = 0;
  /** Frames with a right CRC that are none of ours: a hostile writer, or one of another version. */
  unknown = 0;
  readonly #buffer = Buffer.allocUnsafe(2 * MAX_FRAME + 1);
  #start = 0;
  #end = 0;
  /** Whether a frame ends at `#start`. */
  #following = false;
  readonly #frame: Frame = {
    generation: 0,
    lines: 0,
    last: false,
    totals: zeroTotals(),
    payload: this.#buffer,
    start: 0,
    end: 0,
  };

  /** Takes a chunk of at most MAX_FRAME bytes and delivers every frame that is now complete. */
  push(chunk: Uint8Array, deliver: (frame: Frame) => void): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      const from = Math.max(0, this.#start - 1);
      this.#buffer.copyWithin(0, from, this.#end);
      this.#end -= from;
      this.#start -= from;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
    while (this.#takeOne(deliver));
  }

  #takeOne(deliver: (frame: Frame) => void): boolean {
    const buffer = this.#buffer;
    const start = this.#start;
    const available = this.#end - start;
    if (available < HEADER) return this.#overlaps();
    if (
      buffer.compare(MAGIC, 0, 4, start, start + 4) !== 0 ||
      crc32(buffer.subarray(start, start + HEADER_CRC)) !== readU32(buffer, start + HEADER_CRC) ||
      readU16(buffer, start + ZEROS) !== 0
    ) {
      return this.#overlaps() || this.#resync(start + 1);
    }
    const length = readU32(buffer, start + 6);
    const kind = buffer[start + 5];
    if (
      buffer[start + 4] !== VERSION ||
      (kind !== LINES && kind !== LAST) ||
      length > MAX_PAYLOAD
    ) {
      this.unknown++;
      return this.#resync(start + 1);
    }
    const text = start + HEADER;
    const end = text + length;
    if (this.#end < end) {
      const next = buffer.subarray(text, this.#end).indexOf(MAGIC);
      return next < 0 ? false : this.#skip(text + next);
    }
    if (crc32(buffer.subarray(text, end)) !== readU32(buffer, start + PAYLOAD_CRC)) {
      return this.#resync(text);
    }
    if (length > 0 && buffer[end - 1] !== NEWLINE) {
      this.unknown++;
      return this.#skip(end);
    }
    const frame = this.#frame;
    frame.generation = readU32(buffer, start + 10);
    frame.lines = readU32(buffer, start + 14);
    frame.last = kind === LAST;
    let at = start + TOTALS;
    for (const field of FIELDS) {
      frame.totals[field] = readU32(buffer, at) * TWO32 + readU32(buffer, at + 4);
      at += 8;
    }
    frame.start = text;
    frame.end = end;
    this.#start = end;
    this.#following = true;
    deliver(frame);
    return true;
  }

  /**
   * A writer was killed just before the newline that ends its frame, and the next writer's magic
   * begins with one: that has completed the frame, and the next frame begins there.
   */
  #overlaps(): boolean {
    const at = this.#start - 1;
    const end = at + MAGIC.length;
    if (!this.#following || end > this.#end) return false;
    if (this.#buffer.compare(MAGIC, 0, MAGIC.length, at, end) !== 0) return false;
    this.#start = at;
    this.#following = false;
    return true;
  }

  #resync(from: number): boolean {
    const next = this.#buffer.subarray(from, this.#end).indexOf(MAGIC);
    // Three bytes may be the beginning of a magic whose rest has not come.
    return this.#skip(next < 0 ? Math.max(from, this.#end - 3) : from + next);
  }

  #skip(to: number): boolean {
    this.skipped += to - this.#start;
    this.#following = false;
    this.#start = to;
    return true;
  }
}
