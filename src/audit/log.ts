/**
 * The audit log as the gate writes it: a batch is in it, durable, before its journals show it.
 *
 * What is noted between batches waits in a bounded queue and goes in front of the next batch, or by
 * itself a few times a second; so policies are in the log before what they have permitted.
 */
import { parseNote } from '../note/note.js';
import { parseCheckpoint } from './checkpoint.js';
import {
  BatchEncoder,
  encodeDenials,
  encodePlain,
  type Heading,
  type Pending,
  type Sums,
} from './encode.js';
import type { Clock, Denials, Plain, Start, Void } from './leaf.js';
import type { Past } from './past.js';
import type { Scribe } from './scribe.js';

/** A disk that takes longer than this, ms, is not waited for. */
const PATIENCE = 1000;
/** Without a checkpoint for this long, ms, nothing goes out. */
const UNPUBLISHED = 60_000;
/** Notes that wait; only a disk that takes none lets them grow. */
const MAX_NOTES = 256;
const SLOW = 'the disk does not answer';
/** Of an orderly end, ms. */
const FAREWELL = 3000;

/** Why a batch must not be shown: the log did not take it. */
export class AuditError extends Error {
  override readonly name = 'AuditError';
}

type Note = Plain | Denials;

/** What an order holds, to be forgotten when it is done. */
interface Going {
  /** Of performance.now(). */
  readonly since: number;
  /** Place of the first leaf of each note, in order. */
  readonly places: readonly number[];
  /** Places of the first leaf, and behind the last one. */
  readonly first: number;
  readonly end: number;
  readonly batch: Logged | undefined;
}

export interface Logged extends Sums {
  readonly pending: readonly Pending[];
}

export class AuditLog {
  readonly #scribe: Scribe;
  readonly #encoder: BatchEncoder;
  #notes: Note[] = [];
  #size: number;
  #start: number;
  #policies: number | undefined;
  #time: number;
  #clock: Clock = 'steady';
  #going: Going | undefined;
  #unpublished: number | undefined;

  /**
   * @param size leaves that are in the log
   * @param past what the log says; undefined: it is empty
   * @param start what the first leaf of this run says
   */
  constructor(scribe: Scribe, size: number, past: Past | undefined, start: Start) {
    this.#scribe = scribe;
    this.#size = size;
    this.#start = size;
    this.#time = past?.time ?? 0;
    this.#policies = past?.policies;
    this.#notes.push(start);
    this.#encoder = new BatchEncoder(start.counts.map(vectorOf), start.sums.map(vectorOf));
  }

  /** Leaves in the log. */
  get size(): number {
    return this.#size;
  }

  /** The newest checkpoint of this run, a signed note. */
  get checkpoint(): string | undefined {
    return this.#scribe.checkpoint;
  }

  /** Leaves that it signs. */
  get signed(): number {
    const { checkpoint } = this;
    return checkpoint === undefined ? 0 : parseCheckpoint(parseNote(checkpoint).text).size;
  }

