/**
 * Turns what a lower server sends into frames of whole lines, in bounded memory.
 *
 * Signs of life, empty lines and lines beyond the bound stay here and are counted; everything else
 * goes to the gate as it came, which decides what is an event.
 */
import { HEADER, MAX_PAYLOAD, sealFrame, type Totals, zeroTotals } from '../wire/frame.js';

/** Longer lines are malformed: 512 data bytes written as 0xNN come to fewer than 3,000. */
export const MAX_LINE = 4096;
/** Lines of a chunk are copied together up to this: a frame that is half full takes one more. */
const MAX_SPAN = MAX_PAYLOAD / 2 - (MAX_LINE + 2);
/** Frames that may wait for the pipe: 8 MiB. */
export const MAX_FRAMES = 32;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const PLUS = 0x2b;
const MINUS = 0x2d;

interface Waiting {
  readonly buffer: Buffer;
  length: number;
  lines: number;
  /** The totals as of the end of this frame. */
  totals: Totals;
}

export class Framer {
  readonly totals = zeroTotals();
  /** The first line was `-OK`: RCVLOOP was refused. */
  refused = false;
  /** Complete lines, signs of life included, that began like an event or an answer. */
  vital = 0;
  readonly #generation: number;
  readonly #partial = Buffer.alloc(MAX_LINE + 2);
  #partialLength = 0;
  #skipping = false;
  #first = true;
  #filling = newFrame();
  #queue: Waiting[] = [];
  readonly #spare: Waiting[] = [];
  /** The frame that was taken last: it may still be in the writing. */
  #lent: Waiting | undefined;
  /** What the last sealed frame said, so that a change of totals alone makes a frame. */
  #told = zeroTotals();

  constructor(generation: number) {
    this.#generation = generation;
  }

  /** Takes bytes of the connection. */
  push(chunk: Uint8Array): void {
    this.totals.bytes += chunk.length;
    let at = 0;
    if (this.#partialLength > 0 || this.#skipping) {
      const newline = chunk.indexOf(NEWLINE);
      const end = newline < 0 ? chunk.length : newline + 1;
      this.#extendPartial(chunk, 0, end);
      if (newline < 0) return;
      this.#endPartial();
      at = end;
    }
    at = this.#takeLines(chunk, at);
    if (at < chunk.length) this.#extendPartial(chunk, at, chunk.length);
  }

  /** Lines that no frame has taken away yet. */
  get waiting(): number {
    return this.#queue.reduce((sum, frame) => sum + frame.lines, this.#filling.lines);
  }

  /** The connection has ended: a last line without its ending is never an event. */
  finish(): void {
    if (this.#partialLength === 0 || this.#skipping) return;
    this.totals.read++;
    this.totals.truncated++;
    this.#partialLength = 0;
  }

  /**
   * The next frame to write, sealed; valid until the next call.
   *
   * @returns undefined if there is nothing to say
   */
  take(): Buffer | undefined {
    if (this.#lent) this.#recycle(this.#lent);
    this.#lent = undefined;
    let frame = this.#queue.shift();
    if (!frame) {
      if (this.#filling.length === 0 && !this.#changed()) return undefined;
      frame = this.#filling;
      frame.totals = { ...this.totals };
      this.#filling = this.#spare.pop() ?? newFrame();
    }
    // What was dropped stood before this frame, whenever it was dropped.
    frame.totals.overflow = this.totals.overflow;
    sealFrame(frame.buffer, frame.length, this.#generation, frame.lines, frame.totals);
    this.#told = { ...frame.totals };
    this.#lent = frame;
    return frame.buffer.subarray(0, HEADER + frame.length);
  }

  #changed(): boolean {
    return this.totals.read !== this.#told.read || this.totals.alive !== this.#told.alive;
  }

  #takeLines(chunk: Uint8Array, from: number): number {
    let start = from; // of the line
    let span = from; // of the lines that are to be copied together
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline < 0) break;
      const end = newline + 1;
      if (!this.#forwards(chunk, start, newline)) {
        this.#copy(chunk, span, start);
        span = end;
      } else if (end - span > MAX_SPAN) {
        this.#copy(chunk, span, end);
        span = end;
      }
      start = end;
    }
    this.#copy(chunk, span, start);
    return start;
  }

  /** Counts the line `bytes[start..newline)`; whether it goes to the gate. */
  #forwards(bytes: Uint8Array, start: number, newline: number): boolean {
    let length = newline - start;
    if (length > 0 && bytes[newline - 1] === RETURN) length--;
    const totals = this.totals;
    const initial = bytes[start];
    if (length > 0 && length <= MAX_LINE) {
      if (initial! >= 0x30 && initial! <= 0x39) {
        this.#first = false;
        this.vital++;
        totals.read++;
        this.#filling.lines++;
        return true;
      }
      if (this.#isAnswer(bytes, start, length)) return false;
      totals.read++;
      this.#filling.lines++;
      return true;
    }
    totals.read++;
    if (length === 0) totals.empty++;
    else totals.overlong++;
    return false;
  }

  /** A sign of life, or the answer to RCVLOOP. */
  #isAnswer(bytes: Uint8Array, start: number, length: number): boolean {
    if (length < 3 || bytes[start + 1] !== 0x4f || bytes[start + 2] !== 0x4b) return false;
    const sign = bytes[start];
    const first = this.#first;
    if (sign === PLUS) {
      this.#first = false;
      this.vital++;
      this.totals.alive++;
      return true;
    }
    if (sign === MINUS && first) {
      this.refused = true;
      this.totals.alive++;
      return true;
    }
    return false;
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    if (end === start) return;
    const frame = this.#filling;
    frame.buffer.set(bytes.subarray(start, end), HEADER + frame.length);
    frame.length += end - start;
    if (frame.length > MAX_PAYLOAD / 2) this.#closeFrame();
  }

  #closeFrame(): void {
    this.#filling.totals = { ...this.totals };
    this.#queue.push(this.#filling);
    this.#filling = this.#spare.pop() ?? newFrame();
    if (this.#queue.length <= MAX_FRAMES) return;
    const oldest = this.#queue.shift()!;
    this.totals.overflow += oldest.lines;
    this.#recycle(oldest);
  }

  #recycle(frame: Waiting): void {
    frame.length = 0;
    frame.lines = 0;
    this.#spare.push(frame);
  }

  #extendPartial(chunk: Uint8Array, start: number, end: number): void {
    if (this.#skipping) return;
    if (this.#partialLength + end - start > this.#partial.length) {
      this.#skipping = true;
      this.#partialLength = 0;
      this.totals.read++;
      this.totals.overlong++;
      return;
    }
    this.#partial.set(chunk.subarray(start, end), this.#partialLength);
    this.#partialLength += end - start;
  }

  #endPartial(): void {
    if (!this.#skipping) this.#takeLines(this.#partial.subarray(0, this.#partialLength), 0);
    this.#skipping = false;
    this.#partialLength = 0;
  }
}

function newFrame(): Waiting {
  return {
    buffer: Buffer.allocUnsafe(HEADER + MAX_PAYLOAD),
    length: 0,
    lines: 0,
    totals: zeroTotals(),
  };
}
