/**
 * Reloads back and forth while processes are killed, and files in the place of policies that are none:
 * TIDEGATE_RELOADS says how many, instead of 20.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { readUsage } from '../../src/supervisor/usage.js';
import { digestOf } from '../../src/wire/bundle.js';
import { type ReloadStatus, sum } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, numberOf, type RunningRelay, startRelay } from './relay.js';

function policy(revision: number, more = ''): string {
  return `schema: tidegate-policy/v1
policy: { id: all, revision: ${revision} }
rules:
  - { name: all, effect: permit, to: [public], match: { class: 10 }, emit: { data: keep, time: keep, guid: "::${revision}" } }
${more}`;
}

const RELOADS = Number(process.env['TIDEGATE_RELOADS'] ?? 20);

/** Told apart by the GUID that they send. */
const [ONE, TWO] = [policy(1), policy(2)];

/** A check that takes some tens of seconds: what goes on meanwhile goes on under the old policies. */
const LENGTHY = `${policy(3)}${Array.from(
  { length: 4095 },
  (_, i) => `  - { name: r${i}, effect: forbid, match: { class: 10, guid: "::3" } }\n`,
).join('')}tests:
  - { name: long, feed: { event: { class: 10, type: 6 }, repeat: 100000, every: 1s }, expect: { emitted: 100000 } }
`;

async function begin(t: Test) {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start();
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
    policy: ONE,
  });
  await relay.untilUp();
  await lower.untilLoop();
  return { lower, upper, relay, flow: new Flow(lower), file: join(relay.directory, 'policy.yaml') };
}

/** Events, a few at a time, for as long as it lasts. */
class Flow {
  sent = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(lower: FakeLower) {
    this.#timer = setInterval(() => {
      lower.send(numberedEvents(this.sent + 1, this.sent + 10));
      this.sent += 10;
    }, 10);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const reloadOf = (relay: RunningRelay): ReloadStatus | undefined => relay.supervisor()?.reload;

/** Asks for a reload, and waits for its verdict. */
async function reload(relay: RunningRelay): Promise<ReloadStatus> {
  const before = reloadOf(relay)?.count ?? 0;
  relay.process.kill('SIGHUP');
  await relay.until(() => {
    const now = reloadOf(relay);
    return now !== undefined && now.count > before && now.state !== 'checking';
  }, 'a verdict');
  return reloadOf(relay)!;
}

async function reloadTo(relay: RunningRelay, file: string, text: string): Promise<void> {
  writeFileSync(file, text);
  const { reason } = await reload(relay);
  if (reason !== undefined) throw new Error(reason);
  const digest = digestOf([{ file: '', text }]);
  await relay.until(() => relay.gate()?.policy.digest === digest, 'in force');
}

/** What was permitted is above: once, or again where it was resent; by one policy or the other. */
async function checkAll(t: Test, { relay, upper, flow }: Awaited<ReturnType<typeof begin>>) {
  flow.stop();
  const plant = () => relay.gate()!.sources['plant']!;
  await relay.until(() => plant().in >= flow.sent, 'all is decided');
  await relay.until(
    () => relay.upper('portal')?.answered === relay.gate()!.channels[0]!.journalled,
    'all is answered',
  );
  const { in: all, permitted, denied, malformed, lost } = plant();
  t.equal(all, permitted + denied + sum(malformed) + sum(lost), JSON.stringify(plant()));
  const channel = relay.gate()!.channels[0]!;
  t.equal(channel.permitted, permitted);
  t.equal(channel.emitted, permitted);
  t.equal(channel.journalled, permitted);
  const lines = new Map<number, string>();
  let again = 0;
  for (const send of upper.sends) {
    const number = numberOf(send);
    const known = lines.get(number);
    if (known !== undefined) again++;
    if (known !== undefined && known !== send) t.fail(`${number} was decided twice`);
    lines.set(number, send);
  }
  t.equal(lines.size, permitted, 'each permitted event is above');
  const guids = new Set([...lines.values()].map((send) => send.split(',')[6]!.slice(-2)));
  t.ok(
    [...guids].every((guid) => ['01', '02'].includes(guid)),
    [...guids].join(),
  );
  t.ok(again <= relay.upper('portal')!.resent, 'only what was resent came again');
  return { again, lost, guids };
}

