import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  type Bundle,
  digestOf,
  readBundles,
  readMark,
  writeBundles,
} from '../../src/wire/bundle.js';

const ONE: Bundle = {
  number: 0,
  policies: [{ file: '/p/a.yaml', text: 'schema: größer\n' }],
  keys: { '/p/key': 'secret' },
};
const TWO: Bundle = {
  number: 1,
  policies: [...ONE.policies, { file: '/p/b.yaml', text: 'b' }],
  keys: {},
};

await t.test('what was written is read, longer or shorter than before', (t) => {
  const path = join(t.testdir(), 'bundle');
  const write = openSync(path, 'w');
  const read = openSync(path, 'r');
  t.teardown(() => [read, write].forEach(closeSync));
  let mark = '';
  for (const bundle of [ONE, TWO, ONE]) {
    writeBundles(write, [bundle]);
    t.same(readBundles(read), [bundle]);
    t.not(readMark(read), mark);
    mark = readMark(read);
  }
  writeBundles(write, [ONE]);
  t.equal(readMark(read), mark, 'the same again is no change');
  t.end();
});

await t.test('a file that is half rewritten is none', (t) => {
  const path = join(t.testdir(), 'bundle');
  const fd = openSync(path, 'w+');
  t.teardown(() => closeSync(fd));
  writeBundles(fd, [TWO]);
  const whole = Buffer.from(JSON.stringify([TWO])).length + 65;
  for (let length = 0; length < whole; length++) {
    ftruncateSync(fd, length);
    t.same(readBundles(fd), [], `${length} bytes`);
    writeBundles(fd, [TWO]);
  }
  for (let at = 0; at < whole; at++) {
    writeSync(fd, '\u0007', at);
    t.same(readBundles(fd), [], `another byte ${at}`);
    writeBundles(fd, [TWO]);
  }
  t.same(readBundles(fd), [TWO]);
  t.end();
});

await t.test('a digest is of the texts in their order, whatever the files are called', (t) => {
  const texts = (...all: string[]) => all.map((text, i) => ({ file: String(i), text }));
  const digests = [texts('a', 'b'), texts('b', 'a'), texts('ab'), texts('a'), texts('', 'ab'), []];
  t.equal(new Set(digests.map(digestOf)).size, digests.length);
  t.equal(digestOf(ONE.policies), digestOf([{ file: 'elsewhere', text: 'schema: größer\n' }]));
  t.match(digestOf([]), /^[0-9a-f]{64}$/);
  t.end();
});
