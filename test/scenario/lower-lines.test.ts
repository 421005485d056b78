import t from 'tap';
import { sum } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { startRelay } from './relay.js';

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
const event = (i: number): string => `0,10,6,0,,${i},${GUID},1`;

await t.test('bad lines are counted by kind, never forwarded, never fatal', async (t) => {
  const upper = await FakeUpper.start({});
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  t.teardown(() => Promise.all([upper.close(), lower.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port }],
    policy: `schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - { name: a, effect: permit, to: [public], match: { class: 10 } }
`,
  });
  await lower.untilLoop();
  const bad = [
    '',
    'HTTP/1.1 400 Bad Request',
    '\x1b[31mred',
    '0,10,6',
    '0,10,6,0,,0,-',
    `0,10,6,0,2026-02-30T00:00:00Z,0,${GUID}`,
    `0,10,6,0,,18446744073709551616,${GUID}`,
    `0,10,6,0,,0,${GUID},256`,
    `0,99999,6,0,,0,${GUID}`,
    '1'.repeat(4097),
    '2'.repeat(300_000),
    '-OK - not an answer any more',
  ];
  lower.send(Buffer.from(`${event(1)}\r\n${bad.join('\r\n')}\r\n${event(2)}\n${event(3)}\r\n`));
  // A line without its ending when the connection breaks would be a shorter, valid event.
  lower.send(Buffer.from(event(4)));
  await relay.until(() => upper.accepted.length === 3, 'the good ones arrive');
  lower.dropAll('fin');
  await lower.untilLoop(2);
  lower.send(Buffer.from(`${event(5)}\r\n`));
  await relay.until(() => upper.accepted.length === 4, 'the link is back');
  await relay.until(() => relay.gate()?.sources['plant']?.in === 5 + bad.length, 'all are counted');
  const plant = relay.gate()!.sources['plant']!;
  t.same(plant.malformed, {
    empty: 1,
    head: 3,
    truncated: 1,
    guid: 1,
    datetime: 1,
    timestamp: 1,
    data: 1,
    class: 1,
    'too-long': 2,
  });
  t.same(plant.lost, { interrupted: 1 });
  t.equal(plant.permitted, 4);
  t.equal(plant.in, plant.permitted + plant.denied + sum(plant.malformed) + sum(plant.lost));
  t.same(
    upper.accepted.map((line) => line.split(',')[5]),
    ['1', '2', '3', '5'],
  );
  await relay.stop();
});
