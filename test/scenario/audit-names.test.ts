/** A log of another relay, or under an unknown signature, is not written into. */
import { createPrivateKey } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { signerOf, signNote } from '../../src/note/note.js';
import { checkpointIn, keyIn, leavesIn, logOf, verifyWell } from './auditor.js';
import { pemOf, prepare } from './lineage.js';

await t.test('it says why, and goes on when all is as it was', async (t) => {
  const { directory, state, upper, begin, send, through } = await prepare(t);
  const own = pemOf();
  writeFileSync(join(directory, 'own.key'), own.pem, { mode: 0o600 });
  const first = await begin('{ relay: hall.example, key_file: own.key }');
  t.equal(keyIn(state), own.key('hall.example'));
  await through(first);
  t.equal(await first.stop(), 0);
  const before = leavesIn(state).length;

  const other = await begin('{ relay: other.example, key_file: own.key }');
  const arrived = upper.accepted.length;
  send();
  const plant = () => other.gate()!.sources['plant']!;
  await other.until(() => plant().lost['audit'] === 10, 'they are counted');
  await other.until(() => !other.gate()!.forwarding, 'nothing goes out');
  t.match(other.gate()!.reason, /^audit: it is of relay 'hall\.example', /);
  t.ok(other.logged(({ event }) => event === 'audit-mismatch'));
  t.equal(await other.stop(), 0);
  t.equal(upper.accepted.length, arrived, 'none of them went out');
  t.equal(leavesIn(state).length, before, 'the log is as it was');
  t.equal(keyIn(state), own.key('hall.example'), 'and so is its key');

  // A checkpoint by a stranger: nobody goes on from there.
  const stranger = pemOf();
  const mine = checkpointIn(state);
  copyFileSync(join(logOf(state), 'checkpoint'), join(directory, 'mine'));
  const signer = signerOf('hall.example', createPrivateKey(stranger.pem));
  const text = mine.slice(0, mine.indexOf('\n\n') + 1);
  writeFileSync(join(logOf(state), 'checkpoint'), signNote(text, [signer]));
  const again = await begin('{ relay: hall.example, key_file: own.key }');
  // The status of the relay before is there until this one's gate writes its own.
  const words = 'audit: its checkpoint is signed by no key that is known here';
  await again.until(() => again.gate()!.reason === words, 'nothing goes out');
  t.equal(await again.stop(), 0);
  copyFileSync(join(directory, 'mine'), join(logOf(state), 'checkpoint'));
  const healed = await begin('{ key_file: own.key }');
  await through(healed);
  t.equal(await healed.stop(), 0);
  const judged = await verifyWell(t, state);
  t.equal(judged.boots, 2);
  t.match(judged.down, [{ ended: true }]);
});
