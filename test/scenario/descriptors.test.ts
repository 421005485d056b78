/** No file descriptor is left to the supervisor, to the gate, to an upper: it is said, and it heals. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { seededRandom } from '../../src/demo/random.js';
import { Chance, Faults } from '../truth/faults.js';
import { Scene } from './scene.js';

const RATE = 1500;
const PLENTY = 1024;
/** Fewer than a process has open: no other can be opened. */
const FEW = 8;
/** Segments of a few hundred KiB: the gate begins one every few seconds. */
const RETAIN = '{ size: 4MiB, age: 1d }';

/** Leaves a process so many descriptors beyond those that it has. */
function leave(pid: number, more: number): void {
  const open = readdirSync(`/proc/${pid}/fd`).map(Number);
  limit(pid, Math.max(...open) + 1 + more);
}

/** As the process's own user: that takes no right of root's. */
function limit(pid: number, most: number): void {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const [uid, gid] = ['Uid', 'Gid'].map(
    (name) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)![1]!,
  );
  const own = Number(uid) === process.getuid!();
  const user = ['/usr/bin/setpriv', '--reuid', uid!, '--regid', gid!, '--clear-groups', '--'];
  const [file, ...args] = [...(own ? [] : user), '/usr/bin/prlimit'];
  execFileSync(file, [...args, '--pid', String(pid), `--nofile=${most}:${PLENTY}`]);
}

async function start(t: Test) {
  const scene = new Scene(t, {
    seed: 13,
    directory: t.testdir({}),
    retain: RETAIN,
    prefix: ['/usr/bin/prlimit', `--nofile=${PLENTY}:${PLENTY}`],
  });
  await scene.begin(RATE);
  return { scene, faults: new Faults(scene.world, new Chance(seededRandom(5))) };
}

/** The supervisor itself, below what starts it. */
const supervisorOf = (scene: Scene): number => scene.world.relay.pid('supervisor')!;

await t.test('the supervisor: what dies cannot be started until it has some again', async (t) => {
  const { scene, faults } = await start(t);
  for (const [role, count] of [
    ['gate', 0],
    ['valve', 3],
    ['upper', 1],
    ['lower', 0],
    ['dial', 2],
  ] as const) {
    const pid = supervisorOf(scene);
    leave(pid, count);
    t.ok(faults.kill(role), `the ${role} is killed`);
    const failed = (): boolean =>
      scene.log.some(({ msg }) => msg.includes('EMFILE')) || !scene.world.well;
    await scene.world.until(failed, 'it is said');
    await new Promise((resolve) => setTimeout(resolve, 700));
    t.notOk(scene.world.relay.over, 'the supervisor lives');
    // A connection for which no valve can be started is read by nobody.
    for (const source of scene.world.sources) source.disturb();
    limit(pid, PLENTY);
    await scene.world.until(() => scene.world.well, `all is up again after the ${role}`);
    await scene.untilFlow(`after the ${role}`);
  }
  t.ok(
    scene.log.some(({ msg }) => msg.includes('EMFILE')),
    'the log says why',
  );
  await scene.conclude();
});

await t.test('gate and upper: no next segment, until there is one again', async (t) => {
  const { scene } = await start(t);
  const gate = scene.world.relay.pid('gate')!;
  limit(gate, FEW);
  await scene.untilForwarding(false);
  const { verdict, texts } = await scene.untilStatus(/^nothing goes out/);
  t.equal(verdict, 'down');
  t.match(texts[0], /: EMFILE$/);
  // Whichever comes to the end of its file first: a segment, or the log's bundle.
  const lost = (): number => scene.lost('journal') + scene.lost('audit');
  const before = lost();
  await scene.world.until(() => lost() > before + RATE, 'losses are counted');
  limit(gate, PLENTY);
  await scene.untilForwarding(true);
  await scene.untilFlow('the gate has descriptors again');

  const upper = scene.world.relay.pid('upper', 'north')!;
  limit(upper, FEW);
  const had = scene.journalled();
  await scene.world.until(() => scene.journalled() > had + 30_000, 'segments are begun');
  if (scene.world.relay.pid('upper', 'north') === upper) limit(upper, PLENTY);
  await scene.untilFlow('the upper has descriptors again');
  scene.world.fatal = [];
  await scene.conclude();
});
