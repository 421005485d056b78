/** One lower or one upper server in trouble: what is measured of the others stays as it was. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { sum } from '../../src/wire/status.js';
import { FakeLower, type Trouble } from '../fake/lower.js';
import { FakeUpper, type UpperTrouble } from '../fake/upper.js';
import { checkArrivals, checkSums, Feed, lastOf, untilSettled } from './links.js';
import { numberOf, startRelay } from './relay.js';

/** Events of each measurement, and how many each 10 ms. */
const COUNT = 1000;
const BATCH = 10;

/** What the lower in trouble sends is permitted, decided and journalled, and nobody's at the top. */
const POLICY = `schema: tidegate-policy/v1
policy: { id: apart, revision: 1 }
rules:
  - { name: good, effect: permit, to: [shared], match: { source: good } }
  - { name: bad, effect: permit, to: [public], match: { source: bad } }
`;

/** Logs anybody in and sends events as fast as they are taken: a process, so as not to be the test's. */
const FLOOD = `
import { createServer } from 'node:net';
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
const chunk = Buffer.from(\`0,10,6,0,2026-11-22T08:00:00Z,1,\${GUID},0x8A,1\\r\\n\`.repeat(800));
createServer({ noDelay: true }, (socket) => {
  const pour = () => { while (socket.write(chunk)); };
  socket.on('error', () => socket.destroy());
  socket.write('+OK - hello\\r\\n');
  socket.on('data', (text) => {
    socket.write('+OK\\r\\n');
    if (String(text).endsWith('RCVLOOP\\r\\n')) socket.on('drain', pour), pour();
  });
}).listen(Number(process.argv[1]), '127.0.0.1');
`;

const UPPER_TROUBLES: readonly (UpperTrouble & string)[] = ['deaf', 'mute', 'answers', 'garbage'];
const LOWER_TROUBLES: readonly (Trouble & string)[] = ['silent', 'garbage', 'refuse-login'];

