/**
 * A process's sandbox as a command line of bubblewrap: an allow-list of files, own namespaces.
 *
 * Inside there is no /proc, no /dev, no /tmp and no writable file but those of writable mounts.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FD } from '../wire/fd.js';
import { type Role, SURROUNDINGS } from './table.js';

/** A directory or file of the machine, and where it is inside. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly writable?: boolean;
}

/** What runs in a sandbox: the process itself, or what an auditor puts in its place. */
export interface Program {
  /** Inside. */
  readonly command: readonly string[];
  readonly mounts: readonly Mount[];
}

/** The state directory's name inside. */
export const STATE = '/state';
/** The directory of name resolution, for processes that dial. */
export const NAMES = '/etc';
const APP = '/tidegate';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The directory of packages that this code was installed with. */
function packages(): string {
  for (let at = ROOT; ; at = dirname(at)) {
    const found = join(at, 'node_modules');
    if (existsSync(join(found, 'pino'))) return found;
    if (at === dirname(at)) throw new Error('cannot find the installed packages (node_modules)');
  }
}

/** The process of a role as it runs unsealed. */
export function plainCommand(role: Role): [string, ...string[]] {
  return [process.execPath, join(ROOT, 'dist', role, 'main.js'), 'tidegate'];
}

/** The process of a role as it runs in its sandbox. */
export function sealedProgram(role: Role): Program {
  const node = realpathSync(process.execPath);
  const system = node.startsWith('/usr/');
  const inside = system ? node : join(APP, 'node');
  return {
    command: [inside, join(APP, 'dist', role, 'main.js'), 'tidegate'],
    mounts: [
      ...(system ? [] : [{ source: node, target: inside }]),
      { source: join(ROOT, 'dist'), target: join(APP, 'dist') },
      { source: join(ROOT, 'package.json'), target: join(APP, 'package.json') },
      ...(SURROUNDINGS[role].packages
        ? [{ source: packages(), target: join(APP, 'node_modules') }]
        : []),
    ],
  };
}

/** Everything that an unsealed process of the same user could do stands between these lines. */
export function bubblewrap(
  path: string,
  role: Role,
  command: readonly string[],
  mounts: readonly Mount[],
  environment: Readonly<Record<string, string>>,
): [string, ...string[]] {
  return [
    path,
    '--clearenv',
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-uts'],
    ...(SURROUNDINGS[role].network ? [] : ['--unshare-net']),
    // Process 1 of its own namespace: no reaper that would keep descriptors open.
    ...['--as-pid-1', '--die-with-parent', '--cap-drop', 'ALL'],
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib'],
    // The loader's directory on x86-64; bubblewrap skips what is not there.
    ...['--ro-bind-try', '/usr/lib64', '/lib64'],
    ...mounts.flatMap(({ source, target, writable = false }) => [
      writable ? '--bind' : '--ro-bind',
      source,
      target,
    ]),
    ...['--remount-ro', '/', '--chdir', '/'],
    ...['--seccomp', String(FD.filter), '--info-fd', String(FD.info)],
    '--',
    ...command,
  ];
}