  /** Puts something into the log, with what comes next; whether there was room for it. */
  note(note: Note): boolean {
    if (this.#notes.length >= MAX_NOTES) return false;
    this.#notes.push(note);
    return true;
  }

  /** The clock was set: what follows may have an earlier time. */
  clockSet(now: number, by: number): void {
    this.note({ kind: 'clock', by });
    this.#time = Math.min(this.#time, now);
    this.#clock = 'steady';
  }

  /** Records of a batch that is in the log do not exist. */
  withdraw(pending: readonly Pick<Void, 'journal' | 'first'>[], reason: string): void {
    for (const { journal, first } of pending) {
      // In front of all that is noted: the next records of that journal come after it.
      this.#notes.unshift({ kind: 'void', journal, first, reason });
    }
  }

  /**
   * Appends a batch, if it has records.
   *
   * @returns whether it is durable; if not, `settle` says it later, and nothing can be appended before
   * @throws AuditError if it is not in the log, or withdrawn
   */
  append(now: number, batch: Logged): boolean {
    if (batch.pending.length === 0) return true;
    const { trouble } = this;
    if (trouble !== undefined) throw new AuditError(trouble);
    if (!this.settle()) throw new AuditError(SLOW);
    this.#submitNotes(now);
    this.#submit(now, batch);
    if (this.settle()) return true;
    // The numbers go on meanwhile; the leaf has those of now.
    const then = { ...batch, counts: copyOf(batch.counts), sums: copyOf(batch.sums) };
    this.#going = { ...this.#going!, batch: then };
    return false;
  }

  /**
   * Whether what was appended last is durable; waits a while for it.
   *
   * @throws AuditError if it is not in the log, or withdrawn
   */
  settle(patience = PATIENCE): boolean {
    const going = this.#going;
    if (!going) return true;
    const done = this.#scribe.await(patience);
    if (!done) return false;
    this.#going = undefined;
    const { batch } = going;
    const logged = going.places.filter((place) => place < done.size).length;
    // Of what failed, the beginning may be in the log.
    this.#size = Math.max(this.#size, done.size);
    this.#notes.splice(0, logged).forEach(({ kind }, i) => {
      if (kind === 'start') this.#start = going.places[i]!;
      if (kind === 'policies') this.#policies = going.places[i]!;
    });
    if (batch && done.size >= going.end) this.#encoder.logged(batch);
    if (done.failure === undefined) return true;
    if (batch && done.size > going.first) {
      this.withdraw(batch.pending, 'the log could not take the whole batch');
    }
    throw new AuditError(done.failure);
  }

  /** Logs what has been noted, in the background. @throws AuditError of what was going on */
  flush(now: number): void {
    if (this.settle(0) && this.#notes.length > 0) this.#submit(now, undefined);
  }

  /** Why no batch would be taken; undefined: one might. */
  get trouble(): string | undefined {
    const { unpublished } = this.#scribe;
    if (unpublished === undefined) this.#unpublished = undefined;
    else this.#unpublished ??= performance.now();
    const passed = (since = Infinity): number => performance.now() - since;
    if (passed(this.#unpublished) > UNPUBLISHED) return `no checkpoint: ${unpublished ?? ''}`;
    return passed(this.#going?.since) > PATIENCE && !this.#scribe.await(0) ? SLOW : undefined;
  }

  /** Logs what has been noted, and waits for it: whether the log takes something again. @throws AuditError */
  probe(now: number): void {
    if (!this.settle()) throw new AuditError(SLOW);
    this.#submitNotes(now);
  }

  /** The end of this run. */
  close(now: number): void {
    try {
      this.probe(now);
      this.#scribe.close(FAREWELL);
    } catch {
      // Why, was said when it began.
    }
  }

  #submitNotes(now: number): void {
    while (this.#notes.length > 0) {
      const before = this.#notes.length;
      this.#submit(now, undefined);
      if (!this.settle()) throw new AuditError(SLOW);
      if (this.#notes.length === before) throw new AuditError('a note is too long for the log');
    }
  }

  #submit(now: number, batch: Logged | undefined): void {
    const room = this.#scribe.leaves;
    if (now < this.#time) this.#clock = 'behind';
    else [this.#time, this.#clock] = [now, 'steady'];
    let [start, policies] = [this.#start, this.#policies];
    const heading = (): Heading => ({ time: this.#time, clock: this.#clock, start, policies });
    let at = 0;
    const first = this.#size;
    let index = first;
    const put = (leaf: Uint8Array): void => {
      if (at + 2 + leaf.length > room.length) throw new AuditError('the batch is too large');
      room[at] = leaf.length >>> 8;
      room[at + 1] = leaf.length;
      room.set(leaf, at + 2);
      at += 2 + leaf.length;
    };
    const places: number[] = [];
    for (const note of batch ? [] : this.#notes) {
      if (at > room.length / 2) break;
      if (note.kind === 'start') start = index;
      if (note.kind === 'policies') policies = index;
      const head = { index, ...heading() };
      put(note.kind === 'denials' ? encodeDenials(head, note) : encodePlain(head, note));
      places.push(index++);
    }
    if (batch) index += this.#encoder.encode(index, heading(), batch.pending, batch, put);
    this.#going = { since: performance.now(), places, first, end: index, batch };
    this.#scribe.append(at);
  }
}

const copyOf = (vectors: readonly Float64Array[]): Float64Array[] =>
  vectors.map((vector) => vector.slice());

function vectorOf(numbers: readonly number[]): Float64Array {
  return Float64Array.from(numbers);
}
