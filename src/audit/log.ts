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
/** Of those that are rare, and not counted on by whoever has noted them. */
const MAX_RARE = 512;
const COUNTED_ON: ReadonlySet<string> = new Set(['denials', 'loss', 'heartbeat']);
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
  /** Place and time of the leaf of each note, in order. */
  readonly notes: readonly { readonly place: number; readonly time: number }[];
  /** Places of the first leaf, and behind the last one. */
  readonly first: number;
  readonly end: number;
  readonly batch: Logged | undefined;
  /** What was thrown while it went on. */
  readonly failed?: Error;
  /** Of the batch's leaves. */
  readonly time: number;
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
  /** Of the newest leaf. */
  #time: number;
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
    if (this.#notes.length >= (COUNTED_ON.has(note.kind) ? MAX_NOTES : MAX_RARE)) return false;
    this.#notes.push(note);
    return true;
  }

  /** Whether so much waits that there may be no room for what other policies bring with them. */
  get crowded(): boolean {
    return this.#notes.length > MAX_NOTES / 4;
  }

  /** The clock was set: what is noted from now on may have an earlier time. @param by ms */
  clockSet(by: number): void {
    this.note({ kind: 'clock', by });
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
   * @param meanwhile what makes its records durable: if it throws, the batch is withdrawn
   * @returns whether it is durable; if not, `settle` says it later, and nothing can be appended before
   * @throws AuditError if it is not in the log, or withdrawn; what `meanwhile` has thrown
   */
  append(now: number, batch: Logged, meanwhile: () => void): boolean {
    if (batch.pending.length === 0) return true;
    const { trouble } = this;
    if (trouble !== undefined) throw new AuditError(trouble);
    this.#catchUp(now);
    this.#submit(now, batch);
    try {
      meanwhile();
    } catch (error) {
      this.#going = { ...this.#going!, failed: error as Error };
    }
    if (this.settle()) return true;
    // The numbers go on meanwhile; the leaf has those of now.
    const then = { ...batch, counts: copyOf(batch.counts), sums: copyOf(batch.sums) };
    this.#going = { ...this.#going!, batch: then };
    return false;
  }

  /**
   * Whether what was appended last is durable; waits a while for it.
   *
   * @throws AuditError if it is not in the log, or withdrawn; what has failed meanwhile
   */
  settle(patience = PATIENCE): boolean {
    const going = this.#going;
    if (!going) return true;
    const done = this.#scribe.await(patience);
    if (!done) return false;
    this.#going = undefined;
    const { batch } = going;
    const logged = going.notes.filter(({ place }) => place < done.size).length;
    // Of what failed, the beginning may be in the log.
    this.#size = Math.max(this.#size, done.size);
    this.#notes.splice(0, logged).forEach(({ kind }, i) => {
      const { place, time } = going.notes[i]!;
      if (kind === 'start') this.#start = place;
      if (kind === 'policies') this.#policies = place;
      this.#time = time;
    });
    if (batch && done.size > going.first) this.#time = going.time;
    if (batch && done.size >= going.end) this.#encoder.logged(batch);
    if (going.failed !== undefined) {
      if (batch && done.size > going.first) this.withdraw(batch.pending, 'the journal refused it');
      throw going.failed;
    }
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

  /**
   * Logs what has been noted, takes room for what comes next, and waits for both: whether the log takes
   * something again.
   *
   * @throws AuditError
   */
  probe(now: number): void {
    const { trouble } = this;
    if (trouble !== undefined) throw new AuditError(trouble);
    this.#catchUp(now);
    const end = this.#size;
    const since = performance.now();
    this.#going = { since, notes: [], first: end, end, batch: undefined, time: this.#time };
    this.#scribe.probe();
    this.#mustSettle();
  }

  /** The end of this run. */
  close(now: number): void {
    try {
      this.#catchUp(now);
      this.#scribe.close(FAREWELL);
    } catch {
      // Why, was said when it began.
    }
  }

  #catchUp(now: number): void {
    this.#mustSettle();
    this.#submitNotes(now);
  }

  #mustSettle(): void {
    if (!this.settle()) throw new AuditError(SLOW);
  }

  #submitNotes(now: number): void {
    while (this.#notes.length > 0) {
      const before = this.#notes.length;
      this.#submit(now, undefined);
      this.#mustSettle();
      if (this.#notes.length === before) throw new AuditError('a note is too long for the log');
    }
  }

  #submit(now: number, batch: Logged | undefined): void {
    const room = this.#scribe.leaves;
    let [start, policies, time] = [this.#start, this.#policies, this.#time];
    const heading = (clockNow: number): Heading => {
      const clock: Clock = clockNow < time ? 'behind' : 'steady';
      time = Math.max(time, clockNow);
      return { time, clock, start, policies };
    };
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
    const notes: { place: number; time: number }[] = [];
    const waiting = batch ? [] : this.#notes;
    // What was noted before the clock was set has its time by the clock as it was.
    let set = waiting.reduce((sum, note) => sum + (note.kind === 'clock' ? note.by : 0), 0);
    for (const note of waiting) {
      if (at > room.length / 2) break;
      if (note.kind === 'start') start = index;
      if (note.kind === 'policies') policies = index;
      if (note.kind === 'clock') {
        set -= note.by;
        time = Math.min(time, now - set);
      }
      const head = { index, ...heading(now - set) };
      put(note.kind === 'denials' ? encodeDenials(head, note) : encodePlain(head, note));
      notes.push({ place: index++, time });
    }
    if (batch) index += this.#encoder.encode(index, heading(now), batch.pending, batch, put);
    this.#going = { since: performance.now(), notes, first, end: index, batch, time };
    this.#scribe.append(at);
  }
}

const copyOf = (vectors: readonly Float64Array[]): Float64Array[] =>
  vectors.map((vector) => vector.slice());

function vectorOf(numbers: readonly number[]): Float64Array {
  return Float64Array.from(numbers);
}
