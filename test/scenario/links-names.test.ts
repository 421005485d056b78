/** Servers known by name: the name moves, has several addresses, cannot be resolved for a while. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FakeLower } from '../fake/lower.js';
import { type Answer, FakeNames } from '../fake/names.js';
import { FakeUpper } from '../fake/upper.js';
import { checkArrivals, checkSums, Feed, lastOf, Times, untilSettled } from './links.js';
import { Cable, isInside } from './namespace.js';
import { startRelay } from './relay.js';

const WINDOW = 8;
const NAME = 'servers.example';
/** Loopback has more addresses than one: servers move between them. */
const PLACES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;
/** Nobody listens at the one; packets to the other are dropped. */
const [EMPTY, DEAF] = ['127.0.0.9', '127.0.0.66'] as const;
const NAME_SERVER = '127.0.0.53';

/** The machine's name resolution, of this mount namespace alone, replaced as editors do it. */
class Etc {
  readonly #directory: string;

  constructor(t: Test) {
    this.#directory = mkdtempSync(join(tmpdir(), 'tidegate-etc-'));
    t.teardown(() => rmSync(this.#directory, { recursive: true }));
    // What a dynamic loader wants to find.
    const cache = '/etc/ld.so.cache';
    if (existsSync(cache)) copyFileSync(cache, join(this.#directory, 'ld.so.cache'));
    this.write('nsswitch.conf', 'hosts: files dns\n');
    this.write('resolv.conf', '');
    this.write('hosts', '');
    const { status } = spawnSync('mount', ['--bind', this.#directory, '/etc']);
    if (status !== 0) throw new Error('cannot mount on /etc');
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.#directory, 'next'), text, { mode: 0o644 });
    renameSync(join(this.#directory, 'next'), join(this.#directory, name));
  }
}

async function tell(t: Test): Promise<void> {
  const etc = new Etc(t);
  const cable = new Cable();
  cable.deafen(DEAF);
  const names = await FakeNames.start(NAME_SERVER);
  t.teardown(() => names.close());
  etc.write('hosts', `${PLACES[0]} ${NAME}\n`);

  const servers = {
    lower: await FakeLower.start({ kind: 'vscpd-15' }),
    upper: await FakeUpper.start(),
  };
  const uppers = [servers.upper];
  t.teardown(() => Promise.all([servers.lower.close(), servers.upper.close()]));
  const ports = { lower: servers.lower.port, upper: servers.upper.port };
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', host: NAME, port: ports.lower }],
    uppers: [{ name: 'public', host: NAME, port: ports.upper, window: WINDOW }],
  });
  const feed = new Feed(t, servers.lower, 1);
  feed.resume();
  const times = new Times();
  await relay.until(() => lastOf(servers.upper, feed) > 0, 'events flow');

  /** Both servers leave; after a while they are at another place, and then the name is. */
  const move = async (what: string, place: string, meanwhile: () => Promise<void>) => {
    const gap = { after: lastOf(servers.upper, feed), upto: feed.last };
    feed.gaps.push(gap);
    await Promise.all([servers.lower.close(), servers.upper.close()]);
    gap.upto = feed.last;
    servers.lower = await FakeLower.start({ kind: 'vscpd-15', host: place, port: ports.lower });
    servers.upper = await FakeUpper.start({ host: place, port: ports.upper });
    uppers.push(servers.upper);
    feed.lower = servers.lower;
    await meanwhile();
    const returned = performance.now();
    await relay.until(() => lastOf(servers.upper, feed) > gap.upto, `${what}: events flow`);
    times.add(what, performance.now() - returned);
  };
  const logged = (words: string): Promise<void> => {
    const from = relay.log.length;
    return relay.until(
      () => relay.log.slice(from).some(({ msg }) => msg.includes(words)),
      `the log says: ${words}`,
    );
  };
  const hosts = (...addresses: string[]): void =>
    etc.write('hosts', addresses.map((address) => `${address} ${NAME}\n`).join(''));

  await move('hosts, another address', PLACES[1], async () => {
    await sleep(700);
    hosts(PLACES[1]);
  });
  await move('hosts, from one that drops', PLACES[2], async () => {
    hosts(DEAF);
    await logged('no connection in time');
    hosts(PLACES[2]);
  });
  await move('hosts, not there', PLACES[0], async () => {
    hosts();
    await logged(`cannot resolve ${NAME}: E`);
    hosts(PLACES[0]);
  });
  await move('a name server instead', PLACES[1], async () => {
    names.answer = [PLACES[1]];
    hosts();
    etc.write('resolv.conf', `nameserver ${NAME_SERVER}\n`);
    await Promise.resolve();
  });
  const failing = (answer: Answer, words: string, place: string) => async (): Promise<void> => {
    names.answer = answer;
    await logged(words);
    // Longer than glibc asks for: the next lookups have come.
    await sleep(3500);
    names.answer = [place];
  };
  await move(
    'name server, hangs',
    PLACES[2],
    failing('nothing', 'no answer of a name server in time', PLACES[2]),
  );
  await move(
    'name server, no such name',
    PLACES[0],
    failing('nxdomain', `cannot resolve ${NAME}: ENOTFOUND`, PLACES[0]),
  );
  await move(
    'name server, fails',
    PLACES[1],
    failing('servfail', `cannot resolve ${NAME}: EAI_AGAIN`, PLACES[1]),
  );
  await move('several addresses', PLACES[2], async () => {
    names.answer = ['2001:db8::1', '::1', EMPTY, DEAF, PLACES[2]];
    await Promise.resolve();
  });
  await move('IPv6', '::1', async () => {
    names.answer = [DEAF, '::1'];
    await Promise.resolve();
  });
  times.comment(t, 'names');

  feed.pause();
  await untilSettled(relay, () => lastOf(servers.upper, feed) === feed.last, ['public']);
  const sends = uppers.flatMap((upper) => upper.sends);
  const arrived = checkArrivals(t, sends, feed, 'the plant');
  await checkSums(t, relay, { plant: arrived }, ['public']);
  const again = sends.length - arrived;
  t.ok(again <= relay.upper('public')!.resent, `${again} came twice, and are named as resent`);
  t.equal(await relay.stop(), 0);
}

if (await isInside(t, import.meta.url, [['nft', '--version']])) {
  await t.test('servers known by name are found again, wherever they are', tell);
}
