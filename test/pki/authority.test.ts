import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import t from 'tap';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';
import type { CertificateOptions, Identity } from '../../src/pki/authority.js';
import { summarise } from '../../src/pki/summary.js';

const DAY = 86_400_000;
const CLIENT: CertificateOptions = { commonName: 'relay', usage: 'client', names: [], days: 30 };
const SERVER: CertificateOptions = {
  commonName: 'upper',
  usage: 'server',
  names: ['upper.example', '192.0.2.7', '2001:db8::7', '::ffff:192.0.2.8'],
  days: 30,
};

const authority = await createAuthority({ commonName: 'Zürich — CA', days: 365, bits: 2048 });
const client = await issueCertificate(authority, CLIENT);
const server = await issueCertificate(authority, SERVER);

const read = ({ certificate }: Identity): X509Certificate => new X509Certificate(certificate);

/** Length of a life in days, the five minutes of backdating included. */
function lifeDays(identity: Identity): number {
  const { validFrom, validTo } = read(identity);
  return (Date.parse(validTo) - Date.parse(validFrom)) / DAY;
}

await t.test('an identity is a PEM certificate and a PKCS#8 key that belong together', (t) => {
  for (const identity of [authority, client, server]) {
    t.match(identity.certificate, /^-----BEGIN CERTIFICATE-----\n/);
    t.match(identity.key, /^-----BEGIN PRIVATE KEY-----\n/);
    t.notMatch(identity.certificate + identity.key, /\r/);
    t.ok(read(identity).checkPrivateKey(createPrivateKey(identity.key)));
  }
  t.end();
});

await t.test('keys have 3072 bits for an authority and 2048 for a leaf unless told', async (t) => {
  const plain = await createAuthority({ commonName: 'plain', days: 1 });
  const long = await issueCertificate(authority, { ...CLIENT, bits: 3072 });
  const bits = (identity: Identity): number | undefined =>
    createPrivateKey(identity.key).asymmetricKeyDetails?.modulusLength;
  t.equal(bits(plain), 3072);
  t.equal(bits(client), 2048);
  t.equal(bits(long), 3072);
});

await t.test('leaves are issued and signed by the authority, non-ASCII name included', (t) => {
  const issuer = read(authority);
  t.equal(issuer.subject, 'CN=Zürich — CA');
  for (const leaf of [client, server]) {
    t.equal(read(leaf).issuer, issuer.subject);
    t.ok(read(leaf).checkIssued(issuer));
    t.ok(read(leaf).verify(issuer.publicKey));
    t.notOk(read(leaf).ca);
  }
  t.ok(issuer.ca);
  t.end();
});

await t.test('serials are positive, 128 bits wide and differ', (t) => {
  const serials = [authority, client, server].map((identity) => read(identity).serialNumber);
  for (const serial of serials) t.match(serial, /^[4-7][0-9A-F]{31}$/);
  t.equal(new Set(serials).size, 3);
  t.end();
});

await t.test('a life starts five minutes back and lasts the days asked for', (t) => {
  t.equal(lifeDays(client), 30 + 5 / 1440);
  t.equal(lifeDays(authority), 365 + 5 / 1440);
  t.ok(Date.parse(read(client).validFrom) <= Date.now() - 5 * 60_000);
  t.end();
});

await t.test('a leaf never outlives its authority', async (t) => {
  const short = await createAuthority({ commonName: 'short', days: 2, bits: 2048 });
  const leaf = await issueCertificate(short, CLIENT);
  t.equal(read(leaf).validTo, read(short).validTo);
});

await t.test('a start in the past makes an expired certificate', async (t) => {
  const notBefore = new Date('2020-01-02T03:04:05.678Z');
  const old = await issueCertificate(authority, { ...CLIENT, notBefore });
  t.equal(Date.parse(read(old).validFrom), Date.parse('2020-01-02T03:04:05Z'));
  t.equal(Date.parse(read(old).validTo), Date.parse('2020-02-01T03:04:05Z'));
});

