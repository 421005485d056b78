/** A million events under an upper server that tries everything: what goes down does not change. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { buildLogin } from '../../src/link/login.js';
import { sum } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { HostileUpper, type Turn } from './hostile-upper.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

const MILLION = 1_000_000;
/** Lines of a block, by what becomes of them. */
const PERMITTED = 600;
const DENIED = 300;
const HEADLESS = 97;
const BLOCK = PERMITTED + DENIED + HEADLESS + 3;
const BLOCKS = MILLION / BLOCK;
/** Blocks between two outages of the lower server. */
const OUTAGE = 100;
/** Lines on their way to the gate: fewer than a valve's queue of 8 MiB holds. */
const UNDER_WAY = 40_000;
const WINDOW = 500;
const POLICY = `schema: tidegate-policy/v1
policy: { id: some, revision: 1 }
rules:
  - { name: some, effect: permit, to: [public], match: { class: 10 } }
`;
const TURNS: readonly Turn[] = [
  { kind: 'fin', after: 300_000 },
  { kind: 'refuse', alert: [2, 40] },
  { kind: 'garbage' },
  { kind: 'reset', after: 100_000 },
  { kind: 'slam' },
  { kind: 'alert', after: 200_000 },
  { kind: 'answers' },
  { kind: 'refuse', alert: [1, 0] },
  { kind: 'noise' },
  { kind: 'stall', after: 50_000 },
  { kind: 'alert', after: 0 },
];

const OTHERS = [
  ...Array.from({ length: DENIED }, (_, i) => `96,20,${i % 256},3,2026-11-22T08:00:00Z,${i},-,1`),
  ...Array.from({ length: HEADLESS }, (_, i) => `x${i},10,6,3,,1,-,1`),
  '', // empty
  '+OK', // a sign of life: no line of the sums
  '4294967296,10,6,0,,1,-', // head
  'y'.repeat(5000), // too long
].join('\r\n');

const block = (n: number): Buffer =>
  Buffer.from(`${numberedEvents(n * PERMITTED + 1, (n + 1) * PERMITTED)}\r\n${OTHERS}\r\n`);

await t.test('a million events, an upper that is hostile in turns', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await HostileUpper.start(TURNS);
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: WINDOW }],
    policy: POLICY,
    retain: '{ size: 256MiB, age: 1d }',
  });
  const plant = () => relay.gate()?.sources['plant'];
  let outages = 0;
  await lower.untilLoop();
  for (let n = 0; n < BLOCKS; n++) {
    lower.send(block(n));
    const sent = (n + 1) * BLOCK;
    while (sent - (plant()?.in ?? 0) > UNDER_WAY) await sleep(10);
    if (n % 10 === 0) await sleep(1);
    if ((n + 1) % OUTAGE !== 0) continue;
    await relay.until(() => plant()?.in === sent, `${sent} lines have come`);
    lower.dropAll(outages++ % 2 === 0 ? 'fin' : 'reset');
    await lower.untilLoop(outages + 1);
  }
  const taken = (): number[] => TURNS.map(({ kind }) => upper.taken.get(kind) ?? 0);
  await relay.until(() => taken().every((times) => times > 0), 'every trouble had its turn');
  const { in: read, permitted, denied, malformed, lost } = plant()!;
  t.strictSame(
    [read, permitted, denied, sum(malformed), lost],
    [MILLION, BLOCKS * PERMITTED, BLOCKS * DENIED, BLOCKS * (BLOCK - PERMITTED - DENIED), {}],
    'in = permitted + denied + malformed + lost, and nothing is lost',
  );
  t.equal(malformed['empty'], BLOCKS);
  t.equal(malformed['too-long'], BLOCKS);

  upper.calm = true;
  upper.dropAll();
  const journalled = (): number => relay.gate()!.channels[0]!.journalled;
  t.equal(journalled(), permitted);
  await relay.until(() => {
    const status = relay.upper('portal');
    return status !== undefined && status.answered + status.refused === journalled();
  }, 'the mended upper has the rest');
  const { answered, refused, expired } = relay.upper('portal')!;
  t.strictSame([answered, refused, expired], [permitted, 0, 0], 'journalled = answered');
  const numbers = new Set(upper.sends.map(numberOf));
  const missing = permitted - numbers.size;
  // A server that answers before it is asked gets what it answered counted as taken.
  const most = WINDOW * upper.taken.get('answers')!;
  t.ok(missing >= 0 && missing <= most, `${missing} events are missing, at most ${most}`);
  t.ok(!numbers.has(NaN) && Math.max(...[...numbers].slice(-1000)) <= permitted);

  const script = buildLogin({
    user: 'admin',
    password: 'secret',
    filter: undefined,
    mask: undefined,
  });
  t.equal(lower.connections.length, outages + 1, 'below nothing is noticed');
  for (const { received } of lower.connections) {
    t.equal(received.toString('latin1'), script.bytes.toString(), 'the login, and nothing else');
  }
  const link = relay.supervisor()!.lowers[0]!;
  t.equal(link.script, (outages + 1) * script.bytes.length);
  t.equal(await relay.stop(), 0);
});
