/** Death with the parent: the kernel signals a child when the process that started it is gone. */
import { spawnSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';

export const SETPRIV = '/usr/bin/setpriv';
const UNSHARE = '/usr/bin/unshare';

const MOUNTS = '/proc/self/ns/mnt';
/** Tells a supervisor which mount namespace it comes from: it may not look at its parent's. */
const OUTSIDE = 'TIDEGATE_OUTSIDE';

type Command = readonly [string, ...string[]];

/**
 * A command line that the kernel ends with its parent (prctl(2), PR_SET_PDEATHSIG), through
 * util-linux's setpriv; unchanged where that is missing.
 *
 * @param signal KILL for what must not outlive its parent, TERM for what has an orderly end
 */
export function withParent(command: Command, signal: 'KILL' | 'TERM'): [string, string[]] {
  if (!existsSync(SETPRIV)) return [command[0], command.slice(1)];
  return [SETPRIV, ['--pdeathsig', signal, '--', ...command]];
}

/**
 * A command line that is not run if this process is gone by then: the signal of its death may have come
 * before it was asked for.
 */
export function whileParent(command: Command): [string, ...string[]] {
  return ['/bin/sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid), ...command];
}

/**
 * The command line of a supervisor: ended in good order with its parent; as root, in a mount
 * namespace of its own, if that can be had, from which it makes sandboxes.
 */
export function asSupervisor(command: Command): [string, string[]] {
  const apart = ['--mount', '--propagation', 'private', '--'];
  const able =
    process.getuid?.() === 0 && spawnSync(UNSHARE, [...apart, 'true'], { env: {} }).status === 0;
  if (!able) return withParent(command, 'TERM');
  const outside = `${OUTSIDE}=${readlinkSync(MOUNTS)}`;
  return withParent([UNSHARE, ...apart, '/usr/bin/env', outside, ...command], 'TERM');
}

/** Whether this process was started in a mount namespace of its own. */
export function inPrivateNamespace(): boolean {
  const outside = process.env[OUTSIDE];
  return outside !== undefined && outside !== readlinkSync(MOUNTS);
}