await t.test('an expired authority issues nothing for today', async (t) => {
  const notBefore = new Date('2020-01-01T00:00:00Z');
  const old = await createAuthority({ commonName: 'old', days: 10, bits: 2048, notBefore });
  await t.rejects(issueCertificate(old, CLIENT), {
    message: 'the authority expired on 2020-01-11T00:00:00.000Z: make a new one',
  });
});

await t.test('a life beyond 2049 is written in four-digit years', async (t) => {
  const notBefore = new Date('2049-12-31T00:00:00Z');
  const late = await createAuthority({ commonName: 'late', days: 2, bits: 2048, notBefore });
  t.equal(Date.parse(read(late).validTo), Date.parse('2050-01-02T00:00:00Z'));
});

await t.test('a server is known by its subjectAltName', (t) => {
  const certificate = read(server);
  t.equal(
    certificate.subjectAltName,
    'DNS:upper.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, ' +
      'IP Address:0:0:0:0:0:FFFF:C000:208',
  );
  t.ok(certificate.checkHost('upper.example'));
  t.notOk(certificate.checkHost('upper', { subject: 'never' }));
  t.ok(certificate.checkIP('192.0.2.7'));
  t.ok(certificate.checkIP('2001:db8::7'));
  t.notOk(certificate.checkIP('192.0.2.9'));
  t.equal(read(client).subjectAltName, undefined);
  t.end();
});

await t.test('bad options are refused before any key is made', async (t) => {
  const cases: [Partial<CertificateOptions>, RegExp][] = [
    [{ commonName: '' }, /common name is empty/],
    [{ commonName: 'a\nb' }, /control character/],
    [{ commonName: 'x'.repeat(65) }, /at most 64/],
    [{ days: 0 }, /from 1 to 3650/],
    [{ days: 3651 }, /from 1 to 3650/],
    [{ bits: 1024 }, /bits must be/],
    [{ names: [''] }, /host name is empty/],
    [{ names: [], usage: 'server' }, /at least one DNS name or IP address/],
    [{ notBefore: new Date(NaN) }, /notBefore/],
  ];
  for (const [change, message] of cases) {
    const issued = issueCertificate(authority, { ...CLIENT, ...change });
    await t.rejects(issued, { name: 'OptionError', message });
  }
  await t.rejects(createAuthority({ commonName: '', days: 1 }), { name: 'OptionError' });
  await t.rejects(createAuthority({ commonName: 'a', days: 7301 }), { message: /1 to 7300/ });
  await t.rejects(createAuthority({ commonName: 'a', days: 1, bits: 1 }), { name: 'OptionError' });
  const notBefore = new Date(NaN);
  await t.rejects(createAuthority({ commonName: 'a', days: 1, notBefore }), { message: /date/ });
});

await t.test('what is no authority signs nothing', async (t) => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const ecKey = ec.export({ type: 'pkcs8', format: 'pem' }).toString();
  const cases: [Identity, RegExp][] = [
    [client, /is not that of an authority/],
    [{ ...authority, key: client.key }, /does not belong to its certificate/],
    [{ ...authority, key: ecKey }, /is not RSA/],
    [{ ...authority, key: 'nonsense' }, /not readable PEM/],
    [{ ...authority, certificate: '' }, /not readable PEM/],
  ];
  for (const [identity, message] of cases) {
    await t.rejects(issueCertificate(identity, CLIENT), { message });
  }
});

await t.test('a summary tells subject, names, end and fingerprint', (t) => {
  const { fingerprint256, validTo } = read(server);
  t.strictSame(summarise(server.certificate), [
    'subject      CN=upper',
    `names        ${read(server).subjectAltName ?? ''}`,
    `expires      ${new Date(validTo).toISOString()}`,
    `fingerprint  SHA-256 ${fingerprint256}`,
  ]);
  t.equal(summarise(client.certificate)[1], 'names        none');
  t.end();
});
