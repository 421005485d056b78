import { execFileSync } from 'node:child_process';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readPrivate, readVerifiers, writeNew } from '../../src/note/key-file.js';
import {
  formatKey,
  isEncrypted,
  makeKey,
  MAX_PASSPHRASE,
  parseKey,
  ROUNDS,
} from '../../src/note/key.js';
import { formatVerifier, NoteError, rawKey, verifierOf } from '../../src/note/note.js';

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

const publicOf = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string;

await t.test('what is written is read, plain and encrypted', (t) => {
  const key = makeKey();
  const plain = formatKey(key);
  t.notOk(isEncrypted(plain));
  t.ok(parseKey(plain).equals(key));
  for (const passphrase of ['p', 'grüße 🔑', 'x'.repeat(MAX_PASSPHRASE), ' a b ']) {
    const pem = formatKey(key, passphrase, 10);
    t.ok(isEncrypted(pem));
    t.ok(parseKey(pem, passphrase).equals(key));
    t.throws(() => parseKey(pem, `${passphrase}x`.slice(-MAX_PASSPHRASE + 1)), NoteError);
    t.throws(() => parseKey(pem), /needs its passphrase/);
  }
  t.not(formatKey(key, 'p', 10), formatKey(key, 'p', 10), 'another salt each time');
  t.end();
});

await t.test('counts of rounds of every length are written as DER has them', (t) => {
  const key = makeKey();
  for (const rounds of [1, 127, 128, 255, 256, 32_767, 32_768]) {
    t.ok(parseKey(formatKey(key, 'p', rounds), 'p').equals(key), `${rounds}`);
  }
  t.end();
});

await t.test('openssl reads our keys, and we read its', (t) => {
  const directory = t.testdir({ ours: '', pass: 'grüße, openssl\n' });
  const [ours, theirs] = [join(directory, 'ours'), join(directory, 'theirs')];
  const pass = `file:${join(directory, 'pass')}`;
  const key = makeKey();
  writeFileSync(ours, formatKey(key, 'grüße, openssl'));
  t.equal(openssl('pkey', '-in', ours, '-passin', pass, '-pubout'), publicOf(key));
  t.throws(() => openssl('pkey', '-in', ours, '-passin', 'pass:wrong', '-pubout'));
  const parsed = openssl('asn1parse', '-in', ours);
  for (const part of [
    'PBES2',
    'PBKDF2',
    'hmacWithSHA256',
    'aes-256-cbc',
    `:${ROUNDS.toString(16).padStart(6, '0').toUpperCase()}`,
  ]) {
    t.match(parsed, part);
  }
  openssl('genpkey', '-algorithm', 'ed25519', '-aes256', '-pass', pass, '-out', theirs);
  const read = parseKey(readFileSync(theirs, 'utf8'), 'grüße, openssl');
  t.equal(openssl('pkey', '-in', theirs, '-passin', pass, '-pubout'), publicOf(read));
  t.throws(() => parseKey(readFileSync(theirs, 'utf8'), 'grusse, openssl'), /wrong/);
  openssl('genpkey', '-algorithm', 'x25519', '-out', theirs);
  t.throws(() => parseKey(readFileSync(theirs, 'utf8')), /no Ed25519 key/);
  t.end();
});

await t.test('what is no key is refused in words', (t) => {
  const pem = formatKey(makeKey());
  t.throws(() => parseKey(''), /no private key in PEM/);
  t.throws(() => parseKey(pem.replace(/\n.{8}/, '\nAAAAAAAA')), /damaged/);
  t.throws(() => formatKey(makeKey(), ''), /empty/);
  t.throws(() => formatKey(makeKey(), 'x'.repeat(MAX_PASSPHRASE + 1)), /longer than/);
  t.end();
});

await t.test('a file is new, of its owner alone, and read only if it is', (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'key');
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  writeNew(path, 'text\n', 0o600);
  writeNew(`${path}.pub`, 'text\n', 0o644);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(statSync(`${path}.pub`).mode & 0o777, 0o644, 'whatever the umask');
  t.equal(readPrivate(path), 'text\n');
  t.throws(() => writeNew(path, 'other', 0o600), /already exists and is left as it is/);
  t.equal(readFileSync(path, 'utf8'), 'text\n');
  for (const mode of [0o640, 0o604, 0o611]) {
    chmodSync(path, mode);
    t.throws(() => readPrivate(path), /can be read by others .*chmod 600/);
  }
  t.throws(() => readPrivate(join(directory, 'none')), /cannot read .*none: ENOENT/);
  mkdirSync(join(directory, 'folder'));
  t.throws(() => readPrivate(join(directory, 'folder')), /is no file/);
  execFileSync('mkfifo', [join(directory, 'fifo')]);
  t.throws(() => readPrivate(join(directory, 'fifo')), /is no file/);
  t.end();
});

await t.test('public keys stand one a line', (t) => {
  const [a, b] = ['alice', 'bob'].map((name) => formatVerifier(verifierOf(name, makeKey())));
  const path = join(t.testdir({ keys: `# who signs\n${a}\n\n  # since June\n${b}\r\n` }), 'keys');
  t.same(readVerifiers(path).map(formatVerifier), [a, b]);
  t.ok(readVerifiers(path).every(({ key }) => rawKey(key).length === 32));
  writeFileSync(path, `${a}\nbob\n`);
  t.throws(() => readVerifiers(path), /keys:2: a public key is/);
  writeFileSync(path, '# nobody\n');
  t.throws(() => readVerifiers(path), /holds no public key/);
  t.end();
});
