/** The protocol with an upper server: login, then one answer a SEND; all else is discarded. */
import { AnswerReader, showWords } from '../link/answers.js';
import type { Cause } from '../wire/exit.js';

/** Without an awaited answer for this many ms the link is dead. */
const LOGIN_PATIENCE = 5000;
const ANSWER_PATIENCE = 10_000;
/** A tick counts for at most this many ms: a process that was stopped first reads what has come. */
const LONGEST_TICK = 1000;
/** Bytes since the last answer that are none, before the server is taken for something else. */
const MAX_BABBLE = 1024 * 1024;

export interface SessionEvents {
  write(text: string): void;
  ready(): void;
  /** An answer to a SEND. */
  answer(ok: boolean, text: string): void;
  end(cause: Cause, text: string): void;
}

type State = 'handshake' | 'greeting' | 'USER' | 'PASS' | 'ready';

export class UpperSession {
  readonly #user: string;
  readonly #password: string;
  readonly #events: SessionEvents;
  readonly #answers = new AnswerReader();
  #state: State = 'handshake';
  #quiet = 0;
  #discardedAtAnswer = 0;

  constructor(user: string, password: string, events: SessionEvents) {
    this.#user = user;
    this.#password = password;
    this.#events = events;
  }

  /** Whether the TLS handshake is done. */
  get begun(): boolean {
    return this.#state !== 'handshake';
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  /** Bytes that were no answers. */
  get discarded(): number {
    return this.#answers.discarded;
  }

  /** The handshake is done: the server greets. */
  begin(): void {
    this.#state = 'greeting';
    this.#quiet = 0;
  }

  take(chunk: Buffer): void {
    this.#answers.push(chunk, (ok, text) => {
      this.#quiet = 0;
      this.#discardedAtAnswer = this.#answers.discarded;
      if (this.#state === 'ready') this.#events.answer(ok, text);
      else this.#logIn(ok, text);
      return true;
    });
    if (this.#answers.discarded - this.#discardedAtAnswer > MAX_BABBLE) {
      this.#events.end('babble', `the server sends what is no answer${this.#describeBabble()}`);
    }
  }

  /**
   * @param waiting whether a SEND is owed an answer
   * @param elapsed ms since the last tick
   */
  tick(waiting: boolean, elapsed: number): void {
    if (this.ready && !waiting) this.#quiet = 0;
    this.#quiet += Math.min(elapsed, LONGEST_TICK);
    if (this.#quiet <= (this.ready ? ANSWER_PATIENCE : LOGIN_PATIENCE)) return;
    this.#events.end('silence', `no answer in time (${this.ready ? 'SEND' : this.#state})`);
  }

  /** Once it has been sent events, nothing that a server says goes to the log. */
  #describeBabble(): string {
    if (this.ready) return ': more than 1 MiB since its last answer';
    const said = this.#answers.firstDiscarded ?? 'an endless line';
    return `, beginning with: ${showWords(said, this.#password, 80)}`;
  }

  #logIn(ok: boolean, text: string): void {
    if (!ok) {
      const words = showWords(text, this.#password);
      this.#events.end('refused', `the server refused (${this.#state}): ${words}`);
      return;
    }
    if (this.#state === 'greeting') {
      this.#state = 'USER';
      this.#events.write(`USER ${this.#user}\r\n`);
    } else if (this.#state === 'USER') {
      this.#state = 'PASS';
      this.#events.write(`PASS ${this.#password}\r\n`);
    } else {
      this.#state = 'ready';
      this.#events.ready();
    }
  }
}
