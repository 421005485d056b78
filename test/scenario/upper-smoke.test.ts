import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

await t.test('smoke', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  t.teardown(() => lower.close());
  const upper = await FakeUpper.start();
  t.teardown(() => upper.close());
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port }],
  });
  await lower.untilLoop();
  lower.send('96,20,3,0,,2,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:03,0x01');
  await relay.until(() => upper.accepted.length === 1, 'the event arrives');
  t.comment(upper.accepted[0]);
  t.comment(JSON.stringify(relay.supervisor()));
  await relay.untilUp();
  t.equal(await relay.stop(), 0);
  for (const line of relay.log) t.comment(JSON.stringify(line));
});
