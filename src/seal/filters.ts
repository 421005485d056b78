/**
 * What each process may ask of the kernel: allow-lists, made into seccomp filters.
 *
 * A call that no list names fails with EPERM. What must never be done through descriptor 0, the
 * connection, is refused by its number; no call that could give it another number is allowed.
 */
import { Assembler } from './bpf.js';
import { type Architecture, AUDIT_ARCH, type Syscall, syscallNumber } from './syscalls.js';

/** A condition on the low 32 bits of an argument; all of a rule's conditions must hold. */
export type Condition =
  | { readonly argument: number; readonly not: number }
  | { readonly argument: number; readonly oneOf: readonly number[] }
  | { readonly argument: number; readonly without: number }
  | { readonly argument: number; readonly mask: number; readonly oneOf: readonly number[] }
  | {
      /** Two arguments that are judged together. */
      readonly pair: readonly [number, number];
      readonly oneOf: readonly (readonly [number, number])[];
    };

/** undefined: always; a number: fails with that error instead of EPERM. */
export type Rule = readonly Condition[] | 'allow' | 'ENOSYS';

export type Filter = ReadonlyMap<Syscall, Rule>;

const EPERM = 1;
const ENOSYS = 38;
/** x32 shares the architecture's number and sets this bit (asm/unistd.h, __X32_SYSCALL_BIT). */
const X32 = 0x4000_0000;

// fcntl(2): no duplicates, no locks, no pipe sizes, no owner of signals.
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
// ioctl(2): FIOCLEX, FIONBIO, and TCGETS, by which a program asks whether it has a terminal.
const FIOCLEX = 0x5451;
const FIONBIO = 0x5421;
const TCGETS = 0x5401;
// prctl(2)
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_SET_VMA = 0x5356_4d41;
// clone(2)
const CLONE_VM = 0x100;
const CLONE_THREAD = 0x10000;
const CLONE_NEW = 0x7e02_0080;
// open(2), on both architectures
const O_ACCMODE = 3;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
// socket(2)
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_TYPE = 0xf;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
// setsockopt(2), tcp(7), ip(7), ipv6(7)
const IPPROTO_IP = 0;
const IP_RECVERR = 11;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_RECVERR = 25;

const allow = (...names: Syscall[]): [Syscall, Rule][] => names.map((name) => [name, 'allow']);

