/** What the upper server refused, in a ring of two files that together never exceed the bound. */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { escapeText } from '../link/answers.js';

/** Both files together, bytes. */
export const REJECTS_BYTES = 16 * 2 ** 20;
const NAMES = ['rejects.0.jsonl', 'rejects.1.jsonl'] as const;

export class Rejects {
  readonly #directory: string;
  readonly #limit: number;
  #current: 0 | 1;
  #fd: number;
  #size: number;

  /** @throws Error of the file system */
  constructor(directory: string, bytes = REJECTS_BYTES) {
    this.#directory = directory;
    this.#limit = bytes / 2;
    const [first, second] = NAMES.map((name) => {
      return statSync(join(directory, name), { throwIfNoEntry: false });
    });
    // Of two that were written within one tick of the kernel's clock, the newer was just emptied.
    const later = (second?.mtimeMs ?? 0) - (first?.mtimeMs ?? 0);
    this.#current = later > 0 || (later === 0 && (second?.size ?? 0) < (first?.size ?? 0)) ? 1 : 0;
    this.#fd = this.#open('a');
    this.#size = fstatSync(this.#fd).size;
  }

  /**
   * Records one refusal.
   *
   * @param text the server's words, unescaped
   * @throws Error of the file system
   */
  add(time: number, sequence: number, vscpClass: number, type: number, text: string): void {
    const line = Buffer.from(
      `${JSON.stringify({
        time: new Date(time).toISOString(),
        sequence,
        class: vscpClass,
        type,
        answer: escapeText(text),
      })}\n`,
    );
    if (this.#size + line.length > this.#limit) {
      closeSync(this.#fd);
      this.#current = this.#current === 0 ? 1 : 0;
      this.#fd = this.#open('w');
      this.#size = 0;
    }
    writeSync(this.#fd, line);
    this.#size += line.length;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #open(flags: 'a' | 'w'): number {
    return openSync(join(this.#directory, NAMES[this.#current]), flags, 0o600);
  }
}
