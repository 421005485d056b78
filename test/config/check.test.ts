import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Checked, checkFiles } from '../../src/config/check.js';
import { parseConfig } from '../../src/config/config.js';
import { DocumentError } from '../../src/document/document.js';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';

const authority = await createAuthority({
  commonName: 'CA',
  days: 7000,
  bits: 2048,
  notBefore: new Date('2019-01-01T00:00:00Z'),
});
const leaf = { commonName: 'relay', usage: 'client', names: [], days: 30 } as const;
const relay = await issueCertificate(authority, leaf);
const old = await issueCertificate(authority, {
  ...leaf,
  notBefore: new Date('2020-01-01T00:00:00Z'),
});

const server = await issueCertificate(authority, { ...leaf, usage: 'server', names: ['relay'] });

const POLICY = `schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - { name: r, effect: permit, to: public, match: { source: plant, class: 10 } }
`;

const CONFIG = `schema: tidegate/v1
state: ./state
lowers:
  plant: { host: h, port: 1, user: u, password_file: lower.pw }
policies: [policy.yaml]
channels: { public: {} }
uppers:
  portal:
    channel: public
    host: upper.example
    port: 1
    user: u
    password_file: upper.pw
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key }
`;

type Files = Readonly<Record<string, string | Buffer>>;

const GOOD: Files = {
  'lower.pw': 'lower secret\n',
  'upper.pw': 'upper secret\n',
  'policy.yaml': POLICY,
  'ca.pem': authority.certificate,
  'relay.pem': relay.certificate,
  'relay.key': relay.key,
};

interface Bench {
  readonly directory: string;
  readonly check: (config?: string, now?: number) => Checked;
  /** What is wrong, with the directory cut from its message. */
  readonly complaint: (config?: string, now?: number) => string;
}

function bench(t: { testdir(): string }, files: Files): Bench {
  const directory = t.testdir();
  for (const [name, text] of Object.entries({ ...GOOD, ...files })) {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  }
  const check = (config = CONFIG, now?: number): Checked =>
    checkFiles(parseConfig(config, join(directory, 't.yaml'), {}), now);
  return {
    directory,
    check,
    complaint(config, now) {
      try {
        check(config, now);
        return 'fine';
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error;
        return error.message.replaceAll(`${directory}/`, '');
      }
    },
  };
}

await t.test('good files are checked and the policies compiled', (t) => {
  const { check, directory } = bench(t, {});
  const { policies, compiled } = check();
  t.same(policies, [{ file: join(directory, 'policy.yaml'), text: POLICY }]);
  t.same(compiled.scope, { sources: ['plant'], channels: ['public'] });
  t.same(
    compiled.rules.map(({ name }) => name),
    ['p/r'],
  );
  t.end();
});

