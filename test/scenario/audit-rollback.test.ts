/** Policies that were signed once, and are not the newest any more, are put there while the relay is stopped. */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { digestOf, type PolicyText } from '../../src/wire/bundle.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { keyOf, person, signed } from '../signing/tools.js';
import { leavesOf, verifyWell } from './auditor.js';
import { numberedEvents, startRelay } from './relay.js';

const both = [person('alice'), person('bob')];
const SIGNERS = JSON.stringify({ keys: both.map(keyOf), threshold: 2 });

function policy(revision: number): PolicyText[] {
  const text = `schema: tidegate-policy/v1
policy: { id: hall, revision: ${revision} }
rules:
  - { name: all, effect: permit, to: [public], match: { class: 10 } }
`;
  return [{ file: 'policy.yaml', text }];
}

await t.test('the log knows which revision was in force', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start();
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const directory = t.testdir({});
  const state = join(directory, 'state');
  let [starts, sent] = [0, 0];
  const begin = async (revision: number) => {
    const relay = await startRelay(t, {
      directory,
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window: 50 }],
      policy: policy(revision)[0]!.text,
      signers: SIGNERS,
      manifest: signed(policy(revision), both),
    });
    await relay.untilUp();
    await lower.untilLoop(++starts);
    return relay;
  };
  const send = (): void => {
    lower.send(numberedEvents(sent + 1, sent + 10));
    sent += 10;
  };

  const first = await begin(2);
  send();
  await first.until(() => upper.accepted.length === 10, 'by revision 2');
  t.equal(await first.stop(), 0);

  const relay = await begin(1);
  const plant = () => relay.gate()!.sources['plant']!;
  const { denied } = plant();
  send();
  await relay.until(() => plant().denied === denied + 10, 'what comes is denied');
  const words = /revision 1 of 'hall'.*revision 2 was in force|revision 2 was in force/;
  t.match(relay.gate(), { forwarding: false, reason: /^no policy is in force: / });
  t.match(relay.gate()!.reason, words);
  t.equal(upper.accepted.length, 10, 'nothing has gone out');

  // Killed, the gate is no wiser.
  const signedRefusals = (): number => leavesOf(state, 'refused').length;
  await relay.until(() => signedRefusals() === 1, 'it is in the log');
  await relay.replaceGate();
  t.match(relay.gate()!.reason, words, 'after a kill as well');
  await relay.until(() => signedRefusals() === 2, 'and in the log');

  const next = policy(3);
  writeFileSync(join(directory, 'policy.yaml'), next[0]!.text);
  writeFileSync(join(directory, 'policy.yaml.manifest'), signed(next, both));
  relay.process.kill('SIGHUP');
  await relay.until(() => relay.gate()!.policy.digest === digestOf(next), 'revision 3 is in force');
  await relay.until(() => relay.gate()!.forwarding, 'events go out');
  send();
  await relay.until(() => upper.accepted.length === 20, 'by revision 3');
  t.equal(await relay.stop(), 0);

  const { policies } = await verifyWell(
    t,
    state,
    '--signer',
    keyOf(both[0]!),
    '--signer',
    keyOf(both[1]!),
  );
  t.same(
    policies.map(({ files }) => files.map(({ revision }) => revision)),
    [[2], [3]],
  );
  const refusals = leavesOf(state, 'refused');
  t.equal(refusals.length, 2, 'each gate has said what it refuses');
  for (const { reason } of refusals) t.match(reason, words);

  // Without the log, what was kept beside it holds; without both, nobody knows.
  const kept = join(state, 'gate', 'revisions');
  const anew = async (revision: number, reason: RegExp): Promise<void> => {
    renameSync(join(state, 'audit'), join(directory, `audit.${starts}`));
    const begun = await begin(revision);
    await begun.until(() => reason.test(begun.gate()?.reason ?? ''), `it says ${reason}`);
    t.notOk(begun.gate()!.forwarding);
    t.equal(await begun.stop(), 0);
  };
  await anew(2, /revision 2, and revision 3 was in force/);
  rmSync(kept);
  const unknown =
    /not known which revisions were in force: .*gate\/revisions is missing or damaged/;
  await anew(2, unknown);
  t.notOk(existsSync(kept), 'nor is it so on the next start');
  await anew(3, unknown);
  writeFileSync(kept, '{}');
  const begun = await begin(3);
  await begun.until(() => begun.gate()!.forwarding, 'the operator has said so');
  t.equal(await begun.stop(), 0);
});
