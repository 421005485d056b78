/**
 * The answer grammar of a VSCP link server: bounded lines, `+OK` or `-OK`, the rest is discarded.
 *
 * Source: VSCP specification, "VSCP over tcp/ip": every command is answered by optional data lines
 * and one line that begins with +OK or -OK.
 */

/** An answer line is cut at this many bytes; what follows up to its end is discarded. */
export const MAX_ANSWER = 1024;

const NEWLINE = 0x0a;

export class AnswerReader {
  /** Bytes of lines that were no answers, ever. */
  discarded = 0;
  /** The first of them, for the log: at most MAX_ANSWER bytes, unescaped. */
  firstDiscarded: string | undefined;
  readonly #line = Buffer.alloc(MAX_ANSWER);
  #length = 0;
  #overlong = false;

  /**
   * Takes bytes and delivers each complete answer line.
   *
   * @param deliver is told the text of a `-OK` line without its ending, and returns false to stop:
   * what follows in the chunk is not looked at
   */
  push(chunk: Buffer, deliver: (ok: boolean, text: string) => boolean): void {
    let at = 0;
    while (at < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, at);
      if (newline < 0) {
        this.#keep(chunk, at, chunk.length);
        return;
      }
      let more;
      if (this.#length === 0 && !this.#overlong && newline - at <= MAX_ANSWER) {
        more = this.#take(chunk, at, newline, deliver);
      } else {
        this.#keep(chunk, at, newline);
        more = this.#take(this.#line, 0, this.#length, deliver);
        this.#length = 0;
        this.#overlong = false;
      }
      if (!more) return;
      at = newline + 1;
    }
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const room = Math.min(end - start, MAX_ANSWER - this.#length);
    this.#line.set(chunk.subarray(start, start + room), this.#length);
    this.#length += room;
    if (room === end - start) return;
    this.#overlong = true;
    this.discarded += end - start - room;
  }

  #take(
    line: Buffer,
    start: number,
    end: number,
    deliver: (ok: boolean, text: string) => boolean,
  ): boolean {
    const sign = line[start];
    const length = end - start;
    if (length >= 3 && line[start + 1] === 0x4f && line[start + 2] === 0x4b) {
      if (sign === 0x2b) return deliver(true, '');
      if (sign === 0x2d)
        return deliver(false, line.toString('latin1', start, end).replace(/\r$/, ''));
    }
    return this.#discard(line, start, end);
  }

  #discard(line: Buffer, start: number, end: number): boolean {
    this.discarded += end - start + 1;
    this.firstDiscarded ??= line.toString('latin1', start, end).replace(/\r$/, '');
    return true;
  }
}

/** A server's text for a log or a record: control characters escaped, cut at `most` bytes. */
export function escapeText(text: string, most = 256): string {
  const escaped = text
    .slice(0, most)
    .replace(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return escaped.length > most ? `${escaped.slice(0, most - 3)}...` : escaped;
}

/** A word of a language, and marks; no number, no GUID, no key is one. */
const PLAIN = /^[!-/:-@[-`{-~]*[A-Za-z]{0,20}[!-/:-@[-`{-~]*$/;
const HIDDEN = '***';

/**
 * A server's words for a log: plain words as they are, `***` in place of all else. A server may
 * echo the password, and may say what only events hold, on a wrong port by mistake.
 *
 * @param text as AnswerReader read it: in latin1, perhaps cut at MAX_ANSWER
 */
export function showWords(text: string, secret: string, most?: number): string {
  const sent = Buffer.from(secret).toString('latin1');
  let said = text.replaceAll(sent, HIDDEN);
  if (text.length >= MAX_ANSWER) said = cutBeginning(said, sent);
  const words = said.split(/\s+/).map((word) => (PLAIN.test(word) ? word : HIDDEN));
  const shown = words.filter((word, i) => word !== HIDDEN || words[i - 1] !== HIDDEN);
  return escapeText(shown.join(' '), most);
}

/** Removes from the end of a text that was cut what may be the beginning of the secret. */
function cutBeginning(text: string, secret: string): string {
  for (let length = secret.length - 1; length > 0; length--) {
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length);
  }
  return text;
}
