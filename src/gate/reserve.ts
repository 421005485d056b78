/**
 * The counters of record while the journals take no marks: on a full disk too, what is lost is
 * counted, and a gate that follows goes on from there.
 *
 * A file of slots whose room was taken when it was made. It holds for the batch that it names: as
 * soon as another stands, the mark of that one is the truth.
 */
import { mkdirSync } from 'node:fs';
import { openSlots, Slots } from '../wire/slots.js';

const NAME = 'counters';
/** As JSON: 64 sources and channels take a tenth. */
const BYTES = 128 * 1024;

/** Counters and outcomes by the names that they were written with. */
export interface Account {
  /** The newest batch that stood. */
  readonly batch: number;
  readonly sources: readonly string[];
  readonly counters: readonly string[];
  readonly counts: readonly (readonly number[])[];
  readonly channels: readonly string[];
  readonly outcomes: readonly string[];
  readonly sums: readonly (readonly number[])[];
}

export class Reserve {
  readonly #slots: Slots;
  /** What a gate before this one has saved. */
  readonly found: Account | undefined;

  /** @throws Error of the file system */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#slots = new Slots(openSlots(`${directory}/${NAME}`, BYTES), BYTES);
    const { found } = this.#slots;
    this.found = found && ((JSON.parse(found.toString()) as Account | null) ?? undefined);
  }

  /** @throws Error of the file system, or RangeError: then what was saved before stands */
  save(account: Account): void {
    this.#slots.save(Buffer.from(JSON.stringify(account)));
  }

  /** What was found holds no more: after a power cut, batches to come may have its number again. */
  clear(): void {
    if (this.found) this.#slots.save(Buffer.from('null'));
  }

  close(): void {
    this.#slots.close();
  }
}
