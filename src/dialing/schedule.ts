/** When to try again: jittered backoff on the process's own clock, blind to all else. */

/** The first try comes within this many ms. */
const FIRST = 250;
/** No wait is longer than this many ms. */
const SLOWEST = 1500;
/** After a refused login: it takes a person to mend it. */
export const REFUSED = 30_000;
/** A try is given up after this many ms, and so is the wait for each answer. */
export const PATIENCE = 1500;

export class Schedule {
  #failures = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The connection was of use: the next wait is a first one. */
  reset(): void {
    this.#failures = 0;
  }

  /** How long to wait before the next try, ms. */
  next(): number {
    const longest = Math.min(SLOWEST, FIRST * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    return longest * (0.4 + 0.6 * this.#random());
  }
}
