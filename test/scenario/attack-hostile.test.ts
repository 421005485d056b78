/** Hostile code in place of each process's own: what it reaches from inside its real sandbox. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { buildLogin } from '../../src/link/login.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { canSeal, type HostileRelay, makeInstallation, ROLES, startHostile } from './hostile.js';
import { numberedEvents, numberOf } from './relay.js';

const CODE = 'hostile-code.ts';
const SCRIPT = buildLogin({
  user: 'admin',
  password: 'secret',
  filter: undefined,
  mask: undefined,
}).bytes.toString();
const MEGABYTE = 2 ** 20;

/** What the supervisor says to what is not in its table of messages. */
const SAY = {
  'say-endless': 'a message without an end',
  'say-slow': 'a message without an end',
  'say-wrong': 'unknown message',
  'say-twice': 'a connection out of turn',
  'say-flood': 'a connection out of turn',
} as const;
/** How workers end that were started on something else than a connection with their server. */
const HAND = {
  'hand-nothing': 'failure',
  'hand-kinds': 'failure',
  'hand-dead': 'reset',
  'hand-other': 'failure',
  'hand-many': 'failure',
  'hand-text': 'failure',
  'hand-node': 'failure',
} as const;

/** What the kernel, or Node.js before it, says to what must not be. */
const REFUSED =
  /^(EPERM|EACCES|ENOENT|EROFS|EBADF|ENOTDIR|ENETUNREACH|ENODEV|NOBODY|NO_LISTENER|EINVAL|ESRCH|EAI_AGAIN|EXDEV|EFBIG|ERR_SYSTEM_ERROR|ERR_INVALID_MODULE|MODULE_NOT_FOUND)$|^No such (module|binding)/;
/** Open descriptors of a process: what it was given, beside what Node.js opened itself. */
const GRANTED = {
  lower: ['3 file', '4 file', '82 socket', '83 socket'],
  valve: ['0 socket'],
  gate: ['3 file', '5 file', '72 file', '73 file'],
  dial: ['3 file', '82 socket', '83 socket'],
  upper: [
    ...['0 socket', '3 file', '4 file', '5 file', '6 file', '7 file'],
    ...['73 file', '74 file', '75 file', '76 file', '77 file'],
  ],
} as const;

interface Attempt {
  readonly role: string;
  readonly what: string;
  readonly outcome: string;
}

const attempts = (relay: HostileRelay, from: string): Attempt[] =>
  relay
    .from(from)
    .filter(({ event }) => event === 'attempt')
    .map((line) => line as unknown as Attempt);

const attempted = (relay: HostileRelay, from: string): boolean =>
  relay.from(from).some(({ event }) => event === 'attempted');

const PROBED = ['lower probe', 'valve probe', 'gate', 'dial probe', 'upper probe'] as const;

