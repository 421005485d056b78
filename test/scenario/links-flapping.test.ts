/**
 * A lower and an upper server come and go, in every way that a socket knows: twice in each way, or so
 * often as TIDEGATE_OUTAGES says.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import {
  checkArrivals,
  checkSums,
  Feed,
  lastOf,
  pretendServer,
  Times,
  untilSettled,
} from './links.js';
import { startRelay } from './relay.js';

/** Of each of the two servers. */
const OUTAGES = Number(process.env['TIDEGATE_OUTAGES'] ?? 12);
const WINDOW = 16;
const WAYS = ['fin', 'reset', 'closed port', 'refused login', 'hang', 'garbage'] as const;
const NOISE = 'HTTP/1.1 400 Bad Request\r\n\x00\x1b[2J\xff'.repeat(20);

/** The flapping lower's events go to the steady upper, and the other way round. */
const POLICY = `schema: tidegate-policy/v1
policy: { id: apart, revision: 1 }
rules:
  - { name: below, effect: permit, to: [calm], match: { source: flapping } }
  - { name: above, effect: permit, to: [fickle], match: { source: steady } }
`;

/** How long an outage lasts, ms: shorter and longer than a try, the same in every run. */
const lasts = (n: number): number => 20 + ((n * 137) % 400) + (n % 10 === 4 ? 1600 : 0);

await t.test(`a lower and an upper server come and go ${OUTAGES} times`, async (t) => {
  const servers = {
    flapping: await FakeLower.start({ kind: 'vscpd-15' }),
    steady: await FakeLower.start({ kind: 'vscpd-14' }),
    calm: await FakeUpper.start(),
    fickle: await FakeUpper.start(),
  };
  t.teardown(() => Promise.all(Object.values(servers).map((server) => server.close())));
  const relay = await startRelay(t, {
    lowers: [
      { name: 'flapping', port: servers.flapping.port },
      { name: 'steady', port: servers.steady.port },
    ],
    uppers: [
      { name: 'calm', channel: 'calm', port: servers.calm.port, window: WINDOW },
      { name: 'fickle', channel: 'fickle', port: servers.fickle.port, window: WINDOW },
    ],
    policy: POLICY,
  });
  const below = new Feed(t, servers.flapping, 1);
  const above = new Feed(t, servers.steady, 10_000_001);
  const times = new Times();
  below.resume();
  above.resume();
  await relay.until(() => lastOf(servers.calm, below) > 0, 'events flow from the one');
  await relay.until(() => lastOf(servers.fickle, above) > 0, 'and to the other');
  const uppers = [servers.fickle];

  const flapLower = async (n: number): Promise<void> => {
    const way = WAYS[n % WAYS.length]!;
    const { port } = servers.flapping;
    const after = lastOf(servers.calm, below);
    const restart = async (): Promise<void> => {
      servers.flapping = await FakeLower.start({ kind: 'vscpd-15', port });
      below.lower = servers.flapping;
    };
    if (way === 'fin' || way === 'reset') {
      servers.flapping.dropAll(way);
    } else if (way === 'refused login') {
      servers.flapping.trouble = 'refuse-login';
      servers.flapping.dropAll('fin');
      await sleep(lasts(n));
      servers.flapping.trouble = undefined;
    } else {
      await servers.flapping.close();
      const close =
        way === 'closed port'
          ? undefined
          : await pretendServer(port, way === 'garbage' ? NOISE : '');
      await sleep(lasts(n));
      await close?.();
      await restart();
    }
    const returned = performance.now();
    const connected = below.lower.connections.length;
    const gap = { after, upto: below.last };
    below.gaps.push(gap);
    await relay.until(
      () => below.lower.connections.length > connected && below.flowing,
      `${n}, ${way}: the relay has logged in below`,
    );
    gap.upto = Math.max(gap.upto, below.last);
    await relay.until(
      () => lastOf(servers.calm, below) > gap.upto,
      `${n}, ${way}: events flow from below`,
    );
    times.add(`lower, ${way}`, performance.now() - returned);
  };

  const flapUpper = async (n: number): Promise<void> => {
    const way = WAYS[n % WAYS.length]!;
    const { port } = servers.fickle;
    const before = servers.fickle;
    let sent = before.sends.length;
    if (way === 'fin' || way === 'reset') {
      before.dropAll(way);
    } else if (way === 'refused login') {
      before.trouble = 'refuse-login';
      before.dropAll('fin');
      await sleep(lasts(n));
      before.trouble = undefined;
      sent = before.sends.length;
    } else {
      await before.close();
      const close =
        way === 'closed port'
          ? undefined
          : await pretendServer(port, way === 'garbage' ? NOISE : '');
      await sleep(lasts(n));
      await close?.();
      servers.fickle = await FakeUpper.start({ port });
      uppers.push(servers.fickle);
      sent = 0;
    }
    const returned = performance.now();
    const { fickle } = servers;
    const connections = fickle.connections.length;
    await relay.until(
      () => fickle.connections.length > connections && fickle.connections.at(-1)!.sends.length > 0,
      `${n}, ${way}: events flow to above`,
    );
    t.ok(fickle.sends.length > sent);
    times.add(`upper, ${way}`, performance.now() - returned);
  };

  const flap = async (once: (n: number) => Promise<void>): Promise<void> => {
    for (let n = 0; n < OUTAGES; n++) await once(n);
  };
  await Promise.all([flap(flapLower), flap(flapUpper)]);
  times.comment(t, 'outages');

  below.pause();
  above.pause();
  const arrived = (): boolean =>
    lastOf(servers.calm, below) === below.last && lastOf(servers.fickle, above) === above.last;
  await untilSettled(relay, arrived, ['calm', 'fickle']);
  const flapped = checkArrivals(t, servers.calm.sends, below, 'from the one that flapped');
  const sends = uppers.flatMap((upper) => upper.sends);
  const steady = checkArrivals(t, sends, above, 'to the one that flapped');
  t.equal(steady, above.last - above.first + 1, 'which misses nothing');
  await checkSums(t, relay, { flapping: flapped, steady }, ['calm', 'fickle']);
  t.equal(servers.calm.sends.length, flapped, 'nothing comes twice where the upper is steady');
  const again = sends.length - steady;
  const { resent } = relay.upper('fickle')!;
  t.ok(again <= resent, `${again} came twice, of ${resent} that were sent again`);
  t.ok(resent <= OUTAGES * WINDOW, 'no more than a window each time');
  t.equal(servers.steady.connections.length, 1, 'the steady lower server notices nothing');
  t.equal(servers.calm.connections.length, 1, 'and neither does the steady upper server');
  t.equal(await relay.stop(), 0);
});
