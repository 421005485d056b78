/**
 * Sends journal records and settles each one by the server's answer, at least once and in order.
 *
 * A chunk of records is sent through a window; the next chunk is read when every record of this one
 * is settled, so a resend is encoded from the same bytes again.
 */
import { MAX_TEXT } from '../event/encode.js';
import { CLASS, readU16, TYPE } from '../event/layout.js';
import { BODY, readU64, SEQUENCE } from '../journal/format.js';
import type { JournalReader } from '../journal/reader.js';
import { type Timestamps, writeSend } from '../link/send.js';
import type { Progress } from './cursor.js';
import { attribute, type Verdict } from './verdicts.js';

/** After a refusal in a window, the answers are complete when this many ms are quiet. */
export const QUIET = 250;
/** While a SEND has no answer at all, this many ms: a slow answer is no missing one. */
export const MISSING_PATIENCE = 2000;
/** A NOOP that was sent to mark the end of the answers is given up after this many ms, once. */
export const BARRIER_PATIENCE = 2000;
const OUT_BYTES = 256 * 1024;

/** What the sender needs of the connection and of the upper's own directory. */
export interface SenderEvents {
  /** Writes; false if `resume` is to be called before more is written. */
  write(bytes: Buffer): boolean;
  /** Progress has been made, or is about to be: to be saved. */
  save(): void;
  refused(sequence: number, vscpClass: number, type: number, text: string): void;
  /** These sequences go out again, byte for byte. */
  resending(first: number, last: number): void;
}

export interface SenderOptions {
  /** SENDs outstanding. */
  readonly window: number;
  readonly timestamps: Timestamps;
}

export class Sender {
  /** Answer lines that answered nothing. */
  stray = 0;
  readonly #reader: JournalReader;
  readonly #progress: Progress;
  readonly #options: SenderOptions;
  readonly #events: SenderEvents;
  readonly #out = Buffer.allocUnsafe(OUT_BYTES + MAX_TEXT + 8);
  /** Records of the chunk; those below `#settled` are done, those below `#sent` have gone out. */
  #count = 0;
  #settled = 0;
  #sent = 0;
  /** SENDs that are owed an answer. */
  #outstanding = 0;
  #blocked = false;
  #stopped = false;
  /** Of the records from `#settled` to `#sent`, while some have to be asked one at a time. */
  #verdicts: Verdict[] | undefined;
  /** Answers since a refusal, until they are complete. */
  #gathered: boolean[] | undefined;
  #refusal = '';
  #timer: NodeJS.Timeout | undefined;
  /** Whether a NOOP was sent to mark the end of the answers, and whether this server takes it. */
  #barrier = false;
  #barrierWorks: boolean | undefined;

  constructor(
    reader: JournalReader,
    progress: Progress,
    options: SenderOptions,
    events: SenderEvents,
  ) {
    this.#reader = reader;
    this.#progress = progress;
    this.#options = options;
    this.#events = events;
  }

  /** Whether the server owes an answer. */
  get waiting(): boolean {
    return this.#outstanding > 0;
  }

  /** Sends no more; what is outstanding may still be answered. */
  stop(): void {
    this.#stopped = true;
  }

  /** The connection takes bytes again. */
  resume(): void {
    this.#blocked = false;
    this.pump();
  }

