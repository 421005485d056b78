/** The machine's clock is set, by hours and by years, in every process: events flow all the time. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { canSeal, makeInstallation } from './hostile.js';
import { Scene } from './scene.js';

const RATE = 300;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Below the 60 days of the certificates, but for the last. */
const STEPS = [-HOUR, 0, HOUR, 0, -40 * DAY, 0, 40 * DAY, 0, 400 * DAY, 0];

await t.test('steps back and forward', async (t) => {
  if (!canSeal(t)) return;
  const roles = ['gate', 'upper', 'lower', 'dial', 'valve', 'supervisor', 'cli'] as const;
  const installation = makeInstallation(t, 'clock-main.ts', roles, {});
  // Where every sandbox sees it.
  const offset = join(installation, 'dist', 'offset');
  const set = (ms: number): void => writeFileSync(offset, `${ms}\n`);
  set(0);
  const directory = join(t.testdirName, 'relay');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const scene = new Scene(t, {
    seed: 11,
    directory,
    cli: join(installation, 'dist', 'cli', 'main.js'),
    supervisor: join(installation, 'dist', 'supervisor', 'main.js'),
    retain: '{ size: 64MiB, age: 1d }',
  });
  const { world } = scene;
  await scene.begin(RATE);
  let steps = 0;
  for (const step of STEPS) {
    const said = scene.count('clock-set');
    set(step);
    steps++;
    const { relay } = world;
    const isNear = (at = 0): boolean => Math.abs(at - Date.now() - step) < 5000;
    const everybody = (): boolean =>
      [relay.gate(), relay.supervisor(), relay.upper('north'), relay.upper('south')].every(
        (status) => isNear(status?.time),
      );
    await world.until(everybody, 'all have the time');
    await scene.untilFlow(`${step / HOUR} h`);
    await scene.untilForwarding(true);
    const { texts } = await scene.status();
    const ours = texts.filter((text) => !text.includes('certificate'));
    t.same(ours, [], `${step / HOUR} h: all is well, but for certificates`);
    const expired = texts.some((text) => /certificate .*expired/.test(text));
    t.equal(expired, step > 60 * DAY, 'of which the status says that they have expired');
    await world.until(() => scene.count('clock-set') > said || step === 0, 'the step is logged');
  }
  // What waits for an upper that is away is as old as it is, whatever the clock says.
  const [north] = world.sinks;
  north!.refuse();
  north!.drop('fin');
  const waiting = scene.journalled();
  await world.until(() => scene.journalled() > waiting + 2 * RATE, 'some wait');
  set(400 * DAY);
  await world.until(() => (world.relay.gate()?.time ?? 0) > Date.now() + DAY, 'a year ahead');
  await world.until(() => scene.journalled() > waiting + 4 * RATE, 'more wait');
  set(0);
  await north!.listen();
  await scene.untilFlow('after all');
  t.equal(world.relay.upper('north')?.expired, 0, 'nothing has expired');
  await scene.conclude();
  t.ok(scene.count('clock-set') >= steps - 1, 'every step is in the log');
});
