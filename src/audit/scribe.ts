/** The gate's side of the thread that writes its log. */
import { Worker } from 'node:worker_threads';
import { CONTROL, nextRequest, ORDER, Shared, takeText } from './shared.js';
import { MAX_LEAF } from './tiles.js';
import type { WorkerData } from './worker.js';

/** What became of an order. */
export interface Done {
  /** Leaves in the log. */
  readonly size: number;
  /** Why it failed; leaves of it may be in the log all the same. */
  readonly failure: string | undefined;
}

/** Carries out one order after the other. */
export interface Scribe {
  /** Where leaves are put, each behind its length, before they are appended. */
  readonly leaves: Uint8Array;
  /** Begins to append the first bytes of `leaves` and to make them durable; nothing may be going on. */
  append(length: number): void;
  /** Begins to take room for leaves to come, as appending them would; nothing may be going on. */
  probe(): void;
  /** Waits for what is going on, ms; undefined: it is not done. */
  await(ms: number): Done | undefined;
  /** The newest checkpoint of this run, a signed note. */
  readonly checkpoint: string | undefined;
  /** Why the newest one could not be made. */
  readonly unpublished: string | undefined;
  /** Signs what is there, and ends. */
  close(ms: number): void;
}

/** The thread's memory, MiB: its hashes take less than one. */
const MEMORY = 64;

export class Thread implements Scribe {
  readonly leaves: Uint8Array;
  readonly #shared = new Shared();
  #order = 0;

  /** @param failed is called when the thread is gone, which it never is but by a bug */
  constructor(data: Omit<WorkerData, 'memory'>, failed: (error: Error) => void) {
    this.leaves = this.#shared.leaves;
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { ...data, memory: this.#shared.memory } satisfies WorkerData,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY },
    });
    worker.on('error', failed);
    worker.unref();
  }

  append(length: number): void {
    Atomics.store(this.#shared.control, CONTROL.length, length);
    this.#give(ORDER.append);
  }

  probe(): void {
    this.#give(ORDER.probe);
  }

  await(ms: number): Done | undefined {
    const { control, size, failure } = this.#shared;
    const until = performance.now() + ms;
    for (let done; (done = Atomics.load(control, CONTROL.done)) !== this.#order;) {
      const left = until - performance.now();
      if (left <= 0) return undefined;
      Atomics.wait(control, CONTROL.done, done, left);
    }
    const length = Atomics.load(control, CONTROL.failure);
    return { size: size[0]!, failure: length === 0 ? undefined : takeText(failure, length) };
  }

  get checkpoint(): string | undefined {
    const { control, note } = this.#shared;
    for (;;) {
      const version = Atomics.load(control, CONTROL.version);
      if (version === 0) return undefined;
      const text = takeText(note, Atomics.load(control, CONTROL.note));
      if (version % 2 === 0 && Atomics.load(control, CONTROL.version) === version) return text;
    }
  }

  get unpublished(): string | undefined {
    const { control, unpublished } = this.#shared;
    const length = Atomics.load(control, CONTROL.unpublished);
    return length === 0 ? undefined : takeText(unpublished, length);
  }

  close(ms: number): void {
    this.#give(ORDER.close);
    this.await(ms);
  }

  #give(order: number): void {
    const { control } = this.#shared;
    Atomics.store(control, CONTROL.order, order);
    this.#order = nextRequest(control);
    Atomics.notify(control, CONTROL.request);
  }
}

/** The thread that is not there: the log is not what it was, and nothing is added to it. */
export class NoScribe implements Scribe {
  /** Notes are put there up to half of it, and another one behind them. */
  readonly leaves: Uint8Array = new Uint8Array(2 * (2 + MAX_LEAF));
  readonly checkpoint = undefined;
  readonly unpublished = undefined;
  readonly #failure: string;

  constructor(failure: string) {
    this.#failure = failure;
  }

  append(): void {
    // What is asked for is told what is wrong.
  }

  probe(): void {
    // As above.
  }

  await(): Done {
    return { size: 0, failure: this.#failure };
  }

  close(): void {
    // There is nothing to end.
  }
}
