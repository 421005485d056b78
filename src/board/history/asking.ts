/** The board's side of the thread that answers: one question after the other, and each for so long. */
import type { Worker } from 'node:worker_threads';
import type { Answer, Question } from './orders.js';

export interface AskingLimits {
  /** Questions that may wait. */
  readonly waiting: number;
  /** That an answer may take, after which the thread is replaced. */
  readonly ms: number;
}

export interface AskingCounters {
  questions: number;
  /** Refused, because too many were waiting. */
  busy: number;
  /** Not answered in time. */
  slow: number;
}

interface Waiting {
  readonly question: Question;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Asking {
  readonly counters: AskingCounters = { questions: 0, busy: 0, slow: 0 };
  readonly #start: () => Worker;
  readonly #limits: AskingLimits;
  #worker: Worker | undefined;
  readonly #waiting: Waiting[] = [];
  #asked: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param start a thread that gives an Answer for each Question; none is started before it is asked */
  constructor(start: () => Worker, limits: AskingLimits) {
    this.#start = start;
    this.#limits = limits;
  }

  /** @throws Error `busy`, or why there is no answer */
  ask<T>(question: Question): Promise<T> {
    this.counters.questions++;
    if (this.#closed) return Promise.reject(new Error('the history is closed'));
    if (this.#waiting.length >= this.#limits.waiting) {
      this.counters.busy++;
      return Promise.reject(new Error('busy'));
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ question, resolve: resolve as (answer: unknown) => void, reject });
      this.#next();
    });
  }

  /** The database is another one: what goes on is asked again. */
  restart(): void {
    if (this.#asked) this.#waiting.unshift(this.#asked);
    this.#drop();
    this.#next();
  }

  /** What has not been answered is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    const left = this.#asked ? [this.#asked, ...this.#waiting] : this.#waiting.slice();
    this.#waiting.length = 0;
    for (const { reject } of left) reject(new Error('the history is closed'));
    if (!worker) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    if (this.#asked) this.#drop();
    else worker.postMessage('close');
    let patience: NodeJS.Timeout | undefined;
    // What waits for a disk cannot be ended by anybody.
    const given = new Promise((resolve) => (patience = setTimeout(resolve, this.#limits.ms)));
    await Promise.race([ended, given]);
    clearTimeout(patience);
  }

  #next(): void {
    if (this.#asked || this.#closed) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#asked = next;
    this.#timer = setTimeout(() => {
      this.counters.slow++;
      this.#fail(new Error('the question takes too long'));
    }, this.#limits.ms);
    this.#worker ??= this.#begin();
    this.#worker.postMessage(next.question);
  }

  #begin(): Worker {
    const worker = this.#start();
    worker.on('message', (answer: Answer) => {
      if (worker === this.#worker) this.#answer(answer);
    });
    worker.on('error', (error) => {
      if (worker === this.#worker) this.#fail(error);
    });
    worker.on('exit', (code) => {
      if (worker === this.#worker) this.#fail(new Error(`its thread ended with ${code}`));
    });
    return worker;
  }

  #answer(answer: Answer): void {
    const asked = this.#asked;
    clearTimeout(this.#timer);
    this.#asked = undefined;
    if ('error' in answer) {
      // Another connection may see what this one does not: a database that was begun anew.
      if (answer.damage) this.#drop();
      asked?.reject(new Error(answer.error));
    } else asked?.resolve(answer.answer);
    this.#next();
  }

  /** The thread is gone, or is given up. */
  #fail(error: Error): void {
    const asked = this.#asked;
    this.#drop();
    asked?.reject(error);
    this.#next();
  }

  #drop(): void {
    const worker = this.#worker;
    clearTimeout(this.#timer);
    this.#worker = undefined;
    this.#asked = undefined;
    // It ends as soon as SQLite comes back to it.
    void worker?.terminate();
  }
}
