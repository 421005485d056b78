/** A relay with the rights that its systemd unit leaves it, and no others. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { digestOf } from '../../src/wire/bundle.js';
import { numberedEvents, PERMIT_ALL, startRelay } from './relay.js';

const UNIT = new URL('../../deploy/systemd/tidegate.service', import.meta.url);
const root = process.getuid!() === 0 || process.env['TIDEGATE_REQUIRE_ALL'] !== undefined;

/** The unit's capabilities as setpriv's, and /proc as ProtectProc=invisible has it. */
function confined(): string[] {
  const unit = readFileSync(UNIT, 'utf8');
  const names = [...unit.matchAll(/^CapabilityBoundingSet=(.*)$/gm)].flatMap((m) =>
    m[1]!.split(' '),
  );
  const kept = names.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`);
  const proc = 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"';
  return [
    ...['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', proc, 'sh'],
    ...['setpriv', '--inh-caps=-all', `--bounding-set=-all,${kept.join()}`, '--no-new-privs', '--'],
  ];
}

const skip = root ? false : 'needs root: rights are taken from it';

await t.test('the rights of the unit are enough, also for a second start', { skip }, async (t) => {
  const prefix = confined();
  t.match(prefix.join(' '), '-all,+setuid');
  let directory: string | undefined;
  for (const round of [1, 2]) {
    const lower = await FakeLower.start({ kind: 'vscpd-14' });
    const upper = await FakeUpper.start({});
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port }],
      prefix,
      ...(directory === undefined ? {} : { directory }),
    });
    directory = relay.directory;
    await relay.untilUp();
    await lower.untilLoop();
    lower.send(numberedEvents(1, 100));
    await relay.until(() => upper.accepted.length === 100, `events arrive, start ${round}`);
    for (const { seal, inForce } of relay.supervisor()?.seals ?? []) t.ok(inForce, seal);
    // Processes of other users can be restarted and ended.
    await relay.killProcess('gate');
    await relay.until(() => relay.logged((line) => line.event === 'died') !== undefined, 'died');
    lower.send(numberedEvents(101, 200));
    await relay.until(() => upper.accepted.length === 200, 'events arrive through a new gate');
    // Other policies are checked by a process of another user, and handed to one.
    const other = PERMIT_ALL.replace('revision: 1', `revision: ${round + 1}`);
    writeFileSync(join(relay.directory, 'policy.yaml'), other);
    process.kill(relay.pid('supervisor')!, 'SIGHUP');
    const digest = digestOf([{ file: '', text: other }]);
    await relay.until(() => relay.gate()?.policy.digest === digest, 'other policies');
    t.equal(await relay.stop(), 0, 'and it ends in good order');
    await Promise.all([lower.close(), upper.close()]);
  }
});
