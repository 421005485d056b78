/** Files of keys: private ones that only their owner may read, public ones, a line each. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { NoteError, parseVerifier, type Verifier } from './note.js';

const MAX_FILE = 64 * 1024;

/**
 * Writes a file that is not there yet, and makes it durable.
 *
 * @param mode exactly, whatever the umask: 0600 for what is secret
 * @throws Error of the file system; NoteError if there is such a file, which stays as it is
 */
export function writeNew(path: string, text: string, mode: number): void {
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new NoteError(`${path} already exists and is left as it is`);
  }
  try {
    fchmodSync(fd, mode);
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The text of a private key's file. @throws NoteError where others can read it, or it is none */
export function readPrivate(path: string): string {
  return read(path, (mode) => {
    if ((mode & 0o077) === 0) return;
    const shown = (mode & 0o777).toString(8).padStart(4, '0');
    throw new NoteError(`${path} can be read by others (mode ${shown}): chmod 600 ${path}`);
  });
}

/**
 * Public keys of a file: `<name>+<id>+<base64>`, one a line; `# ...` is passed over.
 *
 * @throws NoteError with the line
 */
export function readVerifiers(path: string): Verifier[] {
  const lines = read(path, () => undefined).split('\n');
  const found = lines.flatMap((line, i) => {
    if (/^\s*(#.*)?$/.test(line)) return [];
    try {
      return [parseVerifier(line)];
    } catch (error) {
      throw new NoteError(`${path}:${i + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
  if (found.length === 0) throw new NoteError(`${path} holds no public key`);
  return found;
}

function read(path: string, check: (mode: number) => void): string {
  let fd: number;
  try {
    // A FIFO in its place would wait for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw new NoteError(`cannot read ${path}: ${code}`, { cause: error });
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new NoteError(`${path} is no file`);
    if (stats.size > MAX_FILE) throw new NoteError(`${path} is larger than 64 KiB`);
    check(stats.mode);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
