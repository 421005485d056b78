import fs, { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { UpperConfig } from '../../src/config/config.js';
import { parseDocument } from '../../src/document/document.js';
import { Credentials } from '../../src/supervisor/credentials.js';
import type { Logger } from '../../src/wire/log.js';
import { relayIdentity, trusted } from '../fake/upper-pki.js';

async function world(t: Test) {
  const directory = t.testdir({});
  const [authority, relay] = await Promise.all([trusted(), relayIdentity()]);
  const texts = { ca: authority.certificate, cert: relay.certificate, key: relay.key };
  const write = (part: keyof typeof texts, text = texts[part]): void => {
    writeFileSync(join(directory, part), text, { mode: 0o600 });
  };
  const document = Object.keys(texts).map((part) => `${part}: ${join(directory, part)}\n`);
  const keys = parseDocument(document.join(''), 'tidegate.yaml').record(['ca', 'cert', 'key']);
  const reference = (part: keyof typeof texts) => {
    write(part);
    return { field: keys[part]!, path: join(directory, part) };
  };
  const tls = { ca: reference('ca'), cert: reference('cert'), key: reference('key') };
  const said: string[] = [];
  const note = (_: unknown, text: string): void => void said.push(text);
  const log = { info: note, warn: note, error: note } as unknown as Logger;
  const upper = { name: 'portal', tls } as unknown as UpperConfig;
  const credentials = new Credentials(upper, log);
  const refused = () =>
    credentials.status.flatMap(({ part, refused }) => (refused === undefined ? [] : [part]));
  /** Twice: what still changes is not taken. */
  const refresh = (): boolean => {
    const first = credentials.refresh(Date.now());
    return credentials.refresh(Date.now()) || first;
  };
  return { write, said, refresh, refused, texts };
}

await t.test('what is refused is said of the file that is wrong, and once', async (t) => {
  const { write, said, refresh, refused } = await world(t);
  t.notOk(refresh());
  t.same(refused(), []);
  write('ca', 'no certificate');
  for (let i = 0; i < 3; i++) t.notOk(refresh());
  t.same(refused(), ['ca']);
  t.equal(said.length, 1);
  write('ca');
  t.ok(refresh());
  write('key', 'no key');
  t.notOk(refresh());
  t.same(refused(), ['cert']);
  t.match(said.at(-1), /the certificates before stay: tidegate\.yaml:3:6: .* holds no private key/);
  write('key');
  t.ok(refresh());
  t.same(refused(), []);
});

await t.test('a renewal while descriptors are short is taken when they are not', async (t) => {
  const { write, said, refresh, refused } = await world(t);
  const real = fs.openSync;
  const mend = (): void => {
    fs.openSync = real;
    syncBuiltinESMExports();
  };
  t.teardown(mend);
  write('cert');
  fs.openSync = () => {
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
  };
  syncBuiltinESMExports();
  for (let i = 0; i < 3; i++) t.notOk(refresh());
  t.equal(refused().length, 1);
  t.equal(said.filter((line) => line.includes('EMFILE')).length, 1, 'said once');
  mend();
  t.ok(refresh(), 'though the files have not changed since');
  t.same(refused(), []);
});