/** Numbers from 0 to below `count`, the same at every run. */
function seeded(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

await t.test('kill -9 of checker, gate and upper in the middle of reloads', async (t) => {
  const world = await begin(t);
  const { relay, file, lower } = world;
  const random = seeded(9);
  const roles = ['checker', 'gate', 'upper', 'checker', 'gate', 'checker'] as const;
  let killedChecks = 0;
  for (let round = 0; round < RELOADS / 2; round++) {
    const role = roles[random(roles.length)]!;
    const text = [ONE, TWO][round % 2]!;
    writeFileSync(file, text);
    const { count = 0 } = reloadOf(relay) ?? {};
    relay.process.kill('SIGHUP');
    const done = () => {
      const now = reloadOf(relay);
      return now !== undefined && now.count > count && now.state !== 'checking';
    };
    if (role === 'checker') {
      // Its number is known a moment after it has started; it may be done by then.
      await relay.until(() => relay.pid('checker') !== undefined || done(), 'a check');
    }
    await sleep(random(role === 'checker' ? 60 : 400));
    const pid = relay.pid(role);
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    } catch {
      // It had ended.
    }
    await relay.until(done, `a verdict in round ${round}`);
    const { state, reason } = reloadOf(relay)!;
    if (state === 'refused') {
      killedChecks++;
      t.equal(role, 'checker', 'refused only where the check was killed');
      t.match(reason, 'the check ended without a verdict');
    }
  }
  t.comment(`${killedChecks} checks were killed`);
  // A check that is killed for certain: one that is long.
  await reloadTo(relay, file, TWO);
  const before = relay.gate()!.policy.digest;
  writeFileSync(file, LENGTHY);
  relay.process.kill('SIGHUP');
  await relay.until(() => relay.pid('checker') !== undefined, 'a long check');
  await sleep(1000);
  const arrived = world.upper.accepted.length;
  await relay.until(() => world.upper.accepted.length > arrived + 100, 'events go on meanwhile');
  t.equal(relay.gate()!.policy.digest, before, 'under the old policies');
  // What is asked for meanwhile is done afterwards.
  writeFileSync(file, ONE);
  relay.process.kill('SIGHUP');
  t.equal(reloadOf(relay)!.state, 'checking');
  process.kill(relay.pid('checker')!, 'SIGKILL');
  const digest = digestOf([{ file: '', text: ONE }]);
  await relay.until(() => reloadOf(relay)!.digest === digest, 'the next is done');
  await reloadTo(relay, file, TWO);
  await reloadTo(relay, file, ONE);
  const { again, lost, guids } = await checkAll(t, world);
  t.comment(`${world.flow.sent} sent, ${again} again, lost ${JSON.stringify(lost)}`);
  t.equal(guids.size, 2);
  t.ok(
    Object.keys(lost).every((why) => ['restart', 'torn', 'audit'].includes(why)),
    'lost with the gate, or while its log did not answer',
  );
  t.equal(lower.connections.length, 1, 'the lower link was never dropped');
  t.equal(relay.supervisor()!.lowers[0]!.connections, 1);
  t.equal(await relay.stop(), 0);
});

