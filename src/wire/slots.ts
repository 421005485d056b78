/**
 * A small file of two slots that are written in turn: a kill at any moment leaves one whole.
 *
 * It takes all of its room when it is made, so that it can be written on a disk that is full since.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const MAGIC = 0x54475332; // TGS2

/** Room for the cursor of an upper. */
export const CURSOR_BYTES = 256;
// A slot: u32 magic, u32 CRC of what follows, f64 how many writes there have been, u32 length, payload.
const CRC = 4;
const WRITES = 8;
const LENGTH = 16;
const PAYLOAD = 20;

/** Opens a file of slots for writing; makes it, with room for `payload` bytes, where there is none. */
export function openSlots(path: string, payload: number): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
  try {
    const size = 2 * (PAYLOAD + payload);
    const missing = size - fstatSync(fd).size;
    if (missing > 0) writeSync(fd, Buffer.alloc(missing), 0, missing, size - missing);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export class Slots {
  readonly #fd: number;
  readonly #slot: Buffer;
  #writes: number;
  /** What was found. */
  readonly found: Buffer | undefined;

  /**
   * @param payload most bytes of what is kept; the same for every writer and reader of a file
   * @throws Error of the file system
   */
  constructor(fd: number, payload: number) {
    this.#fd = fd;
    this.#slot = Buffer.alloc(PAYLOAD + payload);
    const newest = readNewest(fd, payload);
    this.#writes = newest?.writes ?? 0;
    this.found = newest?.payload;
  }

  /**
   * @throws RangeError if it is too long
   * @throws Error of the file system: what was saved before stands
   */
  save(payload: Uint8Array): void {
    const slot = this.#slot;
    if (PAYLOAD + payload.length > slot.length) {
      throw new RangeError(`${payload.length} bytes do not fit ${slot.length - PAYLOAD}`);
    }
    const length = PAYLOAD + payload.length;
    const writes = this.#writes + 1;
    slot.writeUInt32BE(MAGIC, 0);
    slot.writeDoubleBE(writes, WRITES);
    slot.writeUInt32BE(payload.length, LENGTH);
    slot.set(payload, PAYLOAD);
    slot.writeUInt32BE(crc32(slot.subarray(WRITES, length)), CRC);
    const written = writeSync(this.#fd, slot, 0, length, (writes % 2) * slot.length);
    if (written < length) throw new Error(`wrote ${written} of ${length} bytes`);
    this.#writes = writes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** What was last saved whole; undefined if nothing was. */
export function readNewest(
  fd: number,
  payload: number,
): { readonly writes: number; readonly payload: Buffer } | undefined {
  const size = PAYLOAD + payload;
  const bytes = Buffer.alloc(2 * size);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  let newest: { writes: number; payload: Buffer } | undefined;
  for (const at of [0, size]) {
    const slot = bytes.subarray(at, Math.min(at + size, length));
    if (slot.length < PAYLOAD || slot.readUInt32BE(0) !== MAGIC) continue;
    const end = PAYLOAD + slot.readUInt32BE(LENGTH);
    if (end > slot.length) continue;
    if (slot.readUInt32BE(CRC) !== crc32(slot.subarray(WRITES, end))) continue;
    const writes = slot.readDoubleBE(WRITES);
    if (!Number.isSafeInteger(writes) || (newest && writes <= newest.writes)) continue;
    newest = { writes, payload: slot.subarray(PAYLOAD, end) };
  }
  return newest;
}
