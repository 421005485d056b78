/** Files that are handed to processes as open descriptors, and have no name by the time they run. */
import { openSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Pipe } from '../seal/pipes.js';

/** A file that is unlinked at once, open at both ends. */
export function openBoth(path: string): Pipe {
  const write = openSync(path, 'wx', 0o600);
  const read = openSync(path, 'r');
  unlinkSync(path);
  return { read, write };
}

/** A file with that text, unlinked at once. */
export function openOnce(path: string, text: string): number {
  writeFileSync(path, text, { mode: 0o600 });
  const fd = openSync(path, 'r');
  unlinkSync(path);
  return fd;
}
