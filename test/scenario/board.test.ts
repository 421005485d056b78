import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { startBoard } from './board.js';
import { startRelay } from './relay.js';

interface Sensors {
  readonly sensors: readonly { id: string; name: string; value: number; time: string }[];
}
interface Status {
  readonly relay: { state: string; missing: number; name: string };
  readonly counters: Readonly<Record<string, number>>;
}
interface Page {
  readonly events: readonly { id: number; event: string }[];
  readonly next: number;
}

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
const SENSOR = '10.6.FFFFFFFFFFFFFFFEB827EB100102000A.2';

/** Readings of degrees Celsius, a second apart; the last `count` seconds. */
function readings(count: number): string {
  const now = Date.now();
  return Array.from({ length: count }, (_, i) => {
    const time = new Date(now - (count - i) * 1000).toISOString().slice(0, 19);
    return `96,10,6,3,${time}Z,0,${GUID},0x8A,0x81,0x00,${i % 128}`;
  }).join('\r\n');
}

await t.test('what a plant says is on the page, and outlives the board', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  t.teardown(() => lower.close());
  const board = await startBoard(t);
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'board', port: board.linkPort, window: 50 }],
    beacon: '1s',
  });
  await lower.untilLoop();
  lower.send(`${readings(300)}\r\n0,1,2,3,,0,${GUID},0,3,4`);
  const counted = async (): Promise<Status> => board.json<Status>('/api/v1/status');
  let status = await counted();
  await board.until(async () => {
    status = await counted();
    return status.counters['readings'] === 300 && status.counters['beacons']! > 1;
  }, 'all have come, and a beacon');
  t.match(status.relay, { state: 'live', missing: 0 });
  const { sensors } = await board.json<Sensors>('/api/v1/sensors');
  t.match(sensors, [{ id: SENSOR, name: 'Temperature, sensor 2', value: 4.3 }]);
  const html = await (await fetch(`${board.address}/`)).text();
  t.match(html, 'Temperature, sensor 2');
  const kept = async (): Promise<Page> => board.json<Page>('/api/v1/events?since=0&limit=1000');
  await board.until(async () => (await kept()).events.length === 301, 'they are kept');
  const alarms = join(board.directory, 'state', 'alarms.json');
  await board.until(() => Promise.resolve(existsSync(alarms)), 'so is the alarm');

  // Killed while more come: the relay holds them, and goes on where it was answered last.
  lower.send(readings(20));
  await board.kill();
  const again = await startBoard(t, {
    directory: board.directory,
    linkPort: board.linkPort,
    auditKey: join(relay.directory, 'state', 'audit', 'key.pub'),
  });
  const known = await again.json<Sensors>('/api/v1/sensors');
  t.equal(known.sensors[0]?.id, SENSOR, 'it shows what it knew');
  t.match(await again.json('/api/v1/alarms'), {
    alarms: [{ name: 'Alarm', place: /^Zone 3, node / }],
  });
  lower.send(`96,10,6,3,${new Date().toISOString().slice(0, 19)}Z,7,${GUID},0x8A,0x81,0x03,0xE7`);
  await again.until(async () => {
    const { sensors: now } = await again.json<Sensors>('/api/v1/sensors');
    return now[0]?.value === 99.9;
  }, 'it goes on');
  await again.until(async () => {
    const { counters } = await again.json<Status>('/api/v1/status');
    return counters['beacons']! > 1;
  }, "beacons come, signed by the relay's key");
  const { relay: link, counters } = await again.json<Status>('/api/v1/status');
  t.equal(link.state, 'live');
  t.equal(counters['unverified'], 0);
  const keptAgain = async (): Promise<Page> =>
    again.json<Page>('/api/v1/events?since=0&limit=1000');
  await again.until(async () => (await keptAgain()).events.length >= 302, 'it is kept');
  const page = await keptAgain();
  t.same(
    page.events.map(({ id }) => id),
    Array.from({ length: page.events.length }, (_, i) => page.events[0]!.id + i),
    'the numbers go on',
  );
  await lower.close();
  t.equal(await relay.stop(), 0);
  await again.until(
    async () => (await again.json<Status>('/api/v1/status')).relay.state === 'away',
    'it says that the relay is away',
  );
  t.equal(await again.stop(), 0);
});
