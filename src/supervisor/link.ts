/**
 * One link, lower or upper alike: a dialling process makes a connection, a worker is started on it.
 *
 * There are never two workers: the order to dial again goes out when the worker is gone, and a
 * dialling process that died is started anew only then.
 */
import type { Process } from '../seal/process.js';
import { type Cause, causeOf } from '../wire/exit.js';
import type { Handed } from '../seal/launch.js';
import type { Peer } from '../seal/receive.js';
import type { ConnectionMessage, DialMessage } from '../wire/handover.js';
import type { Logger } from '../wire/log.js';
import type { LinkStatus } from '../wire/status.js';
import { receiveConnections, sendOrder } from './messages.js';

/** A connection that lived this long, ms, was of use: the dialling schedule starts afresh. */
const USEFUL = 2000;
/** Between two starts of a worker, ms: a process that hands over dead connections must not cost more. */
const GAP = 250;
/** Between two orders to a worker to end, ms. */
const RENEW_EVERY = 2000;
/** A dialling process that died is started anew after this many ms. */
const RESTART = 500;

export interface LinkParts {
  readonly name: string;
  readonly log: Logger;
  readonly peer: Peer;
  dialler(): Process;
  worker(socket: Handed, generation: number): Process;
}

export class Link {
  readonly #parts: LinkParts;
  #dialler: Process | undefined;
  /** One whose end has been ordered, and has not come yet. */
  #refused: Process | undefined;
  #worker: Process | undefined;
  #generation: number;
  /** When the last worker was started; a next one that waits. */
  #started = 0;
  #starting: NodeJS.Timeout | undefined;
  #connections = 0;
  #script = 0;
  #since = Date.now();
  #cause: Cause | 'killed' | undefined;
  #stopping = false;

  /** @param generation number of the first connection; every one differs from the one before */
  constructor(parts: LinkParts, generation: number) {
    this.#parts = parts;
    this.#generation = generation;
  }

  start(): void {
    const dialler = this.#try(() => this.#parts.dialler());
    if (!dialler) {
      this.#startLater();
      return;
    }
    this.#dialler = dialler;
    if (dialler.messages) {
      receiveConnections(
        dialler.messages,
        (message) => this.#connect(dialler, message),
        (reason) => this.#refuse(dialler, reason),
      );
    }
    dialler.onGone((code, signal, error) => {
      this.#dialler = undefined;
      clearTimeout(this.#starting);
      this.#starting = undefined;
      if (this.#stopping) return;
      const what = error?.message ?? 'the dialling process died';
      this.#parts.log.error({ event: 'died', code, signal }, what);
      if (!this.#worker) this.#startLater();
    });
  }

  /** Ends both processes, the worker by its own last words. */
  stop(): void {
    this.#stopping = true;
    this.#dialler?.kill('SIGTERM');
    this.#worker?.kill('SIGTERM');
  }

  /** Has the connection made anew, in good order. */
  renew(): void {
    const worker = this.#worker;
    const ask = (): void => {
      if (!worker || this.#worker !== worker) return;
      worker.kill('SIGTERM');
      // A process that has just been started does not hear it yet.
      setTimeout(ask, RENEW_EVERY);
    };
    ask();
  }

  get processes(): Process[] {
    return [this.#dialler, this.#worker].filter((child) => child !== undefined);
  }

  describe(): LinkStatus {
    return {
      name: this.#parts.name,
      state: this.#worker ? 'up' : 'connecting',
      since: this.#since,
      connections: this.#connections,
      script: this.#script,
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
    };
  }

  #startLater(): void {
    setTimeout(() => {
      if (!this.#stopping && !this.#dialler && !this.#worker) this.start();
    }, RESTART);
  }

  #connect(dialler: Process, { number, script }: ConnectionMessage): void {
    if (this.#stopping) return;
    if (this.#worker || this.#starting) throw new Error('a connection out of turn');
    this.#script += script;
    const socket = { channel: dialler.handles!, number, peer: this.#parts.peer };
    const start = (): void => {
      this.#starting = undefined;
      if (this.#dialler === dialler && !this.#stopping) this.#startWorker(socket);
    };
    const wait = this.#started + GAP - Date.now();
    if (wait <= 0 || wait > GAP) start();
    else this.#starting = setTimeout(start, wait);
  }

  /** What is not in the table of messages is the end of whoever sends it. */
  #refuse(dialler: Process, reason: string): void {
    if (this.#refused === dialler) return;
    this.#refused = dialler;
    this.#parts.log.fatal({ event: 'protocol' }, `${reason}: killed`);
    dialler.kill('SIGKILL');
  }

  /** A secret that has become unreadable, for one, must not end the supervisor. */
  #try(start: () => Process): Process | undefined {
    try {
      return start();
    } catch (error) {
      this.#parts.log.error({ event: 'failure' }, (error as Error).message);
      return undefined;
    }
  }

  #dialAgain(order: DialMessage): void {
    const dialler = this.#dialler;
    if (!dialler?.messages) this.#startLater();
    // It has died, which is about to be known, and starts another.
    else if (!dialler.messages.writable) dialler.kill('SIGKILL');
    else if (!sendOrder(dialler.messages, order)) this.#refuse(dialler, 'it takes no orders');
  }

  #startWorker(socket: Handed): void {
    this.#generation = (this.#generation + 1) >>> 0;
    const worker = this.#try(() => this.#parts.worker(socket, this.#generation));
    if (!worker) {
      this.#dialAgain({ useful: false, refused: false });
      return;
    }
    this.#connections++;
    this.#worker = worker;
    const started = Date.now();
    this.#started = started;
    this.#since = started;
    worker.onGone((code, _, error) => {
      this.#worker = undefined;
      this.#since = Date.now();
      this.#cause = causeOf(code);
      if (this.#stopping) return;
      const what = error?.message ?? 'the connection ended';
      this.#parts.log.warn({ event: 'disconnected', cause: this.#cause }, what);
      const useful = Date.now() - started >= USEFUL;
      this.#dialAgain({ useful, refused: this.#cause === 'refused' });
    });
  }
}
