/** What is asked of the history: so many questions at once, of an address too, and so long each. */
import { Tally } from './network.js';
import { Problem } from './problem.js';

export class Questions {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #patience: number;
  readonly #tally = new Tally();
  #open = 0;

  /**
   * @param mostOfOne of an address
   * @param patience ms
   */
  constructor(most: number, mostOfOne: number, patience: number) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
    this.#patience = patience;
  }

  /** Questions that are not answered yet, those included that nobody waits for any more. */
  get open(): number {
    return this.#open;
  }

  /**
   * @param network whoever asks
   * @throws Problem: too many, too late, or what has been kept cannot be read
   */
  async ask<T>(network: string, question: () => Promise<T>): Promise<T> {
    if (this.#tally.of(network) >= this.#mostOfOne || this.#open >= this.#most) {
      throw Problem.later('busy', 'too much is asked at once: try again in a moment', 2000);
    }
    this.#open++;
    this.#tally.add(network);
    const answer = new Promise<T>((resolve) => resolve(question()));
    const settle = (): void => {
      this.#open--;
      this.#tally.remove(network);
    };
    answer.then(settle, settle);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('too late')), this.#patience).unref();
    });
    try {
      return await Promise.race([answer, late]);
    } catch {
      // What went wrong is the log's, not the public's.
      throw Problem.later(
        'history_unavailable',
        'what has been kept cannot be read at the moment: try again later',
        5000,
      );
    } finally {
      clearTimeout(timer);
    }
  }
}
