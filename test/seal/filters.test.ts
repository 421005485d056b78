/** The compiled filters, run by an interpreter: against the tables, and against plain claims. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { compileFilter, type FilterName, FILTERS } from '../../src/seal/filters.js';
import {
  type Architecture,
  type Syscall,
  SYSCALLS,
  syscallNumber,
} from '../../src/seal/syscalls.js';
import { answer, type Answer, checkProgram } from './interpreter.js';

const ROLES = Object.keys(FILTERS) as FilterName[];
const ARCHITECTURES = ['x64', 'arm64'] as const;
/** Of linux/audit.h. */
const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
const X32 = 0x4000_0000;

const PROGRAMS = new Map(
  ROLES.flatMap((role) =>
    ARCHITECTURES.map(
      (arch) => [`${role} ${arch}`, compileFilter(role, arch).program] as [string, Buffer],
    ),
  ),
);
const programOf = (role: FilterName, architecture: Architecture): Buffer =>
  PROGRAMS.get(`${role} ${architecture}`)!;

/** What the table says, rule by rule. */
function naive(
  role: FilterName,
  architecture: Architecture,
  arch: number,
  nr: number,
  args: readonly bigint[],
): Answer {
  if (arch !== AUDIT[architecture]) return 'kill';
  if (architecture === 'x64' && (nr < 0 || nr >= X32)) return 'kill';
  for (const [name, rule] of FILTERS[role]) {
    if (syscallNumber(name, architecture) !== nr) continue;
    if (typeof rule === 'string') return rule;
    for (const condition of rule) {
      const low = (index: number): bigint => args[index]! % (1n << 32n);
      if ('pair' in condition) {
        const [first, second] = condition.pair.map(low);
        if (condition.oneOf.some(([a, b]) => BigInt(a) === first && BigInt(b) === second)) continue;
        return 'EPERM';
      }
      const value = low(condition.argument);
      const holds =
        'not' in condition
          ? value !== BigInt(condition.not)
          : 'without' in condition
            ? (value & BigInt(condition.without)) === 0n
            : condition.oneOf
                .map(BigInt)
                .includes('mask' in condition ? value & BigInt(condition.mask) : value);
      if (!holds) return 'EPERM';
    }
    return 'allow';
  }
  return 'EPERM';
}

const WORDS = [
  ...Array.from({ length: 20 }, (_, i) => BigInt(i)),
  ...[25n, 41n],
  ...[0x100n, 0x10000n, 0x10100n, 0x10f00n, 0x3d0f00n, 0x7e020000n, 0x10000000n, 0x10010100n],
  ...[0x5401n, 0x5421n, 0x5451n, 0x5413n, 0x53564d41n, 0o100n, 0o1000n, 0o2000n, 0o2000000n],
  ...[0x801n, 0x80001n, 0x80802n, 0x80003n, 1030n, 1031n, 0x7fffffffn, 0x80000000n, 0xffffffffn],
];
const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 0xffff_ffffn }) },
);
const high = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0n) },
  { weight: 1, arbitrary: fc.constantFrom(1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn) },
);
const argument = fc.tuple(word, high).map(([low, high]) => (high << 32n) | low);

const number = (role: FilterName, architecture: Architecture): fc.Arbitrary<number> => {
  const numbersOf = (names: readonly Syscall[]): number[] =>
    names.map((name) => syscallNumber(name, architecture)).filter((number) => number !== undefined);
  const named = [...FILTERS[role].keys()];
  const conditional = named.filter((name) => typeof FILTERS[role].get(name) !== 'string');
  return fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...numbersOf(conditional)) },
    { weight: 4, arbitrary: fc.constantFrom(...numbersOf(named)) },
    { weight: 2, arbitrary: fc.constantFrom(...numbersOf(SYSCALLS)) },
    { weight: 1, arbitrary: fc.nat(600) },
    { weight: 1, arbitrary: fc.constantFrom(X32 - 1, X32, X32 + 1, X32 | 520, 0x7fff_ffff) },
    { weight: 1, arbitrary: fc.constantFrom(-1, -0x8000_0000, -X32) },
  );
};

