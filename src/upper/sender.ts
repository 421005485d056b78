/**
 * Sends records of both lanes and settles each one by the server's answer, at least once and, within
 * a lane, in order.
 *
 * A chunk of a lane's records goes through the window; the next chunk is read when every record of
 * this one is settled, so a resend is encoded from the same bytes again.
 */
import { MAX_TEXT } from '../event/encode.js';
import { CLASS, readU16, TYPE } from '../event/layout.js';
import type { Lane as LaneName } from '../journal/format.js';
import { type Timestamps, writeSend } from '../link/send.js';
import { Flight } from './flight.js';
import type { Lane } from './lane.js';
import { attribute, type Verdict } from './verdicts.js';

/** After a refusal in a window, the answers are complete when this many ms are quiet. */
export const QUIET = 250;
/** While a SEND has no answer at all, this many ms: a slow answer is no missing one. */
export const MISSING_PATIENCE = 2000;
/** A NOOP that was sent to mark the end of the answers is given up after this many ms, once. */
export const BARRIER_PATIENCE = 2000;
/** In order, an urgent record waits this long, ms, for routine ones that were to come before it. */
const ORDER_PATIENCE = 2000;
const OUT_BYTES = 256 * 1024;

/** What the sender needs of the connection and of the upper's own directory. */
export interface SenderEvents {
  /** Writes; false if `resume` is to be called before more is written. */
  write(bytes: Buffer): boolean;
  /** Progress has been made, or is about to be: to be saved. */
  save(): void;
  refused(lane: LaneName, sequence: number, vscpClass: number, type: number, text: string): void;
  /** These sequences go out again, byte for byte. */
  resending(lane: LaneName, first: number, last: number): void;
}

export interface SenderOptions {
  /** SENDs outstanding. */
  readonly window: number;
  readonly timestamps: Timestamps;
  /** Whether what is urgent overtakes; order holds within a lane in any case. */
  readonly drain: Drain;
}

export type Drain = 'urgent-first' | 'in-order';

export class Sender {
  /** Answer lines that answered nothing. */
  stray = 0;
  readonly #lanes: Readonly<Record<LaneName, Lane>>;
  readonly #options: SenderOptions;
  readonly #events: SenderEvents;
  readonly #out = Buffer.allocUnsafe(OUT_BYTES + MAX_TEXT + 8);
  /** What has gone out and is not settled. */
  readonly #flight: Flight;
  /** In order: the routine record that urgent ones wait for, and since when. */
  #held = -1;
  #heldSince = 0;
  /** SENDs that are owed an answer. */
  #outstanding = 0;
  #blocked = false;
  #stopped = false;
  /** Of the records in flight, while some have to be asked one at a time. */
  #verdicts: Verdict[] | undefined;
  /** Answers since a refusal, until they are complete. */
  #gathered: boolean[] | undefined;
  #refusal = '';
  #timer: NodeJS.Timeout | undefined;
  /** Whether a NOOP was sent to mark the end of the answers, and whether this server takes it. */
  #barrier = false;
  #barrierWorks: boolean | undefined;

  constructor(
    lanes: Readonly<Record<LaneName, Lane>>,
    options: SenderOptions,
    events: SenderEvents,
  ) {
    this.#lanes = lanes;
    this.#flight = new Flight(options.window);
    this.#options = options;
    this.#events = events;
  }

  /** Whether the server owes an answer. */
  get waiting(): boolean {
    return this.#outstanding > 0;
  }

  get outstanding(): number {
    return this.#outstanding;
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
      if (!this.#sendNext()) return;
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

  /** Sends what comes next, as far as the window and one write go; false if there is nothing. */
  #sendNext(): boolean {
    const flight = this.#flight;
    const room = this.#options.window - flight.length;
    if (room <= 0) return false;
    const { routine, urgent } = this.#lanes;
    // In this order: what comes before a routine record that is seen now can be seen then.
    routine.look();
    urgent.look();
    const from = flight.length;
    let length = 0;
    while (flight.length - from < room && length < OUT_BYTES) {
      const lane = this.#choose(routine, urgent);
      if (!lane) break;
      const index = lane.take();
      flight.push(lane, index);
      length = writeSend(
        lane.buffer,
        lane.bodyOf(index),
        this.#out,
        length,
        this.#options.timestamps,
      );
    }
    if (length === 0) return false;
    this.#noteSent(from, flight.length);
    this.#write(length, flight.length - from);
    return true;
  }

  #choose(routine: Lane, urgent: Lane): Lane | undefined {
    if (this.#options.drain === 'urgent-first') {
      if (urgent.ready) return urgent;
      return routine.ready ? routine : undefined;
    }
    if (urgent.ready) {
      const { after } = urgent;
      if (routine.ready) return routine.sequence <= after ? routine : urgent;
      if (routine.passed >= after) return urgent;
      // What is on its way is settled first: then it is seen whether more stands behind it.
      return routine.idle && this.#waitedAt(routine.passed) ? urgent : undefined;
    }
    return routine.ready && !urgent.hidden ? routine : undefined;
  }

  /**
   * What was to come first may have been lost in a power cut, with all that others wait for.
   *
   * @param passed the routine lane's last sequence
   */
  #waitedAt(passed: number): boolean {
    const now = performance.now();
    if (this.#held !== passed) {
      this.#held = passed;
      this.#heldSince = now;
    }
    return now - this.#heldSince > ORDER_PATIENCE;
  }

  #write(length: number, sends: number): void {
    this.#outstanding += sends;
    // The stream may hold on to the bytes after write() returns.
    this.#blocked = !this.#events.write(Buffer.from(this.#out.subarray(0, length)));
  }

  /** What goes out is noted before it goes: of each lane, its records in flight are consecutive. */
  #noteSent(from: number, to: number): void {
    const flight = this.#flight;
    for (const lane of [this.#lanes.urgent, this.#lanes.routine]) {
      const { progress, name } = lane;
      let [oldest, newest] = [from, to - 1];
      while (oldest < to && flight.laneOf(oldest) !== lane) oldest++;
      while (newest >= from && flight.laneOf(newest) !== lane) newest--;
      if (oldest > newest) continue;
      const first = lane.sequenceOf(flight.indexOf(oldest));
      const last = lane.sequenceOf(flight.indexOf(newest));
      const again = Math.min(last, progress.sent);
      if (again >= first) {
        progress.resent += again - first + 1;
        this.#events.resending(name, first, again);
      }
      progress.sent = Math.max(progress.sent, last);
    }
    this.#events.save();
  }

  #sendUnclear(verdicts: readonly Verdict[]): void {
    if (this.#outstanding > 0) return;
    const at = verdicts.indexOf('unclear');
    const lane = this.#flight.laneOf(at);
    const body = lane.bodyOf(this.#flight.indexOf(at));
    const length = writeSend(lane.buffer, body, this.#out, 0, this.#options.timestamps);
    this.#noteSent(at, at + 1);
    this.#write(length, 1);
  }

  #settle(verdict: Verdict): void {
    const lane = this.#flight.laneOf(0);
    const index = this.#flight.indexOf(0);
    this.#flight.shift();
    lane.settle();
    if (verdict === 'answered') {
      lane.progress.answered++;
      return;
    }
    lane.progress.refused++;
    const body = lane.bodyOf(index);
    const vscpClass = readU16(lane.buffer, body + CLASS);
    const type = readU16(lane.buffer, body + TYPE);
    this.#events.refused(lane.name, lane.progress.sequence, vscpClass, type, this.#refusal);
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
