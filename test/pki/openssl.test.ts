// The openssl binary as a second opinion on what the authority makes.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';
import type { CertificateOptions, Identity } from '../../src/pki/authority.js';

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
}

function isMissing(): boolean {
  try {
    openssl('version');
    return false;
  } catch {
    return true;
  }
}

// Skipped without openssl, unless everything is required: then it fails.
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';
const needsOpenssl = !required && isMissing() ? { skip: 'needs openssl' } : {};

const CLIENT: CertificateOptions = { commonName: 'relay', usage: 'client', names: [], days: 30 };
const NAMES = ['upper.example', '192.0.2.7', '2001:db8::7'];

const authority = await createAuthority({ commonName: 'Zürich — CA', days: 365, bits: 2048 });
const client = await issueCertificate(authority, CLIENT);
const server = await issueCertificate(authority, { ...CLIENT, usage: 'server', names: NAMES });

await t.test('openssl accepts the chains, strictly and for their purpose', needsOpenssl, (t) => {
  const dir = t.testdir();
  const ca = join(dir, 'ca.pem');
  writeFileSync(ca, authority.certificate);
  const leaves = { sslclient: client, sslserver: server };
  for (const [purpose, { certificate }] of Object.entries(leaves)) {
    const path = join(dir, `${purpose}.pem`);
    writeFileSync(path, certificate);
    const check = (wanted: string): string =>
      openssl('verify', '-x509_strict', '-purpose', wanted, '-CAfile', ca, path);
    t.equal(check(purpose), `${path}: OK\n`);
    const other = purpose === 'sslclient' ? 'sslserver' : 'sslclient';
    t.throws(() => check(other), { message: /(unsuitable|unsupported) certificate purpose/ });
  }
  t.equal(openssl('verify', '-x509_strict', '-CAfile', ca, ca), `${ca}: OK\n`);
  t.end();
});

await t.test('openssl refuses a leaf below another authority', needsOpenssl, async (t) => {
  const dir = t.testdir({ 'leaf.pem': client.certificate });
  const other = await createAuthority({ commonName: 'Zürich — CA', days: 1, bits: 2048 });
  writeFileSync(join(dir, 'ca.pem'), other.certificate);
  t.throws(() => openssl('verify', '-CAfile', join(dir, 'ca.pem'), join(dir, 'leaf.pem')), {
    message: /verification failed/,
  });
});

await t.test('openssl reads the extensions of RFC 5280', needsOpenssl, (t) => {
  const dir = t.testdir();
  const text = ({ certificate }: Identity): string => {
    const path = join(dir, 'one.pem');
    writeFileSync(path, certificate);
    return openssl('x509', '-in', path, '-noout', '-text', '-nameopt', 'utf8,show_type');
  };
  const id = (name: string, from: string): string | undefined =>
    new RegExp(`X509v3 ${name} Key Identifier: *\n *(?:keyid:)?([0-9A-F:]+)`).exec(from)?.[1];
  const ca = text(authority);
  t.match(ca, /Version: 3 /);
  t.match(ca, /Basic Constraints: critical\n *CA:TRUE, pathlen:0\n/);
  t.match(ca, /Key Usage: critical\n *Certificate Sign, CRL Sign\n/);
  t.match(ca, /Signature Algorithm: sha256WithRSAEncryption/);
  t.match(ca, /Subject: CN *= *UTF8STRING:Zürich — CA/);
  t.ok(id('Subject', ca));
  t.equal(id('Authority', ca), id('Subject', ca));
  const usages: [Identity, string][] = [
    [client, 'TLS Web Client Authentication'],
    [server, 'TLS Web Server Authentication'],
  ];
  for (const [identity, usage] of usages) {
    const leaf = text(identity);
    t.match(leaf, /Basic Constraints: critical\n *CA:FALSE\n/);
    t.match(leaf, /X509v3 Key Usage: critical\n *Digital Signature\n/);
    t.match(leaf, new RegExp(`Extended Key Usage: *\n *${usage}\n`));
    t.match(leaf, /Signature Algorithm: sha256WithRSAEncryption/);
    t.equal(id('Authority', leaf), id('Subject', ca));
    t.ok(id('Subject', leaf));
    t.not(id('Subject', leaf), id('Subject', ca));
  }
  t.match(text(server), /Alternative Name: *\n *DNS:upper.example, IP Address:192.0.2.7, IP Addr/);
  t.notMatch(text(client), /Subject Alternative Name/);
  t.end();
});

const foreignName = 'a leaf below an authority of openssl carries the key identifier of that one';
await t.test(foreignName, needsOpenssl, async (t) => {
  const dir = t.testdir();
  const [cert, key] = [join(dir, 'ca.pem'), join(dir, 'ca.key')];
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 9 -subj /O=Hafen/CN=foreign'.split(' ');
  const identifiers = ['subjectKeyIdentifier=01:02:03:04', 'authorityKeyIdentifier=none'];
  const extensions = identifiers.flatMap((value) => ['-addext', value]);
  openssl(...request, ...extensions, '-keyout', key, '-out', cert);
  const foreign = { certificate: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  const leaf = join(dir, 'leaf.pem');
  writeFileSync(leaf, (await issueCertificate(foreign, CLIENT)).certificate);
  t.equal(openssl('verify', '-purpose', 'sslclient', '-CAfile', cert, leaf), `${leaf}: OK\n`);
  const text = openssl('x509', '-in', leaf, '-noout', '-text');
  t.match(text, /Authority Key Identifier: *\n *(keyid:)?01:02:03:04/);
});
