/**
 * A relay that is killed, started again and given other policies: its log has all that went out, once,
 * and says by which rule; what is changed in it later is found.
 */
import { spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeDenials } from '../../src/audit/encode.js';
import { signerOf } from '../../src/note/note.js';
import { LogDirectory } from '../../src/audit/directory.js';
import { decodeLeaf } from '../../src/audit/leaf.js';
import { type GateStatus, sum } from '../../src/wire/status.js';
import { writeLog } from '../audit/build.js';
import { buildVerifier } from '../audit/go.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import {
  amount,
  checkpointIn,
  keyIn,
  leavesOf,
  logOf,
  tidegateAudit,
  verify,
  verifyWell,
} from './auditor.js';
import { type RunningRelay, startRelay } from './relay.js';

const SOURCES = ['hall', 'yard'] as const;
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0';

const policy = (revision: number): string => `schema: tidegate-policy/v1
policy: { id: site, revision: ${revision} }
rules:
  - { name: never, effect: forbid, match: { class: 20 } }
  - { name: readings, effect: permit, to: [public, other], match: { class: 10, type: TEMPERATURE } }
  - { name: doors, effect: permit, to: [other], match: { class: 30 } }
  - name: means
    effect: permit
    to: [other]
    match: { class: 10, type: HUMIDITY }
    emit:
      class: 1060
      guid: keep
      sensor: keep
      value: { fn: mean, unit: percent }
      window: { every: 1s, per: [guid, sensor] }
`;

/** Class and type of event `n`, and of those that go out what is sent. */
const PAIRS = ['10,6', '20,3', '30,1', '10,35', '10,99', '10,6', '10,6'] as const;
const RULES: Readonly<Record<string, string>> = {
  '10,6': 'site/readings',
  '30,1': 'site/doors',
  '1060,35': 'site/means',
};

function line(source: number, n: number): string {
  const priority = n % 11 === 0 ? 0 : 3 << 5;
  const pair = PAIRS[n % PAIRS.length]!;
  return `${priority},${pair},0,2026-11-22T08:00:00Z,${n},${GUID}${source + 1},128,130,1,${n % 100}`;
}

const pairOf = (send: string): string => send.split(',').slice(1, 3).join(',');
const isUrgent = (send: string): boolean => Number(send.split(',')[0]) >> 5 === 0;

const work = t.testdir({ relay: {}, go: {} });
const directory = join(work, 'relay');
const state = join(directory, 'state');
const older = join(work, 'older');
const go = buildVerifier(join(work, 'go'));
const lowers = await Promise.all(SOURCES.map(() => FakeLower.start({ kind: 'vscpd-14' })));
const [north, south] = await Promise.all([FakeUpper.start(), FakeUpper.start()]);
t.teardown(() => Promise.all([...lowers, north, south].map((each) => each.close())));
const uppers = { public: north, other: south };
let starts = 0;
let kills = 0;
let n = 0;

async function begin(revision: number): Promise<RunningRelay> {
  const relay = await startRelay(t, {
    directory,
    lowers: SOURCES.map((name, i) => ({ name, port: lowers[i]!.port })),
    uppers: [
      { name: 'north', port: north.port, window: 100 },
      { name: 'south', port: south.port, window: 100, channel: 'other' },
    ],
    policy: policy(revision),
  });
  starts++;
  await relay.untilUp();
  await Promise.all(lowers.map((lower) => lower.untilLoop(starts)));
  return relay;
}

function feed(): void {
  for (let i = 0; i < 30; i++, n++) lowers.forEach((lower, source) => lower.send(line(source, n)));
}

/** Events come all the time while `story` goes on. */
async function busy(story: () => Promise<void>): Promise<void> {
  const timer = setInterval(feed, 20);
  try {
    await story();
  } finally {
    clearInterval(timer);
  }
}

/** Events that come from now on go out. */
async function flows(relay: RunningRelay, what: string): Promise<void> {
  const before = Object.values(uppers).map(({ accepted }) => accepted.length);
  const more = (): boolean =>
    Object.values(uppers).every(({ accepted }, i) => accepted.length > before[i]! + 30);
  await relay.until(more, what);
}

async function killGate(relay: RunningRelay): Promise<void> {
  await relay.replaceGate();
  kills++;
  await flows(relay, 'of another gate');
}

