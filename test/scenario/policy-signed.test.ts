/** Policies that two people must sign: what is not signed by both changes nothing. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Signer } from '../../src/note/note.js';
import { digestOf, type PolicyText } from '../../src/wire/bundle.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { keyOf, person, signed } from '../signing/tools.js';
import { numberedEvents, type RunningRelay, startRelay } from './relay.js';

const [alice, bob, carol] = [person('alice'), person('bob'), person('carol')];
const SIGNERS = JSON.stringify({
  keys: [alice, bob, carol].map(keyOf),
  threshold: 2,
  revoked: [carol.id],
});

/** Told apart by the GUID that they send. */
function policy(revision: number): PolicyText[] {
  const text = `schema: tidegate-policy/v1
policy: { id: all, revision: ${revision} }
rules:
  - { name: all, effect: permit, to: [public], match: { class: 10 }, emit: { data: keep, time: keep, guid: "::${revision}" } }
`;
  return [{ file: 'policy.yaml', text }];
}

async function begin(t: Parameters<typeof startRelay>[0], revision: number, by: Signer[]) {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start();
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const policies = policy(revision);
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
    policy: policies[0]!.text,
    signers: SIGNERS,
    manifest: signed(policies, by),
  });
  return { lower, upper, relay };
}

/** Puts policies and their manifest there, and asks for a reload. */
async function reload(
  relay: RunningRelay,
  policies: readonly PolicyText[],
  manifest: string | undefined,
): Promise<string> {
  const file = join(relay.directory, 'policy.yaml');
  writeFileSync(file, policies[0]!.text);
  rmSync(`${file}.manifest`, { force: true });
  if (manifest !== undefined) writeFileSync(`${file}.manifest`, manifest);
  return relay.reload();
}

await t.test('two of them put policies in force; fewer, others or older ones do not', async (t) => {
  const { lower, upper, relay } = await begin(t, 3, [alice, bob]);
  await relay.untilUp();
  await lower.untilLoop();
  await relay.until(() => relay.gate() !== undefined, 'the gate says what it does');
  let sent = 0;
  /** Ten more events, by the policy of this revision. */
  const flows = async (revision: number, what: string): Promise<void> => {
    t.equal(relay.gate()!.policy.digest, digestOf(policy(revision)), what);
    lower.send(numberedEvents(sent + 1, sent + 10));
    sent += 10;
    await relay.until(() => upper.accepted.length === sent, what);
    const guids = upper.accepted.slice(-10).map((send) => send.split(',')[6]!.slice(-2));
    t.same(new Set(guids), new Set([`0${revision}`]), what);
  };
  await flows(3, 'signed by both');
  const [next, lowerOne] = [policy(4), policy(2)];
  const both = [alice, bob];
  const right = signed(next, both);
  const cases: [PolicyText[], string | undefined, RegExp][] = [
    [next, signed(next, [alice]), /signed by 1 of the 2 that are needed.*1 more of bob\+/],
    [next, undefined, /not signed: there is no manifest/],
    [
      next,
      right.replace(/(.)=\n/, (_, c: string) => `${c === 'A' ? 'B' : 'A'}=\n`),
      /wrong|must be/,
    ],
    [next, right.replace('all 4', 'all 5'), /revision 4 instead of 5/],
    [next, signed(next, [alice, carol]), /revoked, and so for nothing: carol\+/],
    [policy(5), right, /'all' is not what was signed: revision 5 instead of 4/],
    [lowerOne, signed(lowerOne, both), /revision 2, and revision 3 was in force/],
  ];
  for (const [policies, manifest, words] of cases) {
    const said = await reload(relay, policies, manifest);
    t.match(said, /^refused .*tidegate\.yaml:\d+:\d+: .*policy\.yaml\.manifest: /);
    t.match(said, words);
    t.equal(relay.gate()!.policy.digest, digestOf(policy(3)));
  }
  await flows(3, 'the old ones stay');
  await relay.replaceGate();
  await flows(3, 'after a kill too, though the files are others');
  t.match(await reload(relay, next, right), /^handed/);
  const digest = digestOf(next);
  await relay.until(() => relay.gate()!.policy.digest === digest, 'in force');
  await flows(4, 'signed by both');
  const line = () => relay.logged(({ event }) => event === 'policies');
  await relay.until(() => line() !== undefined, 'it is logged');
  t.match(line(), { signers: both.map(({ name, id }) => `${name}+${id}`) }, 'the log names them');
  t.match(await reload(relay, policy(3), signed(policy(3), both)), /revision 4 was in force/);
  await relay.replaceGate();
  await flows(4, 'what was in force once is not so again');
  const config = join(relay.directory, 'tidegate.yaml');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('"threshold":2', '"threshold":1'));
  const said = await reload(relay, next, signed(next, [alice]));
  t.match(said, /restart needed: .*policy_signers\.threshold differ/);
  t.equal(await relay.stop(), 0);
});

await t.test('a relay whose policies one person signed does not start', async (t) => {
  const { lower, relay } = await begin(t, 3, [alice]);
  await relay.until(() => relay.over, 'it ends');
  t.equal(relay.process.exitCode, 1);
  const words = /policy\.yaml\.manifest: the policies are signed by 1 of the 2 that are needed/;
  t.match(relay.logged(({ event }) => event === 'refused')?.msg, words);
  t.equal(lower.connections.length, 0, 'nothing was even read');
});
