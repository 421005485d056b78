/**
 * How far an upper has come: a file of two slots, written in turn, so that a kill leaves one whole.
 *
 * What was sent is noted before it is sent, so that a successor can say which sequences it resends.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from '../journal/crc.js';

const SLOT = 128;
const FIELDS = [
  'epoch',
  'sequence',
  'sent',
  'answered',
  'refused',
  'expired',
  'resent',
  'rewinds',
  'stray',
  'discarded',
] as const;

/** Numbers that outlive a connection; `journalled = answered + refused + pending + expired`. */
export type Progress = Record<(typeof FIELDS)[number], number>;

const MAGIC = 0x54474331; // TGC1

/** The progress of an upper that has sent nothing. */
export function zeroProgress(): Progress {
  return {
    /** Journal epoch and last sequence that is done with. */
    epoch: 0,
    sequence: 0,
    /** Last sequence that may have reached the server. */
    sent: 0,
    answered: 0,
    refused: 0,
    expired: 0,
    resent: 0,
    rewinds: 0,
    /** Answers that answered nothing, and bytes that were no answers. */
    stray: 0,
    discarded: 0,
  };
}

export class Cursor {
  readonly progress = zeroProgress();
  readonly #fd: number;
  readonly #slot = Buffer.alloc(SLOT);
  #writes = 0;

  /** @throws Error of the file system */
  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const bytes = Buffer.alloc(2 * SLOT);
    readSync(this.#fd, bytes, 0, bytes.length, 0);
    for (const at of [0, SLOT]) {
      const crc = bytes.readUInt32BE(at + SLOT - 4);
      if (bytes.readUInt32BE(at) !== MAGIC || crc32(bytes, at, at + SLOT - 4) !== crc) continue;
      const writes = bytes.readDoubleBE(at + 8);
      if (writes <= this.#writes) continue;
      this.#writes = writes;
      FIELDS.forEach((field, i) => {
        this.progress[field] = bytes.readDoubleBE(at + 16 + 8 * i);
      });
    }
  }

  /** @throws Error of the file system */
  save(): void {
    const slot = this.#slot;
    this.#writes++;
    slot.writeUInt32BE(MAGIC, 0);
    slot.writeDoubleBE(this.#writes, 8);
    FIELDS.forEach((field, i) => slot.writeDoubleBE(this.progress[field], 16 + 8 * i));
    slot.writeUInt32BE(crc32(slot, 0, SLOT - 4), SLOT - 4);
    writeSync(this.#fd, slot, 0, SLOT, (this.#writes % 2) * SLOT);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
