import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkVacant, pairPaths, writePair } from '../../src/pki/pair.js';

const PAIR = { certificate: 'certificate\n', key: 'key\n' };

const mode = (path: string): number => statSync(path).mode & 0o777;

await t.test('a pair is written with its modes, whatever the umask', async (t) => {
  for (const mask of [0o000, 0o077]) {
    const dir = t.testdir();
    const before = process.umask(mask);
    t.teardown(() => process.umask(before));
    await writePair(dir, 'relay', PAIR);
    process.umask(before);
    t.strictSame(readdirSync(dir).sort(), ['relay.key', 'relay.pem']);
    t.equal(readFileSync(join(dir, 'relay.pem'), 'utf8'), PAIR.certificate);
    t.equal(readFileSync(join(dir, 'relay.key'), 'utf8'), PAIR.key);
    t.equal(mode(join(dir, 'relay.pem')), 0o644);
    t.equal(mode(join(dir, 'relay.key')), 0o600);
  }
});

await t.test('a certificate in the way stays as it is and no key is left', async (t) => {
  const dir = t.testdir({ 'relay.pem': 'old' });
  await t.rejects(writePair(dir, 'relay', PAIR), { message: /relay\.pem already exists/ });
  t.strictSame(readdirSync(dir), ['relay.pem']);
  t.equal(readFileSync(join(dir, 'relay.pem'), 'utf8'), 'old');
});

await t.test('a key in the way stays as it is and no certificate is left', async (t) => {
  const dir = t.testdir({ 'relay.key': 'old' });
  await t.rejects(writePair(dir, 'relay', PAIR), { message: /relay\.key already exists/ });
  t.strictSame(readdirSync(dir), ['relay.key']);
  t.equal(readFileSync(join(dir, 'relay.key'), 'utf8'), 'old');
});

await t.test('a symbolic link in the way is not followed', async (t) => {
  const dir = t.testdir();
  symlinkSync(join(dir, 'elsewhere'), join(dir, 'relay.key'));
  await t.rejects(checkVacant(pairPaths(dir, 'relay')), { message: /relay\.key already exists/ });
  await t.rejects(writePair(dir, 'relay', PAIR), { message: /relay\.key already exists/ });
  t.strictSame(readdirSync(dir), ['relay.key']);
  t.ok(lstatSync(join(dir, 'relay.key')).isSymbolicLink());
});

await t.test('two writers of one name leave one whole pair', async (t) => {
  const dir = t.testdir();
  const results = await Promise.allSettled(
    ['a', 'b', 'c', 'd'].map((text) =>
      writePair(dir, 'relay', { certificate: `${text} pem`, key: `${text} key` }),
    ),
  );
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  t.strictSame(readdirSync(dir).sort(), ['relay.key', 'relay.pem']);
  const [writer] = readFileSync(join(dir, 'relay.key'), 'utf8');
  t.equal(readFileSync(join(dir, 'relay.pem'), 'utf8'), `${writer ?? ''} pem`);
});

await t.test('a directory that is missing or closed fails without leftovers', async (t) => {
  const dir = t.testdir({ closed: {} });
  await t.rejects(writePair(join(dir, 'none'), 'relay', PAIR), { code: 'ENOENT' });
  const closed = join(dir, 'closed');
  // Root may write anywhere: there the case proves nothing.
  if (process.getuid?.() !== 0) {
    chmodSync(closed, 0o500);
    await t.rejects(writePair(closed, 'relay', PAIR), { code: 'EACCES' });
    chmodSync(closed, 0o700);
  }
  t.strictSame(readdirSync(closed), []);
});

await t.test('a vacant place is told from an occupied one', async (t) => {
  const dir = t.testdir({ 'b.pem': '', 'c.key': '', file: '' });
  mkdirSync(join(dir, 'd.key'));
  await t.resolves(checkVacant(pairPaths(dir, 'a')));
  await t.resolves(checkVacant(pairPaths(join(dir, 'none'), 'a')));
  await t.rejects(checkVacant(pairPaths(dir, 'b')), { message: /b\.pem already exists/ });
  await t.rejects(checkVacant(pairPaths(dir, 'c')), { message: /c\.key already exists/ });
  await t.rejects(checkVacant(pairPaths(dir, 'd')), { message: /d\.key already exists/ });
  await t.rejects(checkVacant(pairPaths(join(dir, 'file'), 'a')), { code: 'ENOTDIR' });
  writeFileSync(join(dir, 'a.pem'), '');
  await t.rejects(checkVacant(pairPaths(dir, 'a')), { message: /a\.pem already exists/ });
});