if (canSeal(t)) {
  await t.test('hostile processes reach nothing, and the other links go on', async (t) => {
    const [plant, probed, socketed] = await Promise.all([
      FakeLower.start({ kind: 'vscpd-15' }),
      FakeLower.start({ kind: 'vscpd-15' }),
      FakeLower.start({ kind: 'vscpd-15' }),
    ]);
    const lowers = [plant, probed, socketed];
    const [portal, target] = await Promise.all([FakeUpper.start(), FakeUpper.start()]);
    t.teardown(() => Promise.all([...lowers, portal, target].map((each) => each.close())));
    const notes = { ports: lowers.map(({ port }) => port), tame: false };
    const installation = makeInstallation(t, CODE, ROLES, notes);
    const relay = await startHostile(t, {
      installation,
      // What a careless start leaves open must not go on to the processes.
      before: ['bash', '-c', 'exec 200</ 201</etc/passwd; exec "$@"', 'bash'],
      lowers: [
        { name: 'plain', port: plant.port },
        { name: 'probe', port: probed.port },
        { name: 'socket', port: socketed.port },
      ],
      uppers: [
        { name: 'plain', port: portal.port },
        { name: 'probe', port: target.port },
      ],
      ready: (directory) => {
        const text = JSON.stringify({ ...notes, directory, pids: [process.pid, process.ppid] });
        writeFileSync(join(installation, 'dist', 'notes.json'), text);
      },
    });
    await Promise.all(lowers.map((lower) => lower.untilLoop()));
    let sent = 0;
    const feed = setInterval(() => {
      plant.send(numberedEvents(sent + 1, sent + 20));
      sent += 20;
    }, 50);
    t.teardown(() => clearInterval(feed));
    for (const from of PROBED) {
      await relay.until(() => attempted(relay, from), `${from} has tried all`);
    }
    await relay.until(() => socketed.connections.length >= 3, 'a valve has broken its connection');
    for (const from of PROBED) {
      const tried = attempts(relay, from);
      t.ok(tried.length > 40, `${from}: ${tried.length} attempts`);
      const wrong = tried.filter(({ outcome }) => !REFUSED.test(outcome));
      t.strictSame(wrong, [], `${from}: none succeeded`);
      const [role] = from.split(' ') as [keyof typeof GRANTED];
      const { open } = relay.from(from).find(({ event }) => event === 'descriptors') as unknown as {
        open: string[];
      };
      const given = open.filter((each) => /file|directory|socket/.test(each));
      t.strictSame(given, GRANTED[role], `${from}: no descriptor but its own`);
    }
    const broken = attempts(relay, 'valve socket');
    t.ok(broken.length >= 10);
    t.strictSame(
      broken.filter(({ outcome }) => outcome !== 'EPERM' && outcome !== 'EISCONN'),
      [],
      'nothing goes out by a socket of Node.js',
    );
    // By now the hostile processes are honest, and what they hold works.
    await relay.until(() => target.accepted.length > 0, 'the hostile upper sends');
    probed.send(numberedEvents(5_000_001, 5_000_100));
    await relay.until(
      () => portal.accepted.filter((line) => numberOf(line) > 5_000_000).length === 100,
      'the hostile link carries events',
    );
    clearInterval(feed);
    await relay.until(() => portal.accepted.length === sent + 100, 'the honest links carry all');
    t.strictSame(
      portal.sends.map(numberOf).filter((n) => n <= 5_000_000),
      Array.from({ length: sent }, (_, i) => i + 1),
      'once each, in order',
    );
    for (const [i, lower] of lowers.entries()) {
      for (const { received } of lower.connections) {
        t.equal(received.toString('latin1'), SCRIPT, `lower server ${i}: its login and no more`);
      }
    }
    t.equal(plant.connections.length, 1);
    t.equal(probed.connections.length, 1);
    t.equal(await relay.stop(), 0);
  });

  await t.test('the supervisor outlives what its processes say and send', async (t) => {
    const [plant, victim] = await Promise.all([
      FakeLower.start({ kind: 'vscpd-15' }),
      FakeLower.start({ kind: 'vscpd-15' }),
    ]);
    const [portal, target] = await Promise.all([FakeUpper.start(), FakeUpper.start()]);
    t.teardown(() => Promise.all([plant, victim, portal, target].map((each) => each.close())));
    // What a worker of an upper would say to it, or a valve that can: nothing.
    const other = { connections: 0, bytes: 0 };
    const server = createServer((socket) => {
      other.connections++;
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => (other.bytes += chunk.length));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const notes = {
      ...{ lower: victim.port, dial: target.port, calm: false },
      other: (server.address() as AddressInfo).port,
    };
    const roles = ['lower', 'dial'] as const;
    const installation = makeInstallation(t, 'hostile-handover.ts', roles, notes);
    const lowers = [...Object.keys(SAY), ...Object.keys(HAND), 'hand-die'];
    const uppers = ['say-endless', 'hand-kinds', 'hand-other'];
    const relay = await startHostile(t, {
      installation,
      lowers: [
        { name: 'plain', port: plant.port },
        ...lowers.map((name) => ({ name, port: victim.port })),
      ],
      uppers: [
        { name: 'plain', port: portal.port },
        ...uppers.map((name) => ({ name, port: target.port })),
      ],
    });
    await plant.untilLoop();
    let sent = 0;
    const feed = setInterval(() => {
      plant.send(numberedEvents(sent + 1, sent + 20));
      sent += 20;
    }, 50);
    t.teardown(() => clearInterval(feed));
    const links = [...lowers.map((name) => `lower ${name}`), ...uppers.map((n) => `upper ${n}`)];
    const refusals = (link: string): string[] => relay.link(link, 'protocol').map(({ msg }) => msg);
    const died = (link: string): number => relay.link(link, 'died').length;
    const ends = (link: string): unknown[] =>
      relay.link(link, 'disconnected').map(({ cause }) => cause);
    const loggedIn = (): number =>
      victim.connections.filter(({ received }) => received.toString('latin1') === SCRIPT).length;
    const most = { descriptors: 0, memory: 0 };
    await relay.until(() => {
      const { descriptors, memory } = relay.usage();
      most.descriptors = Math.max(most.descriptors, descriptors);
      most.memory = Math.max(most.memory, memory);
      return links.every((link) => {
        if (link.includes(' say-')) return died(link) >= 5;
        // A whole connection of a sender that is dead: its valve waits for words in vain.
        return link.endsWith(' hand-die') ? died(link) >= 2 : ends(link).length >= 6;
      });
    }, 'each has tried some times');
    for (const link of links) {
      const [, name] = link.split(' ') as [string, string];
      if (name in SAY) {
        const said = SAY[name as keyof typeof SAY];
        t.strictSame([...new Set(refusals(link))], [`${said}: killed`], link);
      } else {
        t.strictSame(refusals(link), [], `${link}: nothing is wrong with what it says`);
      }
      if (name in HAND) {
        const cause = HAND[name as keyof typeof HAND];
        t.strictSame([...new Set(ends(link))], [cause], `${link}: ${cause}`);
        t.equal(died(link), 0, `${link}: and is not killed for it`);
      }
    }
    const arrived = portal.accepted.length;
    await relay.until(() => portal.accepted.length > arrived + 100, 'events flow');
    plant.dropAll('reset');
    await plant.untilLoop(2);
    const again = portal.accepted.length;
    await relay.until(() => portal.accepted.length > again + 100, 'a lower server is read again');
    t.strictSame(ends('upper plain'), []);

    writeFileSync(
      join(installation, 'dist', 'notes.json'),
      JSON.stringify({ ...notes, calm: true }),
    );
    await relay.until(() => loggedIn() >= lowers.length, 'honest again, all links log in');
    await relay.untilUp(links.map((link) => link.split(' ')[1]!));
    clearInterval(feed);
    const before = target.accepted.length;
    victim.send(numberedEvents(5_000_001, 5_000_010));
    await relay.until(() => target.accepted.length >= before + 10, 'and carry events');
    for (const { received } of victim.connections) {
      t.ok(SCRIPT.startsWith(received.toString('latin1')), 'its login and no more');
    }
    for (const { received } of plant.connections) t.equal(received.toString('latin1'), SCRIPT);
    t.ok(other.connections > 5, `${other.connections} connections with another server`);
    t.equal(other.bytes, 0, 'no worker says a word to it');
    // Of each link the messages and the way out of connections; some of this process's own.
    const { sockets } = relay.usage();
    const expected = 2 * (links.length + 2);
    t.ok(sockets <= expected + 6, `${sockets} sockets, ${expected} of links`);
    t.ok(most.descriptors < 400, `at most ${most.descriptors} descriptors`);
    t.ok(most.memory < 200 * MEGABYTE, `at most ${Math.round(most.memory / MEGABYTE)} MB`);
    t.equal(await relay.stop(), 0);
  });

  await t.test('hostile valves harm no other link', async (t) => {
    const liars = ['frames-lies', 'frames-unknown'];
    const [plant, liar] = await Promise.all([
      FakeLower.start({ kind: 'vscpd-15' }),
      FakeLower.start({ kind: 'vscpd-15' }),
    ]);
    const portal = await FakeUpper.start();
    t.teardown(() => Promise.all([plant, liar, portal].map((each) => each.close())));
    const notes = { ports: [plant.port], directory: '/', pids: [], tame: false };
    const relay = await startHostile(t, {
      installation: makeInstallation(t, CODE, ['valve'], notes),
      lowers: [
        { name: 'plain', port: plant.port },
        ...liars.map((name) => ({ name, port: liar.port })),
      ],
      uppers: [{ name: 'plain', port: portal.port }],
    });
    await plant.untilLoop();
    let sent = 0;
    const feed = setInterval(() => {
      plant.send(numberedEvents(sent + 1, sent + 5));
      sent += 5;
    }, 20);
    t.teardown(() => clearInterval(feed));
    const said = (name: string): number =>
      relay.from(`valve ${name}`).filter(({ event }) => event === 'attempted').length;
    await relay.until(() => liars.every((name) => said(name) >= 2), 'all is said, twice');
    clearInterval(feed);
    const died = relay.log.filter(
      ({ event, from: whose }) => event === 'died' && whose === undefined,
    );
    t.strictSame(died, [], 'the gate has not died');
    if (died.length > 0) return;
    const arrived = (): number[] => portal.sends.map(numberOf).filter((n) => n !== 7_777_777);
    await relay.until(() => arrived().length >= sent, 'the honest link carries all');
    await relay.until(() => relay.gate()?.sources['plain']?.in === sent, 'all is counted');
    const { in: read, permitted, lost, malformed } = relay.gate()!.sources['plain']!;
    t.strictSame([read, permitted, lost, malformed], [sent, sent, {}, {}]);
    t.strictSame(
      arrived(),
      Array.from({ length: sent }, (_, i) => i + 1),
      'once each, in order',
    );
    t.equal(relay.gate()!.forwarding, true);
    t.equal(await relay.stop(), 0);
  });

  await t.test('the same attempts succeed where there are no sandboxes', async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    const upper = await FakeUpper.start();
    t.teardown(() => Promise.all([lower.close(), upper.close()]));
    const notes = { ports: [lower.port], tame: true };
    const installation = makeInstallation(t, CODE, ROLES, notes);
    const relay = await startHostile(t, {
      installation,
      unsealed: true,
      lowers: [{ name: 'probe', port: lower.port }],
      uppers: [{ name: 'probe', port: upper.port }],
      ready: (directory) => {
        const text = JSON.stringify({ ...notes, directory, pids: [process.pid] });
        writeFileSync(join(installation, 'dist', 'notes.json'), text);
      },
    });
    for (const from of PROBED) {
      await relay.until(() => attempted(relay, from), `${from} has tried all`);
    }
    const succeeded = (from: string): string[] =>
      attempts(relay, from)
        .filter(({ outcome }) => outcome.startsWith('done'))
        .map(({ what }) => what);
    for (const from of PROBED) {
      const done = succeeded(from);
      for (const what of ['listen', 'raw bind', 'spawn', 'shell', 'fork', 'signals', 'inspector']) {
        t.ok(done.includes(what), `${from}: ${what}`);
      }
      t.ok(done.includes(`read ${join(relay.directory, 'password')}`), `${from}: secrets`);
      t.ok(done.includes('read /etc/shadow'), `${from}: files`);
    }
    for (const from of ['valve probe', 'gate', 'upper probe']) {
      t.ok(succeeded(from).includes(`connect to ${lower.port}`), `${from}: connections`);
    }
    const valve = succeeded('valve probe');
    for (const what of ['write', 'writev', 'append', 'write in a worker', 'give it to a child']) {
      t.ok(valve.includes(what), `the valve's connection: ${what}`);
    }
    const heard = lower.connections.map(({ received }) => received.toString('latin1'));
    t.ok(
      heard.some((text) => text.startsWith(`${SCRIPT}SEND 0,10,6`)),
      'the lower server hears it',
    );
    await relay.stop();
  });
}