const arch = (architecture: Architecture): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(AUDIT[architecture] as number) },
    // i386, arm, the other one, big-endian, none.
    {
      weight: 1,
      arbitrary: fc.constantFrom(0x4000_0003, 0x4000_0028, AUDIT.x64, AUDIT.arm64, 0x8000_00b7, 0),
    },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff_ffff }) },
  );

for (const role of ROLES) {
  for (const architecture of ARCHITECTURES) {
    await t.test(`${role} on ${architecture} answers as its table says`, (t) => {
      const program = programOf(role, architecture);
      const seen: Partial<Record<Answer, number>> = {};
      const call = fc.tuple(
        arch(architecture),
        number(role, architecture),
        fc.array(argument, { minLength: 6, maxLength: 6 }),
      );
      fc.assert(
        fc.property(call, ([arch, nr, args]) => {
          const expected = naive(role, architecture, arch, nr, args);
          assert.equal(answer(program, { arch, nr, args }), expected);
          seen[expected] = (seen[expected] ?? 0) + 1;
        }),
        { numRuns: 3000 },
      );
      for (const word of ['allow', 'EPERM', 'kill'] as const) {
        t.ok(seen[word]! > 300, `${word}: ${seen[word]!}`);
      }
      t.ok(seen.ENOSYS! > 5, `ENOSYS: ${seen.ENOSYS!}`);
      t.end();
    });
  }
}

await t.test('the kernel would take every program', (t) => {
  for (const [name, program] of PROGRAMS) t.doesNotThrow(() => checkProgram(program), name);
  t.end();
});

/** Six arguments; those that are not given are zero. */
const padded = (args: readonly (number | bigint)[]): bigint[] =>
  Array.from({ length: 6 }, (_, i) => BigInt(args[i] ?? 0));

/** On each architecture that has the call. */
function ask(role: FilterName, name: Syscall, ...args: (number | bigint)[]): Answer[] {
  return ARCHITECTURES.flatMap((architecture) => {
    const nr = syscallNumber(name, architecture);
    if (nr === undefined) return [];
    const call = { arch: AUDIT[architecture], nr, args: padded(args) };
    return [answer(programOf(role, architecture), call)];
  });
}

const shown = (name: Syscall, args: readonly (number | bigint)[]): string =>
  `${name}(${args.map((arg) => `0x${arg.toString(16)}`).join(', ')})`;

type Claim = (role: FilterName, name: Syscall, ...args: (number | bigint)[]) => void;

const claims =
  (t: Test, expected: Answer): Claim =>
  (role, name, ...args) => {
    const answers = ask(role, name, ...args);
    const what = `${role}: ${shown(name, args)} is answered ${expected}`;
    t.ok(answers.length > 0 && answers.every((answer) => answer === expected), what, { answers });
  };

/** For every argument that a call could be judged by, small, large and with high bits. */
const refusedAnyhow =
  (t: Test) =>
  (role: FilterName, ...names: Syscall[]): void => {
    for (const name of names) {
      const all = [0, 1, 2, 3, 8, 10, 0x10100, 1n << 32n, 0xffff_ffff_ffff_ffffn].flatMap((value) =>
        ask(role, name, value, value, value, value, value, value),
      );
      t.ok(all.length > 0 && all.every((answer) => answer === 'EPERM'), `${role}: no ${name}`);
    }
  };

// fcntl(2)
const F_DUPFD = 0;
const F_SETLK = 6;
const F_SETLKW = 7;
const F_SETOWN = 8;
const F_SETSIG = 10;
const F_SETOWN_EX = 15;
const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
const F_SETLEASE = 1024;
const F_NOTIFY = 1026;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const F_ADD_SEALS = 1033;
// open(2)
const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_CLOEXEC = 0o2000000;
const O_TMPFILE = 0o20200000;
// clone(2): what glibc's pthread_create asks for, and fork(3)
const THREAD = 0x3d_0f00;
const FORK = 0x0120_0011;
const CLONE_NEW: Readonly<Record<string, number>> = {
  time: 0x80,
  mount: 0x2_0000,
  cgroup: 0x200_0000,
  uts: 0x400_0000,
  ipc: 0x800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};