  /** Sends what the window and the connection allow. */
  pump(): void {
    while (!this.#stopped && !this.#blocked && !this.#gathered) {
      if (this.#verdicts) {
        this.#sendUnclear(this.#verdicts);
        return;
      }
      if (this.#settled === this.#count && !this.#load()) return;
      const last = Math.min(this.#count, this.#settled + this.#options.window);
      if (this.#sent >= last) return;
      this.#sent = this.#send(this.#sent, last);
    }
  }

  /** Takes one answer. */
  take(ok: boolean, text: string): void {
    if (this.#gathered) this.#gather(ok);
    else if (this.#outstanding === 0) this.stray++;
    else if (ok) {
      this.#outstanding--;
      if (this.#verdicts) this.#verdicts[this.#verdicts.indexOf('unclear')] = 'answered';
      else this.#settle('answered');
    } else this.#beginGathering(text);
  }

  /** All answers of a read have been taken: saves progress and goes on sending. */
  endRead(): void {
    if (this.#verdicts && this.#outstanding === 0 && !this.#verdicts.includes('unclear')) {
      for (const verdict of this.#verdicts) this.#settle(verdict);
      this.#verdicts = undefined;
    }
    this.#events.save();
    this.pump();
  }

  #load(): boolean {
    const reader = this.#reader;
    const progress = this.#progress;
    this.#count = reader.read();
    this.#settled = this.#sent = 0;
    progress.expired += reader.expired;
    progress.rewinds += reader.rewinds;
    const before = this.#count > 0 ? this.#sequence(0) - 1 : reader.position.sequence;
    // Counted once: a successor begins after the gap, in the epoch that goes with it.
    if (reader.expired > 0 || reader.rewinds > 0) progress.sequence = before;
    // After a power cut sequences are given anew: what went out under them was other events.
    if (reader.rewinds > 0) progress.sent = before;
    if (this.#count > 0 || progress.sequence === before) progress.epoch = reader.position.epoch;
    reader.expired = reader.rewinds = 0;
    return this.#count > 0;
  }

  /** Sends records from `from` up to `last`, as far as one write goes; returns where it stopped. */
  #send(from: number, last: number): number {
    const { buffer, offsets } = this.#reader;
    let index = from;
    let length = 0;
    while (index < last && length < OUT_BYTES) {
      const at = offsets[index++]! + BODY;
      length = writeSend(buffer, at, this.#out, length, this.#options.timestamps);
    }
    this.#outstanding += index - from;
    this.#noteSent(this.#sequence(from), this.#sequence(index - 1));
    // The stream may hold on to the bytes after write() returns.
    this.#blocked = !this.#events.write(Buffer.from(this.#out.subarray(0, length)));
    return index;
  }

  #noteSent(first: number, last: number): void {
    const progress = this.#progress;
    const again = Math.min(last, progress.sent);
    if (again >= first) {
      progress.resent += again - first + 1;
      this.#events.resending(first, again);
    }
    progress.sent = Math.max(progress.sent, last);
    this.#events.save();
  }

  #sendUnclear(verdicts: readonly Verdict[]): void {
    if (this.#outstanding > 0) return;
    const index = this.#settled + verdicts.indexOf('unclear');
    this.#send(index, index + 1);
  }

  #sequence(index: number): number {
    return readU64(this.#reader.buffer, this.#reader.offsets[index]! + SEQUENCE);
  }

  #settle(verdict: Verdict): void {
    const { buffer, offsets } = this.#reader;
    const at = offsets[this.#settled++]!;
    const sequence = readU64(buffer, at + SEQUENCE);
    this.#progress.sequence = sequence;
    if (verdict === 'answered') {
      this.#progress.answered++;
      return;
    }
    this.#progress.refused++;
    const vscpClass = readU16(buffer, at + BODY + CLASS);
    const type = readU16(buffer, at + BODY + TYPE);
    this.#events.refused(sequence, vscpClass, type, this.#refusal);
  }

  #beginGathering(text: string): void {
    this.#gathered = [];
    this.#refusal = text;
    this.#gather(false);
  }

  #gather(ok: boolean): void {
    if (ok && this.#barrier) {
      this.#barrierWorks = true;
      this.#endGathering();
      return;
    }
    const answers = this.#gathered!;
    // No server says that much to what is outstanding; the timer ends this.
    if (answers.length >= 4 * this.#outstanding + 4) {
      this.stray++;
      return;
    }
    answers.push(ok);
    if (this.#barrier) return;
    // Of one SEND alone, only a second line of the same refusal can still come.
    if (this.#outstanding === 1 && this.#barrierWorks !== false) this.#sendBarrier();
    else this.#restartTimer(this.#complete ? QUIET : MISSING_PATIENCE);
  }

  /** Whether each SEND may have had its answer. */
  get #complete(): boolean {
    return this.#gathered!.length >= this.#outstanding;
  }

  /** It is quiet: the answers are complete, but for a late second line of the last refusal. */
  #endAnswers(): void {
    if (this.#barrier || this.#barrierWorks === false || !this.#complete) this.#endGathering();
    else this.#sendBarrier();
  }

  /** Sends a NOOP: its answer stands behind every line of the answers before it. */
  #sendBarrier(): void {
    this.#barrier = true;
    clearTimeout(this.#timer);
    // A server that is known to answer a NOOP is merely slow, until the session takes it for dead.
    if (this.#barrierWorks === undefined) this.#restartTimer(BARRIER_PATIENCE);
    this.#events.write(NOOP);
  }

  #restartTimer(patience: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#endAnswers(), patience);
  }

  #endGathering(): void {
    clearTimeout(this.#timer);
    const answers = this.#gathered!;
    if (this.#barrier) this.#barrierWorks ??= false;
    this.#gathered = undefined;
    this.#barrier = false;
    const found = attribute(this.#outstanding, answers);
    this.#outstanding = 0;
    if (this.#verdicts) this.#verdicts[this.#verdicts.indexOf('unclear')] = found[0]!;
    else if (found.includes('unclear')) this.#verdicts = found;
    else for (const verdict of found) this.#settle(verdict);
    this.endRead();
  }
}

const NOOP = Buffer.from('NOOP\r\n');
