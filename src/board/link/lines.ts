/** Cuts what a peer sends into lines, in bounded memory and without copying whole ones. */

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const NOTHING = Buffer.alloc(0);

export class Lines {
  /** The line that `next` found, `bytes[start..end)`, without its ending: until the next call. */
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;
  /** A line is longer than the bound: there will be no further one. */
  overlong = false;
  readonly #most: number;
  #at = 0;

  /** @param most bytes of a line without its ending */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether bytes wait that `next` has not looked at, or that are no whole line yet. */
  get waiting(): number {
    return this.bytes.length - this.#at;
  }

  push(chunk: Buffer): void {
    this.bytes =
      this.#at === this.bytes.length
        ? chunk
        : Buffer.concat([this.bytes.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Finds the next line; false if there is none, or if it is too long. */
  next(): boolean {
    if (this.overlong) return false;
    const { bytes } = this;
    const newline = bytes.indexOf(NEWLINE, this.#at);
    const end = newline < 0 ? bytes.length : newline;
    const last = newline > this.#at && bytes[newline - 1] === RETURN ? newline - 1 : end;
    if (last - this.#at > this.#most) {
      // Before its ending has come, what may be the RETURN of it counts as well.
      this.overlong = newline >= 0 || last - this.#at > this.#most + 1;
      return false;
    }
    if (newline < 0) return false;
    this.start = this.#at;
    this.end = last;
    this.#at = newline + 1;
    return true;
  }

  /** Nothing more is taken of this chunk: what is left of it no longer holds on to all of it. */
  settle(): void {
    const rest = this.bytes.subarray(this.#at);
    this.bytes = rest.length === 0 ? NOTHING : Buffer.from(rest);
    this.#at = 0;
  }
}
