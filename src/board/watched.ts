/** Takes files anew when they change, and keeps what was before if they do not fit. */
import { statSync } from 'node:fs';
import type { Logger } from '../wire/log.js';

const EVERY = 5000;

export class Watched {
  readonly #paths: readonly string[];
  readonly #timer: NodeJS.Timeout;
  #seen: string;

  /**
   * @param what they are, in the log
   * @param take reads them; if it throws, it is tried again when they change again
   */
  constructor(what: string, paths: readonly string[], take: () => void, log: Logger) {
    this.#paths = paths;
    this.#seen = this.#look();
    this.#timer = setInterval(() => {
      const now = this.#look();
      if (now === this.#seen) return;
      this.#seen = now;
      try {
        take();
        log.info({ event: what }, `${what} were taken anew`);
      } catch (error) {
        const reason = (error as Error).message;
        log.error({ event: what, reason }, `the new ${what} do not fit: those before stay`);
      }
    }, EVERY);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): string {
    return this.#paths
      .map((path) => {
        const { mtimeMs, ino, size } = statSync(path, { throwIfNoEntry: false }) ?? {};
        return `${mtimeMs ?? 0} ${ino ?? 0} ${size ?? 0}`;
      })
      .join();
  }
}
