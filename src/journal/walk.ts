/** Walks the records of a segment one at a time, in constant memory, as far as they are whole. */
import { readSync } from 'node:fs';
import { checkRecord, MAX_RECORD } from './format.js';

export class Walker {
  /** Holds the record at hand: `length` bytes at `at`. */
  readonly bytes = Buffer.allocUnsafe(2 * MAX_RECORD);
  at = 0;
  length = 0;
  #fd = -1;
  /** File offset of bytes[0]. */
  #base = 0;
  #filled = 0;

  /** @param start file offset of the first record */
  enter(fd: number, start: number): void {
    this.#fd = fd;
    this.#base = start;
    this.at = this.length = this.#filled = 0;
  }

  /** File offset of the record at hand; behind the last whole one, that of its end. */
  get offset(): number {
    return this.#base + this.at;
  }

  /**
   * Goes to the next record; false if no whole one stands there, which may be otherwise later.
   *
   * @throws Error of the file system
   */
  next(): boolean {
    this.at += this.length;
    this.length = checkRecord(this.bytes, this.at, this.#filled - this.at);
    if (this.length <= 0) {
      this.#base += this.at;
      this.at = 0;
      this.#filled = readSync(this.#fd, this.bytes, 0, this.bytes.length, this.#base);
      this.length = Math.max(0, checkRecord(this.bytes, 0, this.#filled));
      if (this.length === 0) this.#filled = 0;
    }
    return this.length > 0;
  }
}
