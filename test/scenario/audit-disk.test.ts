/**
 * The audit log has a disk of its own, which fills up while the journal's has room: what cannot be
 * logged does not go out, is counted, and nothing else is lost.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mountSmallDisk } from '../journal/small-disk.js';
import { SOURCES } from '../truth/plan.js';
import { amount, leavesOf, verifyWell } from './auditor.js';
import { Scene } from './scene.js';

const RATE = 1500;

await t.test('nothing goes out until there is room again', async (t) => {
  const whole = mountSmallDisk(t, 64 * 1024);
  if (!whole) return;
  const { directory } = whole;
  const log = join(directory, 'state', 'audit');
  mkdirSync(log, { recursive: true });
  const disk = mountSmallDisk(t, 2 * 1024, log)!;
  const scene = new Scene(t, { seed: 41, directory, retain: '{ size: 4MiB, age: 1d }' });
  const { world } = scene;
  await scene.begin(RATE);
  await world.until(() => {
    disk.fill();
    return world.relay.gate()?.forwarding === false;
  }, 'the disk is full');
  const { code, verdict, texts } = await scene.untilStatus(/^nothing goes out/);
  t.same([code, verdict], [2, 'down']);
  t.match(texts[0], /^nothing goes out for .+: audit: ENOSPC$/);
  const journalled = scene.journalled();
  const above = (): number => world.sinks.reduce((sum, { arrivals }) => sum + arrivals.total, 0);
  const lost = scene.lost('audit');
  await world.until(() => scene.lost('audit') > lost + RATE, 'losses are counted meanwhile');
  await scene.untilStatus(/ lost .*\(audit\)$/);
  await world.until(() => above() === journalled, 'what was journalled has come');
  t.equal(scene.journalled(), journalled, 'nothing more went out');
  t.equal(scene.lost('journal'), 0, 'the journal is not to blame');

  disk.free();
  await scene.untilForwarding(true);
  await scene.untilFlow('on a disk with room');
  await scene.conclude();
  const judged = await verifyWell(t, world.state);
  for (const name of SOURCES) {
    const counted = world.relay.gate()!.sources[name]!.lost['audit'];
    t.equal(amount(judged.lost, name, 'audit'), counted, `${name}: the log has what was lost`);
  }
  const states = leavesOf(world.state, 'state');
  t.match(states[0], { forwarding: false, reason: 'audit: ENOSPC' });
  t.match(states.at(-1), { forwarding: true });
  t.equal(scene.log.filter(({ level }) => level === 'fatal').length, 0);
});