const CLONE_VM = 0x100;
const CLONE_THREAD = 0x1_0000;
// socket(2)
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const AF_ALG = 38;
const AF_VSOCK = 40;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

const HIGH = 1n << 32n;

const SENDING: readonly Syscall[] = ['sendto', 'sendmsg', 'sendmmsg', 'sendfile'];
const RECEIVING: readonly Syscall[] = ['recvfrom', 'recvmsg', 'recvmmsg'];
const ELSEWHERE: readonly Syscall[] = [
  ...(['splice', 'tee', 'vmsplice', 'copy_file_range', 'io_setup', 'io_submit'] as const),
  ...(['io_uring_setup', 'io_uring_enter', 'io_uring_register'] as const),
];
const DUPLICATES: readonly Syscall[] = ['dup', 'dup2', 'dup3', 'pidfd_open', 'pidfd_getfd'];
const SERVING: readonly Syscall[] = ['bind', 'listen', 'accept', 'accept4'];
const CONNECTING: readonly Syscall[] = ['socket', 'socketpair', 'connect'];

await t.test('valve: nothing is written to descriptor 0, however it is spelled', (t) => {
  const refused = claims(t, 'EPERM');
  for (const name of ['write', 'writev'] as const) {
    refused('valve', name, 0);
    refused('valve', name, 0, 0x1000, 5);
    refused('valve', name, HIGH);
    refused('valve', name, 0xffff_ffffn << 32n);
  }
  const never = refusedAnyhow(t);
  never('valve', 'pwrite64', 'pwritev', 'pwritev2', ...SENDING, ...ELSEWHERE);
  never('valve', 'setsockopt', 'shutdown', 'connect', 'socket', 'socketpair', ...SERVING);
  t.end();
});

await t.test('valve: descriptor 0 gets no second number', (t) => {
  const never = refusedAnyhow(t);
  never('valve', ...DUPLICATES, ...RECEIVING, 'kcmp', 'ptrace');
  const refused = claims(t, 'EPERM');
  for (const fd of [0, 8]) {
    refused('valve', 'fcntl', fd, F_DUPFD);
    refused('valve', 'fcntl', fd, F_DUPFD_CLOEXEC);
    refused('valve', 'fcntl', fd, BigInt(F_DUPFD_CLOEXEC) | HIGH);
  }
  t.end();
});

await t.test('valve: its pipe and its socket are not changed, locked or owned', (t) => {
  const refused = claims(t, 'EPERM');
  for (const command of [
    ...[F_SETPIPE_SZ, F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETOWN, F_SETOWN_EX],
    ...[F_SETSIG, F_SETLEASE, F_NOTIFY, F_ADD_SEALS],
  ]) {
    for (const fd of [0, 8]) refused('valve', 'fcntl', fd, command);
  }
  refusedAnyhow(t)('valve', 'flock', 'ftruncate', 'fallocate', 'fsync', 'fchmod', 'fchown');
  const allowed = claims(t, 'allow');
  for (const [command, name] of [
    [1, 'F_GETFD'],
    [2, 'F_SETFD'],
    [3, 'F_GETFL'],
    [4, 'F_SETFL'],
  ] as const) {
    t.comment(name);
    allowed('valve', 'fcntl', 0, command);
  }
  // TIOCSTI types into a terminal, FIOASYNC and FIOSETOWN make signals, SIOCOUTQ tells of the peer.
  for (const request of [0x5412, 0x5452, 0x8901, 0x5411, 0x541b, 0x8927]) {
    refused('valve', 'ioctl', 0, request);
  }
  for (const request of [0x5401, 0x5421, 0x5451]) allowed('valve', 'ioctl', 1, request);
  t.end();
});

