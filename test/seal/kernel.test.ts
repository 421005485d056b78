/** The kernel itself as a second opinion: filters in force, and what it answers under them. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { architecture, findBubblewrap } from '../../src/seal/available.js';
import { compileFilter, FILTERS } from '../../src/seal/filters.js';
import { bubblewrap } from '../../src/seal/sandbox.js';
import { AUDIT_ARCH, type Syscall, syscallNumber } from '../../src/seal/syscalls.js';
import type { Role } from '../../src/seal/table.js';
import { FD } from '../../src/wire/fd.js';
import { answer, type Answer, checkProgram, encode } from './interpreter.js';

/** Makes raw calls: `NUMBER,ARGUMENT,...` each, an argument that starts with `:` is a string. */
const PERL = `
$| = 1;
for (@ARGV) {
  my ($number, @args) = split /,/;
  @args = map { my $a = $_; $a =~ s/^:// ? $a . "\\0" x 256 : $a + 0 } @args;
  $! = 0;
  my $result = syscall($number + 0, @args);
  print "$number ", $result == -1 ? $! + 0 : 0, "\\n";
}
`;

const arch = architecture();

/** @returns how it ended; a filter of undefined: none */
function run(t: Test, role: Role, filter: Buffer | undefined, calls: readonly string[]) {
  const source = t.testdir({ probe: PERL });
  const path = join(source, 'filter');
  writeFileSync(path, filter ?? '');
  const fd = openSync(path, 'r');
  const [file, ...all] = bubblewrap(
    findBubblewrap() ?? '/usr/bin/bwrap',
    role,
    ['/usr/bin/perl', '/test/probe', ...calls],
    [{ source, target: '/test' }],
    {},
  );
  const at = all.indexOf('--seccomp');
  const args = filter ? all : [...all.slice(0, at), ...all.slice(at + 2)];
  const stdio: ('ignore' | 'pipe' | number)[] = Array.from({ length: FD.info + 1 }, () => 'ignore');
  // Sockets, as Node makes them: writing to descriptor 0 would succeed.
  for (const fd of [FD.socket, 1, FD.log, FD.pipe, FD.info]) stdio[fd] = 'pipe';
  stdio[FD.filter] = fd;
  const ended = spawnSync(file, args, { stdio, encoding: 'utf8', env: {} });
  closeSync(fd);
  return ended;
}

