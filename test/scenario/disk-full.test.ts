/**
 * The disk of the state fills up while events flow, and is freed: again and again, and over restarts.
 * TIDEGATE_ROUNDS says how often, instead of twice.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mountSmallDisk, type SmallDisk } from '../journal/small-disk.js';
import { seededRandom } from '../../src/demo/random.js';
import { Chance, Faults } from '../truth/faults.js';
import { CHANNELS, policyText } from '../truth/plan.js';
import { Scene } from './scene.js';

const RATE = 1500;
const ROUNDS = Number(process.env['TIDEGATE_ROUNDS'] ?? 2);
const RETAIN = '{ size: 8MiB, age: 1d }';
/** Of a routine lane's segments, by that retention. */
const SEGMENT = (8 * 2 ** 20 * 3) / 4 / 8;

function makeScene(t: Test): { scene: Scene; disk: SmallDisk } | undefined {
  const disk = mountSmallDisk(t, 48 * 1024);
  if (!disk) return undefined;
  const scene = new Scene(t, { seed: 7, directory: disk.directory, retain: RETAIN });
  return { scene, disk };
}

/** Takes all that is left, and what is given back meanwhile, until nothing goes out. */
async function fill({ world }: Scene, disk: SmallDisk): Promise<void> {
  await world.until(() => {
    disk.fill();
    return world.relay.gate()?.forwarding === false;
  }, 'the disk is full');
}

/** Whether all that is journalled has been answered above. */
const settled = ({ world }: Scene): boolean => {
  const answered = ['north', 'south'].map((name) => world.relay.upper(name)?.answered ?? 0);
  const refused = ['north', 'south'].map((name) => world.relay.upper(name)?.refused ?? 0);
  const channels = world.relay.gate()!.channels;
  return channels.every(({ journalled }, i) => journalled === answered[i]! + refused[i]!);
};

await t.test('it says so, counts what is lost, and goes on when there is room', async (t) => {
  const made = makeScene(t);
  if (!made) return;
  const { scene, disk } = made;
  const { world } = scene;
  await scene.begin(RATE);
  for (let round = 1; round <= ROUNDS; round++) {
    // Room for the next segment is taken ahead of time.
    const spares = CHANNELS.map((_, channel) => join(world.journal(channel, 0), 'next'));
    const ready = (path: string): boolean => existsSync(path) && statSync(path).size === SEGMENT;
    await world.until(() => spares.every(ready), 'the next segments have their room');
    const before = scene.journalled();
    await fill(scene, disk);
    const more = scene.journalled() - before;
    t.comment(`round ${round}: ${more} more were journalled on the full disk`);

    const { code, verdict, texts } = await scene.untilStatus(/^nothing goes out/);
    t.same([code, verdict], [2, 'down'], 'the status is written on a full disk');
    t.match(texts[0], /^nothing goes out for .+: ENOSPC$/);
    const lost = scene.lost('journal');
    await world.until(() => scene.lost('journal') > lost + RATE, 'losses are counted meanwhile');
    await scene.untilStatus(/ lost .*\(journal\)$/);
    await world.until(() => settled(scene), 'what was journalled is answered');

    writeFileSync(world.policy, policyText(round + 1));
    world.relay.process.kill('SIGHUP');
    const reload = (): string | undefined => world.relay.supervisor()?.reload?.state;
    const asked = (): boolean => world.relay.supervisor()?.reload?.count === 2 * round - 1;
    await world.until(() => asked() && reload() !== 'checking', 'the reload is decided');
    t.comment(`a reload meanwhile is ${reload()!}`);
    // What the gate itself gives back on a full disk, a segment's rest, may carry it on for a moment.
    await scene.untilForwarding(false);

    disk.free();
    await scene.untilForwarding(true);
    await scene.untilFlow('on a disk with room');
    world.relay.process.kill('SIGHUP');
    const policy = (): number => world.relay.gate()?.policy.policies[0]?.revision ?? 0;
    await world.until(() => policy() === round + 1, 'policies are replaced');
  }
  await scene.conclude();
  const said = scene.count('not-forwarding');
  t.ok(said >= ROUNDS && said <= 3 * ROUNDS, `said ${said} times, not for every batch`);
  // Another reason is said as well: the audit log may have less room left than the journals.
  const again = scene.count('forwarding');
  t.ok(again >= ROUNDS && again <= said, `goes out again ${again} times`);
  t.equal(scene.log.filter(({ level }) => level === 'fatal').length, 0);
});

await t.test(
  'a gate that is killed on a full disk, and a relay that is started on one',
  async (t) => {
    const made = makeScene(t);
    if (!made) return;
    const { scene, disk } = made;
    const { world } = scene;
    await scene.begin(RATE);
    const faults = new Faults(world, new Chance(seededRandom(3)));
    await fill(scene, disk);
    const lost = scene.lost('journal');
    await world.until(() => scene.lost('journal') > lost + RATE, 'losses are counted');
    const known = scene.lost('journal');
    faults.kill('gate');
    await world.until(() => (world.relay.supervisor()?.gate.starts ?? 0) > 2, 'it is tried again');
    disk.fill();
    const { texts } = await scene.untilStatus(/^(the gate does not run|nothing goes out)/);
    t.comment(texts.join('; '));
    disk.free();
    await scene.untilForwarding(true);
    await scene.untilFlow('of another gate');
    t.ok(scene.lost('journal') >= known, 'what the killed gate had counted is not forgotten');

    await fill(scene, disk);
    for (const source of world.sources) source.rate = 0;
    t.equal(await world.relay.stop(), 0, 'it ends in good order');
    disk.fill();
    world.start();
    const first = world.relay;
    const deadline = Date.now() + 30_000;
    while (!first.over && Date.now() < deadline) await new Promise((go) => setTimeout(go, 20));
    t.ok(first.over, 'a relay refuses to start');
    t.match(world.fatal.at(-1), { event: 'refused', msg: /ENOSPC/ });
    t.match((await scene.status()).texts[0], /^no relay runs on /);
    disk.free();
    world.start();
    await world.until(() => world.well, 'all is up again');
    for (const source of world.sources) source.rate = RATE;
    await scene.untilFlow('after a restart');
    world.fatal = [];
    await scene.conclude();
    t.ok(readFileSync(world.policy, 'utf8').length > 0);
  },
);
