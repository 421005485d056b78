import { spawnSync } from 'node:child_process';
import { existsSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { asSupervisor } from '../../src/wire/parent.js';
import { whyNot, writeConfiguration } from './tools.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

interface Finding {
  readonly process: string;
  readonly name?: string;
  readonly attempt: string;
  readonly answer: string;
  readonly held: boolean;
}

interface Report {
  readonly seals: readonly Finding[];
  readonly held: number;
  readonly total: number;
  readonly outside: readonly Finding[];
  readonly weaker: readonly { readonly seal: string; readonly reason: string }[];
}

const bubblewrap = spawnSync('bwrap', ['--unshare-user', '--ro-bind', '/', '/', 'true']);
const skip = whyNot(bubblewrap.status === 0);
const root = process.getuid!() === 0;

function seals(
  args: readonly string[],
  more: { readonly inherited?: number; readonly prefix?: readonly string[] } = {},
) {
  const { inherited, prefix = [] } = more;
  const [command, ...rest] = [...prefix, process.execPath, CLI, 'seals', ...args];
  const stdio = [
    'ignore',
    'pipe',
    'pipe',
    ...(inherited === undefined ? [] : [inherited]),
  ] as const;
  const env = { PATH: process.env['PATH'] };
  return spawnSync(command!, rest, { encoding: 'utf8', stdio: [...stdio], env, cwd: '/' });
}

function read(args: readonly string[], more: Parameters<typeof seals>[1] = {}): Report {
  const { stdout, stderr } = seals([...args, '--json'], more);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Report;
}

/** What the issue names, and who must not be able to. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  valve: [
    ...['write fd 0', 'writev fd 0', 'pwrite64 fd 0', 'sendto fd 0', 'sendmsg fd 0'],
    ...['sendmmsg fd 0', 'splice to fd 0', 'dup of fd 0', 'write fd 0x100000000'],
    ...['sendto fd 0, MSG_OOB', 'io_uring', 'connect fd 0 elsewhere', 'socket AF_INET'],
    ...['setsockopt SO_LINGER', 'shutdown fd 0', 'ptrace of process 1', 'signal every process'],
    ...['pidfd_getfd', 'size of the pipe (F_SETPIPE_SZ)', 'flock of the pipe'],
    ...['F_SETLK of the pipe', 'F_OFD_SETLK of the pipe'],
  ],
  gate: [
    ...['socket AF_INET', 'socket AF_INET6', 'socket AF_UNIX', 'size of the pipe (F_SETPIPE_SZ)'],
    ...['connect to lower north (192.0.2.1:9598)', 'connect to upper portal (198.51.100.1:9599)'],
  ],
  upper: [
    ...['socket AF_INET', 'connect fd 0 elsewhere', 'listen on fd 0', 'accept on fd 0'],
    'connect to lower south (192.0.2.1:9597)',
  ],
  lower: ['a raw socket', 'bind', 'listen', 'ptrace of the supervisor'],
  dial: ['a raw socket', 'bind', 'listen', 'read memory of the supervisor'],
};

await t.test('every seal of every process holds, and the kernel says so', { skip }, (t) => {
  const file = writeConfiguration(t);
  const { seals: found, held, total, weaker } = read(['-c', file]);
  t.equal(held, total);
  t.equal(total, found.length);
  const loose = found.filter((finding) => !finding.held);
  t.same(loose, []);
  const all = [
    'gate',
    'checker',
    ...['north', 'south'].flatMap((n) => [`lower ${n}`, `valve ${n}`]),
  ];
  all.push(...['portal', 'board'].flatMap((n) => [`dial ${n}`, `upper ${n}`]));
  const seen = new Set(
    found.map(({ process: p, name }) => (name === undefined ? p : `${p} ${name}`)),
  );
  t.same([...seen].sort(), all.sort(), 'every process was examined');
  for (const [role, names] of Object.entries(NAMED)) {
    for (const attempt of names) {
      const finding = found.find((each) => each.process === role && each.attempt === attempt);
      t.equal(finding?.answer, 'EPERM', `${role}: ${attempt}`);
    }
  }
  const answer = (role: string, attempt: string): string | undefined =>
    found.find((each) => each.process === role && each.attempt === attempt)?.answer;
  t.equal(answer('gate', 'write to the pipe it reads'), 'EBADF');
  t.equal(answer('gate', 'reopen the pipe by /proc'), 'ENOENT');
  t.equal(answer('upper', 'create in /state/journal/public'), 'EPERM');
  t.equal(answer('upper', 'read /state/journal/inner'), 'ENOENT', "another channel's journal");
  const board = found.find(({ process: role, attempt }) => {
    return role === 'upper' && attempt.endsWith('/upper/board');
  });
  t.equal(board?.answer, 'ENOENT', "another upper's directory");
  t.equal(answer('lower', `read ${file}`), 'ENOENT', 'the configuration');
  t.equal(answer('valve', 'bytes that came out of the other end of fd 0'), '0');
  t.match(answer('valve', 'read fd 0 (it reads)'), /^ok/, 'the connection is a live one');
  t.match(answer('upper', 'write fd 0 (its connection)'), /^ok/);
  t.match(answer('gate', 'write in /state/journal/public (its own)'), /^ok/);
  t.equal(weaker.length, root ? 0 : 1);
  t.notOk(existsSync(join(dirname(file), 'state')), 'the state of the relay is not touched');
  t.end();
});

await t.test('a filter that lets something through is found out', { skip }, (t) => {
  const file = writeConfiguration(t);
  const script = join(dirname(file), 'weakened.mjs');
  writeFileSync(
    script,
    `import { FILTERS } from ${JSON.stringify(`${DIST}/seal/filters.js`)};
import { examine } from ${JSON.stringify(`${DIST}/seals/examine.js`)};
import { loadConfig } from ${JSON.stringify(`${DIST}/config/config.js`)};
FILTERS.valve.set('dup', 'allow');
FILTERS.valve.set('write', 'allow');
FILTERS.gate.set('socket', 'allow');
FILTERS.upper.set('listen', 'allow');
FILTERS.lower.set('ptrace', 'allow');
const { seals } = await examine(loadConfig(${JSON.stringify(file)}), () => undefined);
console.log(JSON.stringify(seals.filter(({ held }) => !held)));
`,
  );
  const [command, args] = asSupervisor([process.execPath, script]);
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: {} });
  if (stdout === '') throw new Error(stderr);
  const loose = (JSON.parse(stdout) as Finding[]).map((each) => `${each.process}: ${each.attempt}`);
  for (const expected of [
    'valve: dup of fd 0',
    'valve: write fd 0',
    'valve: write fd 0x100000000',
    'valve: bytes that came out of the other end of fd 0',
    'gate: socket AF_INET',
    'gate: socket AF_UNIX',
    'upper: listen on fd 0',
    'lower: ptrace of the supervisor',
  ]) {
    t.ok(loose.includes(expected), expected);
  }
  t.notOk(
    loose.some((each) => each.startsWith('dial')),
    'and nothing else is',
  );
  t.end();
});

await t.test('a descriptor that the relay was started with reaches no process', { skip }, (t) => {
  const file = writeConfiguration(t);
  const inherited = openSync(file, 'r');
  const { seals: found } = read(['-c', file], { inherited });
  t.same(
    found.filter((finding) => !finding.held),
    [],
  );
  t.end();
});

await t.test(
  'as an ordinary user the same seals hold, and what is weaker is said',
  {
    skip: skip || (root ? false : 'this is what the first test does already'),
  },
  (t) => {
    const file = writeConfiguration(t);
    const prefix = [
      'setpriv',
      '--reuid',
      '12345',
      '--regid',
      '12345',
      '--clear-groups',
      '--',
      'env',
      '-i',
    ];
    const open = spawnSync(prefix[0]!, [...prefix.slice(1), 'test', '-r', file]).status === 0;
    if (!open) return t.end(); // A checkout that is closed to others.
    const { seals: found, weaker } = read(['-c', file], { prefix });
    t.same(
      found.filter((finding) => !finding.held),
      [],
    );
    t.equal(weaker[0]?.seal, 'users');
    return t.end();
  },
);

await t.test('the command: table, listing, usage, and what lies outside', { skip }, (t) => {
  const file = writeConfiguration(t);
  const plain = seals(['-c', file, '--brief']);
  t.equal(plain.status, 0);
  t.match(plain.stdout, /\d+ of \d+ held\n$/);
  t.notMatch(plain.stdout, /\x1b/, 'no colours in a pipe');
  const listing = seals(['--listing', 'valve', '--arch', 'arm64']);
  t.equal(listing.status, 0);
  t.match(listing.stdout, /^# valve, arm64: \d+ instructions/);
  t.match(listing.stdout, /check write:\n +\d+ +ld +low32\(argument 0\)/);
  t.equal(seals(['--listing', 'valv']).status, 2);
  t.match(seals(['--listing', 'valv']).stderr, /did you mean 'valve'/);
  t.equal(seals(['--arch', 'arm64']).status, 2);
  t.equal(seals(['-c', join(dirname(file), 'none.yaml')]).status, 1);
  const { outside } = read(['-c', file]);
  t.same(
    outside.map(({ process: role, name }) => `${role} ${name ?? ''}`.trim()),
    ['nftables', 'lower north', 'lower south', 'dial portal', 'dial board'],
  );
  t.end();
});