/** What Node.js needs to run: memory, threads, time, its event loop. */
const RUNTIME: readonly [Syscall, Rule][] = [
  ...allow('read', 'epoll_pwait', 'futex', 'clock_gettime', 'close', 'epoll_ctl', 'epoll_wait'),
  ...allow('mmap', 'munmap', 'mprotect', 'madvise', 'brk', 'mremap', 'membarrier', 'mincore'),
  ...allow('pkey_alloc', 'pkey_free', 'pkey_mprotect'),
  ...allow('epoll_create1', 'epoll_pwait2', 'eventfd2', 'pipe', 'pipe2', 'poll', 'ppoll'),
  ...allow('rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'restart_syscall'),
  ...allow('set_robust_list', 'set_tid_address', 'rseq', 'exit', 'exit_group', 'arch_prctl'),
  ...allow('getpid', 'getppid', 'gettid', 'getuid', 'geteuid', 'getgid', 'getegid', 'getgroups'),
  ...allow('getrandom', 'getrusage', 'gettimeofday', 'time', 'times', 'sysinfo', 'uname'),
  ...allow('prlimit64', 'getrlimit', 'sched_getaffinity', 'sched_yield', 'getcpu', 'capget'),
  ...allow('sched_getparam', 'sched_getscheduler', 'clock_getres', 'clock_nanosleep', 'nanosleep'),
  ...allow('futex_waitv', 'umask'),
  // Files by name are those of the sandbox: a read-only root.
  ...allow('fstat', 'newfstatat', 'stat', 'lstat', 'statx', 'access', 'faccessat', 'faccessat2'),
  ...allow('readlink', 'readlinkat', 'getcwd', 'lseek', 'pread64', 'readv', 'getdents64'),
  // bubblewrap starts the process after the filter is in force.
  ...allow('execve'),
  // glibc falls back to clone, whose flags a filter can read.
  ['clone3', 'ENOSYS'],
  [
    'clone',
    [
      { argument: 0, mask: CLONE_VM | CLONE_THREAD, oneOf: [CLONE_VM | CLONE_THREAD] },
      { argument: 0, without: CLONE_NEW },
    ],
  ],
  ['openat2', 'ENOSYS'],
  ['fcntl', [{ argument: 1, oneOf: [F_GETFD, F_SETFD, F_GETFL, F_SETFL] }]],
  ['ioctl', [{ argument: 1, oneOf: [FIONBIO, FIOCLEX, TCGETS] }]],
  ['prctl', [{ argument: 0, oneOf: [PR_SET_NAME, PR_GET_NAME, PR_SET_VMA] }]],
];

const WRITE_FLAGS = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;

const OPEN_READ_ONLY: readonly [Syscall, Rule][] = [
  ['openat', [{ argument: 2, without: WRITE_FLAGS }]],
  ['open', [{ argument: 1, without: WRITE_FLAGS }]],
];

/** Asking about a socket changes nothing of it. */
const DESCRIBE_SOCKET = allow('getsockname', 'getpeername', 'getsockopt');

const WRITE_FILES = allow(
  ...(['openat', 'open', 'pwrite64', 'fdatasync', 'fsync', 'ftruncate', 'statfs'] as const),
  ...([
    'rename',
    'renameat',
    'renameat2',
    'unlink',
    'unlinkat',
    'mkdir',
    'mkdirat',
    'rmdir',
  ] as const),
);

/** Dialling: TCP to make connections, UDP to ask name servers, the channel to the supervisor. */
const DIAL: readonly [Syscall, Rule][] = [
  ...allow('write', 'writev', 'connect', 'sendmsg', 'recvmsg'),
  ...allow('sendto', 'sendmmsg', 'recvfrom'),
  ...DESCRIBE_SOCKET,
  ...OPEN_READ_ONLY,
  // Time to live, service, window and segment sizes would be signals downward. glibc's resolver asks
  // to be told of errors, and asks no name server where it may not (res_send.c, __res_enable_icmp).
  [
    'setsockopt',
    [
      {
        pair: [1, 2],
        oneOf: [
          [IPPROTO_TCP, TCP_NODELAY],
          [IPPROTO_IP, IP_RECVERR],
          [IPPROTO_IPV6, IPV6_RECVERR],
        ],
      },
    ],
  ],
  [
    'socket',
    [
      { argument: 0, oneOf: [AF_INET, AF_INET6] },
      { argument: 1, mask: SOCK_TYPE, oneOf: [SOCK_STREAM, SOCK_DGRAM] },
    ],
  ],
];

export const FILTERS = {
  lower: new Map([...DIAL, ...RUNTIME]),
  dial: new Map([...DIAL, ...RUNTIME]),
  valve: new Map<Syscall, Rule>([
    ['write', [{ argument: 0, not: 0 }]],
    ['writev', [{ argument: 0, not: 0 }]],
    ...DESCRIBE_SOCKET,
    ...OPEN_READ_ONLY,
    ...RUNTIME,
  ]),
  gate: new Map<Syscall, Rule>([...allow('write', 'writev'), ...WRITE_FILES, ...RUNTIME]),
  checker: new Map<Syscall, Rule>([...allow('write', 'writev'), ...OPEN_READ_ONLY, ...RUNTIME]),
  upper: new Map<Syscall, Rule>([
    ...allow('write', 'writev', 'inotify_init1', 'inotify_add_watch', 'inotify_rm_watch'),
    // What it writes to is open: no file can be made, so that it cannot fill the gate's disk.
    ...allow('pwrite64', 'ftruncate', 'fdatasync'),
    ...OPEN_READ_ONLY,
    ...DESCRIBE_SOCKET,
    ...RUNTIME,
  ]),
} satisfies Readonly<Record<string, Filter>>;

export type FilterName = keyof typeof FILTERS;

/** Compiles a filter: the program, and its listing. */
export function compileFilter(
  name: FilterName,
  architecture: Architecture,
): { readonly program: Buffer; readonly listing: readonly string[] } {
  const asm = new Assembler();
  const conditional: [Syscall, readonly Condition[]][] = [];
  asm.loadArchitecture();
  asm.equal(AUDIT_ARCH[architecture], undefined, 'kill', architecture);
  asm.loadNumber();
  if (architecture === 'x64') asm.atLeast(X32, 'kill', undefined);
  for (const [syscall, rule] of FILTERS[name]) {
    const number = syscallNumber(syscall, architecture);
    if (number === undefined) continue;
    const target = typeof rule === 'string' ? rule : `check ${syscall}`;
    asm.equal(number, target, undefined, `${syscall} (${number})`);
    if (typeof rule !== 'string') conditional.push([syscall, rule]);
  }
  asm.fail(EPERM, 'EPERM');
  for (const [syscall, conditions] of conditional) {
    asm.label(`check ${syscall}`);
    for (const condition of conditions) check(asm, condition, `${syscall} ${asm.length}`);
    asm.allow();
  }
  asm.label('refuse');
  asm.fail(EPERM, 'EPERM');
  asm.label('ENOSYS');
  asm.fail(ENOSYS, 'ENOSYS');
  asm.label('kill');
  asm.kill();
  asm.label('allow');
  asm.allow();
  return { program: asm.assemble(), listing: asm.list() };
}

/** Goes on if the condition holds, else refuses. */
function check(asm: Assembler, condition: Condition, place: string): void {
  const held = `${place} holds`;
  if ('pair' in condition) {
    const [one, other] = condition.pair;
    condition.oneOf.forEach(([first, second], i) => {
      const last = i === condition.oneOf.length - 1;
      const next = last ? 'refuse' : `${place} is not ${i}`;
      asm.loadArgument(one);
      asm.equal(first, undefined, next);
      asm.loadArgument(other);
      asm.equal(second, last ? undefined : held, next);
      if (!last) asm.label(next);
    });
    if (condition.oneOf.length > 1) asm.label(held);
    return;
  }
  asm.loadArgument(condition.argument);
  if ('not' in condition) {
    asm.equal(condition.not, 'refuse', undefined);
    return;
  }
  if ('without' in condition) {
    asm.anyBit(condition.without, 'refuse', undefined);
    return;
  }
  if ('mask' in condition) asm.mask(condition.mask);
  condition.oneOf.forEach((value, i) => {
    const last = i === condition.oneOf.length - 1;
    asm.equal(value, last ? undefined : held, last ? 'refuse' : undefined);
  });
  if (condition.oneOf.length > 1) asm.label(held);
}
