/** A sealed process as the kernel shows it from outside: descriptors, user, namespaces, mounts. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Descriptor {
  readonly fd: number;
  /** `socket`, `pipe`, `file`, the path of a device, or `anon_inode:...`. */
  readonly target: string;
  readonly access: 'r' | 'w' | 'rw';
}

function kindOf(path: string): string {
  const stats = statSync(path);
  if (stats.isFIFO()) return 'pipe';
  if (stats.isSocket()) return 'socket';
  if (stats.isFile()) return 'file';
  return readlinkSync(path);
}

const ACCESS = ['r', 'w', 'rw', 'rw'] as const;

/** Every open descriptor of a process (proc(5), /proc/PID/fd and fdinfo). */
export function descriptorsOf(pid: number): Descriptor[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory)
    .map(Number)
    .sort((a, b) => a - b)
    .map((fd) => {
      const target = kindOf(join(directory, String(fd)));
      const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1');
      const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)![1]!, 8);
      return { fd, target, access: ACCESS[flags & 3]! };
    });
}

/** A field of /proc/PID/status. */
export function statusOf(pid: number, field: string): string {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const line = text.split('\n').find((each) => each.startsWith(`${field}:`));
  return line?.slice(field.length + 1).trim() ?? '';
}

export function namespaceOf(pid: number | 'self', kind: string): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}

/** Where a process may write: the mounts that are not read-only (proc(5), mountinfo). */
export function writableMounts(pid: number): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => !fields[5]!.split(',').includes('ro'))
    .map((fields) => fields[4]!)
    .sort();
}

/** What must be seen of a process. */
export interface Expectation {
  /** `FD TARGET ACCESS`, a regular file as `file`. */
  readonly descriptors: readonly string[];
  /** Those of bubblewrap's own process, which waits outside for the end of the one inside. */
  readonly keeper: readonly string[];
  readonly uid: number;
  readonly network: boolean;
  readonly environment: readonly string[];
  /** Writable mounts. */
  readonly writable: readonly string[];
}

export interface Observation {
  readonly what: string;
  readonly answer: string;
  readonly held: boolean;
}

const describe = ({ fd, target, access }: Descriptor): string => `${fd} ${target} ${access}`;

const keeperOf = (pid: number): number => Number(statusOf(pid, 'PPid'));

/** Whether bubblewrap's own process still has what it made the sandbox with. */
export function keeperIsBusy(pid: number): boolean {
  return descriptorsOf(keeperOf(pid)).some(({ fd, target }) => fd > 2 && target !== SIGNALS);
}

/** By it the keeper waits for the end of its child. */
const SIGNALS = 'anon_inode:[signalfd]';

const NO_CAPABILITY = /^0+$/;

/** Compares a process with what it must be, from outside. */
export function inspect(pid: number, expected: Expectation): Observation[] {
  const found: Observation[] = [];
  const same = (what: string, seen: readonly string[], wanted: readonly string[]): void => {
    const held = seen.join() === wanted.join();
    const answer = seen.join(', ') || 'none';
    found.push({ what, answer: held ? answer : `${answer}; wanted: ${wanted.join(', ')}`, held });
  };
  same('descriptors, from outside', descriptorsOf(pid).map(describe), expected.descriptors);
  const keeper = descriptorsOf(keeperOf(pid)).filter(({ target }) => target !== SIGNALS);
  same("its keeper's descriptors, from outside", keeper.map(describe), expected.keeper);
  const uids = [...new Set(statusOf(pid, 'Uid').split('\t'))];
  same('user, from outside', uids, [String(expected.uid)]);
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
  const capable = sets.filter((name) => !NO_CAPABILITY.test(statusOf(pid, name)));
  same('capabilities, from outside', capable, []);
  same('no_new_privs, from outside', [statusOf(pid, 'NoNewPrivs')], ['1']);
  same('filter of system calls, from outside', [statusOf(pid, 'Seccomp')], ['2']);
  const kinds = ['ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
  same(
    'own namespaces, from outside',
    kinds.filter((kind) => namespaceOf(pid, kind) !== namespaceOf('self', kind)),
    kinds.filter((kind) => kind !== 'net' || !expected.network),
  );
  const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').filter(Boolean);
  const names = environment.map((entry) => entry.slice(0, entry.indexOf('='))).sort();
  same('environment, from outside', names, expected.environment);
  same('writable mounts, from outside', writableMounts(pid), [...expected.writable].sort());
  return found;
}
