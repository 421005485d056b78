/** What a board that starts goes on from, in small files: alarms that stand, how far its clock had come. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** A file that is always the text of the last time, or that of the time before. */
export class StateFile {
  readonly #path: string;
  #unsaved: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The text that was written last; empty: there is none. */
  read(): string {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch {
      return '';
    }
  }

  /** @param text undefined: as it was, and written if that has failed */
  save(text: string | undefined): void {
    this.#unsaved = text ?? this.#unsaved;
    if (this.#unsaved === undefined) return;
    try {
      writeFileSync(`${this.#path}.new`, this.#unsaved, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
      this.#unsaved = undefined;
    } catch {
      // The next time tries again; of a full disk the history tells.
    }
  }
}
