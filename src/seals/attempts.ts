/**
 * What a process of each role must not be able to do, as raw system calls, with the answers that show
 * that the kernel refused: failing for another reason is no seal.
 */
import type { Role } from '../seal/table.js';
import { type Architecture, type Syscall, syscallNumber } from '../seal/syscalls.js';

export interface Attempt {
  readonly name: string;
  /** A Perl expression: -1 and $! as system calls have them, or what came of it. */
  readonly code: string;
  /** Names of errors, `killed`, or `ok` for what must be possible: that shows that the probe works. */
  readonly held: readonly string[];
}

/** What the probes of one run know of their surroundings. */
export interface Scene {
  readonly architecture: Architecture;
  /** Process number of this command, which every sandbox's keeper is a child of. */
  readonly pid: number;
  /** Files of the machine that no process may see. */
  readonly foreign: readonly string[];
  /** Of the relay's state as the gate and the uppers have it. */
  readonly writable: readonly string[];
  readonly readable: readonly string[];
  /** Addresses of servers, below and above: [name, host, port]. */
  readonly servers: readonly (readonly [string, string, number])[];
}

/** Perl for a system call; undefined where the architecture has none. */
export function call(
  architecture: Architecture,
  name: Syscall,
  ...args: readonly (string | number)[]
): string | undefined {
  const number = syscallNumber(name, architecture);
  return number === undefined ? undefined : `syscall(${[number, ...args].join(', ')})`;
}

type Entry = readonly [name: string, code: string | undefined, ...held: string[]];

const toAttempts = (entries: readonly Entry[]): Attempt[] =>
  entries.flatMap(([name, code, ...held]) =>
    code === undefined ? [] : [{ name, code, held: held.length === 0 ? ['EPERM'] : held }],
  );

/** A Perl string literal of a path. */
export const quotePerl = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;

// Numbers of flags and commands: fcntl(2), socket(2), ptrace(2), clone(2), open(2), setsockopt(2).
const F = { DUPFD: 0, SETLK: 6, SETOWN: 8, OFD_SETLK: 37, SETLEASE: 1024 };
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const PTRACE_ATTACH = 16;
const SIGCHLD = 17;
const CLONE_NEWUSER = 0x1000_0000;
const MSG_OOB = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const TIOCSTI = 0x5412;
const HIGH = '0x100000000';

