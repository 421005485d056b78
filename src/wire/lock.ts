/** One writer: an exclusive lock on the state directory, which the kernel releases with its holder. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';

/**
 * Locks a file for as long as this process, or one that inherits the descriptor, lives.
 *
 * flock(1) (util-linux) locks the open file that it inherits, and so locks it for us: Node has no call
 * for that. Each call opens the file anew: two that have it exclude each other, whoever they are.
 *
 * @returns the descriptor
 * @throws Error that names the holder's pid
 */
export function lockFile(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  const stdio: ('ignore' | number)[] = ['ignore', 'ignore', 'ignore', fd];
  // Whoever asks who holds it has it for a moment.
  const { status, error } = spawnSync('/usr/bin/flock', ['--exclusive', '--wait', '0.2', '3'], {
    stdio,
  });
  if (status !== 0) {
    const holder = readFileSync(path, 'latin1').trim();
    closeSync(fd);
    if (error) throw new Error(`cannot lock ${path}: ${error.message}`);
    const who = /^\d+$/.test(holder) ? ` by pid ${holder}` : '';
    throw new Error(`the state directory is in use${who}: ${path}`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return fd;
}

/** The pid of the process that holds a lock; undefined if nobody does. */
export function holderOf(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const { status } = spawnSync('/usr/bin/flock', ['--nonblock', '--shared', path, '/bin/true']);
  if (status !== 1) return undefined;
  const holder = readFileSync(path, 'latin1').trim();
  return /^\d+$/.test(holder) ? Number(holder) : undefined;
}
