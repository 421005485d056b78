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

/** Digits of the largest pid there can be (proc(5), pid_max). */
const PID_WIDTH = 10;

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
    closeSync(fd);
    if (error) throw new Error(`cannot lock ${path}: ${error.message}`);
    const holder = readFileSync(path, 'latin1').trim();
    const who = /^\d+$/.test(holder) ? ` by pid ${holder}` : '';
    throw new Error(`the state directory is in use${who}: ${path}`);
  }
  try {
    // In place of the one before, and as long: on a full disk, what is given back may not come again.
    const line = `${process.pid}`.padEnd(PID_WIDTH);
    writeSync(fd, `${line}\n`, 0);
    ftruncateSync(fd, PID_WIDTH + 1);
  } catch (error) {
    // Or it would be held for ever by a process that does not know it.
    closeSync(fd);
    throw error;
  }
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
