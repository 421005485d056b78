/** The committed records of a channel in the order in which they were made, of one lane or of both. */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { readU16, readU32 } from '../event/layout.js';
import { holdsEvent } from './faults.js';
import {
  AFTER,
  bodyOf,
  isEvent,
  type Lane,
  LENGTH,
  readU64,
  RULE,
  type SegmentHeader,
  SEQUENCE,
  SOURCE,
  TIME,
  VECTORS,
} from './format.js';
import { openSegment, readStart } from './header.js';
import { listSegments, type Place } from './places.js';
import { JournalReader } from './reader.js';
import { Walker } from './walk.js';

/** A committed record; its bytes are valid until the next one is asked for. */
export interface Entry {
  readonly lane: Lane;
  readonly sequence: number;
  /** Of an urgent one: the routine lane's last sequence before it. */
  readonly after?: number;
  /** Of the mark that commits it, ms since 1970; NaN if it says none. */
  readonly time: number;
  readonly header: SegmentHeader;
  /** Indices into the header's names. */
  readonly source: number;
  readonly rule: number;
  readonly bytes: Uint8Array;
  /** Where its event begins; -1 if it holds none. */
  readonly body: number;
}

/** Records of one lane, as they are delivered. */
class Stream {
  readonly lane: Lane;
  readonly #reader: JournalReader;
  #count = 0;
  #next = 0;
  /** End and time of the mark that commits the next record. */
  #marked = 0;
  #time = NaN;
  #gap: Gap | undefined;
  #begun = false;

  /** @param from first sequence */
  constructor({ lane, directory }: Place, from: number) {
    this.lane = lane;
    // An epoch beyond all others: a cursor that no power cut of the journal has overtaken.
    this.#reader = new JournalReader(directory, { epoch: Infinity, sequence: from - 1 });
  }

  get ready(): boolean {
    return this.#next < this.#count;
  }