/** All is decided, windows are over, and what was journalled has come. */
async function quiet(relay: RunningRelay): Promise<void> {
  let [before, since] = ['', Date.now()];
  await relay.until(() => {
    const { channels, sources } = relay.gate()!;
    const now = JSON.stringify([channels, Object.values(sources).map((each) => each.in)]);
    const came = channels.every(({ channel, journalled, open }) => {
      return open === 0 && uppers[channel as 'public'].accepted.length === journalled;
    });
    if (now !== before || !came) [before, since] = [now, Date.now()];
    return Date.now() - since > 600 && Date.now() - relay.gate()!.time < 600;
  }, 'all is quiet');
}

let status: GateStatus;
await t.test('killed, given other policies, started again', async (t) => {
  const first = await begin(1);
  await busy(async () => {
    await flows(first, 'the first events');
    await killGate(first);
    await killGate(first);
    await first.until(() => leavesOf(state, 'denials').length > 0, 'denials are signed');
    writeFileSync(older, checkpointIn(state));
    writeFileSync(join(directory, 'policy.yaml'), policy(2));
    first.process.kill('SIGHUP');
    await first.until(() => first.gate()!.policy.policies[0]!.revision === 2, 'other policies');
    await flows(first, 'by other policies');
  });
  await quiet(first);
  t.equal(await first.stop(), 0);
  const second = await begin(2);
  await busy(async () => {
    await flows(second, 'after a restart');
    await killGate(second);
  });
  await quiet(second);
  t.equal(await second.stop(), 0);
  status = second.gate()!;
});
const { verifier, skip } = await go;

await t.test('the numbers of the log are those of the relay, and of who received it', async (t) => {
  const verdict = await verifyWell(t, state);
  t.ok((verdict.opened?.right ?? 0) > 20, 'and the journals open it');
  t.same([verdict.opened?.gone, verdict.opened?.unshown], [0, 0]);
  t.equal(verdict.boots, starts + kills);
  t.equal(verdict.down.filter(({ ended }) => !ended).length, kills);
  t.same([...new Set(verdict.policies.map(({ files }) => files[0]!.revision))], [1, 2]);
  for (const [channel, { accepted }] of Object.entries(uppers)) {
    const { journalled } = status.channels.find((each) => each.channel === channel)!;
    t.equal(amount(verdict.forwarded, channel), accepted.length, `${channel}: all that came`);
    t.equal(journalled, accepted.length);
    for (const [pair, rule] of Object.entries(RULES)) {
      const came = accepted.filter((send) => pairOf(send) === pair).length;
      t.equal(amount(verdict.forwarded, channel, rule), came, `${channel}: by ${rule}`);
    }
  }
  t.ok(amount(verdict.forwarded, 'other', 'site/means') > 0, 'windows are there');
  const { counters, ...start } = leavesOf(state, 'start').at(-1)!;
  const { counts } = leavesOf(state, 'stop').at(-1)!;
  const denials = leavesOf(state, 'denials').filter((leaf) => leaf.start === start.index);
  SOURCES.forEach((name, i) => {
    const own = status.sources[name]!;
    const counted = (name: string): number => counts[i]![counters.indexOf(name)]!;
    t.same(
      ['in', 'permitted', 'denied'].map(counted),
      [own.in, own.permitted, own.denied],
      `${name}: as the status has them`,
    );
    t.equal(own.in, own.permitted + own.denied + sum(own.malformed) + sum(own.lost));
    // What a killed gate had denied within its last second is in the counters only.
    t.ok(amount(verdict.denied, name) <= own.denied);
    const since = own.denied - start.counts[i]![counters.indexOf('denied')]!;
    const named = denials.flatMap(({ denied }) => denied.filter(({ source }) => source === i));
    t.equal(
      named.reduce((total, { count }) => total + count, 0),
      since,
      `${name}: each denial of the last run`,
    );
    t.ok(amount(verdict.denied, name, 'site/never') > 0, 'by the rule that forbids');
  });
});

