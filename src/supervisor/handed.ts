/** Files that are handed to processes as open descriptors, so that they open none by name. */
import { closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pipe } from '../seal/pipes.js';
import { FD } from '../wire/fd.js';
import { lockFile } from '../wire/lock.js';
import { CURSOR_BYTES, openSlots } from '../wire/slots.js';
import { openStatus } from '../wire/status.js';

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

/** Opens all or none. */
export function openAll(open: Readonly<Record<number, () => number>>): Record<number, number> {
  const opened: Record<number, number> = {};
  try {
    for (const [fd, one] of Object.entries(open)) opened[Number(fd)] = one();
    return opened;
  } catch (error) {
    for (const fd of Object.values(opened)) closeSync(fd);
    throw error;
  }
}

/** What an upper writes to, by descriptor number; its directory is this user's. */
export function upperFiles(directory: string): Record<number, () => number> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const reject = (name: string) => (): number =>
    openSync(join(directory, name), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  return {
    [FD.status]: () => openStatus(directory),
    [FD.cursor]: () => openSlots(join(directory, 'cursor'), CURSOR_BYTES),
    [FD.rejects]: reject('rejects.0.jsonl'),
    [FD.rejects + 1]: reject('rejects.1.jsonl'),
    [FD.lock]: () => lockFile(join(directory, 'lock')),
  };
}