await t.test('valve: it writes to its log and its pipe, and reads', (t) => {
  const allowed = claims(t, 'allow');
  for (const fd of [1, 2, 8]) {
    allowed('valve', 'write', fd);
    allowed('valve', 'writev', fd);
  }
  allowed('valve', 'read', 0);
  allowed('valve', 'openat', 0xffff_ff9c, 0x1000, O_CLOEXEC);
  t.end();
});

for (const role of ['valve', 'lower', 'dial'] as const) {
  await t.test(`${role}: files are opened for reading only`, (t) => {
    const refused = claims(t, 'EPERM');
    for (const flags of [O_WRONLY, O_RDWR, 3, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE | O_RDWR]) {
      refused(role, 'openat', 0xffff_ff9c, 0x1000, flags);
      refused(role, 'openat', 0xffff_ff9c, 0x1000, flags | O_CLOEXEC);
      refused(role, 'openat', 0xffff_ff9c, 0x1000, BigInt(flags) | HIGH);
      refused(role, 'open', 0x1000, flags);
    }
    const allowed = claims(t, 'allow');
    allowed(role, 'openat', 0xffff_ff9c, 0x1000, 0);
    allowed(role, 'openat', 0xffff_ff9c, 0x1000, O_CLOEXEC);
    allowed(role, 'open', 0x1000, 0);
    const never = refusedAnyhow(t);
    never(role, 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'mkdir', 'mkdirat');
    never(role, 'rmdir', 'ftruncate', 'fallocate', 'pwrite64', 'pwritev', 'pwritev2');
    t.end();
  });
}

await t.test('gate: no sockets at all', (t) => {
  const never = refusedAnyhow(t);
  never('gate', ...CONNECTING, ...SERVING, ...SENDING, ...RECEIVING);
  never('gate', 'getsockname', 'getpeername', 'getsockopt', 'setsockopt', 'shutdown');
  t.end();
});

await t.test('upper: the connection that it has, and no other', (t) => {
  const never = refusedAnyhow(t);
  never('upper', ...CONNECTING, ...SERVING, ...SENDING, ...RECEIVING);
  never('upper', 'setsockopt', 'shutdown', ...DUPLICATES);
  const allowed = claims(t, 'allow');
  for (const name of ['read', 'write', 'writev'] as const) allowed('upper', name, 0);
  t.end();
});

