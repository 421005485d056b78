/** The whole log is gone between two runs: another begins, and whoever kept a checkpoint can tell. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkpointIn, keyIn, leavesOf, logOf, verify, verifyWell } from './auditor.js';
import { prepare } from './lineage.js';

await t.test('another begins, and an older checkpoint tells', async (t) => {
  const { directory, state, begin, through } = await prepare(t);
  const older = join(directory, 'older');
  const first = await begin();
  t.notOk(
    first.logged(({ event }) => event === 'audit-begins'),
    'the first has nothing to miss',
  );
  await through(first);
  await through(first);
  t.equal(await first.stop(), 0);
  const key = keyIn(state);
  writeFileSync(older, checkpointIn(state));

  rmSync(logOf(state), { recursive: true });
  const relay = await begin();
  await through(relay);
  t.match(
    relay.logged(({ event }) => event === 'audit-begins'),
    { level: 'warn' },
  );
  t.equal(await relay.stop(), 0);
  t.equal(keyIn(state), key, 'signed by the same key');
  const [start] = leavesOf(state, 'start');
  t.match(start, { index: 0, previous: undefined });
  t.equal(Math.max(...start!.sequences), 20, 'the journals go on');
  for (const option of ['--since', '--witness']) {
    const { ok, findings } = await verify(state, option, older);
    t.equal(ok, false, option);
    const [found] = findings.filter(({ what }) => what === 'witness');
    t.match(found?.message, /^the log was (cut|rewritten)/, option);
  }
  const { ok, findings } = await verify(state);
  t.equal(ok, false);
  t.match(findings, [{ what: 'boot', leaf: 0, message: /^the log begins behind public 20: what/ }]);
  // That is all that is wrong with it.
  await verifyWell(t, state, '--begins-late');
});
