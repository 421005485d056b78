/** Lines for a descriptor whose reader may be slow, stopped or gone, without ever waiting for it. */
import { write } from 'node:fs';

/** Characters that may wait; what is beyond is dropped and counted. */
const MAX_WAITING = 1024 * 1024;
/** A descriptor that takes nothing now is tried again after this many ms; that keeps nobody alive. */
const AGAIN = 20;

export class Outlet {
  readonly #fd: number;
  #waiting: string[] = [];
  #characters = 0;
  #dropped = 0;
  #writing = false;
  #broken = false;
  #idle: (() => void)[] = [];

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param line without its end */
  say(line: string): void {
    if (this.#broken) return;
    if (this.#characters + line.length > MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#characters += line.length;
    if (!this.#writing) this.#writeNext();
  }

  /** Resolves when all is written, or nobody takes it any more. */
  drained(): Promise<void> {
    if (!this.#writing) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #writeNext(): void {
    const dropped = this.#dropped;
    if (dropped > 0) this.#waiting.push(`... ${dropped} lines are not shown: nobody took them`);
    const lines = this.#waiting;
    this.#waiting = [];
    this.#characters = 0;
    this.#dropped = 0;
    this.#writing = lines.length > 0;
    if (this.#writing) this.#write(Buffer.from(`${lines.join('\n')}\n`));
    else for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** In a thread of its own: a terminal that was stopped by Ctrl-S stops this process no more. */
  #write(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') setTimeout(() => this.#write(bytes), AGAIN).unref();
      else if (error) this.#break();
      else if (written < bytes.length) this.#write(bytes.subarray(written));
      else this.#writeNext();
    });
  }

  /** Its reader is gone. */
  #break(): void {
    this.#broken = true;
    this.#waiting = [];
    this.#dropped = 0;
    this.#writeNext();
  }
}
