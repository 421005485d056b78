import { createPrivateKey, X509Certificate } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { pki } from '../../src/cli/pki.js';

interface Result {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

async function run(...args: readonly string[]): Promise<Result> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await pki(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
}

const mode = (path: string): number => statSync(path).mode & 0o777;
const certificate = (path: string): X509Certificate => new X509Certificate(readFileSync(path));
const lifeDays = ({ validTo }: X509Certificate): number =>
  Math.round((Date.parse(validTo) - Date.now()) / 86_400_000);

const home = t.testdir();
const made = await run('init', '--dir', home);

/** A directory with the authority alone, so that each test starts from the same place. */
function withAuthority(dir: string): string {
  for (const file of ['ca.pem', 'ca.key']) copyFileSync(join(home, file), join(dir, file));
  return dir;
}

await t.test('init writes an authority and says what it made', (t) => {
  t.equal(made.code, 0);
  t.strictSame(made.err, []);
  t.strictSame(readdirSync(home).sort(), ['ca.key', 'ca.pem']);
  t.equal(mode(join(home, 'ca.pem')), 0o644);
  t.equal(mode(join(home, 'ca.key')), 0o600);
  const ca = certificate(join(home, 'ca.pem'));
  t.ok(ca.ca);
  t.ok(ca.checkPrivateKey(createPrivateKey(readFileSync(join(home, 'ca.key')))));
  t.equal(lifeDays(ca), 3650);
  t.strictSame(made.out, [
    `certificate  ${join(home, 'ca.pem')}`,
    `private key  ${join(home, 'ca.key')} (mode 0600, keep it secret)`,
    'subject      CN=tidegate CA',
    'names        none',
    `expires      ${new Date(ca.validTo).toISOString()}`,
    `fingerprint  SHA-256 ${ca.fingerprint256}`,
  ]);
  t.end();
});

await t.test('init takes a name and a life, and makes its directory', async (t) => {
  const dir = join(t.testdir(), 'a', 'b');
  const { code } = await run('init', '--dir', dir, '--name', 'Hafen Zürich', '--days=30');
  t.equal(code, 0);
  const ca = certificate(join(dir, 'ca.pem'));
  t.equal(ca.subject, 'CN=Hafen Zürich');
  t.equal(lifeDays(ca), 30);
});

await t.test('issue makes a client certificate unless told otherwise', async (t) => {
  const dir = withAuthority(t.testdir());
  const { code, out, err } = await run('issue', 'relay', '--dir', dir);
  t.equal(code, 0);
  t.strictSame(err, []);
  t.strictSame(readdirSync(dir).sort(), ['ca.key', 'ca.pem', 'relay.key', 'relay.pem']);
  t.equal(mode(join(dir, 'relay.pem')), 0o644);
  t.equal(mode(join(dir, 'relay.key')), 0o600);
  const relay = certificate(join(dir, 'relay.pem'));
  t.ok(relay.verify(certificate(join(dir, 'ca.pem')).publicKey));
  t.strictSame(relay.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  t.equal(relay.subjectAltName, undefined);
  t.equal(lifeDays(relay), 825);
  t.match(out.join('\n'), `subject      CN=relay\nnames        none\nexpires      `);
});

await t.test('issue makes a server certificate for its hosts', async (t) => {
  const dir = withAuthority(t.testdir());
  const hosts = ['--host', 'upper.example', '--host=192.0.2.7'];
  const { code, out } = await run('issue', 'upper', '--server', ...hosts, '--dir', dir);
  t.equal(code, 0);
  const upper = certificate(join(dir, 'upper.pem'));
  t.strictSame(upper.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  t.equal(upper.subjectAltName, 'DNS:upper.example, IP Address:192.0.2.7');
  t.ok(out.includes('names        DNS:upper.example, IP Address:192.0.2.7'));
  t.ok(out.includes(`fingerprint  SHA-256 ${upper.fingerprint256}`));
});

await t.test('a client may have hosts as well', async (t) => {
  const dir = withAuthority(t.testdir());
  t.equal((await run('issue', 'r', '--client', '--host', 'r.example', '--dir', dir)).code, 0);
  t.equal(certificate(join(dir, 'r.pem')).subjectAltName, 'DNS:r.example');
});

await t.test('the files lie in ./pki unless told otherwise', async (t) => {
  const before = process.cwd();
  t.teardown(() => process.chdir(before));
  process.chdir(t.testdir({ pki: {} }));
  withAuthority('pki');
  t.equal((await run('issue', 'relay')).code, 0);
  t.ok(readdirSync('pki').includes('relay.pem'));
  t.equal((await run('init')).code, 1);
});

await t.test('nothing is overwritten and nothing is left beside it', async (t) => {
  const dir = withAuthority(t.testdir());
  const bytes = readFileSync(join(dir, 'ca.pem'), 'utf8');
  const again = await run('init', '--dir', dir);
  t.equal(again.code, 1);
  t.strictSame(again.err, [
    `tidegate pki init: ${join(dir, 'ca.pem')} already exists and is left as it is`,
  ]);
  t.equal(readFileSync(join(dir, 'ca.pem'), 'utf8'), bytes);
  t.equal((await run('issue', 'ca', '--dir', dir)).code, 1);
  writeFileSync(join(dir, 'relay.pem'), 'old');
  writeFileSync(join(dir, 'upper.key'), 'old');
  for (const [name, file] of [
    ['relay', 'relay.pem'],
    ['upper', 'upper.key'],
  ] as const) {
    const { code, err, out } = await run('issue', name, '--dir', dir);
    t.equal(code, 1);
    t.strictSame(out, []);
    t.match(err[0], `${file} already exists`);
    t.equal(readFileSync(join(dir, file), 'utf8'), 'old');
  }
  t.strictSame(readdirSync(dir).sort(), ['ca.key', 'ca.pem', 'relay.pem', 'upper.key']);
});

await t.test('issue without a usable authority fails and writes nothing', async (t) => {
  const dir = t.testdir();
  const none = await run('issue', 'relay', '--dir', dir);
  t.equal(none.code, 1);
  t.match(none.err[0], /no authority to sign with: ENOENT.*"tidegate pki init" makes one/);
  t.strictSame(readdirSync(dir), []);
  withAuthority(dir);
  writeFileSync(join(dir, 'ca.key'), 'nonsense');
  const broken = await run('issue', 'relay', '--dir', dir);
  t.equal(broken.code, 1);
  t.match(broken.err[0], /not readable PEM/);
  t.strictSame(readdirSync(dir).sort(), ['ca.key', 'ca.pem']);
});

await t.test('help at each level tells purpose, usage, an example and the keys', async (t) => {
  for (const args of [
    ['--help'],
    ['-h'],
    ['init', '--help'],
    ['issue', '-h'],
    ['issue', '--help'],
  ]) {
    const { code, out, err } = await run(...args);
    const text = out.join('\n');
    t.equal(code, 0);
    t.strictSame(err, []);
    for (const part of [/^tidegate pki.* - /, /Usage\n/, /Examples?\n/]) t.match(text, part);
    for (const key of ['ca', 'cert', 'key']) t.match(text, new RegExp(`${key}: ./pki/`));
    t.match(text, 'servername: upper.example');
    for (const line of text.split('\n')) t.ok(line.length <= 100);
  }
});

await t.test('a wrong command line is answered in one line with exit code 2', async (t) => {
  const before = process.cwd();
  t.teardown(() => process.chdir(before));
  const dir = t.testdir({ empty: {}, signed: { pki: {} } });
  withAuthority(join(dir, 'signed', 'pki'));
  const cases: [string[], RegExp][] = [
    [[], /tidegate pki: a command is missing: init or issue/],
    [['--'], /a command is missing/],
    [['isue'], /unknown command "isue"; did you mean 'issue'\?/],
    [['int'], /unknown command "int"; did you mean 'init'\?/],
    [['a\n\x9b31m'], /unknown command "a\\n\\u\{9b\}31m"/],
    [['--hlep'], /unknown option "--hlep"; did you mean '--help'\?/],
    [['init', '--nmae', 'x'], /tidegate pki init: unknown option "--nmae"; .*'--name'\?/],
    [['init', '--days', 'ten'], /--days takes a whole number of days, not "ten"/],
    [['init', '--days=-1'], /--days takes a whole number of days, not "-1"/],
    [['init', '--days', '0'], /days must be a whole number from 1 to 7300, not 0/],
    [['init', '--name', ''], /common name is empty/],
    [['init', '--dir='], /--dir is empty/],
    [['init', 'x'], /takes no argument, but "x" is given/],
    [['issue'], /NAME is missing/],
    [['issue', 'a', 'b'], /one NAME at a time, but "b" is given as well/],
    [['issue', 'relay', '--days', '3651'], /days must be a whole number from 1 to 3650/],
    [['issue', 'relay', '--hots', 'a'], /unknown option "--hots"; did you mean '--host'\?/],
    [['issue', 'relay', '--server'], /--server needs at least one --host.*upper\.example/],
    [['issue', 'relay', '--server', '--client'], /exclude each other/],
    [['issue', 'relay', '--host', '*.example'], /"\*\.example" is a wildcard/],
    [['issue', 'relay', '--host'], /argument missing/],
  ];
  for (const [args, message] of cases) {
    process.chdir(join(dir, args[0] === 'issue' ? 'signed' : 'empty'));
    const { code, out, err } = await run(...args);
    t.equal(code, 2);
    t.strictSame(out, []);
    t.equal(err.length, 1);
    t.match(err[0], message);
    t.notMatch(err[0], /[\p{Cc}]/u);
    t.match(err[0], /\(see tidegate pki.* --help\)$/);
  }
  t.strictSame(readdirSync(join(dir, 'empty')), []);
  t.strictSame(readdirSync(join(dir, 'signed', 'pki')).sort(), ['ca.key', 'ca.pem']);
});

await t.test('NAME is a plain file name and cannot leave the directory', async (t) => {
  const dir = withAuthority(t.testdir());
  const names = [
    '',
    '.',
    '..',
    '.relay',
    '../relay',
    'a/b',
    'a\\b',
    'a b',
    'a\0',
    'é',
    'x'.repeat(65),
  ];
  for (const name of names) {
    const { code, err } = await run('issue', name, '--dir', dir);
    t.equal(code, 2);
    t.match(err[0], /is not a plain file name/);
  }
  t.equal((await run('issue', '--dir', dir, '--', '-relay')).code, 2);
  t.strictSame(readdirSync(dir).sort(), ['ca.key', 'ca.pem']);
});