  /** Reads on, if all that was read is passed. @throws Error of the file system */
  look(): void {
    if (this.ready) return;
    const reader = this.#reader;
    this.#count = reader.read();
    this.#next = this.#marked = 0;
    if (this.#begun && reader.expired > 0) {
      const end = this.#count > 0 ? this.#sequenceAt(0) - 1 : reader.position.sequence;
      this.#gap = { lane: this.lane, first: end - reader.expired + 1, last: end };
    }
    if (this.#count > 0) this.#begun = true;
    reader.expired = 0;
  }

  /** Sequences that were passed over since it was asked last, though records came before them. */
  /** Of the last record that was taken, or passed over. */
  get taken(): number {
    if (this.ready) return this.sequence - 1;
    return this.#count > 0 ? this.#sequenceAt(this.#count - 1) : this.#reader.position.sequence;
  }

  takeGap(): Gap | undefined {
    const gap = this.#gap;
    this.#gap = undefined;
    return gap;
  }

  /** Of the next record, which must be ready. */
  get sequence(): number {
    return this.#sequenceAt(this.#next);
  }

  get after(): number {
    return readU64(this.#reader.buffer, this.#reader.offsets[this.#next]! + AFTER);
  }

  take(): Entry {
    const { buffer, offsets, header } = this.#reader;
    const at = offsets[this.#next++]!;
    if (at >= this.#marked) this.#findMark(at);
    return {
      lane: this.lane,
      sequence: readU64(buffer, at + SEQUENCE),
      ...(this.lane === 'urgent' && { after: readU64(buffer, at + AFTER) }),
      time: this.#time,
      header: header!,
      source: readU16(buffer, at + SOURCE),
      rule: readU16(buffer, at + RULE),
      bytes: buffer,
      body: holdsEvent(buffer, at, readU32(buffer, at + LENGTH)) ? bodyOf(buffer, at) : -1,
    };
  }

  close(): void {
    this.#reader.close();
  }

  #sequenceAt(index: number): number {
    return readU64(this.#reader.buffer, this.#reader.offsets[index]! + SEQUENCE);
  }

  /** What was delivered ends with a mark. */
  #findMark(from: number): void {
    const { buffer } = this.#reader;
    let at = from;
    while (isEvent(buffer, at)) at += readU32(buffer, at + LENGTH);
    const length = readU32(buffer, at + LENGTH);
    this.#marked = at + length;
    this.#time = length > VECTORS ? buffer.readDoubleBE(at + TIME) : NaN;
  }
}

/** Records that are not there, although some before them are: deleted meanwhile, or damaged. */
export interface Gap {
  readonly lane: Lane;
  readonly first: number;
  readonly last: number;
}

export interface HistoryOptions {
  /** First sequence: of the one lane, or of the routine one and what is urgent among it. */
  readonly from?: number;
  /** Segments that end before this time are not looked at, ms since 1970. */
  readonly since?: number;
}

export class History {
  readonly #routine: Stream | undefined;
  readonly #urgent: Stream | undefined;
  /** Urgent records after earlier routine ones are passed over. */
  readonly #from: number;
  /** Whether all that is urgent and comes before what is ready of the routine lane is ready. */
  #looked = false;

  /** @param places the lanes to be read */
  constructor(places: readonly Place[], { from = 1, since = -Infinity }: HistoryOptions = {}) {
    const both = places.length > 1;
    const stream = (lane: Lane, first: number): Stream | undefined => {
      const place = places.find((each) => each.lane === lane);
      return place && new Stream(place, Math.max(first, firstSince(place.directory, since)));
    };
    this.#routine = stream('routine', from);
    this.#urgent = stream('urgent', both ? 1 : from);
    this.#from = both && from > 1 ? from : -1;
  }

  /**
   * The next record, if there is one now.
   *
   * @param wait whether an urgent one waits until the routine ones before it are to be seen
   * @throws Error of the file system
   */
  next(wait = false): Entry | undefined {
    for (;;) {
      const entry = this.#choose(wait)?.take();
      if (entry?.after === undefined || entry.after >= this.#from) return entry;
    }
  }

  takeGap(): Gap | undefined {
    return this.#routine?.takeGap() ?? this.#urgent?.takeGap();
  }

  close(): void {
    this.#routine?.close();
    this.#urgent?.close();
  }

  #choose(wait: boolean): Stream | undefined {
    const [routine, urgent] = [this.#routine, this.#urgent];
    // What is urgent is marked first: what comes before a routine record that is seen can be seen.
    if (routine && !routine.ready) {
      routine.look();
      this.#looked = false;
    }
    if (urgent && !urgent.ready && !this.#looked) {
      urgent.look();
      this.#looked = true;
    }
    if (!urgent?.ready) return routine?.ready === true ? routine : undefined;
    // Its chunk may end before all that is urgent: it is looked at again.
    this.#looked = false;
    if (!routine) return urgent;
    // Both marks may have come between the two looks, or the routine one is about to.
    if (routine.taken < urgent.after) routine.look();
    if (routine.ready && routine.sequence <= urgent.after) return routine;
    return wait && routine.taken < urgent.after ? undefined : urgent;
  }
}

/** First sequence of the first segment that may hold what was committed at a time or later. */
function firstSince(directory: string, since: number): number {
  if (since === -Infinity) return 1;
  const segments = listSegments(directory);
  const walker = new Walker();
  // Marks grow older within an epoch: what stands before one from an earlier time is earlier.
  for (let i = segments.length - 1; i > 0; i--) {
    const segment = segments[i]!;
    if (firstTime(join(directory, segment.name), walker) < since) return segment.first;
  }
  return 1;
}

/** Of a segment's first mark; NaN if there is none. */
function firstTime(path: string, walker: Walker): number {
  const fd = openSegment(path);
  if (fd < 0) return NaN;
  try {
    const start = readStart(fd);
    if (typeof start !== 'object') return NaN;
    walker.enter(fd, start.length);
    while (walker.next()) {
      const { bytes, at, length } = walker;
      if (!isEvent(bytes, at)) return length > VECTORS ? bytes.readDoubleBE(at + TIME) : NaN;
    }
    return NaN;
  } finally {
    closeSync(fd);
  }
}
