/** Reads a text file that may be anything: a FIFO in its place would hold whoever waits for it. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

const MAX_FILE = 1024 * 1024;

/** @throws Error of the file system, or that says what the path is instead of a file */
export function readText(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory())
      throw Object.assign(new Error(`${path} is no file`), { code: 'EISDIR' });
    if (!stats.isFile()) throw new Error(`${path} is no file`);
    if (stats.size > MAX_FILE) throw new Error(`${path} is larger than 1 MiB`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
