/** What a board keeps of what came: written by one thread, asked by another, so that neither holds it up. */
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type {
  EventPage,
  HistoryCounters,
  HistoryReader,
  KeptEvent,
  Reading,
  Resolution,
  Series,
} from '../../sensor/view.js';
import { lockFile } from '../../wire/lock.js';
import { Asking } from './asking.js';
import { type AddedEvent, type Batch, Gathering } from './batch.js';
import type { Question, ThreadData, WriteOrder, WriteReport } from './orders.js';
import type { Newest, Points, Rows } from './queries.js';
import { LEAST_SIZE } from './room.js';
import { addSums, noSums, type StoreLimits } from './store.js';

export type { AddedEvent };

export interface HistoryOptions extends StoreLimits {
  readonly directory: string;
}

/** Events of a batch, and ms that it is waited for them. */
const BATCH = 5000;
const PERIOD = 1000;
/** Batches that the thread may have before it, so that it does not wait for the next one. */
const AHEAD = 2;
/** Events that may wait, and UTF-16 units of their texts. */
const MOST_WAITING = 100_000;
const MOST_TEXT = 32 * 2 ** 20;
/** UTF-16 units of one event: that of the largest event there can be is shorter. */
const LONGEST = 16_384;
/** Questions that may wait, and ms of each: in the thread itself, and until it is given up. */
const QUESTIONS = 64;
const ANSWER = 5000;
const GIVEN_UP = 8000;
/** ms until a thread that ended by itself is started anew. */
const PAUSE = 1000;
/** ms that the last batches are waited for when it ends. */
const CLOSING = 10_000;
/** Of a thread's JavaScript, MiB: batches, and answers. */
const MEMORY = 256;

export class History implements HistoryReader {
  readonly #data: ThreadData;
  readonly #time = new BigInt64Array(new SharedArrayBuffer(8));
  readonly #onTrouble: (why: string | undefined) => void;
  readonly #lock: number;
  readonly #asking: Asking;
  readonly #gathering = new Gathering();
  /** Batches that the thread has not carried out, the oldest first; the first `#sent` of them it has. */
  readonly #batches: Batch[] = [];
  #sent = 0;
  #events = 0;
  #length = 0;
  #timer: NodeJS.Timeout | undefined;
  #writer: Worker | undefined;
  /** It has opened the database. */
  #ready = false;
  #trouble: string | undefined;
  #added = 0;
  readonly #sums = noSums();
  #restarts = 0;
  #restart: NodeJS.Timeout | undefined;
  #opened = false;
  #closed = false;
  #awaiting: { batches: number; resolve: () => void }[] = [];
  #carriedOut = 0;
  /** The thread that writes has ended. */
  #onEnd: () => void = () => undefined;

  private constructor(
    options: HistoryOptions,
    onTrouble: (why: string | undefined) => void,
    lock: number,
  ) {
    const { directory, keep, events, size } = options;
    // A coarser one is looked at where a finer one ends.
    const hour = Math.max(keep.raw, keep.hour);
    const kept = { raw: keep.raw, hour, day: Math.max(hour, keep.day) };
    this.#data = { directory, limits: { keep: kept, events, size }, ms: ANSWER, time: this.#time };
    this.#onTrouble = onTrouble;
    this.#lock = lock;
    const start = (): Worker => this.#start('./reader.js');
    this.#asking = new Asking(start, { waiting: QUESTIONS, ms: GIVEN_UP });
  }

  /**
   * Opens the history of a directory, which is made if there is none. A database that is damaged or
   * has other tables is moved aside, and `onTrouble` is told.
   *
   * @param onTrouble is called with why events are not kept, and with undefined when they are again
   * @throws Error if another process has it, or there can be no database
   */
  static async open(
    options: HistoryOptions,
    onTrouble: (why: string | undefined) => void,
  ): Promise<History> {
    if (!(options.size >= LEAST_SIZE)) {
      throw new RangeError(`size: ${LEAST_SIZE} bytes at least`);
    }
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const lock = lockFile(join(options.directory, 'lock'));
    const history = new History(options, onTrouble, lock);
    try {
      await history.#begin();
      history.#opened = true;
    } catch (error) {
      closeSync(lock);
      throw error;
    }
    return history;
  }

