/**
 * One-way pipes: FIFOs that are opened at both ends and unlinked before anybody else runs.
 *
 * Node's own `stdio: 'pipe'` is a socketpair, through which a child could write back.
 */
import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/**
 * Makes pipes; the supervisor holds both ends of each for life, so that a restarted process finds
 * what its predecessor left.
 *
 * @param directory made anew, mode 0700
 * @throws Error of the file system, or if mkfifo (coreutils) is missing
 */
export function makePipes<K extends string>(directory: string, names: readonly K[]): Map<K, Pipe> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const paths = names.map((_, i) => join(directory, `pipe-${i}`));
  execFileSync('/usr/bin/mkfifo', ['-m', '600', '--', ...paths], { env: {}, stdio: 'ignore' });
  const pipes = new Map<K, Pipe>();
  names.forEach((name, i) => {
    const path = paths[i]!;
    // The read end first and without waiting: a FIFO's write end opens when a reader is there.
    const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const write = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    unlinkSync(path);
    pipes.set(name, { read, write });
  });
  return pipes;
}
