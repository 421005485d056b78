import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { UsageError } from '../../src/cli/arguments.js';
import { nft } from '../../src/cli/nft.js';

const CONFIG = `schema: tidegate/v1
state: ./state
lowers:
  plant-a: { host: 127.0.0.1, port: 9598, user: relay, password_file: password }
policies: [policy.yaml]
channels: { public: {} }
uppers:
  portal:
    channel: public
    host: localhost
    port: 9599
    user: tidegate
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: upper.example }
`;

/** Runs the command on a configuration. */
async function run(t: Test, args: readonly string[], config = CONFIG, password = 'secret\n') {
  const directory = t.testdir({ 'tidegate.yaml': config });
  writeFileSync(join(directory, 'password'), password, { mode: 0o600 });
  const file = join(directory, 'tidegate.yaml');
  const out: string[] = [];
  const err: string[] = [];
  const status = await nft(['-c', file, ...args], {
    out: (line) => out.push(line),
    err: (line) => err.push(line.replaceAll(`${directory}/`, '')),
  });
  return { status, out: out.join('\n'), err: err.join('\n'), directory };
}

await t.test('prints the ruleset of a configuration', async (t) => {
  const { status, out, err } = await run(t, ['--resolvers', '192.0.2.53,2001:DB8::53']);
  t.equal(status, 0);
  t.equal(err, '');
  t.match(out, /^table inet tidegate \{$/m);
  t.match(out, '# lower plant-a: user 2000000100, 127.0.0.1 port 9598');
  t.match(out, /^# upper portal: user 2000000300, localhost, found at .* port 9599$/m);
  t.match(out, '# name servers: 192.0.2.53 2001:db8::53');
  t.notMatch(out, 'secret');
  const literal = await run(t, [], CONFIG.replace('localhost', '192.0.2.9'));
  t.notMatch(literal.out, 'name servers', 'nobody asks where no name is');
});

await t.test('what is wrong is said with its place', async (t) => {
  const none = await run(t, [], CONFIG.replace('localhost', 'no-such-host.invalid'));
  t.match(none, { status: 1, out: '' });
  t.match(none.err, /^tidegate\.yaml:10:11: cannot resolve 'no-such-host\.invalid': E\w+$/);
  const lower = await run(t, [], CONFIG.replace('127.0.0.1', "'1::2::3'"));
  t.match(lower.err, /^tidegate\.yaml:4:20: cannot resolve '1::2::3'/);
  const long = await run(t, [], CONFIG, 'x'.repeat(249));
  t.equal(
    long.err,
    'tidegate.yaml:4:71: password: the packet filter holds passwords of 248 bytes at most',
  );
  t.match((await run(t, [], CONFIG, 'a\nb')).err, /^tidegate\.yaml:4:71: .*one line of text/);
  const { directory } = await run(t, []);
  chmodSync(join(directory, 'password'), 0o644);
  const open: string[] = [];
  const io = { out: () => undefined, err: (line: string) => void open.push(line) };
  t.equal(await nft(['-c', join(directory, 'tidegate.yaml')], io), 1);
  t.match(open[0], /can be read by others/);
  t.equal(await nft(['-c', join(directory, 'none.yaml')], io), 1);
  t.match(open[1], /there is no such file/);
});

await t.test('help, and what a command line cannot say', async (t) => {
  const lines: string[] = [];
  const io = { out: (line: string) => void lines.push(line), err: () => undefined };
  t.equal(await nft(['--help'], io), 0);
  t.match(lines[0], /Usage: tidegate nft/);
  await t.rejects(nft(['--chek'], io), UsageError);
  await t.rejects(nft(['extra'], io), UsageError);
  await t.rejects(run(t, ['--resolvers', 'ns.example']), {
    name: 'UsageError',
    message: '--resolvers: "ns.example" is no address',
  });
});

// Skipped where nft cannot look at rules, unless everything is required: then it fails.
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const refused = spawnSync('nft', ['list', 'tables']).status !== 0;
const needsNft = !required && refused ? { skip: 'needs nft and the right to use it' } : {};

await t.test('--check lets nft say whether it takes it', needsNft, async (t) => {
  t.match(await run(t, ['--check']), { status: 0, out: 'ruleset OK', err: '' });
});