/** In every sandbox: processes, memory, namespaces, the kernel, foreign files. */
function everywhere(scene: Scene): Entry[] {
  const sys = (name: Syscall, ...args: (string | number)[]): string | undefined =>
    call(scene.architecture, name, ...args);
  const { pid } = scene;
  return [
    ['ptrace of the supervisor', sys('ptrace', PTRACE_ATTACH, pid, 0, 0)],
    ['ptrace of process 1', sys('ptrace', PTRACE_ATTACH, 1, 0, 0)],
    ['read memory of the supervisor', sys('process_vm_readv', pid, '$iov', 1, '$iov', 1, 0)],
    ['write memory of the supervisor', sys('process_vm_writev', pid, '$iov', 1, '$iov', 1, 0)],
    ['signal the supervisor', sys('kill', pid, 0)],
    ['signal every process', sys('kill', -1, 0)],
    ['signal a thread', sys('tgkill', pid, pid, 0)],
    ['pidfd_open', sys('pidfd_open', 1, 0)],
    ['pidfd_getfd', sys('pidfd_getfd', 0, 0, 0)],
    ['pidfd_send_signal', sys('pidfd_send_signal', 0, 0, 0, 0)],
    ['start a process', `start_process(${sys('clone', SIGCHLD, 0, 0, 0, 0)!})`],
    ['a new user namespace', sys('unshare', CLONE_NEWUSER)],
    ['enter a namespace', sys('setns', 1, 0)],
    ['mount', sys('mount', '$none', '$root', '$none', 0, 0)],
    ['unmount', sys('umount2', '$root', 0)],
    ['pivot_root', sys('pivot_root', '$root', '$root')],
    ['chroot', sys('chroot', '$root')],
    ['open by handle', sys('open_by_handle_at', -1, '$buffer', 0)],
    ['become root', sys('setuid', 0)],
    ['become another user', sys('setresuid', 1, 1, 1)],
    ['take capabilities', sys('capset', '$buffer', '$buffer')],
    ['be debugged by all (prctl)', sys('prctl', 0x5961_6d61, -1, 0, 0, 0)],
    ['another filter', sys('seccomp', 1, 0, 0)],
    ['bpf', sys('bpf', 0, '$buffer', 0)],
    ['perf_event_open', sys('perf_event_open', '$buffer', 0, -1, -1, 0)],
    ['userfaultfd', sys('userfaultfd', 0)],
    ['kernel keys', sys('keyctl', 0, 0, 0, 0, 0)],
    ['io_uring', sys('io_uring_setup', 1, '$buffer')],
    ['asynchronous I/O', sys('io_setup', 1, '$buffer')],
    ['memfd_create', sys('memfd_create', '$none', 0)],
    ['load a kernel module', sys('finit_module', 0, '$none', 0)],
    ['another personality', sys('personality', 0)],
    ['type into a terminal (TIOCSTI)', sys('ioctl', 0, TIOCSTI, '$buffer')],
    ['read its log pipe', sys('read', 2, '$buffer', 1), 'EBADF'],
    ['reopen fd 0 by /proc', 'open_file("/proc/self/fd/0", 2)', 'ENOENT', 'EPERM'],
    ['memory of process 1 by /proc', 'open_file("/proc/1/mem", 0)', 'ENOENT'],
    ['a device (/dev/mem)', 'open_file("/dev/mem", 0)', 'ENOENT'],
    ['a socket of the system (/run)', 'open_file("/run", 0)', 'ENOENT'],
    ['temporary files (/tmp)', 'open_file("/tmp", 0)', 'ENOENT'],
    ['accounts (/etc/shadow)', 'open_file("/etc/shadow", 0)', 'ENOENT'],
    ...scene.foreign.map((path): Entry => [
      `read ${path}`,
      `open_file(${quotePerl(path)}, 0)`,
      'ENOENT',
    ]),
    ...['/', '/usr/', '/tidegate/', '/state/'].map((directory): Entry => [
      `create a file in ${directory}`,
      `create_file(${quotePerl(`${directory}probe`)})`,
      ...['EPERM', 'EROFS', 'ENOENT'],
    ]),
  ];
}

const FAMILIES = { INET: 2, INET6: 10, UNIX: 1, NETLINK: 16, PACKET: 17, ALG: 38, VSOCK: 40 };
const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3 };

/** Processes without a network: no socket of any kind, so nobody to reach. */
function noNetwork(scene: Scene): Entry[] {
  return [
    ...Object.entries(FAMILIES).map(([name, family]): Entry => {
      const type = name === 'PACKET' || name === 'NETLINK' ? SOCK.RAW : SOCK.STREAM;
      return [`socket AF_${name}`, call(scene.architecture, 'socket', family, type, 0)];
    }),
    ['socketpair', call(scene.architecture, 'socketpair', 1, 1, 0, '$buffer')],
    ...scene.servers.map(([name, host, port]): Entry => [
      `connect to ${name} (${host}:${port})`,
      `reach(${quotePerl(host)}, ${port})`,
    ]),
  ];
}

/** Of a network they have what dialling needs. */
function onlyDialling(scene: Scene): Entry[] {
  const sys = (name: Syscall, ...args: (string | number)[]): string | undefined =>
    call(scene.architecture, name, ...args);
  const socket = (family: number, type: number): string | undefined =>
    sys('socket', family, type, 0);
  return [
    ['socket AF_INET (it dials)', socket(FAMILIES.INET, SOCK.STREAM), 'ok'],
    ['a raw socket', socket(FAMILIES.INET, SOCK.RAW)],
    ['socket AF_UNIX', socket(FAMILIES.UNIX, SOCK.STREAM)],
    ['socket AF_NETLINK', socket(FAMILIES.NETLINK, SOCK.RAW)],
    ['socket AF_PACKET', socket(FAMILIES.PACKET, SOCK.RAW)],
    ['socketpair', sys('socketpair', 1, 1, 0, '$buffer')],
    ['bind', sys('bind', socket(FAMILIES.INET, SOCK.STREAM)!, '$nowhere', 16)],
    [
      'set a time to live',
      sys('setsockopt', socket(FAMILIES.INET, SOCK.STREAM)!, 0, 2, '$zeros', 4),
    ],
    ['listen', sys('listen', socket(FAMILIES.INET, SOCK.STREAM)!, 1)],
    ['accept', sys('accept4', 0, 0, 0, 0)],
    ['duplicate fd 1', sys('dup', 1)],
  ];
}