await t.test('what is no policy is refused, and does not hang', async (t) => {
  const world = await begin(t);
  const { relay, file, lower, upper } = world;
  const old = digestOf([{ file: '', text: ONE }]);
  const write = (content: string | Buffer, size?: number): void => {
    writeFileSync(file, content);
    if (size !== undefined) truncateSync(file, size);
  };
  const MEBI = 2 ** 20;
  const make: Record<string, [() => void, RegExp]> = {
    garbage: [() => write(Buffer.from([0, 255, 1, 2, 3, 0xc3, 0x28])), /policy\.yaml/],
    deleted: [() => undefined, /cannot read .*ENOENT/],
    'a directory': [() => mkdirSync(file), /is no file/],
    'a FIFO': [() => execFileSync('mkfifo', [file]), /is no file/],
    'too large': [() => write('', 2 * MEBI), /larger than 1 MiB/],
    empty: [() => write(''), /policy\.yaml:1:1/],
    zeros: [() => write('', MEBI), /policy\.yaml:1:1/],
    nested: [() => write('['.repeat(MEBI)), /policy\.yaml:1/],
    endless: [() => write(`a: ${'"'.padEnd(MEBI - 8, 'x')}`), /policy\.yaml/],
  };
  for (const [what, [put, words]] of Object.entries(make)) {
    rmSync(file, { recursive: true, force: true });
    put();
    const { state, reason } = await reload(relay);
    t.equal(state, 'refused', what);
    t.match(reason, words, what);
    t.ok(Buffer.byteLength(reason ?? '') <= 16 * 1024, `${what}: a reason of bounded length`);
    t.equal(relay.gate()!.policy.digest, old, `${what}: the old policies stay`);
  }
  rmSync(file);
  writeFileSync(file, TWO);
  chmodSync(file, 0);
  // Root reads it all the same.
  if (process.getuid?.() !== 0) t.match((await reload(relay)).reason, /EACCES/);
  chmodSync(file, 0o600);
  // Changed while it is checked: what was read is what is checked, and what is put in force.
  await reloadTo(relay, file, ONE);
  const { count } = reloadOf(relay)!;
  writeFileSync(file, TWO);
  relay.process.kill('SIGHUP');
  const done = () => reloadOf(relay)!.count > count && reloadOf(relay)!.state !== 'checking';
  await relay.until(() => relay.pid('checker') !== undefined || done(), 'the check has begun');
  writeFileSync(file, 'garbage');
  await relay.until(done, 'a verdict');
  t.equal(reloadOf(relay)!.digest, digestOf([{ file: '', text: TWO }]));
  const arrived = upper.accepted.length;
  await relay.until(() => upper.accepted.length > arrived + 50, 'events go on');
  await reloadTo(relay, file, ONE);
  const { again } = await checkAll(t, world);
  t.equal(again, 0, 'nothing came twice');
  t.equal(lower.connections.length, 1);
  t.equal(upper.connections.length, 1);
  t.equal(await relay.stop(), 0);
});

/** What a process has open, by kind. */
function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Processes below one. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  const own = children === '' ? [] : children.split(' ').map(Number);
  return own.flatMap((child) => [child, ...descendants(child)]);
}

await t.test('storms of SIGHUP, and many reloads: nothing is left behind', async (t) => {
  const world = await begin(t);
  const { relay, file, lower, upper } = world;
  const supervisor = relay.pid('supervisor')!;
  for (let i = 0; i < 10; i++) await reloadTo(relay, file, [TWO, ONE][i % 2]!);
  const quiet = () => relay.pid('checker') === undefined;
  await relay.until(quiet, 'no check goes on');
  const before = {
    descriptors: descriptors(supervisor),
    processes: descendants(supervisor).length,
    memory: readUsage(supervisor)!.memory,
  };
  for (let storm = 0; storm < 2; storm++) {
    const { count } = reloadOf(relay)!;
    for (let i = 0; i < 50; i++) {
      relay.process.kill('SIGHUP');
      if (i % 10 === 0) await sleep(1);
    }
    await relay.until(() => {
      const now = reloadOf(relay)!;
      return now.count > count && now.state === 'handed' && quiet();
    }, 'the storm is over');
    t.ok(reloadOf(relay)!.count - count <= 50, 'no more checks than signals');
  }
  for (let i = 0; i < RELOADS; i++) {
    if (i % 5 === 4) {
      writeFileSync(file, 'garbage');
      t.equal((await reload(relay)).state, 'refused');
    } else {
      writeFileSync(file, [TWO, ONE][i % 2]!);
      t.equal((await reload(relay)).state, 'handed');
    }
  }
  await reloadTo(relay, file, TWO);
  await relay.until(quiet, 'no check goes on');
  await relay.until(() => descendants(supervisor).length <= before.processes, 'no process is left');
  // What is open for a moment only, a status file for one, is not open twice.
  await relay.until(() => descriptors(supervisor) <= before.descriptors, 'no descriptor is left');
  const grown = readUsage(supervisor)!.memory - before.memory;
  t.comment(`grown by ${Math.round(grown / 1024)} KiB in ${reloadOf(relay)!.count} reloads`);
  t.ok(grown < 64 * 2 ** 20, `grown by ${grown} bytes`);
  const { again } = await checkAll(t, world);
  t.equal(again, 0);
  t.equal(lower.connections.length, 1, 'the lower link was never dropped');
  t.equal(upper.connections.length, 1, 'the upper link was never dropped');
  t.same(
    relay.log.filter(({ level }) => level === 'fatal'),
    [],
  );
  t.equal(await relay.stop(), 0);
});
