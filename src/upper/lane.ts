/** One lane of the channel's journal, as far as it was read, sent and settled. */
import { AFTER, bodyOf, type Lane as LaneName, readU64, SEQUENCE } from '../journal/format.js';
import type { JournalReader } from '../journal/reader.js';
import type { Progress } from './cursor.js';

export class Lane {
  readonly name: LaneName;
  readonly progress: Progress;
  readonly #reader: JournalReader;
  /** Records of the chunk; those below `#next` have gone out, those below `#settled` are done. */
  #count = 0;
  #next = 0;
  #settled = 0;

  constructor(name: LaneName, reader: JournalReader, progress: Progress) {
    this.name = name;
    this.#reader = reader;
    this.progress = progress;
  }

  /** Holds the records of the chunk until all of them are settled. */
  get buffer(): Buffer {
    return this.#reader.buffer;
  }

  /** Whether there is a record to be sent. */
  get ready(): boolean {
    return this.#next < this.#count;
  }

  /** Reads on, when nothing of what was read is needed any more. @throws Error of the file system */
  look(): void {
    if (this.idle) this.#load();
  }

  /** Whether a record may be in the journal that cannot be read before others are settled. */
  get hidden(): boolean {
    return !this.ready && this.#settled < this.#count && this.#reader.hasMore;
  }

  /** Whether all that was read is done with. */
  get idle(): boolean {
    return this.#settled === this.#count;
  }

  /** Sequence of the last record that was delivered for sending. */
  get passed(): number {
    return this.#reader.position.sequence;
  }

  /** Of the next record. */
  get sequence(): number {
    return this.sequenceOf(this.#next);
  }

  /** Of the next record of the urgent lane: the routine lane's last sequence before it. */
  get after(): number {
    return readU64(this.buffer, this.#reader.offsets[this.#next]! + AFTER);
  }

  /** The next record is on its way; returns its index. */
  take(): number {
    return this.#next++;
  }

  sequenceOf(index: number): number {
    return readU64(this.buffer, this.#reader.offsets[index]! + SEQUENCE);
  }

  bodyOf(index: number): number {
    return bodyOf(this.buffer, this.#reader.offsets[index]!);
  }

  /** The oldest record on its way is done with. */
  settle(): void {
    this.progress.sequence = this.sequenceOf(this.#settled++);
  }

  #load(): void {
    const reader = this.#reader;
    const progress = this.progress;
    this.#count = reader.read();
    this.#settled = this.#next = 0;
    progress.expired += reader.expired;
    progress.rewound += reader.rewound;
    const before = this.#count > 0 ? this.sequenceOf(0) - 1 : reader.position.sequence;
    // Counted once: a successor begins after the gap, in the epoch that goes with it.
    if (reader.expired > 0 || reader.rewound > 0) progress.sequence = before;
    // After a power cut sequences are given anew: what went out under them was other events.
    if (reader.rewound > 0) progress.sent = before;
    if (this.#count > 0 || progress.sequence === before) progress.epoch = reader.position.epoch;
    reader.expired = reader.rewound = 0;
  }
}