await t.test('a proof of each decision that is asked for', async (t) => {
  const key = ['--key', keyIn(state)];
  const proof = join(work, 'proof');
  for (const [channel, { accepted }] of Object.entries(uppers)) {
    const lanes = { [channel]: false, [`${channel}/urgent`]: true };
    for (const [journal, urgent] of Object.entries(lanes)) {
      const sends = accepted.filter((send) => isUrgent(send) === urgent);
      t.ok(sends.length > 5, journal);
      for (const sequence of [1, Math.ceil(sends.length / 2), sends.length]) {
        const where = [logOf(state), '--journal', journal, '--open', join(state, 'journal')];
        const made = await tidegateAudit('prove', String(sequence), ...where, '-o', proof);
        t.same([made.status, made.err], [0, '']);
        const { status, text } = await tidegateAudit('check-proof', proof, ...key, '--json');
        t.equal(status, 0);
        const send = sends[sequence - 1]!;
        const said = JSON.parse(text) as { event: string; source: string };
        t.match(said, { proven: true, journal, sequence, rule: RULES[pairOf(send)]! });
        t.equal(said.event, send, `${journal} ${sequence} is what came`);
        t.equal(said.source, SOURCES[Number(send.split(',')[6]!.slice(-1)) - 1]!);
      }
    }
  }
});

await t.test(
  'what an upper has received is reconciled, and what is missing is found',
  async (t) => {
    const file = join(work, 'received');
    for (const [channel, { accepted }] of Object.entries(uppers)) {
      const reconcile = async (lines: readonly string[]) => {
        writeFileSync(file, `${lines.join('\r\n')}\r\n`);
        const args = [logOf(state), '--channel', channel, '--received', file, '--json'];
        const { status, text } = await tidegateAudit('reconcile', ...args);
        return { status, ...(JSON.parse(text) as object) };
      };
      t.match(await reconcile(accepted), { status: 0, missing: 0, extra: 0 });
      t.match(await reconcile(accepted.toSpliced(7, 3)), { status: 1, missing: 3, extra: 0 });
      const more = [...accepted, accepted.at(-1)!];
      t.match(await reconcile(more), { status: 1, missing: 0, extra: 1 });
    }
  },
);

await t.test('a verifier of other make agrees', { skip }, (t) => {
  const { status, stdout } = spawnSync(verifier, [logOf(state), keyIn(state), older], {
    encoding: 'utf8',
  });
  t.match(stdout, /^OK: \d+ leaves/);
  t.equal(status, 0);
  t.end();
});

await t.test('a log that is rewritten, and signed by the right key', async (t) => {
  await verifyWell(t, state, '--since', older, '--witness', older);
  const copy = join(work, 'copy');
  mkdirSync(copy);
  cpSync(join(state, 'journal'), join(copy, 'journal'), { recursive: true });
  const log = new LogDirectory(logOf(state));
  const size = Number(checkpointIn(state).split('\n')[1]);
  const leaves = [...log.leaves(size)].map(({ bytes }) => Uint8Array.from(bytes));
  const at = leavesOf(state, 'denials')[0]!;
  t.ok(at.index < Number(readFileSync(older, 'utf8').split('\n')[1]), 'before the checkpoint');
  // By another rule: fewer or more of them would not be what a stop counts.
  const denied = at.denied.map((each, i) =>
    i === 0 ? { ...each, rule: each.rule === undefined ? 0 : undefined } : each,
  );
  leaves[at.index] = Uint8Array.from(encodeDenials(at, { ...at, denied }));
  t.match(decodeLeaf(leaves[at.index]!), { kind: 'denials', index: at.index });
  const pem = readFileSync(join(state, 'supervisor', 'audit.key'), 'utf8');
  const [name = ''] = keyIn(state).split('+');
  writeLog(logOf(copy), leaves, [signerOf(name, createPrivateKey(pem))]);

  await verifyWell(t, copy);
  for (const option of ['--since', '--witness']) {
    const { ok, findings } = await verify(copy, option, older);
    t.equal(ok, false, option);
    t.match(findings[0]?.message, /witness|checkpoint|rewritten|continue/, option);
    t.comment(option, findings[0]?.message);
  }
  if (skip === false) {
    const { status } = spawnSync(verifier, [logOf(copy), keyIn(copy), older]);
    t.equal(status, 1, 'the other verifier finds it as well');
  }
  rmSync(copy, { recursive: true });
});
