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
/** Frames of events of the highest priority, saved from those that were dropped: 4 MiB more. */
export const MAX_SAVED = 16;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const PLUS = 0x2b;
const MINUS = 0x2d;
const COMMA = 0x2c;

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
  /** Older than all that is in the queue. */
  #saved: Waiting[] = [];
  readonly #spare: Waiting[] = [];
  /** The frame that was taken last: it may still be in the writing. */
  #lent: Waiting | undefined;
  /** What the last sealed frame said, so that a change of totals alone makes a frame. */
  #told = zeroTotals();
  #finished = false;
  #saidLast = false;

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
    const frames = [...this.#saved, ...this.#queue, this.#filling];
    return frames.reduce((sum, { lines }) => sum + lines, 0);
  }

  /** The connection has ended: a last line without its ending is never an event. */
  finish(): void {
    this.#finished = true;
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
    let frame = this.#saved.shift();
    if (!frame) {
      frame = this.#queue.shift() ?? this.#takeFilling();
      if (!frame) return undefined;
      // What was dropped stood before this frame, whenever it was dropped.
      frame.totals.overflow = this.totals.overflow;
    }
    const { buffer, length, lines, totals } = frame;
    sealFrame(buffer, length, this.#generation, lines, totals, this.#saidLast);
    this.#told = { ...totals };
    this.#lent = frame;
    return buffer.subarray(0, HEADER + length);
  }

  /** At the end, an empty frame too: the gate is told that nothing was cut off. */
  #takeFilling(): Waiting | undefined {
    const frame = this.#filling;
    const ending = this.#finished && !this.#saidLast;
    if (frame.length === 0 && !this.#changed() && !ending) return undefined;
    this.#saidLast = this.#finished;
    frame.totals = { ...this.totals };
    this.#filling = this.#spare.pop() ?? newFrame();
    return frame;
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
    if (this.#queue.length > MAX_FRAMES) this.#drop(this.#queue.shift()!);
  }

  /** Drops a frame, but for its events of the highest priority. */
  #drop(oldest: Waiting): void {
    const { buffer, length, lines, totals } = oldest;
    let last = this.#saved.at(-1);
    let saved = 0;
    const end = HEADER + length;
    for (let at = HEADER, next; at < end; at = next) {
      next = buffer.indexOf(NEWLINE, at) + 1;
      if (!hasHighestPriority(buffer, at, next)) continue;
      // What was saved of one frame is never in two: totals are those of whole frames.
      if (saved === 0 && (!last || last.length + length > MAX_PAYLOAD)) {
        last = this.#spare.pop() ?? newFrame();
        this.#saved.push(last);
      }
      buffer.copy(last!.buffer, HEADER + last!.length, at, next);
      last!.length += next - at;
      last!.lines++;
      saved++;
    }
    this.totals.overflow += lines - saved;
    this.#recycle(oldest);
    if (saved === 0) return;
    last!.totals = { ...totals, overflow: this.totals.overflow };
    if (this.#saved.length > MAX_SAVED) this.#dropSaved();
  }

  #dropSaved(): void {
    const oldest = this.#saved.shift()!;
    this.totals.overflow += oldest.lines;
    for (const { totals } of this.#saved) totals.overflow += oldest.lines;
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

/**
 * Reads the head field of a line, and nothing else: bits 7..5 are the priority, of which 0 is the
 * highest (VSCP specification, "VSCP Level II", head).
 */
function hasHighestPriority(line: Uint8Array, start: number, end: number): boolean {
  const hex = line[start] === 0x30 && (line[start + 1]! | 0x20) === 0x78;
  let head = 0;
  let at = hex ? start + 2 : start;
  const first = at;
  for (; at < end && at - first < 6; at++) {
    const digit = digitOf(line[at]!);
    if (digit < 0 || digit > (hex ? 15 : 9)) break;
    head = head * (hex ? 16 : 10) + digit;
  }
  return at > first && line[at] === COMMA && (head & 0xe0) === 0;
}

function digitOf(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function newFrame(): Waiting {
  return {
    buffer: Buffer.allocUnsafe(HEADER + MAX_PAYLOAD),
    length: 0,
    lines: 0,
    totals: zeroTotals(),
  };
}
