/**
 * The process table: which process holds which descriptors, as data.
 *
 * An edge of the pipeline is a pipe or a handed-over socket; there is none that leads down.
 */
import { fileURLToPath } from 'node:url';

export type Role = 'lower' | 'valve' | 'gate' | 'dial' | 'upper';

/** What stands behind a descriptor of a process; all but `ipc` go one way or are its own. */
export type Grant =
  | 'socket' // the handed-over connection, descriptor 0
  | 'settings' // read-only file
  | 'password' // read-only file
  | 'key' // read-only file
  | 'ca' // read-only file
  | 'cert' // read-only file
  | 'pipe-out' // write end of the pipe to the gate
  | 'pipes-in' // read ends of the pipes from the valves
  | 'ipc'; // messages of src/wire/handover.ts with the supervisor

export const TABLE: Readonly<Record<Role, readonly Grant[]>> = {
  lower: ['settings', 'password', 'ipc'],
  valve: ['socket', 'pipe-out'],
  gate: ['settings', 'pipes-in'],
  dial: ['settings', 'ipc'],
  upper: ['socket', 'settings', 'password', 'key', 'ca', 'cert'],
};

/** The entry file of a process. */
export function entryOf(role: Role): string {
  return fileURLToPath(new URL(`../${role}/main.js`, import.meta.url));
}
