/**
 * How far an upper has come in each lane: a file of two slots, so that a kill leaves one whole.
 *
 * What was sent is noted before it is sent, so that a successor can say which sequences it resends.
 */
import { fdatasync } from 'node:fs';
import { type Lane, LANES } from '../journal/format.js';
import { CURSOR_BYTES, Slots } from '../wire/slots.js';

const FIELDS = [
  'epoch',
  'sequence',
  'sent',
  'answered',
  'refused',
  'expired',
  'resent',
  'rewound',
] as const;

/** Numbers of a lane that outlive a connection. */
export type Progress = Record<(typeof FIELDS)[number], number>;

/** Answers that answered nothing, and bytes that were no answers. */
const COUNTS = ['stray', 'discarded'] as const;

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
    /** Done with, and then taken back from the journal by a power cut. */
    rewound: 0,
  };
}

export class Cursor {
  readonly lanes: Readonly<Record<Lane, Progress>> = {
    routine: zeroProgress(),
    urgent: zeroProgress(),
  };
  readonly counts: Record<(typeof COUNTS)[number], number> = { stray: 0, discarded: 0 };
  readonly #fd: number;
  readonly #slots: Slots;
  #saves = 0;
  #synced = 0;
  readonly #numbers = new Float64Array(LANES.length * FIELDS.length + COUNTS.length);
  readonly #bytes = new Uint8Array(this.#numbers.buffer);

  /**
   * @param fd of a file of openSlots
   * @throws Error of the file system
   */
  constructor(fd: number) {
    this.#fd = fd;
    this.#slots = new Slots(fd, CURSOR_BYTES);
    const { found } = this.#slots;
    if (found?.length !== this.#bytes.length) return;
    this.#bytes.set(found);
    let at = 0;
    for (const lane of LANES) {
      for (const field of FIELDS) this.lanes[lane][field] = this.#numbers[at++]!;
    }
    for (const field of COUNTS) this.counts[field] = this.#numbers[at++]!;
  }

  /** @throws Error of the file system */
  save(): void {
    let at = 0;
    for (const lane of LANES) {
      for (const field of FIELDS) this.#numbers[at++] = this.lanes[lane][field];
    }
    for (const field of COUNTS) this.#numbers[at++] = this.counts[field];
    this.#slots.save(this.#bytes);
    this.#saves++;
  }

  /** Makes what was saved durable, in the background: a power cut brings back what stood before. */
  sync(): void {
    if (this.#synced === this.#saves) return;
    this.#synced = this.#saves;
    fdatasync(this.#fd, () => undefined);
  }

  close(): void {
    this.#slots.close();
  }
}
