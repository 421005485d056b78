/** Says which peers were sent away: once per reason and while, with how many there were. */
import type { Logger } from '../wire/log.js';

/** ms: whoever knocks a thousand times a second does not fill a disk. */
const EVERY = 10_000;

interface Said {
  count: number;
  address: string;
  detail: string;
  /** When it was said last, ms. */
  last: number;
}

export class Refusals {
  readonly #log: Logger;
  readonly #said = new Map<string, Said>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param why one of a few words */
  note(why: string, address: string, detail: string): void {
    const said = this.#said.get(why) ?? { count: 0, address, detail, last: -Infinity };
    this.#said.set(why, { ...said, count: said.count + 1, address, detail });
  }

  /** @param now of performance.now() */
  tick(now: number): void {
    for (const [why, said] of this.#said) {
      if (said.count === 0 || now - said.last < EVERY) continue;
      const { count, address, detail } = said;
      this.#log.warn({ event: 'refused', why, count, address, detail }, 'peers were sent away');
      this.#said.set(why, { ...said, count: 0, last: now });
    }
  }
}