await t.test('a file with the wrong content is refused where it is named', (t) => {
  const password = 'must hold one line of text: the password, 256 bytes at most';
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const cases: [Files, string][] = [
    [{ 'lower.pw': '' }, `t.yaml:4:54: lower.pw ${password}`],
    [{ 'lower.pw': '\n' }, `t.yaml:4:54: lower.pw ${password}`],
    [{ 'upper.pw': 'a\nb\n' }, `t.yaml:13:20: upper.pw ${password}`],
    [{ 'upper.pw': 'a\n\n' }, `t.yaml:13:20: upper.pw ${password}`],
    [{ 'upper.pw': 'x'.repeat(257) }, `t.yaml:13:20: upper.pw ${password}`],
    [{ 'upper.pw': Buffer.from('caf\xe9', 'latin1') }, `t.yaml:13:20: upper.pw ${password}`],
    [{ 'ca.pem': 'garbage' }, 't.yaml:14:16: ca.pem holds no certificate in PEM'],
    [{ 'ca.pem': '' }, 't.yaml:14:16: ca.pem holds no certificate in PEM'],
    [{ 'ca.pem': authority.key }, 't.yaml:14:16: ca.pem holds no certificate in PEM'],
    [
      { 'ca.pem': relay.certificate },
      't.yaml:14:16: ca.pem is not the certificate of an authority',
    ],
    [
      { 'relay.pem': server.certificate, 'relay.key': server.key },
      "t.yaml:14:30: relay.pem is not for clients: make one with 'tidegate pki issue NAME'",
    ],
    [{ 'relay.pem': 'garbage' }, 't.yaml:14:30: relay.pem holds no certificate in PEM'],
    [
      { 'relay.pem': relay.certificate.replace('MII', 'MIJ') },
      't.yaml:14:30: relay.pem holds no certificate in PEM',
    ],
    [{ 'relay.key': 'garbage' }, 't.yaml:14:46: relay.key holds no private key in PEM'],
    [{ 'relay.key': relay.certificate }, 't.yaml:14:46: relay.key holds no private key in PEM'],
    [{ 'relay.key': old.key }, 't.yaml:14:46: relay.key is not the key of relay.pem'],
    [{ 'relay.pem': authority.certificate }, 't.yaml:14:46: relay.key is not the key of relay.pem'],
    [
      { 'relay.key': elliptic.export({ type: 'pkcs8', format: 'pem' }) },
      't.yaml:14:46: relay.key is not the key of relay.pem',
    ],
    [
      { 'relay.pem': old.certificate, 'relay.key': old.key },
      't.yaml:14:30: relay.pem expired on 2020-01-31T00:00:00.000Z',
    ],
    [{ 'policy.yaml': '' }, 'policy.yaml:1:1: the file is empty'],
    [
      { 'policy.yaml': POLICY.replace('class: 10', 'clas: 10') },
      "policy.yaml:4:68: unknown key 'clas'; did you mean 'class'?",
    ],
    [
      { 'policy.yaml': POLICY.replace('source: plant', 'source: plan') },
      "policy.yaml:4:61: no lower is named 'plan'; did you mean 'plant'?",
    ],
    [
      { 'policy.yaml': POLICY.replace('to: public', 'to: pubic') },
      "policy.yaml:4:36: no channel is named 'pubic'; did you mean 'public'?",
    ],
    [
      { 'policy.yaml': POLICY.replace('revision: 1', 'revision: 1, expires: 2020-01-31') },
      "policy.yaml:2:40: policy 'p' expired: its last day was 2020-01-31",
    ],
    [
      { 'policy.yaml': ' '.repeat(1024 * 1024 + 1) },
      't.yaml:5:12: policy.yaml is larger than 1 MiB',
    ],
  ];
  const { directory, complaint } = bench(t, {});
  for (const [files, expected] of cases) {
    for (const [name, text] of Object.entries({ ...GOOD, ...files })) {
      writeFileSync(join(directory, name), text);
    }
    t.equal(complaint(), expected);
  }
  t.end();
});

await t.test('a certificate expires at its last second', (t) => {
  const { complaint } = bench(t, { 'relay.pem': old.certificate, 'relay.key': old.key });
  const end = Date.parse('2020-01-31T00:00:00Z');
  t.equal(complaint(CONFIG, end - 1), 'fine');
  t.match(complaint(CONFIG, end), /relay\.pem expired on/);
  t.end();
});

await t.test('a file that is missing, no file or open to others is refused', (t) => {
  const places: Readonly<Record<string, string>> = {
    'lower.pw': '4:54',
    'upper.pw': '13:20',
    'policy.yaml': '5:12',
    'ca.pem': '14:16',
    'relay.pem': '14:30',
    'relay.key': '14:46',
  };
  const { directory, complaint } = bench(t, {});
  for (const [name, place] of Object.entries(places)) {
    const path = join(directory, name);
    rmSync(path);
    t.equal(complaint(), `t.yaml:${place}: cannot read ${name}: ENOENT`);
    mkdirSync(path, 0o700);
    t.equal(complaint(), `t.yaml:${place}: ${name} is no file`);
    rmSync(path, { recursive: true });
    execFileSync('mkfifo', ['-m', '600', path]);
    t.equal(complaint(), `t.yaml:${place}: ${name} is no file`);
    rmSync(path);
    writeFileSync(path, GOOD[name]!, { mode: 0o600 });
    chmodSync(path, 0o644);
    const secret = name.endsWith('.pw') || name.endsWith('.key');
    const open = `t.yaml:${place}: ${name} can be read by others (mode 0644): chmod 600 ${name}`;
    t.equal(complaint(), secret ? open : 'fine');
    chmodSync(path, 0o600);
  }
  t.equal(complaint(), 'fine');
  t.end();
});

await t.test('policies are brought together across files', (t) => {
  const { complaint } = bench(t, {
    'other.yaml': POLICY.replace('id: p', 'id: q').replace(
      'class: 10 }',
      'class: 10 }, emit: { guid: keep }',
    ),
  });
  const both = CONFIG.replace('[policy.yaml]', '[policy.yaml, other.yaml]');
  t.equal(
    complaint(both),
    "other.yaml:4:5: permits 'p/r' and 'q/r' match the same events for channel 'public' " +
      'but differ in emit',
  );
  t.equal(
    complaint(CONFIG.replace('[policy.yaml]', '[policy.yaml, policy.yaml]')),
    "policy.yaml:2:15: a second policy with the id 'p'",
  );
  t.end();
});
