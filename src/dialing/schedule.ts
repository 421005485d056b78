/**
 * When to try again: jittered backoff on the process's own clock, blind to all else.
 *
 * A server that comes back is connected to within 2 s, as from the beginning of a try to that of the
 * next it is never longer than PATIENCE + LEAST. Where packets are dropped silently it is less: a SYN
 * is sent again after 1 s (RFC 6298 section 2.1), and a try whose second one is dropped ends, and is
 * followed by the next, within 0.6 s.
 */

/** The first try comes within this many ms. */
const FIRST = 250;
/** No wait is longer than this many ms. */
const SLOWEST = 1000;
/** After a try that took all of its time, at most this many ms. */
const LEAST = 100;
/** After so many refused logins it takes a person to mend it: before, a server may be starting. */
const LENIENT = 60;
/** From then on, the wait after a refused login, ms. */
const REFUSED = 30_000;
/** A try is given up after this many ms, and so is the wait for each answer. */
export const PATIENCE = 1500;

export class Schedule {
  #failures = 0;
  #refusals = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The connection was of use: the next wait is a first one. */
  reset(): void {
    this.#failures = 0;
    this.#refusals = 0;
  }

  /**
   * How long to wait before the next try, ms.
   *
   * @param spent ms that the try took which failed
   */
  next(spent = 0): number {
    const longest = Math.min(SLOWEST, FIRST * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    const jitter = 0.4 + 0.6 * this.#random();
    return Math.min(longest * jitter, Math.max(PATIENCE - spent, LEAST * jitter));
  }

  /** The same after a refused login, ms. */
  nextRefused(): number {
    if (this.#refusals >= LENIENT) return REFUSED;
    this.#refusals++;
    return this.next();
  }
}
