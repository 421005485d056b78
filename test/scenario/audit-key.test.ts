/** The key that signs the log: made at the first start, or given; another one follows it, or does not. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatVerifier, parseVerifier, signerOf } from '../../src/note/note.js';
import { keyIn, leavesOf, verify, verifyWell } from './auditor.js';
import { pemOf, prepare } from './lineage.js';

await t.test('made at the first start, and replaced by one that it vouches for', async (t) => {
  const { directory, state, begin, through } = await prepare(t);
  const first = await begin();
  const path = join(state, 'supervisor', 'audit.key');
  const { mode } = statSync(path);
  t.equal(mode & 0o7777, 0o600);
  const made = readFileSync(path, 'utf8');
  t.match(made, /^-----BEGIN PRIVATE KEY-----\n[^-]+-----END PRIVATE KEY-----\n$/);
  await through(first);
  t.equal(await first.stop(), 0);
  const old = keyIn(state);
  const relay = parseVerifier(old).name;
  const own = signerOf(relay, createPrivateKey(made));
  t.equal(old, formatVerifier(own), 'key.pub is its public half');
  t.equal(leavesOf(state, 'start')[0]!.key, old);
  await verifyWell(t, state);

  const next = pemOf();
  writeFileSync(join(directory, 'both.key'), next.pem + made, { mode: 0o600 });
  const second = await begin('{ key_file: both.key }');
  await through(second);
  t.equal(await second.stop(), 0);
  t.equal(keyIn(state), next.key(relay), 'the name stays');
  t.match(leavesOf(state, 'key'), [{ before: old, key: next.key(relay), endorsement: String }]);
  const rotated = await verifyWell(t, state, '--key', old);
  t.match(rotated.keys, [{ key: next.key(relay), endorsed: true }]);

  // The old one is not needed any more; a third, without the second's consent, is found.
  const third = pemOf();
  writeFileSync(join(directory, 'third.key'), third.pem, { mode: 0o600 });
  const last = await begin('{ key_file: third.key }');
  await through(last);
  t.ok(last.logged(({ event, level }) => event === 'audit-key' && level === 'error'));
  t.equal(await last.stop(), 0);
  const said = await verify(state, '--key', old);
  t.equal(said.ok, false);
  t.match(
    said.findings.map(({ message }) => message),
    [/^from here on the log is signed by .*does not vouch for it: no note; if it is right, give/],
  );
  await verifyWell(t, state, '--key', old, '--key', third.key(relay));
});