await t.test('upper: it writes to the files that it has, and makes or opens no other', (t) => {
  const never = refusedAnyhow(t);
  never('upper', 'mkdir', 'mkdirat', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2');
  never('upper', 'fallocate', 'flock', 'pwritev', 'pwritev2', 'sendfile', 'copy_file_range');
  const refused = claims(t, 'EPERM');
  for (const flags of [O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE | O_RDWR]) {
    refused('upper', 'openat', 0xffff_ff9c, 0x1000, flags | O_CLOEXEC);
    refused('upper', 'openat', 0xffff_ff9c, 0x1000, BigInt(flags) | HIGH);
    refused('upper', 'open', 0x1000, flags);
  }
  const allowed = claims(t, 'allow');
  allowed('upper', 'openat', 0xffff_ff9c, 0x1000, O_CLOEXEC);
  for (const name of ['pwrite64', 'ftruncate'] as const) allowed('upper', name, 9);
  t.end();
});

for (const role of ['lower', 'dial'] as const) {
  await t.test(`${role}: sockets of the internet, to connect and to ask for names`, (t) => {
    const allowed = claims(t, 'allow');
    const refused = claims(t, 'EPERM');
    for (const family of [AF_INET, AF_INET6]) {
      for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
        allowed(role, 'socket', family, type);
        allowed(role, 'socket', family, type | SOCK_CLOEXEC | SOCK_NONBLOCK);
      }
      for (const type of [0, SOCK_RAW, 4, SOCK_SEQPACKET, 6, 10, 15]) {
        refused(role, 'socket', family, type);
        refused(role, 'socket', family, type | SOCK_CLOEXEC | SOCK_NONBLOCK);
      }
    }
    for (const family of [0, AF_UNIX, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK, 0xffff_ffff]) {
      refused(role, 'socket', family, SOCK_STREAM);
      refused(role, 'socket', BigInt(family) | HIGH, SOCK_STREAM);
    }
    // The kernel takes the family as 32 bits, and so does the filter.
    allowed(role, 'socket', BigInt(AF_INET) | HIGH, SOCK_STREAM);
    for (const name of ['connect', 'sendmsg', 'recvmsg'] as const) allowed(role, name, 20);
    // TCP_NODELAY; what the network could see of others would be a signal downward.
    allowed(role, 'setsockopt', 20, 6, 1);
    // IP_RECVERR and IPV6_RECVERR: glibc resolves no name without.
    allowed(role, 'setsockopt', 20, 0, 11);
    allowed(role, 'setsockopt', 20, 41, 25);
    for (const [level, option] of [
      [0, 1], // IP_TOS
      [0, 2], // IP_TTL
      [1, 13], // SO_LINGER
      [1, 8], // SO_RCVBUF
      [6, 2], // TCP_MAXSEG
      [6, 10], // TCP_WINDOW_CLAMP
      [6, 31], // TCP_ULP
      [41, 16], // IPV6_UNICAST_HOPS
      [41, 1], // IPV6_ADDRFORM
      [41, 11],
      [0, 25],
      [6, 11], // TCP_INFO
      [6, 25], // TCP_NOTSENT_LOWAT
    ] as const) {
      refused(role, 'setsockopt', 20, level, option);
    }
    const never = refusedAnyhow(t);
    never(role, ...SERVING, 'socketpair', ...DUPLICATES);
    for (const command of [F_DUPFD, F_DUPFD_CLOEXEC]) refused(role, 'fcntl', 0, command);
    t.end();
  });
}

for (const role of ROLES) {
  await t.test(`${role}: nothing that nobody may`, (t) => {
    const never = refusedAnyhow(t);
    never(role, 'ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp');
    never(role, 'kill', 'tkill', 'tgkill', 'rt_sigqueueinfo', 'pidfd_send_signal');
    never(role, ...DUPLICATES, ...SERVING, 'socketpair', 'shutdown', 'flock');
    never(role, 'mount', 'umount2', 'unshare', 'setns', 'chroot', 'pivot_root', 'fsopen');
    never(role, 'open_tree', 'move_mount', 'open_by_handle_at', 'name_to_handle_at');
    never(role, 'fork', 'vfork', 'execveat', 'bpf', 'perf_event_open', 'userfaultfd');
    never(role, 'keyctl', 'add_key', 'request_key', 'memfd_create', 'personality', 'seccomp');
    never(role, 'init_module', 'finit_module', 'kexec_load', 'reboot', 'swapon', 'acct');
    never(role, 'setuid', 'setresuid', 'setgid', 'setresgid', 'setgroups', 'capset');
    never(role, 'setpgid', 'setsid', 'iopl', 'quotactl', 'fanotify_init', 'timer_create');
    never(role, 'linkat', 'link', 'symlinkat', 'mknodat', 'chmod', 'fchmod', 'fchmodat');
    never(role, 'fchown', 'fchownat', 'utimensat', ...ELSEWHERE);
    t.end();
  });

  await t.test(`${role}: threads, but no processes and no namespaces`, (t) => {
    const allowed = claims(t, 'allow');
    const refused = claims(t, 'EPERM');
    allowed(role, 'clone', THREAD);
    refused(role, 'clone', 0);
    refused(role, 'clone', FORK);
    refused(role, 'clone', CLONE_VM);
    refused(role, 'clone', CLONE_THREAD);
    // vfork(2)
    refused(role, 'clone', 0x4111);
    for (const [name, flag] of Object.entries(CLONE_NEW)) {
      t.comment(name);
      refused(role, 'clone', flag);
      refused(role, 'clone', THREAD | flag);
      refused(role, 'clone', BigInt(THREAD | flag) | HIGH);
    }
    t.end();
  });

  await t.test(`${role}: its own name, and nothing else of prctl`, (t) => {
    const allowed = claims(t, 'allow');
    const refused = claims(t, 'EPERM');
    for (const option of [15, 16, 0x5356_4d41]) allowed(role, 'prctl', option);
    // PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_MM, PR_SET_PTRACER, PR_CAP_AMBIENT, PR_SET_NO_NEW_PRIVS
    for (const option of [1, 4, 22, 35, 0x5961_6d61, 47, 38]) refused(role, 'prctl', option);
    t.end();
  });

  await t.test(`${role}: a program falls back from what a filter cannot read`, (t) => {
    const absent = claims(t, 'ENOSYS');
    for (const name of ['clone3', 'openat2'] as const) {
      absent(role, name);
      absent(role, name, 0x1000, 88);
    }
    t.end();
  });

  await t.test(`${role}: calls of another architecture are its end`, (t) => {
    for (const architecture of ARCHITECTURES) {
      const program = programOf(role, architecture);
      const read = syscallNumber('read', architecture)!;
      const other = architecture === 'x64' ? AUDIT.arm64 : AUDIT.x64;
      // i386, arm, big-endian arm64, and without the bit of 64.
      for (const arch of [other, 0x4000_0003, 0x4000_0028, 0x8000_00b7, 0x3e, 0xb7, 0]) {
        for (const nr of [0, read, 1000]) {
          t.equal(answer(program, { arch, nr, args: padded([]) }), 'kill', `${arch}: ${nr}`);
        }
      }
    }
    const program = programOf(role, 'x64');
    for (let nr = 0; nr < 600; nr++) {
      const call = { arch: AUDIT.x64, nr: X32 | nr, args: padded([8, 1, 1]) };
      t.equal(answer(program, call), 'kill', `x32: ${nr}`);
    }
    t.equal(answer(program, { arch: AUDIT.x64, nr: -1, args: padded([]) }), 'kill');
    t.end();
  });
}

