/** Somebody has been at the log while the relay was stopped: it starts, nothing goes out, and it says so. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { splitBundle } from '../../src/audit/tiles.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { checkpointIn, leavesOf, logOf, verifyWell } from './auditor.js';
import { numberedEvents, type RunningRelay, startRelay } from './relay.js';

const lower = await FakeLower.start({ kind: 'vscpd-14' });
const upper = await FakeUpper.start();
t.teardown(() => Promise.all([lower.close(), upper.close()]));
const directory = t.testdir({});
const state = join(directory, 'state');
const LEAVES = join(logOf(state), 'leaves');
let [starts, sent] = [0, 0];

async function begin(): Promise<RunningRelay> {
  const relay = await startRelay(t, {
    directory,
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
  });
  await relay.untilUp();
  await lower.untilLoop(++starts);
  return relay;
}

function send(): void {
  lower.send(numberedEvents(sent + 1, sent + 10));
  sent += 10;
}

async function flows(relay: RunningRelay): Promise<void> {
  const before = upper.accepted.length;
  send();
  await relay.until(() => upper.accepted.length === before + 10, 'ten events arrive');
}

/** Starts a relay on a log that was tampered with; `words`: what it must say. */
async function refuses(t: Test, what: string, words: RegExp): Promise<void> {
  const before = upper.accepted.length;
  const relay = await begin();
  const lost = (): number => relay.gate()!.sources['plant']!.lost['audit'] ?? 0;
  const already = lost();
  send();
  await relay.until(() => lost() === already + 10, `${what}: what is lost is counted`);
  await relay.until(() => !relay.gate()!.forwarding, `${what}: nothing goes out`);
  t.match(relay.gate()!.reason, words, what);
  const line = relay.logged(({ event }) => event === 'audit-mismatch');
  t.match(line?.msg, /^the audit log is not what it was: /, what);
  t.equal(await relay.stop(), 0, what);
  t.equal(upper.accepted.length, before, `${what}: nothing has gone out`);
}

const older = join(directory, 'older');
let whole: Buffer;

await t.test('a log without fault', async (t) => {
  const first = await begin();
  await flows(first);
  await flows(first);
  t.equal(await first.stop(), 0);
  await verifyWell(t, state);
  writeFileSync(older, checkpointIn(state));
  whole = readFileSync(LEAVES);
});

await t.test('one bit of a leaf that is signed', async (t) => {
  const { leaves } = splitBundle(whole);
  const place = leaves.length - 2;
  const at = leaves.slice(0, place).reduce((sum, { length }) => sum + 2 + length, 0);
  const changed = Buffer.from(whole);
  changed[at + 2 + Math.floor(leaves[place]!.length / 2)]! ^= 1;
  writeFileSync(LEAVES, changed);
  await refuses(t, 'a leaf is edited', /^audit: (the first \d+ leaves|leaf \d+)/);
  t.same(readFileSync(LEAVES), changed, 'and nothing is written there');
});

await t.test('a leaf that is signed is not there any more', async (t) => {
  writeFileSync(LEAVES, whole);
  const { leaves } = splitBundle(whole);
  const end = leaves.slice(0, -1).reduce((sum, { length }) => sum + 2 + length, 0);
  truncateSync(LEAVES, end);
  await refuses(
    t,
    'the last leaf is gone',
    /^audit: leaf \d+ is not there, .*checkpoint signs it$/,
  );
  t.equal(readFileSync(LEAVES).length, end);
});

await t.test('as it was, it is gone on with, and what was lost is in it', async (t) => {
  writeFileSync(LEAVES, whole);
  const relay = await begin();
  await flows(relay);
  t.equal(await relay.stop(), 0);
  const { boots } = await verifyWell(t, state, '--since', older);
  t.equal(boots, 1);
  const { counters, counts } = leavesOf(state, 'start').at(-1)!;
  t.equal(counts[0]![counters.indexOf('lost.audit')], 20, 'the runs between, by their counters');
});
