/** A secret that becomes unreadable and readable again: the link waits for it, and heals by itself. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, startRelay } from './relay.js';

await t.test('nothing goes up without the password, and all of it goes up with it', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start({});
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port }],
  });
  await relay.untilUp();
  await relay.until(() => upper.open === 1, 'the handshake is done');
  const password = join(relay.directory, 'upper-portal');
  chmodSync(password, 0o644);
  upper.dropAll('fin');
  const failures = (): number =>
    relay.happened((line) => line.event === 'failure' && line.msg.includes('chmod 600')).length;
  await relay.until(() => failures() >= 2, 'it is tried again and again');
  await lower.untilLoop();
  lower.send(numberedEvents(1, 100));
  chmodSync(password, 0o600);
  await relay.until(() => upper.accepted.length === 100, 'the link heals');
  t.ok(lower.connections.length === 1, 'the lower link takes no notice');
});
