/**
 * The last revisions that were in force, by policy, beside the audit log: where that begins anew, they
 * still hold.
 *
 * A file of its own, JSON, replaced as a whole.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../journal/file.js';
import type { Logger } from '../wire/log.js';

const NAME = 'revisions';

export type Revisions = ReadonlyMap<string, number>;

export class Floors {
  readonly path: string;
  /** Undefined: there is no such file, or it cannot be read. */
  readonly found: Revisions | undefined;
  readonly #directory: string;
  readonly #log: Logger;
  #kept: string | undefined;
  #failing = false;

  /** @throws Error of the file system */
  constructor(directory: string, log: Logger) {
    mkdirSync(directory, { recursive: true });
    this.#directory = directory;
    this.#log = log;
    this.path = join(directory, NAME);
    this.found = read(this.path);
  }

  /** The highest of what the log says and what was kept here. */
  raise(logged: Revisions | undefined): Revisions {
    const highest = new Map(logged);
    for (const [id, revision] of this.found ?? []) {
      highest.set(id, Math.max(revision, highest.get(id) ?? 0));
    }
    return highest;
  }

  /** Makes them durable, if they are others than before; what fails is said once, and tried again. */
  keep(revisions: Revisions): void {
    const text = `${JSON.stringify(Object.fromEntries(revisions))}\n`;
    if (text === this.#kept) return;
    try {
      writeFileSync(`${this.path}.new`, text, { mode: 0o600, flush: true });
      renameSync(`${this.path}.new`, this.path);
      syncDirectory(this.#directory);
      this.#kept = text;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        const words = 'cannot keep the revisions in force; the audit log has them';
        this.#log.error({ event: 'revisions', err: error }, words);
      }
      this.#failing = true;
    }
  }
}

/** @throws Error of the file system */
function read(path: string): Revisions | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const revisions = new Map<string, number>();
  for (const [id, revision] of Object.entries(value) as [string, unknown][]) {
    if (typeof revision !== 'number' || !Number.isSafeInteger(revision) || revision < 0) {
      return undefined;
    }
    revisions.set(id, revision);
  }
  return revisions;
}
