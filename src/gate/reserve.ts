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
/** As JSON: 64 sources and channels take a tenth, and twice that. */
const BYTES = 128 * 1024;

/** Counters and outcomes by the names that they were written with. */
export interface Account {
  /** The newest batch that stood, or that may stand. */
  readonly batch: number;
  /** It was not known: its mark may be newer than this. */
  readonly waiting?: boolean;
  readonly sources: readonly string[];
  readonly counters: readonly string[];
  readonly counts: readonly (readonly number[])[];
  readonly channels: readonly string[];
  readonly outcomes: readonly string[];
  readonly sums: readonly (readonly number[])[];
}

export class Reserve {
  readonly #slots: Slots;
  /** What a gate before this one has saved: with and without the batch that it waited for. */
  readonly found: readonly Account[];

  /** @throws Error of the file system */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#slots = new Slots(openSlots(`${directory}/${NAME}`, BYTES), BYTES);
    const { found } = this.#slots;
    this.found = found ? (JSON.parse(found.toString()) as Account[]) : [];
  }

  /** @throws Error of the file system, or RangeError: then what was saved before stands */
  save(accounts: readonly Account[]): void {
    this.#slots.save(Buffer.from(JSON.stringify(accounts)));
  }

  /** Of what was found this one holds, if any: batches to come may have the numbers of the others. */
  keep(account: Account | undefined): void {
    const accounts = account ? [account] : [];
    if (this.found.length > accounts.length) this.save(accounts);
  }

  close(): void {
    this.#slots.close();
  }
}
