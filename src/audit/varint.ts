/** Unsigned integers up to 2^53 - 1 in as few bytes as they need: 7 bits each, the lowest first (LEB128). */

/** Bytes of the longest. */
export const MAX_VARINT = 8;

/** Writes an integer at `at`; returns the end. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest >= 0x8000_0000) {
    bytes[end++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 128) {
    bytes[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[end++] = rest;
  return end;
}

/** Reads what stands one after the other in some bytes, and never beyond them. */
export class VarintReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  /** @throws RangeError at the end, for more than 2^53 - 1, or for more bytes than the number needs */
  next(): number {
    let value = 0;
    for (let scale = 1, i = 0; i < MAX_VARINT; i++, scale *= 128) {
      if (this.at >= this.#end) throw new RangeError('a number is cut short');
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 128) {
        if ((byte === 0 && i > 0) || !Number.isSafeInteger(value)) break;
        return value;
      }
    }
    throw new RangeError('a number is written in a way that is not the shortest, or too large');
  }

  /** @throws RangeError if there are fewer */
  take(count: number): Uint8Array {
    if (count > this.left) throw new RangeError('bytes are missing');
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }
}
