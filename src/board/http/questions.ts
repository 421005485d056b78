/** What is asked of the history: so many questions at once, and so long each. */
import { Problem } from './problem.js';

export class Questions {
  readonly #most: number;
  readonly #patience: number;
  #open = 0;

  /** @param patience ms */
  constructor(most: number, patience: number) {
    this.#most = most;
    this.#patience = patience;
  }

  /** Questions that are not answered yet, those included that nobody waits for any more. */
  get open(): number {
    return this.#open;
  }

  /** @throws Problem: too many, too late, or what has been kept cannot be read */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.#open >= this.#most) {
      throw Problem.later('busy', 'too much is asked at once: try again in a moment', 2000);
    }
    this.#open++;
    const answer = new Promise<T>((resolve) => resolve(question()));
    const settle = (): void => {
      this.#open--;
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