function obstacle(): string | undefined {
  if (arch === undefined) return `needs x64 or arm64, not ${process.arch}`;
  if (findBubblewrap() === undefined) return 'needs bwrap (bubblewrap)';
  const [file, ...args] = [findBubblewrap()!, '--unshare-user', '--ro-bind', '/', '/', '--'];
  const tried = spawnSync(file, [...args, '/usr/bin/perl', '-v'], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : `needs user namespaces and perl: ${tried.stderr.trim()}`;
}

// Skipped where the kernel lets nobody try, unless everything is required: then it fails.
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const lacking = required ? undefined : obstacle();
const needsSandbox = lacking === undefined ? {} : { skip: lacking };

/** A descriptor that is not open, an address where nothing is, a process that is not there. */
const SHUT = 77;
const NOWHERE = 1;
const ABSENT = 999_999;
const HERE = 0xffff_ff9c;

type Argument = number | bigint | `:${string}`;

/** Calls that harm nothing, refused or not; without a filter none of them fails with EPERM. */
const CALLS: readonly (readonly [Syscall, ...Argument[]])[] = [
  // Descriptor 0, the connection, by all of its spellings.
  ['write', 0, ':x', 1],
  ['write', 1n << 32n, ':x', 1],
  ['write', 0xffff_ffffn << 32n, ':x', 1],
  ['writev', 0, NOWHERE, 1],
  ['writev', 1n << 32n, NOWHERE, 1],
  ['write', FD.pipe, ':x', 1],
  ['write', FD.log, ':', 0],
  ['write', SHUT, ':x', 1],
  ['write', 0x1_0000_0001n, ':', 0],
  ['writev', FD.pipe, NOWHERE, 1],
  ['pwrite64', 0, ':x', 1, 0],
  ['pwrite64', FD.pipe, ':x', 1, 0],
  ['pwritev', 0, NOWHERE, 1, 0],
  ['sendto', 0, ':x', 1, 0, 0, 0],
  ['sendmsg', 0, NOWHERE, 0],
  ['sendfile', 0, SHUT, 0, 1],
  ['splice', SHUT, 0, 0, 0, 1, 0],
  ['tee', SHUT, 0, 1, 0],
  ['vmsplice', 0, NOWHERE, 1, 0],
  ['setsockopt', 0, 1, 2, NOWHERE, 4],
  ['shutdown', SHUT, 1],
  ['connect', SHUT, NOWHERE, 16],
  ['socket', 2, 1, 0],
  ['socket', 1, 1, 0],
  ['socketpair', 1, 1, 0, NOWHERE],
  ['recvmsg', SHUT, NOWHERE, 0],
  ['dup', 0],
  ['dup2', SHUT, 90],
  ['dup3', 0, 90, 0],
  ['fcntl', 0, 0, 90],
  ['fcntl', 0, 1030, 90],
  ['fcntl', 0, (1n << 32n) | 1030n, 90],
  ['fcntl', 0, 1],
  ['fcntl', 0, 3],
  ['fcntl', 0, (1n << 32n) | 3n],
  ['fcntl', SHUT, 1],
  ['fcntl', FD.pipe, 1031, 4096],
  ['fcntl', FD.pipe, 6, NOWHERE],
  ['fcntl', 0, 8, 1],
  ['flock', FD.pipe, 2 | 4],
  ['ioctl', 0, 0x5411, NOWHERE],
  ['ioctl', 1, 0x5401, NOWHERE],
  ['ioctl', SHUT, 0x5421, NOWHERE],
  // Files
  ['openat', HERE, ':/usr/nothing', 0],
  ['openat', HERE, ':/usr', 0],
  ['openat', HERE, ':/usr/new', 0o101, 0o600],
  ['openat', HERE, ':/usr', 2],
  ['open', ':/usr/nothing', 0],
  ['open', ':/usr/nothing', 1],
  ['openat2', HERE, ':/usr', NOWHERE, 24],
  ['unlinkat', HERE, ':/usr/nothing', 0],
  ['mkdirat', HERE, ':/usr/new', 0o700],
  ['renameat2', HERE, ':/usr/nothing', HERE, ':/usr/new', 0],
  ['ftruncate', SHUT, 0],
  ['newfstatat', HERE, ':/usr/nothing', NOWHERE, 0],
  ['lseek', SHUT, 0, 0],
  // Processes
  ['getpid'],
  ['getppid'],
  ['getuid'],
  ['sched_yield'],
  ['kill', ABSENT, 0],
  ['tgkill', ABSENT, ABSENT, 0],
  ['pidfd_open', ABSENT, 0],
  ['pidfd_getfd', SHUT, 0, 0],
  ['ptrace', 999, ABSENT, 0, 0],
  ['process_vm_readv', ABSENT, NOWHERE, 1, NOWHERE, 1, 0],
  ['clone3', NOWHERE, 8],
  ['clone', 0x1_0000, 0, 0, 0, 0],
  ['clone', 0x2_0200, 0, 0, 0, 0],
  ['unshare', 1],
  ['setns', SHUT, 0],
  ['memfd_create', ':x', 0],
  ['personality', 0xffff_ffffn],
  ['seccomp', 99, 0, 0],
  ['prctl', 15, ':name'],
  ['prctl', 3],
  ['prctl', 39, 0, 0, 0, 0],
  ['keyctl', 999],
  ['setresuid', -1n, -1n, -1n],
  ['capset', NOWHERE, NOWHERE],
  ['timerfd_create', 1, 0],
  ['inotify_init1', 0],
  ['eventfd2', 0, 0],
];

const EPERM = 1;
const ENOSYS = 38;
/** Kernels may lack these, or keep them from all but a few. */
const MAY_LACK = ['keyctl', 'pidfd_getfd', 'memfd_create'];

await t.test('the valve is answered what the interpreter answers', needsSandbox, (t) => {
  const { program } = compileFilter('valve', arch!);
  const calls = CALLS.flatMap(([name, ...args]) => {
    const number = syscallNumber(name, arch!);
    return number === undefined ? [] : [{ name, args, number }];
  });
  const words = calls.map(({ number, args }) => [number, ...args].join());
  const sealed = run(t, 'valve', program, words);
  const open = run(t, 'valve', undefined, words);
  t.equal(sealed.status, 0, sealed.stderr);
  t.equal(open.status, 0, open.stderr);
  const errors = (output: string): number[] =>
    output.split('\n', calls.length).map((line) => Number(line.split(' ')[1]));
  const under = errors(sealed.stdout);
  const without = errors(open.stdout);
  t.equal(under.length, calls.length);
  const seen: Partial<Record<Answer, number>> = {};
  calls.forEach(({ name, number, args }, i) => {
    const values = Array.from({ length: 6 }, (_, k) => {
      const arg = args[k] ?? 0;
      return typeof arg === 'string' ? 0x7000_0000n : BigInt(arg);
    });
    const said = answer(program, { nr: number, arch: AUDIT_ARCH[arch!], args: values });
    const what = `${name}(${args.join(', ')}): ${said}`;
    if (!MAY_LACK.includes(name)) t.not(without[i], EPERM, `${what}, unfiltered`);
    if (said === 'EPERM') t.equal(under[i], EPERM, what);
    else if (said === 'ENOSYS') t.equal(under[i], ENOSYS, what);
    else t.equal(under[i], without[i], what);
    seen[said] = (seen[said] ?? 0) + 1;
  });
  t.ok(seen.EPERM! > 30 && seen.allow! > 15 && seen.ENOSYS === 2, JSON.stringify(seen));
  t.end();
});

await t.test('every filter lets a program start and speak', needsSandbox, (t) => {
  const getpid = syscallNumber('getpid', arch!)!;
  for (const role of Object.keys(FILTERS) as Role[]) {
    const ended = run(t, role, compileFilter(role, arch!).program, [String(getpid)]);
    t.same([ended.status, ended.stdout], [0, `${getpid} 0\n`], `${role} ${ended.stderr}`);
  }
  t.end();
});

await t.test(
  'a call of x32 ends the process',
  arch === 'arm64' ? { skip: 'x32 is of x86-64' } : needsSandbox,
  (t) => {
    const { program } = compileFilter('valve', 'x64');
    const getpid = syscallNumber('getpid', 'x64')!;
    const ended = run(t, 'valve', program, [`${getpid}`, `${0x4000_0000 + getpid}`, `${getpid}`]);
    t.equal(ended.stdout, `${getpid} 0\n`, 'it gets so far');
    // bubblewrap was replaced by the process (--as-pid-1 has no reaper) or tells of SIGSYS, 31.
    t.ok(ended.status === 128 + 31 || ended.signal === 'SIGSYS', `${ended.status}`);
    t.end();
  },
);

await t.test('a filter of the other architecture ends the process at once', needsSandbox, (t) => {
  const other = arch === 'x64' ? 'arm64' : 'x64';
  const ended = run(t, 'valve', compileFilter('valve', other).program, []);
  t.ok(ended.status === 128 + 31 || ended.signal === 'SIGSYS', `${ended.status}`);
  t.end();
});

await t.test('the kernel takes the programs that the checker takes', needsSandbox, (t) => {
  const ALLOW = [0x06, 0, 0, 0x7fff_0000] as const;
  const programs: Parameters<typeof encode>[] = [
    [ALLOW],
    Array.from({ length: 4096 }, () => ALLOW),
    Array.from({ length: 4097 }, () => ALLOW),
    [[0x20, 0, 0, 0]],
    [[0x20, 0, 0, 60], ALLOW],
    [[0x20, 0, 0, 64], ALLOW],
    [[0x20, 0, 0, 2], ALLOW],
    [[0x15, 0, 0, 0], ALLOW],
    [[0x15, 1, 0, 0], ALLOW],
    [[0x15, 0, 1, 0], ALLOW],
    [[0x05, 0, 0, 0], ALLOW],
    [[0x05, 0, 0, 1], ALLOW],
    [[0x05, 0, 0, 0xffff_ffff], ALLOW],
    [[0x34, 0, 0, 1], ALLOW],
    [[0x34, 0, 0, 0], ALLOW],
    [[0x64, 0, 0, 31], ALLOW],
    [[0x64, 0, 0, 32], ALLOW],
    [[0x74, 0, 0, 32], ALLOW],
    [[0x02, 0, 0, 15], [0x60, 0, 0, 15], ALLOW],
    [[0x02, 0, 0, 16], ALLOW],
    [[0x60, 0, 0, 3], ALLOW],
    [[0x15, 1, 0, 0], [0x02, 0, 0, 3], [0x60, 0, 0, 3], ALLOW],
    ...[0x00, 0x01, 0x07, 0x87, 0x80, 0x81, 0x04, 0x0c, 0x44, 0x5c, 0xa4, 0x84, 0x1d, 0x4d].map(
      (code) => [[code, 0, 0, 0], ALLOW] as Parameters<typeof encode>,
    ),
    ...[0x28, 0x30, 0x40, 0x94, 0x9c, 0xb1, 0x46, 0xffff, 0x8c, 0x0d].map(
      (code) => [[code, 0, 0, 0], ALLOW] as Parameters<typeof encode>,
    ),
    [
      [0x00, 0, 0, 0x7fff_0000],
      [0x16, 0, 0, 0],
    ],
  ];
  const seen = { taken: 0, refused: 0 };
  for (const instructions of programs) {
    const program = encode(...instructions);
    let expected: keyof typeof seen = 'taken';
    try {
      checkProgram(program);
    } catch {
      expected = 'refused';
    }
    const ended = run(t, 'valve', program, []);
    const taken = ended.status === 0 ? 'taken' : /seccomp/i.test(ended.stderr) ? 'refused' : '?';
    const what = JSON.stringify(instructions.slice(0, 3));
    t.equal(taken, expected, `${instructions.length}: ${what} ${ended.stderr}`);
    seen[expected]++;
  }
  t.ok(seen.taken > 10 && seen.refused > 10, JSON.stringify(seen));
  t.end();
});
