/** Starts processes: their descriptors, a cleared environment, death with the supervisor. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import type { RawHandle } from '../wire/handover.js';
import { withParent } from '../wire/parent.js';
import { FD } from '../wire/fd.js';
import { checkGrants, entryOf, type Role } from './table.js';

/** What a process is started with, by descriptor number. */
export interface Descriptors {
  readonly log: number;
  readonly socket?: RawHandle;
  readonly files?: Readonly<Record<number, number>>;
  readonly ipc?: boolean;
}

/**
 * Calls back once when a process is gone, be it that it ended or that it could not be started: then
 * there is an error and no exit.
 */
export function onGone(
  child: ChildProcess,
  gone: (code: number | null, signal: NodeJS.Signals | null, error?: Error) => void,
): void {
  let called = false;
  const once = (code: number | null, signal: NodeJS.Signals | null, error?: Error): void => {
    if (called) return;
    called = true;
    gone(code, signal, error);
  };
  child.on('exit', (code, signal) => once(code, signal));
  child.on('error', (error) => {
    if (child.pid === undefined) once(null, null, error);
  });
}

/**
 * Starts a process in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone.
 *
 * The kernel kills it when the supervisor dies, whatever it is doing.
 */
export function launch(
  role: Role,
  args: readonly string[],
  { log, socket, files = {}, ipc = false }: Descriptors,
): ChildProcess {
  const numbers = Object.keys(files).map(Number);
  checkGrants(role, numbers, socket !== undefined, ipc);
  const highest = Math.max(FD.log, ...numbers);
  const stdio: unknown[] = Array.from({ length: highest + 1 }, () => 'ignore');
  for (const [fd, file] of Object.entries(files)) stdio[Number(fd)] = file;
  stdio[FD.socket] = socket ?? 'ignore';
  stdio[1] = log;
  stdio[FD.log] = log;
  if (ipc) stdio.push('ipc');
  const [command, rest] = withParent(
    [process.execPath, entryOf(role), 'tidegate', ...args],
    'KILL',
  );
  return spawn(command, rest, {
    stdio: stdio as StdioOptions,
    env: { TZ: 'UTC' },
    cwd: '/',
    detached: true,
  });
}
