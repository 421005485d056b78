/**
 * Frames on the pipe from a valve to the gate: whole lines, running totals, a CRC.
 *
 * The magic begins with two newlines and a payload never holds an empty line, so no text of a lower
 * server can look like the start of a frame: a reader that meets a torn frame after a kill scans to
 * the next magic and books the gap from the totals.
 */
import { crc32 } from 'node:zlib';
import { readU32, writeU32 } from '../event/layout.js';

export const MAX_PAYLOAD = 256 * 1024;
export const HEADER = 80;
export const MAX_FRAME = HEADER + MAX_PAYLOAD;

const MAGIC = Buffer.from('\n\nTG');
const VERSION = 1;
const LINES = 1;
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
): void {
  MAGIC.copy(buffer, 0);
  buffer[4] = VERSION;
  buffer[5] = LINES;
  buffer[6] = 0;
  buffer[7] = 0;
  writeU32(buffer, 8, length);
  writeU32(buffer, 12, generation);
  writeU32(buffer, 16, lines);
  let at = 20;
  for (const field of FIELDS) {
    writeU32(buffer, at, Math.floor(totals[field] / TWO32));
    writeU32(buffer, at + 4, totals[field] % TWO32);
    at += 8;
  }
  const crc = crc32(buffer.subarray(HEADER, HEADER + length), crc32(buffer.subarray(0, at)));
  writeU32(buffer, at, crc);
}

/** Finds frames in a stream of chunks that may be torn anywhere. */
export class FrameReader {
  /** Bytes that belonged to no valid frame. */
  skipped = 0;
  readonly #buffer = Buffer.allocUnsafe(2 * MAX_FRAME);
  #start = 0;
  #end = 0;
  readonly #frame: Frame = {
    generation: 0,
    lines: 0,
    totals: zeroTotals(),
    payload: this.#buffer,
    start: 0,
    end: 0,
  };

  /**
   * Takes a chunk of at most MAX_FRAME bytes and delivers every frame that is now complete.
   *
   * @throws Error on a frame with a right CRC that it does not know: a bug, not damage
   */
  push(chunk: Uint8Array, deliver: (frame: Frame) => void): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
    while (this.#takeOne(deliver));
  }

  #takeOne(deliver: (frame: Frame) => void): boolean {
    const buffer = this.#buffer;
    const start = this.#start;
    const available = this.#end - start;
    if (available < HEADER) return false;
    const length = readU32(buffer, start + 8);
    if (buffer.compare(MAGIC, 0, 4, start, start + 4) !== 0 || length > MAX_PAYLOAD) {
      return this.#resync();
    }
    const end = start + HEADER + length;
    if (this.#end < end) {
      const next = buffer.subarray(start + 4, this.#end).indexOf(MAGIC);
      return next < 0 ? false : this.#skip(start + 4 + next);
    }
    const crcAt = start + HEADER - 4;
    const crc = crc32(buffer.subarray(start + HEADER, end), crc32(buffer.subarray(start, crcAt)));
    if (crc !== readU32(buffer, crcAt)) return this.#resync();
    if (buffer[start + 4] !== VERSION || buffer[start + 5] !== LINES) {
      throw new Error(`unknown frame: version ${buffer[start + 4]!}, kind ${buffer[start + 5]!}`);
    }
    const frame = this.#frame;
    frame.generation = readU32(buffer, start + 12);
    frame.lines = readU32(buffer, start + 16);
    let at = start + 20;
    for (const field of FIELDS) {
      frame.totals[field] = readU32(buffer, at) * TWO32 + readU32(buffer, at + 4);
      at += 8;
    }
    frame.start = start + HEADER;
    frame.end = end;
    this.#start = end;
    deliver(frame);
    return true;
  }

  #resync(): boolean {
    const from = this.#start + 1;
    const next = this.#buffer.subarray(from, this.#end).indexOf(MAGIC);
    // Three bytes may be the beginning of a magic whose rest has not come.
    return this.#skip(next < 0 ? Math.max(from, this.#end - 3) : from + next);
  }

  #skip(to: number): boolean {
    this.skipped += to - this.#start;
    this.#start = to;
    return true;
  }
}
