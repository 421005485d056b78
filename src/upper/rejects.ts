/** What the upper server refused, in a ring of two files that together never exceed the bound. */
import { closeSync, fstatSync, ftruncateSync, writeSync } from 'node:fs';
import { escapeText } from '../link/answers.js';

/** Both files together, bytes. */
export const REJECTS_BYTES = 16 * 2 ** 20;

export class Rejects {
  readonly #files: readonly [number, number];
  readonly #limit: number;
  #current: 0 | 1;
  #size: number;

  /**
   * @param files open for reading and writing
   * @throws Error of the file system
   */
  constructor(files: readonly [number, number], bytes = REJECTS_BYTES) {
    this.#files = files;
    this.#limit = bytes / 2;
    const [first, second] = [fstatSync(files[0]), fstatSync(files[1])];
    // Of two that were written within one tick of the kernel's clock, the newer was just emptied.
    const later = second.mtimeMs - first.mtimeMs;
    this.#current =
      second.size > 0 && (later > 0 || (later === 0 && second.size < first.size)) ? 1 : 0;
    this.#size = (this.#current === 0 ? first : second).size;
  }

  /**
   * Records one refusal.
   *
   * @param text the server's words, unescaped
   * @throws Error of the file system
   */
  add(
    time: number,
    lane: string,
    sequence: number,
    vscpClass: number,
    type: number,
    text: string,
  ): void {
    const line = Buffer.from(
      `${JSON.stringify({
        time: new Date(time).toISOString(),
        ...(lane === 'routine' ? {} : { lane }),
        sequence,
        class: vscpClass,
        type,
        answer: escapeText(text),
      })}\n`,
    );
    if (this.#size + line.length > this.#limit) {
      this.#current = this.#current === 0 ? 1 : 0;
      ftruncateSync(this.#files[this.#current]);
      this.#size = 0;
    }
    writeSync(this.#files[this.#current], line, 0, line.length, this.#size);
    this.#size += line.length;
  }

  close(): void {
    for (const fd of this.#files) closeSync(fd);
  }
}
