/** Whether this machine lets us make sandboxes, and what is missing if not. */
import { existsSync } from 'node:fs';
import { inPrivateNamespace, SETPRIV } from '../wire/parent.js';
import type { SealStatus } from '../wire/status.js';
import type { Architecture } from './syscalls.js';

const BUBBLEWRAP = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap'];

export const isRoot = (): boolean => process.getuid?.() === 0;

/** undefined: there are no filters for this processor. */
export function architecture(): Architecture | undefined {
  return process.arch === 'x64' || process.arch === 'arm64' ? process.arch : undefined;
}

export function findBubblewrap(): string | undefined {
  return BUBBLEWRAP.find(existsSync);
}

/** What stands in the way of sandboxes, before one is tried; undefined: nothing. */
export function findObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'sandboxes need Linux';
  if (architecture() === undefined) {
    return `there is no filter of system calls for ${process.arch}, only for x64 and arm64`;
  }
  if (findBubblewrap() === undefined) {
    return 'bubblewrap is not installed: apt-get install bubblewrap';
  }
  if (!isRoot()) return undefined;
  if (!existsSync(SETPRIV)) return 'setpriv is not installed: apt-get install util-linux';
  if (!inPrivateNamespace()) {
    return (
      "the supervisor has no mount namespace of its own: start it by 'tidegate run', in a " +
      'container with CAP_SYS_ADMIN (deploy/container/)'
    );
  }
  return undefined;
}

/** What bubblewrap's last words mean, for whoever can change it. */
export function explainFailure(words: string): string {
  if (/failed to execute|exec: |ENOENT|EACCES/.test(words)) {
    return `bubblewrap does not start (${words}): apt-get install --reinstall bubblewrap`;
  }
  if (words.startsWith('setpriv')) {
    return (
      `the processes cannot have users of their own (${words}): in a container map the numbers from ` +
      "'uids' on, or set 'uids' to numbers that are mapped"
    );
  }
  if (/namespace|uid map|gid map/i.test(words)) {
    return (
      `user namespaces are not to be had (${words}): sysctl kernel.unprivileged_userns_clone=1, ` +
      'user.max_user_namespaces above 0, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; ' +
      'in a container see deploy/container/'
    );
  }
  if (/seccomp/i.test(words)) {
    return `the kernel takes no filter of system calls (${words}): it needs CONFIG_SECCOMP_FILTER`;
  }
  if (/mount|pivot_root|bind|make \/ slave/i.test(words)) {
    return `a sandbox cannot mount (${words}): in a container see deploy/container/`;
  }
  return `a sandbox does not start: ${words}`;
}

/** The seals in force, in the order in which they are put on. */
export function describeSeals(obstacle: string | undefined): readonly SealStatus[] {
  const lacking = obstacle === undefined ? {} : { reason: obstacle };
  const all = (seal: SealStatus['seal'], inForce: boolean, reason = lacking): SealStatus => ({
    seal,
    inForce,
    ...(inForce ? {} : reason),
  });
  const user = process.getuid?.() ?? -1;
  return [
    all(
      'users',
      obstacle === undefined && isRoot(),
      obstacle === undefined
        ? {
            reason:
              `started as an ordinary user: all processes have user ${user}, and only their ` +
              'namespaces keep them apart; nftables cannot tell them apart',
          }
        : lacking,
    ),
    all('namespaces', obstacle === undefined),
    all('filters', obstacle === undefined),
  ];
}
