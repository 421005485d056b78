/**
 * The process table: which process holds which descriptors, and what its sandbox has, as data.
 *
 * An edge of the pipeline is a pipe or a handed-over socket; there is none that leads down.
 */
import type { Role } from '../config/identity.js';
import { FD } from '../wire/fd.js';

export type { Role };

/** What stands behind a descriptor of a process; all but `messages` go one way or are its own. */
export type Grant =
  | 'socket' // the handed-over connection, descriptor 0
  | 'settings' // read-only file
  | 'policies' // read-only file, which the supervisor rewrites
  | 'password' // read-only file
  | 'key' // read-only file
  | 'ca' // read-only file
  | 'cert' // read-only file
  | 'lock' // read-write file, empty but for a number
  | 'status' // read-write file
  | 'cursor' // read-write file
  | 'rejects' // two read-write files
  | 'pipe-out' // write end of the pipe to the gate
  | 'pipes-in' // read ends of the pipes from the valves
  | 'messages'; // of src/wire/handover.ts, with the supervisor; and the way out for connections

const TABLE: Readonly<Record<Role, readonly Grant[]>> = {
  lower: ['settings', 'password', 'messages'],
  valve: ['socket', 'pipe-out'],
  gate: ['settings', 'policies', 'key', 'pipes-in', 'lock'],
  checker: ['settings'],
  dial: ['settings', 'messages'],
  upper: [
    ...(['socket', 'settings', 'password', 'key', 'ca', 'cert'] as const),
    ...(['lock', 'status', 'cursor', 'rejects'] as const),
  ],
};

/** All that are started in sandboxes. */
export const ROLES = Object.keys(TABLE) as readonly Role[];

/** What a sandbox has beside the read-only system, Node.js and the process's own code. */
export interface Surroundings {
  /** The machine's network; all others have an empty one. */
  readonly network: boolean;
  /** Packages of others: the valve's code needs none. */
  readonly packages: boolean;
  /** Bytes to which it can make a file that it may write to; all that it has is open from the start. */
  readonly fileSize?: number;
}

export const SURROUNDINGS: Readonly<Record<Role, Surroundings>> = {
  lower: { network: true, packages: true },
  valve: { network: false, packages: false },
  gate: { network: false, packages: true },
  checker: { network: false, packages: true },
  dial: { network: true, packages: true },
  upper: { network: false, packages: true, fileSize: 8 * 2 ** 20 },
};

/** Where each grant goes; a socket and the messages are no files. */
const NUMBERS: Readonly<Partial<Record<Grant, readonly number[]>>> = {
  settings: [FD.settings],
  policies: [FD.policies],
  password: [FD.password],
  key: [FD.key],
  ca: [FD.ca],
  cert: [FD.cert],
  lock: [FD.lock],
  status: [FD.status],
  cursor: [FD.cursor],
  rejects: [FD.rejects, FD.rejects + 1],
  'pipe-out': [FD.pipe],
};

/** Files that are a process's own, to be written to; all others are read-only. */
export const WRITTEN: readonly number[] = (
  ['lock', 'status', 'cursor', 'rejects'] as const
).flatMap((grant) => NUMBERS[grant] ?? []);

/** The descriptor numbers that a role's files and pipes have; the gate's pipes begin at FD.pipe. */
export function numbersOf(role: Role): number[] {
  return TABLE[role].flatMap((grant) => [...(NUMBERS[grant] ?? [])]);
}

/**
 * Refuses to start a process with anything but what the table grants it.
 *
 * @param files descriptor numbers of the files and pipes that it would inherit
 * @param socket whether it would have a connection
 * @param messages whether it would talk with the supervisor
 * @throws Error naming what is too much or missing: a bug
 */
export function checkGrants(
  role: Role,
  files: readonly number[],
  socket: boolean,
  messages: boolean,
): void {
  const grants = TABLE[role];
  const numbers = numbersOf(role);
  const granted = (fd: number): boolean =>
    numbers.includes(fd) || (grants.includes('pipes-in') && fd >= FD.pipe && fd < FD.policies);
  const wrong = files.filter((fd) => !granted(fd)).map((fd) => `descriptor ${fd} too many`);
  wrong.push(...numbers.filter((fd) => !files.includes(fd)).map((fd) => `no descriptor ${fd}`));
  if (socket !== grants.includes('socket')) wrong.push(socket ? 'a socket' : 'no socket');
  if (messages !== grants.includes('messages')) {
    wrong.push(messages ? 'messages' : 'no messages');
  }
  if (wrong.length > 0) throw new Error(`${role} against the process table: ${wrong.join(', ')}`);
}
