/**
 * Links whose packets are dropped without a word, at each moment of a connection's life, for a short
 * and for a long time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { checkArrivals, checkSums, Feed, lastOf, pretendServer, untilSettled } from './links.js';
import { Cable, isInside } from './namespace.js';
import { startRelay } from './relay.js';

const WINDOW = 16;
/** How long packets are dropped, ms: shorter than it takes to notice, as long, and longer. */
const CUTS = [3000, 13_000];
/** Between two links' returns, ms: starting processes of many at once would be measured. */
const APART = 400;
const LOWERS = ['connecting', 'login', 'stream', 'idle'] as const;
const UPPERS = ['connecting', 'handshake', 'login', 'sending', 'idle'] as const;

async function tell(t: Test): Promise<void> {
  const cable = new Cable();
  const steady = {
    lower: await FakeLower.start({ kind: 'vscpd-15' }),
    upper: await FakeUpper.start(),
  };
  const lowers = await Promise.all(
    LOWERS.map(async (moment) => {
      const server = await FakeLower.start({ kind: 'vscpd-15' });
      return { name: `lower-${moment}`, moment, server, port: server.port };
    }),
  );
  const uppers = await Promise.all(
    UPPERS.map(async (moment) => {
      const server = await FakeUpper.start();
      return { name: `upper-${moment}`, moment, server, port: server.port, all: [server] };
    }),
  );
  t.teardown(() => {
    const servers = [...lowers, ...uppers].map(({ server }) => server);
    return Promise.all([steady.lower, steady.upper, ...servers].map((server) => server.close()));
  });
  const relay = await startRelay(t, {
    lowers: [
      { name: 'steady', port: steady.lower.port },
      ...lowers.map(({ name, port }) => ({ name, port })),
    ],
    uppers: [
      { name: 'calm', port: steady.upper.port },
      ...uppers.map(({ name, port }) => ({ name, port })),
    ],
    window: WINDOW,
  });
  const main = new Feed(t, steady.lower, 1);
  const feeds = lowers.map(({ server }, i) => new Feed(t, server, (i + 1) * 1_000_000 + 1));
  const all = {
    steady: main,
    ...Object.fromEntries(lowers.map(({ name }, i) => [name, feeds[i]!])),
  };
  const arrived = (upper: FakeUpper): boolean =>
    Object.values(all).every((feed) => lastOf(upper, feed) === feed.last);
  const names = ['calm', ...uppers.map(({ name }) => name)];
  const resume = (): void => Object.values(all).forEach((feed) => feed.resume());
  const pause = async (): Promise<void> => {
    for (const feed of Object.values(all)) feed.pause();
    await relay.until(() => arrived(steady.upper), 'all arrives');
    for (const { server, name } of uppers) await relay.until(() => arrived(server), `at ${name}`);
  };

  /** Told once more at the end, in one piece. */
  const table: string[] = [];
  const note = (name: string, cutAt: number, mendedAt: number): void => {
    const now = performance.now();
    const [down, back, whole] = [mendedAt - cutAt, now - mendedAt, now - cutAt].map(Math.round);
    const within = back! <= 2000 || whole! <= 12_000 ? '' : ': LATE';
    table.push(
      `${name.padEnd(18)} cut ${down!}, back after ${back!}, ${whole!} of the cut${within}`,
    );
  };

  const breakLower = async (i: number, lasting: number): Promise<void> => {
    const { name, moment, server, port } = lowers[i]!;
    const feed = feeds[i]!;
    const connected = server.connections.length;
    if (moment === 'idle') feed.pause();
    const gap = { after: lastOf(steady.upper, feed), upto: feed.last };
    feed.gaps.push(gap);
    if (moment === 'connecting' || moment === 'login') {
      if (moment === 'login') server.trouble = 'no-answer-to-pass';
      server.dropAll('fin');
      await relay.until(() => server.connections.at(-1)!.closed || moment === 'login', 'closed');
    }
    if (moment === 'login') {
      await relay.until(
        () =>
          server.connections.length > connected &&
          server.connections.at(-1)!.received.includes('PASS'),
        `${name} waits for an answer`,
      );
    }
    cable.cut(port);
    const cutAt = performance.now();
    server.trouble = undefined;
    await sleep(lasting + i * APART);
    cable.mend(port);
    const mendedAt = performance.now();
    const last = feed.last;
    feed.resume();
    await relay.until(() => lastOf(steady.upper, feed) > last, `${name}: events flow`);
    gap.upto = feed.last;
    note(name, cutAt, mendedAt);
  };

  const breakUpper = async (i: number, lasting: number): Promise<void> => {
    const link = uppers[i]!;
    const { name, moment, port } = link;
    let close: (() => Promise<void>) | undefined;
    const connected = link.server.connections.length;
    const connections = (): number =>
      relay.supervisor()!.uppers.find((one) => one.name === name)!.connections;
    const before = connections();
    if (moment === 'handshake') {
      await link.server.close();
      close = await pretendServer(port);
      await relay.until(() => connections() > before, `${name} is connected`);
    } else if (moment === 'login') {
      link.server.trouble = 'silent';
      link.server.dropAll('fin');
      await relay.until(() => link.server.connections.length > connected, `${name} waits`);
    } else if (moment === 'connecting') {
      link.server.dropAll('fin');
      await relay.until(() => link.server.open === 0, 'closed');
    }
    cable.cut(port);
    const cutAt = performance.now();
    link.server.trouble = undefined;
    if (close) {
      await close();
      link.server = await FakeUpper.start({ port });
      link.all.push(link.server);
    }
    await sleep(lasting + (LOWERS.length + i) * APART);
    const taken = link.server.sends.length;
    cable.mend(port);
    const mendedAt = performance.now();
    await relay.until(() => link.server.sends.length > taken, `${name}: events flow`);
    note(name, cutAt, mendedAt);
  };

  for (const lasting of CUTS) {
    resume();
    await relay.until(() => lastOf(steady.upper, main) > 0, 'events flow');
    await relay.until(() => feeds.every((feed) => lastOf(steady.upper, feed) > 0), 'from all');
    await relay.untilUp();
    // What is idle is cut while nothing is outstanding; then the others, in mid-stream.
    await pause();
    const dropped = cable.dropped;
    const idle = [
      breakLower(LOWERS.indexOf('idle'), lasting),
      breakUpper(UPPERS.indexOf('idle'), lasting),
    ];
    for (const [i, feed] of [main, ...feeds].entries()) {
      if (LOWERS[i - 1] !== 'idle') feed.resume();
    }
    await sleep(500);
    await Promise.all([
      ...idle,
      ...LOWERS.flatMap((moment, i) => (moment === 'idle' ? [] : [breakLower(i, lasting)])),
      ...UPPERS.flatMap((moment, i) => (moment === 'idle' ? [] : [breakUpper(i, lasting)])),
    ]);
    t.ok(cable.dropped > dropped, `${cable.dropped - dropped} packets were dropped`);
  }
  t.comment('ms until events flowed: from the return, and from the beginning of the cut');
  for (const line of table) t.comment(`  ${line}`);

  await pause();
  await untilSettled(relay, () => arrived(steady.upper), names);
  const counts: Record<string, number> = {};
  for (const [name, feed] of Object.entries(all)) {
    counts[name] = checkArrivals(t, steady.upper.sends, feed, `${name} at the steady upper`);
    for (const upper of uppers) {
      const sends = upper.all.flatMap((server) => server.sends);
      const count = checkArrivals(t, sends, feed, `${name} at ${upper.name}`);
      t.equal(count, counts[name], 'as many as at the steady one');
    }
  }
  t.strictSame(main.gaps, [], 'nothing of the steady lower may be missing');
  await checkSums(t, relay, counts, names);
  for (const { name, all: servers } of uppers) {
    const sends = servers.reduce((sum, server) => sum + server.sends.length, 0);
    const again = sends - steady.upper.sends.length;
    t.ok(again <= relay.upper(name)!.resent, `${name}: ${again} came twice, named as resent`);
  }
  t.equal(steady.upper.connections.length, 1, 'the steady upper notices nothing');
  t.equal(steady.lower.connections.length, 1, 'nor does the steady lower');
  t.equal(await relay.stop(), 0);
}

if (await isInside(t, import.meta.url, [['nft', '--version']])) {
  await t.test('packets are dropped at every moment of a connection', tell);
}
