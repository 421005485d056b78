/** A disk that is slow, that fails now and then, or takes no writes; rights that are wrong. */
import { chmodSync, chownSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Injection, canTrace } from './trouble.js';
import { Scene } from './scene.js';

const RATE = 800;
/** Segments of a few hundred KiB. */
const RETAIN = '{ size: 4MiB, age: 1d }';

async function start(t: Test): Promise<Scene> {
  const scene = new Scene(t, { seed: 17, directory: t.testdir({}), retain: RETAIN });
  await scene.begin(RATE);
  return scene;
}

const gateOf = ({ world }: Scene): number => world.relay.pid('gate')!;

async function untilMore({ world }: Scene, count: number, what: string): Promise<void> {
  const taken = (): number =>
    Object.values(world.relay.gate()?.sources ?? {}).reduce((sum, each) => sum + each.in, 0);
  const before = taken();
  await world.until(() => taken() > before + count, what);
}

await t.test('slow, and failing', async (t) => {
  if (!canTrace(t)) return;
  const scene = await start(t);
  const { world } = scene;
  const gate = gateOf(scene);

  const slow = await Injection.begin(t, gate, ['fdatasync:delay_enter=200000']);
  await untilMore(scene, 4 * RATE, 'a slow disk takes them');
  await scene.untilFlow('on a slow disk');
  await scene.untilForwarding(true);
  t.equal(scene.lost('journal'), 0);
  await slow.end();

  let lost = 0;
  for (const failing of [
    'fdatasync:error=EIO:when=5+20',
    'pwrite64:error=EIO:when=3+17',
    'pwrite64:error=ENOSPC:when=4+23',
    'ftruncate:error=EIO:when=1+2',
  ]) {
    const errors = ['ftruncate:error=EIO:when=1+2', 'pwrite64:error=EIO:when=6+19'];
    const what = failing.startsWith('ftruncate') ? errors : [failing];
    const injection = await Injection.begin(t, gate, what);
    await untilMore(scene, 6 * RATE, failing);
    await injection.end();
    await scene.untilForwarding(true);
    await scene.untilFlow(failing);
    t.comment(`${failing}: ${scene.lost('journal') - lost} lost`);
    lost = scene.lost('journal');
  }
  t.ok(lost > 0, 'what was not written is counted');

  // At rest: a gate that has written one lane's commit mark and not the other's begins anew.
  for (const source of world.sources) source.rate = 0;
  await world.drain();
  const dead = ['pwrite64', 'ftruncate', 'fdatasync'].map((call) => `${call}:error=EROFS`);
  const injection = await Injection.begin(t, gate, dead);
  for (const source of world.sources) source.rate = RATE;
  // The status file cannot be written either: that is told by its age.
  const { verdict } = await scene.untilStatus(/^the gate has written no status for /);
  t.equal(verdict, 'down');
  await injection.end();
  await scene.untilForwarding(true);
  await scene.untilFlow('a disk that can be written again');
  t.equal(gateOf(scene), gate, 'the same gate, all the time');
  await scene.conclude();
  t.ok(scene.count('not-forwarding') > 0);
});

await t.test('wrong rights: of the journal, and of an upper', async (t) => {
  if (process.getuid!() !== 0) {
    t.plan(0, 'needs root');
    return;
  }
  const scene = await start(t);
  const { world } = scene;
  const journal = world.journal(0, 0);
  const { uid, gid, mode } = statSync(journal);

  chmodSync(journal, 0o550);
  await scene.untilForwarding(false);
  const { texts } = await scene.untilStatus(/^nothing goes out/);
  t.match(texts[0], /: EACCES/);
  chmodSync(journal, mode & 0o7777);
  await scene.untilForwarding(true);
  await scene.untilFlow('the directory is as it was');

  // Somebody else's before a start: the supervisor, as root, takes it back.
  for (const source of world.sources) source.rate = 0;
  await world.drain();
  t.equal(await world.relay.stop(), 0);
  chownSync(journal, 12_345, 12_345);
  for (const name of readdirSync(journal)) {
    if (name.endsWith('.tgj')) chownSync(join(journal, name), 12_345, 12_345);
  }
  const north = join(world.state, 'upper', 'north');
  for (const name of readdirSync(north)) chmodSync(join(north, name), 0);
  world.start();
  await world.until(() => world.well, 'all is up');
  const after = statSync(journal);
  t.same([after.uid, after.gid], [uid, gid]);
  for (const source of world.sources) source.rate = RATE;
  await scene.untilFlow('after a start');

  t.ok(existsSync(journal));
  await scene.conclude();
});
