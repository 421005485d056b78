/** The disk of the audit log does not answer for seconds: the pipes are read on, and nothing comes twice. */
import t from 'tap';
import { SOURCES } from '../truth/plan.js';
import { amount, verifyWell } from './auditor.js';
import { Scene } from './scene.js';
import { canTrace, Injection, threadThatSyncs } from './trouble.js';

const RATE = 600;

await t.test('what could go out meanwhile is lost, and counted', async (t) => {
  if (!canTrace(t)) return;
  const scene = new Scene(t, { seed: 43, directory: t.testdir({}) });
  const { world } = scene;
  await scene.begin(RATE);
  const gate = world.relay.pid('gate')!;
  const thread = await threadThatSyncs(gate, '/leaves');
  t.ok(thread !== undefined && thread !== gate, 'a thread of its own makes the log durable');
  const stalled = await Injection.begin(t, thread!, ['fdatasync:delay_enter=4000000'], true);
  const { texts } = await scene.untilStatus(/^nothing goes out/);
  t.match(texts[0], /: audit: the disk does not answer$/);
  const taken = (): number =>
    Object.values(world.relay.gate()!.sources).reduce((sum, each) => sum + each.in, 0);
  const [read, lost] = [taken(), scene.lost('audit')];
  await world.until(() => taken() > read + 4 * RATE, 'the pipes are read on');
  await world.until(() => scene.lost('audit') > lost + RATE, 'what could go out is lost');
  await stalled.end();
  await scene.untilForwarding(true);
  await scene.untilFlow('the disk answers');
  t.equal(world.relay.pid('gate'), gate, 'the same gate, all the time');
  t.equal(scene.lost('journal'), 0, 'the journal is not to blame');
  t.equal(scene.lost('overflow'), 0, 'no valve had to wait');
  await scene.conclude();
  const judged = await verifyWell(t, world.state);
  for (const name of SOURCES) {
    const counted = world.relay.gate()!.sources[name]!.lost['audit'];
    t.equal(amount(judged.lost, name, 'audit'), counted, `${name}: the log has what was lost`);
  }
});