/** Whose answer depends on arguments: what it is when they are all zero. */
const WITH_ZEROS: Readonly<Record<FilterName, Partial<Record<Syscall, Answer>>>> = (() => {
  const runtime = { clone: 'EPERM', fcntl: 'EPERM', ioctl: 'EPERM', prctl: 'EPERM' } as const;
  const absent = { clone3: 'ENOSYS', openat2: 'ENOSYS' } as const;
  const reading = { open: 'allow', openat: 'allow' } as const;
  return {
    lower: { ...runtime, ...absent, ...reading, socket: 'EPERM', setsockopt: 'EPERM' },
    dial: { ...runtime, ...absent, ...reading, socket: 'EPERM', setsockopt: 'EPERM' },
    valve: { ...runtime, ...absent, ...reading, write: 'EPERM', writev: 'EPERM' },
    gate: { ...runtime, ...absent },
    checker: { ...runtime, ...absent, ...reading },
    upper: { ...runtime, ...absent },
  };
})();

await t.test('a number that the table does not name is refused', (t) => {
  for (const role of ROLES) {
    for (const architecture of ARCHITECTURES) {
      const expected = new Map<number, Answer>();
      for (const name of FILTERS[role].keys()) {
        const nr = syscallNumber(name, architecture);
        if (nr !== undefined) expected.set(nr, WITH_ZEROS[role][name] ?? 'allow');
      }
      const wrong: string[] = [];
      for (let nr = 0; nr <= 1000; nr++) {
        const call = { arch: AUDIT[architecture], nr, args: padded([]) };
        const said = answer(programOf(role, architecture), call);
        if (said !== (expected.get(nr) ?? 'EPERM')) wrong.push(`${nr}: ${said}`);
      }
      t.same(wrong, [], `${role} on ${architecture}`);
    }
  }
  t.end();
});

await t.test('lower and dial differ in nothing', (t) => {
  for (const architecture of ARCHITECTURES) {
    t.same(programOf('lower', architecture), programOf('dial', architecture));
  }
  t.end();
});