async function tell(t: Test): Promise<void> {
  const arrivals = new Map<number, number>();
  const good = {
    lower: await FakeLower.start({ kind: 'vscpd-15' }),
    upper: await FakeUpper.start({
      refuse: (send) => {
        arrivals.set(numberOf(send), performance.now());
        return 0;
      },
    }),
  };
  const bad = {
    lower: await FakeLower.start({ kind: 'vscpd-14' }),
    upper: await FakeUpper.start(),
  };
  t.teardown(() =>
    Promise.all([good.lower, good.upper, bad.lower, bad.upper].map((server) => server.close())),
  );
  const relay = await startRelay(t, {
    lowers: [
      { name: 'good', port: good.lower.port },
      { name: 'bad', port: bad.lower.port },
    ],
    uppers: [
      { name: 'good', channel: 'shared', port: good.upper.port, window: 50 },
      { name: 'bad', channel: 'shared', port: bad.upper.port, window: 100_000 },
    ],
    policy: POLICY,
  });
  await relay.untilUp();
  await good.lower.untilLoop();
  const feed = new Feed(t, good.lower, 1, BATCH);

  const table: string[] = [];
  const measure = async (name: string): Promise<void> => {
    const left = new Map<number, number>();
    const begun = performance.now();
    const last = feed.last + COUNT;
    while (feed.last < last) {
      for (let n = 1; n <= BATCH; n++) left.set(feed.last + n, performance.now());
      feed.send(BATCH);
      // On the beat, whatever the machine does.
      await sleep(
        Math.max(0, begun + (10 * (COUNT - last + feed.last)) / BATCH - performance.now()),
      );
    }
    await relay.until(() => lastOf(good.upper, feed) === last, `${name}: all arrives`);
    const rate = (COUNT * 1000) / (arrivals.get(last)! - begun);
    const delays = [...left].map(([n, at]) => arrivals.get(n)! - at).sort((a, b) => a - b);
    const at = (part: number): string =>
      delays[Math.floor(part * (COUNT - 1))]!.toFixed(1).padStart(6);
    table.push(
      `${name.padEnd(24)} ${rate.toFixed(0).padStart(5)}/s, median ${at(0.5)}, 99% ${at(0.99)}, most ${at(1)}`,
    );
  };

  // Programs that have just been started are slow.
  await measure('the beginning');
  await measure('no trouble');
  const upperStatus = () => relay.supervisor()!.uppers.find(({ name }) => name === 'bad')!;
  const honest = relay.upper('bad')!.answered;
  for (const trouble of UPPER_TROUBLES) {
    const { connections } = upperStatus();
    bad.upper.trouble = trouble;
    bad.upper.dropAll('reset');
    await relay.until(() => upperStatus().connections > connections, `the upper is ${trouble}`);
    await measure(`an upper: ${trouble}`);
  }
  const lies = relay.upper('bad')!.answered - honest;
  bad.upper.trouble = undefined;
  bad.upper.dropAll('reset');
  for (const trouble of LOWER_TROUBLES) {
    bad.lower.trouble = trouble;
    bad.lower.dropAll('reset');
    const connections = bad.lower.connections.length;
    await relay.until(() => bad.lower.connections.length > connections, `the lower: ${trouble}`);
    await measure(`a lower: ${trouble}`);
  }
  const { port } = bad.lower;
  await bad.lower.close();
  await measure('a lower: closed port');
  const flood: ChildProcess = spawn(
    process.execPath,
    ['--input-type=module', '-e', FLOOD, String(port)],
    { stdio: 'inherit' },
  );
  t.teardown(() => flood.kill('SIGKILL'));
  const source = () => relay.gate()!.sources['bad']!;
  await relay.until(() => source().in > 100_000, 'the lower floods');
  const [before, from] = [source().in, performance.now()];
  await measure('a lower: flood');
  const flooded = ((source().in - before) * 1000) / (performance.now() - from);
  flood.kill('SIGKILL');
  await measure('no trouble');
  t.comment(
    `${COUNT} events at ${BATCH * 100}/s from the good lower to the good upper: ms of each`,
  );
  for (const line of table) t.comment(`  ${line}`);
  const { permitted, lost } = source();
  t.comment(`  the flood: ${Math.round(flooded)}/s; ${permitted} permitted, ${sum(lost)} lost`);

  const arrived = (): boolean =>
    lastOf(good.upper, feed) === feed.last && lastOf(bad.upper, feed) === feed.last;
  // Both uppers share a channel; its name is that of neither.
  await untilSettled(relay, arrived, []);
  const count = checkArrivals(t, good.upper.sends, feed, 'the good upper');
  t.equal(count, feed.last, 'has everything');
  t.equal(good.upper.sends.length, count, 'once');
  // What it answered before it had read it, it may never have read.
  const bads = new Set(bad.upper.sends.map(numberOf));
  t.ok(bads.size >= count - lies, `in the end so has it, but for ${count - bads.size}`);
  const sorted = [...bads];
  t.ok(
    sorted.every((n, i) => i === 0 || n > sorted[i - 1]!),
    'in order',
  );
  await relay.until(() => relay.gate()!.sources['good']!.in === feed.last, 'the status says so');
  await relay.until(
    () => ['good', 'bad'].every((name) => relay.upper(name)!.answered === count),
    'all is answered',
  );
  await checkSums(t, relay, { good: count }, []);
  const one = source();
  const whole = one.permitted + one.denied + sum(one.malformed) + sum(one.lost);
  t.equal(one.in, whole, 'bad: in = permitted + denied + malformed + lost');
  t.equal(good.lower.connections.length, 1, 'the good lower notices nothing');
  t.equal(good.upper.connections.length, 1, 'nor does the good upper');
  t.equal(await relay.stop(), 0);
}

await t.test('trouble of one link is not that of the others', tell);
