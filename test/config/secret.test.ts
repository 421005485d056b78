import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isPassword, openSecret, readSecret } from '../../src/config/secret.js';
import { type Field, parseDocument } from '../../src/document/document.js';

function field(text: string): Field {
  return parseDocument(`p: ${JSON.stringify(text)}`, 'f').record(['p']).p!;
}

await t.test('a secret that its group or others may touch is refused, even as root', (t) => {
  const path = join(t.testdir({ secret: 'x' }), 'secret');
  for (const mode of [0o600, 0o400, 0o700]) {
    chmodSync(path, mode);
    closeSync(openSecret(field(path), path));
    t.pass(mode.toString(8));
  }
  for (const mode of [0o640, 0o604, 0o660, 0o620, 0o602, 0o644, 0o601, 0o610, 0o666, 0o4777]) {
    chmodSync(path, mode);
    const shown = (mode & 0o777).toString(8).padStart(4, '0');
    t.throws(() => openSecret(field(path), path), {
      message: `f:1:4: ${path} can be read by others (mode ${shown}): chmod 600 ${path}`,
    });
  }
  t.end();
});

await t.test('the group bits of a credential are the mask of its access list', (t) => {
  const path = join(t.testdir({ secret: 'x' }), 'secret');
  chmodSync(path, 0o440);
  closeSync(openSecret(field('credential:secret'), path));
  t.throws(() => openSecret(field('secret'), path), /mode 0440/);
  chmodSync(path, 0o444);
  t.throws(() => openSecret(field('credential:secret'), path), /mode 0444/);
  t.end();
});

await t.test('what is no file is refused at once', (t) => {
  const directory = t.testdir({ secret: 'x' });
  const at = (name: string): string => join(directory, name);
  execFileSync('mkfifo', ['-m', '600', at('fifo')]);
  mkdirSync(at('directory'), 0o700);
  symlinkSync(at('nowhere'), at('dangling'));
  const cases: [string, string][] = [
    [at('fifo'), 'is no file'],
    [at('directory'), 'is no file'],
    ['/dev/null', 'is no file'],
  ];
  for (const [path, words] of cases) {
    t.throws(() => openSecret(field(path), path), { message: `f:1:4: ${path} ${words}` });
  }
  for (const [name, code] of [
    ['none', 'ENOENT'],
    ['dangling', 'ENOENT'],
    ['secret/x', 'ENOTDIR'],
  ] as const) {
    t.throws(() => openSecret(field(at(name)), at(name)), {
      message: `f:1:4: cannot read ${at(name)}: ${code}`,
    });
  }
  t.end();
});

await t.test('a link to a secret counts as what it leads to', (t) => {
  const directory = t.testdir({ secret: 'word\n' });
  const link = join(directory, 'link');
  symlinkSync(join(directory, 'secret'), link);
  chmodSync(join(directory, 'secret'), 0o600);
  t.equal(readSecret(openSecret(field(link), link)), 'word');
  chmodSync(join(directory, 'secret'), 0o644);
  t.throws(() => openSecret(field(link), link), /mode 0644/);
  t.end();
});

await t.test('a secret has 64 KiB at most', (t) => {
  const path = join(t.testdir(), 'secret');
  writeFileSync(path, 'x'.repeat(65536), { mode: 0o600 });
  t.equal(readSecret(openSecret(field(path), path)).length, 65536);
  writeFileSync(path, 'x'.repeat(65537));
  t.throws(() => openSecret(field(path), path), /^f:1:4: .*secret is larger than 64 KiB$/);
  t.end();
});

await t.test('a secret is read without the newline at its end, and only that', (t) => {
  const path = join(t.testdir(), 'secret');
  const cases: [string, string][] = [
    ['word', 'word'],
    ['word\n', 'word'],
    ['word\r\n', 'word'],
    ['word\n\n', 'word\n'],
    [' word ', ' word '],
    ['\n', ''],
    ['', ''],
    ['a\nb\n', 'a\nb'],
  ];
  for (const [text, expected] of cases) {
    writeFileSync(path, text, { mode: 0o600 });
    const fd = openSecret(field(path), path);
    t.equal(readSecret(fd), expected, JSON.stringify(text));
    t.throws(() => closeSync(fd), { code: 'EBADF' }, 'the descriptor is closed');
  }
  t.end();
});

await t.test('a password is one line of printable text', (t) => {
  for (const text of ['x', 'pass word', 'ü€😀', '\'"#', 'x'.repeat(256), 'ü'.repeat(128)]) {
    t.ok(isPassword(text), text);
  }
  for (const text of ['', 'a\nb', 'a\rb', '\n', 'a\0', 'a\x7f', '\ufffd', 'x'.repeat(257)]) {
    t.notOk(isPassword(text), JSON.stringify(text));
  }
  t.notOk(isPassword('ü'.repeat(129)), 'bytes are counted');
  t.end();
});