/** Every way of making bytes go out by descriptor 0, or of getting it another number. */
function noWriting(scene: Scene): Entry[] {
  const sys = (name: Syscall, ...args: (string | number)[]): string | undefined =>
    call(scene.architecture, name, ...args);
  return [
    ['read fd 0 (it reads)', sys('read', 0, '$buffer', 64), 'ok'],
    ['write fd 0', sys('write', 0, '$message', 5)],
    ['write fd 0x100000000', sys('write', HIGH, '$message', 5)],
    ['writev fd 0', sys('writev', 0, '$iov', 1)],
    ['writev fd 0x100000000', sys('writev', HIGH, '$iov', 1)],
    ['pwrite64 fd 0', sys('pwrite64', 0, '$message', 5, 0)],
    ['pwritev fd 0', sys('pwritev', 0, '$iov', 1, 0, 0)],
    ['pwritev2 fd 0', sys('pwritev2', 0, '$iov', 1, -1, -1, 0)],
    ['sendto fd 0', sys('sendto', 0, '$message', 5, 0, 0, 0)],
    ['sendto fd 0, MSG_OOB', sys('sendto', 0, '$message', 1, MSG_OOB, 0, 0)],
    ['sendmsg fd 0', sys('sendmsg', 0, '$header', 0)],
    ['sendmmsg fd 0', sys('sendmmsg', 0, '$header', 1, 0)],
    ['sendfile to fd 0', sys('sendfile', 0, '$file', 0, 5)],
    ['splice to fd 0', sys('splice', '$pipe', 0, 0, 0, 5, 0)],
    ['tee to fd 0', sys('tee', '$pipe', 0, 5, 0)],
    ['vmsplice to fd 0', sys('vmsplice', 0, '$iov', 1, 0)],
    ['copy_file_range to fd 0', sys('copy_file_range', '$file', 0, 0, 0, 5, 0)],
    ['io_submit', sys('io_submit', 0, 1, '$buffer')],
    ['io_uring_enter', sys('io_uring_enter', 0, 1, 0, 0, 0, 0)],
    ['dup of fd 0', sys('dup', 0)],
    ['dup2 of fd 0', sys('dup2', 0, 20)],
    ['dup3 of fd 0', sys('dup3', 0, 20, 0)],
    ['F_DUPFD of fd 0', sys('fcntl', 0, F.DUPFD, 20)],
    ['F_DUPFD_CLOEXEC of fd 0', sys('fcntl', 0, F_DUPFD_CLOEXEC, 20)],
    ['F_SETOWN of fd 0', sys('fcntl', 0, F.SETOWN, 1)],
    ['setsockopt SO_LINGER', sys('setsockopt', 0, SOL_SOCKET, SO_LINGER, '$zeros', 8)],
    ['shutdown fd 0', sys('shutdown', 0, 1)],
    ['connect fd 0 elsewhere', sys('connect', 0, '$nowhere', 16)],
  ];
}

/** A pipe carries bytes one way; its size and its locks would be a second one. */
function pipeIsOneWay(scene: Scene, fd: number, reads: boolean): Entry[] {
  const sys = (name: Syscall, ...args: (string | number)[]): string | undefined =>
    call(scene.architecture, name, ...args);
  return [
    reads
      ? ['write to the pipe it reads', sys('write', fd, '$message', 5), 'EBADF']
      : ['read from the pipe it writes', sys('read', fd, '$buffer', 1), 'EBADF'],
    ['reopen the pipe by /proc', `open_file("/proc/self/fd/${fd}", 2)`, 'ENOENT', 'EPERM'],
    ['reopen the pipe by /dev', `open_file("/dev/fd/${fd}", 2)`, 'ENOENT', 'EPERM'],
    ['size of the pipe (F_SETPIPE_SZ)', sys('fcntl', fd, F_SETPIPE_SZ, 4096)],
    ['flock of the pipe', sys('flock', fd, 2)],
    ['F_SETLK of the pipe', sys('fcntl', fd, F.SETLK, '$lock')],
    ['F_OFD_SETLK of the pipe', sys('fcntl', fd, F.OFD_SETLK, '$lock')],
    ['F_SETLEASE of the pipe', sys('fcntl', fd, F.SETLEASE, 0)],
  ];
}

