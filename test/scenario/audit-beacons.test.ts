/** Beacons go up: who receives them knows what is missing, how silent a source is, and what the log was. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Beacon, BEACON_CLASS, BEACON_TYPE, decodeBeacon } from '../../src/beacon/beacon.js';
import { BeaconWatch } from '../../src/beacon/watch.js';
import { formatCheckpoint } from '../../src/audit/checkpoint.js';
import { parseVerifier, verifySignatures } from '../../src/note/note.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { keyIn, leavesOf, verify, verifyWell } from './auditor.js';
import { mixedEvents, startRelay } from './relay.js';

const beaconIn = (send: string) => {
  const [, vscpClass, type, , , , , ...data] = send.split(',');
  if (Number(vscpClass) !== BEACON_CLASS || Number(type) !== BEACON_TYPE) return undefined;
  return decodeBeacon(Uint8Array.from(data, Number));
};
const isEvent = (send: string): boolean => beaconIn(send) === undefined;

/** What somebody knows who got these. */
function watch(sends: readonly string[]): BeaconWatch {
  const own = new BeaconWatch();
  for (const send of sends) {
    const part = beaconIn(send);
    if (part) own.note(part);
    else own.take();
  }
  return own;
}

await t.test('a relay with a beacon a second', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start();
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
    beacon: '1s',
    audit: '{ relay: hall.example }',
  });
  await relay.untilUp();
  await lower.untilLoop();
  const beacons = (): Beacon[] => upper.accepted.flatMap((send) => beaconIn(send) ?? []);
  const another = async (what: string): Promise<Beacon> => {
    const before = beacons().length;
    await relay.until(() => beacons().length > before, what);
    return beacons().at(-1)!;
  };
  let sent = 0;
  const flow = async (): Promise<void> => {
    lower.send(mixedEvents(sent + 1, 100, 10));
    sent += 100;
    await relay.until(() => upper.accepted.filter(isEvent).length === sent, 'they arrive');
  };

  const first = await another('the first beacon');
  t.match(first, { relay: 'hall.example', sources: [{ number: 0, in: 0, permitted: 0 }] });
  await flow();
  const after = await another('one behind the events');
  t.match(after, { boot: first.boot, sources: [{ in: 100, permitted: 100, denied: 0, lost: 0 }] });

  lower.pauseSignsOfLife();
  const silences: number[] = [];
  while (silences.length < 3) silences.push((await another('silence')).sources[0]!.silence);
  lower.resumeSignsOfLife();
  t.ok(silences[2]! > silences[0]!, `the silence of the source grows: ${silences.join(', ')} s`);

  await relay.replaceGate();
  await relay.until(() => beacons().at(-1)!.boot !== first.boot, 'its beacon');
  const again = watch(upper.accepted).account!;
  t.ok(again.restarted, 'it is seen that the gate has begun anew');
  await flow();
  const last = await another('the last beacon');
  t.match(last.sources, [{ in: 200, permitted: 200 }]);
  t.equal(await relay.stop(), 0);

  const whole = [...upper.accepted];
  while (isEvent(whole.at(-1)!)) whole.pop();
  t.match(watch(whole).account, { expected: 200, received: 200, missing: 0 });
  const events = whole.flatMap((send, i) => (isEvent(send) ? [i] : []));
  for (const cut of [[events[0]!], events.slice(40, 57), [...events.slice(3, 9), events.at(-1)!]]) {
    const rest = whole.filter((_, i) => !cut.includes(i));
    const { missing, expected } = watch(rest).account!;
    t.same([missing, expected], [cut.length, 200], `${cut.length} are withheld`);
  }

  // Evidence: each is what the log has signed.
  const key = parseVerifier(keyIn(relay.state));
  t.ok(beacons().length > 6);
  for (const { size, root, keyId, signature, relay: origin } of beacons()) {
    const text = formatCheckpoint({ origin, size, root });
    const note = { text, signatures: [{ name: origin, id: keyId, bytes: signature }] };
    t.equal(verifySignatures(note, [key]).length, 1, `its signature, of ${size} leaves`);
  }
  const lines = beacons().map(
    ({ size, root }) => `${size} ${Buffer.from(root).toString('base64')}`,
  );
  const seen = join(relay.directory, 'seen');
  writeFileSync(seen, `${lines.join('\n')}\n`);
  await verifyWell(t, relay.state, '--witness', seen);
  const boots = new Set(beacons().map(({ boot }) => boot));
  t.same(
    [...boots],
    leavesOf(relay.state, 'start').map(({ boot }) => boot),
  );
  writeFileSync(seen, `${lines.join('\n')}\n${last.size} ${lines[0]!.split(' ')[1]!}\n`);
  t.equal((await verify(relay.state, '--witness', seen)).ok, false, 'another root is found');
});