  get counters(): HistoryCounters {
    return {
      ...this.#sums,
      ...this.#asking.counters,
      added: this.#added,
      waiting: this.#events,
      restarts: this.#restarts,
    };
  }

  /** @param time ms since 1970: what is too old by it goes; until it is said, nothing does */
  setTime(time: number): void {
    Atomics.store(this.#time, 0, BigInt(Math.floor(time)));
  }

  /** @returns false if it is dropped, and counted: the thread is too far behind, or it is too long */
  add(event: AddedEvent): boolean {
    this.#added++;
    const length = event.event.length;
    const fits = this.#events < MOST_WAITING && this.#length + length <= MOST_TEXT;
    if (this.#closed || !fits || length > LONGEST) {
      this.#sums.dropped++;
      return false;
    }
    this.#events++;
    this.#length += length;
    const received = Number.isFinite(event.received) ? Math.trunc(event.received) : Date.now();
    this.#gathering.add({ ...event, received });
    if (this.#gathering.events >= BATCH) this.#seal();
    else this.#timer ??= setTimeout(() => this.#seal(), PERIOD);
    return true;
  }

  /** Waits until what has been added is written, or dropped. */
  async flush(): Promise<void> {
    this.#seal();
    if (this.#batches.length === 0) return;
    const batches = this.#carriedOut + this.#batches.length;
    await new Promise<void>((resolve) => this.#awaiting.push({ batches, resolve }));
  }

  /** Writes what has been added, and ends both threads. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#restart);
    const worker = this.#writer;
    this.#seal();
    if (!worker) this.#drop(this.#batches.length);
    const giveUp = (): void => {
      // What waits for a disk cannot be ended by anybody.
      void worker?.terminate();
      if (worker) this.#ended(worker, '');
    };
    const patience = setTimeout(giveUp, CLOSING);
    await Promise.all([this.flush(), this.#asking.close()]);
    if (worker && worker === this.#writer) {
      const ended = new Promise<void>((resolve) => (this.#onEnd = resolve));
      this.#order(worker, { close: true });
      await ended;
    }
    clearTimeout(patience);
    closeSync(this.#lock);
  }

  async series(
    sensor: string,
    from: number,
    to: number,
    most: number,
    resolution?: Resolution,
  ): Promise<Series> {
    const question: Question = { kind: 'series', sensor, from, to, most, resolution };
    const answer = await this.#asking.ask<Points>(question);
    const points: [number, number, number, number][] = [];
    const { numbers } = answer;
    for (let i = 0; i < numbers.length; i += 4) {
      points.push([numbers[i]!, numbers[i + 1]!, numbers[i + 2]!, numbers[i + 3]!]);
    }
    return { sensor, resolution: answer.resolution, points };
  }

  /** @param to is in the range */
  async readings(
    sensor: string,
    from: number,
    to: number,
    limit: number,
  ): Promise<readonly Reading[]> {
    const question: Question = { kind: 'readings', sensor, from, to, limit };
    return readingsOf({ sensor, numbers: await this.#asking.ask(question) });
  }

  /** From the oldest one on there is no gap; `since` of another history begins there, with one. */
  async events(since: number, limit: number): Promise<EventPage> {
    const rows = await this.#asking.ask<Rows>({ kind: 'events', since, limit });
    const events = rows.texts.map((event, i): KeptEvent => {
      const sensor = rows.sensors[i]!;
      const value = rows.numbers[3 * i + 2]!;
      const kept = { id: rows.numbers[3 * i]!, received: rows.numbers[3 * i + 1]!, event };
      return sensor === '' || Number.isNaN(value) ? kept : { ...kept, sensor, value };
    });
    return { events, next: rows.next, gap: rows.gap };
  }

  /** Of every sensor the newest reading of each 10 s, up to 30 of them, oldest first. */
  async recent(): Promise<readonly { sensor: string; readings: readonly Reading[] }[]> {
    const newest = await this.#asking.ask<Newest[]>({ kind: 'recent' });
    return newest.map((of) => ({ sensor: of.sensor, readings: readingsOf(of) }));
  }

  #start(file: string): Worker {
    return new Worker(new URL(file, import.meta.url), {
      workerData: this.#data,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY },
    });
  }

  /** Starts the thread that writes. */
  #begin(): Promise<void> {
    const worker = this.#start('./writer.js');
    this.#writer = worker;
    return new Promise((resolve, reject) => {
      let failure = 'its thread ended';
      worker.on('message', (report: WriteReport) => {
        if (worker !== this.#writer) return;
        if (report.kind === 'open') {
          this.#ready = true;
          if (report.trouble !== undefined) this.#beginAnew(report.trouble);
          resolve();
          this.#send();
        } else if (report.kind === 'failed') failure = report.trouble;
        else this.#take(report);
      });
      worker.on('error', (error) => (failure = error.message));
      worker.on('exit', () => {
        reject(new Error(`the history cannot be written: ${failure}`));
        this.#ended(worker, failure);
      });
    });
  }

  #take(report: Exclude<WriteReport, { kind: 'open' | 'failed' }>): void {
    if (report.kind === 'anew') {
      this.#beginAnew(report.trouble);
      return;
    }
    addSums(this.#sums, report.sums);
    this.#carryOut();
    this.#sent--;
    this.#tell(report.trouble);
    this.#send();
  }

  /** The database is another one: the thread that reads has the one before. */
  #beginAnew(trouble: string): void {
    this.#asking.restart();
    this.#tell(trouble);
  }

  /** The oldest batch is written, or dropped. */
  #carryOut(): void {
    const batch = this.#batches.shift()!;
    this.#events -= batch.texts.length;
    this.#length -= batch.length;
    this.#carriedOut++;
    this.#awaiting = this.#awaiting.filter(({ batches, resolve }) => {
      if (batches <= this.#carriedOut) resolve();
      return batches > this.#carriedOut;
    });
  }

  #drop(batches: number): void {
    for (let i = 0; i < batches; i++) {
      this.#sums.dropped += this.#batches[0]!.texts.length;
      this.#carryOut();
    }
  }

  /** The thread that writes is gone: what it had may be written or not, and counts as dropped. */
  #ended(worker: Worker, failure: string): void {
    if (worker !== this.#writer || !this.#opened) return;
    this.#writer = undefined;
    this.#ready = false;
    this.#onEnd();
    this.#drop(this.#closed ? this.#batches.length : this.#sent);
    this.#sent = 0;
    if (this.#closed) return;
    this.#tell(`the thread that writes: ${failure}`);
    const restart = (): void => {
      if (this.#closed) return;
      this.#restarts++;
      // What is wrong has been told.
      this.#begin().catch(() => undefined);
    };
    this.#restart = setTimeout(restart, PAUSE);
  }

  #tell(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#onTrouble(trouble);
  }

  #seal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathering.events === 0) return;
    this.#batches.push(this.#gathering.take());
    this.#send();
  }

  #send(): void {
    while (this.#writer && this.#ready && this.#sent < Math.min(AHEAD, this.#batches.length)) {
      this.#order(this.#writer, { batch: this.#batches[this.#sent++]! });
    }
  }

  #order(worker: Worker, order: WriteOrder): void {
    worker.postMessage(order);
  }
}

function readingsOf({ sensor, numbers }: Newest): Reading[] {
  const readings: Reading[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    readings.push({ sensor, time: numbers[i]!, value: numbers[i + 1]! });
  }
  return readings;
}