function connectionOnly(scene: Scene): Entry[] {
  const sys = (name: Syscall, ...args: (string | number)[]): string | undefined =>
    call(scene.architecture, name, ...args);
  return [
    ['write fd 0 (its connection)', sys('write', 0, '$message', 5), 'ok'],
    ['connect fd 0 elsewhere', sys('connect', 0, '$nowhere', 16)],
    ['listen on fd 0', sys('listen', 0, 1)],
    ['accept on fd 0', sys('accept4', 0, 0, 0, 0)],
    ['send fd 0 to an address', sys('sendto', 0, '$message', 5, 0, '$nowhere', 16)],
    ['setsockopt of fd 0', sys('setsockopt', 0, SOL_SOCKET, SO_LINGER, '$zeros', 8)],
    ['dup of fd 0', sys('dup', 0)],
  ];
}

/** By its mount, or, before that is looked at, by its owner. */
const READ_ONLY = ['EROFS', 'EACCES', 'EPERM'];

/** Directories by what may be done in them. */
function files(scene: Scene): Entry[] {
  const inside = (directory: string, name = 'probe'): string => quotePerl(`${directory}/${name}`);
  // Perl makes no system call with a constant.
  const copy = (directory: string, name: string): string => `copy_of(${inside(directory, name)})`;
  return [
    ...scene.writable.map((path): Entry => [
      `write in ${path} (its own)`,
      `create_file(${inside(path)})`,
      'ok',
    ]),
    ...scene.readable.flatMap((path): Entry[] => [
      [`list ${path} (it reads it)`, `open_file(${quotePerl(path)}, 0)`, 'ok'],
      [`create in ${path}`, `create_file(${inside(path)})`, ...READ_ONLY],
      [`write to a file in ${path}`, `open_file(${inside(path, 'segment')}, 1)`, ...READ_ONLY],
      [
        `rename in ${path}`,
        call(
          scene.architecture,
          'renameat',
          ...[-100, copy(path, 'segment'), -100, copy(path, 'probe')],
        ),
        ...READ_ONLY,
      ],
      [
        `remove from ${path}`,
        call(scene.architecture, 'unlinkat', -100, copy(path, 'segment'), 0),
        ...READ_ONLY,
      ],
    ]),
  ];
}

/** Everything that a process of a role tries, in an order in which nothing disturbs what follows. */
export function attemptsOf(role: Role, scene: Scene, pipe: number): Attempt[] {
  const all = everywhere(scene);
  switch (role) {
    case 'valve':
      return toAttempts([
        ...noWriting(scene),
        ...pipeIsOneWay(scene, pipe, false),
        ...noNetwork(scene),
        ...all,
      ]);
    case 'gate':
      return toAttempts([
        ...files(scene),
        ...pipeIsOneWay(scene, pipe, true),
        ...noNetwork(scene),
        ...all,
      ]);
    case 'checker':
      return toAttempts([...noNetwork(scene), ...all]);
    case 'upper':
      return toAttempts([...files(scene), ...noNetwork(scene), ...all, ...connectionOnly(scene)]);
    case 'lower':
    case 'dial':
      return toAttempts([...onlyDialling(scene), ...all]);
  }
}

/** Ends whoever tries it: on its own, in a sandbox of its own. */
export function fatalAttempts({ architecture }: Scene): Attempt[] {
  if (architecture !== 'x64') return [];
  const number = 0x4000_0000 + syscallNumber('getpid', architecture)!;
  return [{ name: 'a call of the x32 ABI', code: `syscall(${number})`, held: ['killed'] }];
}
