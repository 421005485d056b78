/**
 * The room for a journal's next segment, taken ahead of time and off the hot path: a disk that fills
 * up meanwhile stops nothing before that room is used up.
 */
import { existsSync, promises, renameSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'next';
const PIECE = 1024 * 1024;
/** After it could not be had, it is tried again after this many ms. */
const RETRY = 10_000;

export class Spare {
  readonly #directory: string;
  readonly #path: string;
  readonly #bytes: number;
  #ready = false;
  #preparing = false;
  #failed = -Infinity;

  /** @throws Error of the file system */
  constructor(directory: string, bytes: number) {
    this.#directory = directory;
    this.#path = join(directory, NAME);
    this.#bytes = bytes;
    rmSync(this.#path, { force: true });
  }

  /**
   * Fills the spare with zeros, in the background.
   *
   * @param now ms of a clock that does not go back
   */
  async prepare(now: number): Promise<void> {
    if (this.#ready || this.#preparing || now - this.#failed < RETRY) return;
    this.#preparing = true;
    try {
      // What is left of a disk is for the segment that is written now.
      const { bavail, bsize } = statfsSync(this.#directory);
      if (bavail * bsize < 2 * this.#bytes) this.#failed = now;
      else {
        await this.#fill();
        this.#ready = true;
      }
    } catch {
      this.#failed = now;
      await promises.rm(this.#path, { force: true }).catch(() => undefined);
    } finally {
      this.#preparing = false;
    }
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Gives it the name of a segment that is begun; false if there is none. */
  become(path: string): boolean {
    if (!this.#ready) return false;
    this.#ready = false;
    // Whoever deletes files of a journal by hand must not stop it.
    if (!existsSync(this.#path)) return false;
    renameSync(this.#path, path);
    return true;
  }

  async #fill(): Promise<void> {
    const zeros = Buffer.alloc(Math.min(PIECE, this.#bytes));
    const file = await promises.open(this.#path, 'w', 0o644);
    try {
      for (let at = 0; at < this.#bytes; at += PIECE) {
        const { bytesWritten } = await file.write(zeros, 0, Math.min(PIECE, this.#bytes - at), at);
        if (bytesWritten < Math.min(PIECE, this.#bytes - at)) throw new Error('a short write');
        await file.datasync();
      }
    } finally {
      await file.close();
    }
  }
}
