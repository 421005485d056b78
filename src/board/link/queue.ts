/** Event lines that wait for a reader: bounded, the oldest is dropped first. */

export class EventQueue {
  /** Events that were dropped, ever. */
  dropped = 0;
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #lines: (Buffer | undefined)[] = [];
  #first = 0;
  #length = 0;
  #bytes = 0;

  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** @param line with its ending; one that alone is beyond the bound is dropped */
  push(line: Buffer): void {
    while (
      this.#length > 0 &&
      (this.#length === this.#most || this.#bytes + line.length > this.#mostBytes)
    ) {
      this.shift();
      this.dropped++;
    }
    if (line.length > this.#mostBytes || this.#most === 0) {
      this.dropped++;
      return;
    }
    this.#lines[(this.#first + this.#length) % this.#most] = line;
    this.#length++;
    this.#bytes += line.length;
  }

  /** Length in bytes of the oldest; 0: there is none. */
  get next(): number {
    return this.#lines[this.#first]?.length ?? 0;
  }

  shift(): Buffer | undefined {
    const line = this.#lines[this.#first];
    if (!line) return undefined;
    this.#lines[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#most;
    this.#length--;
    this.#bytes -= line.length;
    return line;
  }

  clear(): void {
    while (this.shift());
  }
}
