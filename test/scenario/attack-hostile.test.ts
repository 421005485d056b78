/** Hostile code in place of each process's own: what it reaches from inside its real sandbox. */
import { writeFileSync } from 'node:fs';
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
const IPC = {
  'ipc-endless': 'a message without an end',
  'ipc-nojson': 'a message that is no JSON',
  'ipc-unknown': 'unknown message',
  'ipc-nested': 'a message without an end',
  'ipc-bare': 'unknown message',
  'ipc-ack': 'unknown message',
  'ipc-nack': 'unknown message',
  'ipc-count': 'unknown message',
  'ipc-missing': 'a connection without a connection',
  'ipc-proto': 'unknown message',
  'ipc-turn': 'a connection out of turn',
} as const;

/** What the kernel, or Node.js before it, says to what must not be. */
const REFUSED =
  /^(EPERM|EACCES|ENOENT|EROFS|EBADF|ENOTDIR|ENETUNREACH|ENODEV|NOBODY|NO_LISTENER|EINVAL|ESRCH|EAI_AGAIN|EXDEV|ERR_SYSTEM_ERROR|ERR_INVALID_MODULE|MODULE_NOT_FOUND)$|^No such (module|binding)/;
/** Open descriptors of a process: what it was given, beside what Node.js opened itself. */
const GRANTED = {
  lower: ['3 file', '4 file', '82 socket'],
  valve: ['0 socket'],
  gate: ['3 file'],
  dial: ['3 file', '82 socket'],
  upper: ['0 socket', '3 file', '4 file', '5 file', '6 file', '7 file'],
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

  await t.test('the supervisor outlives what its processes say to it', async (t) => {
    const plant = await FakeLower.start({ kind: 'vscpd-15' });
    const portal = await FakeUpper.start();
    t.teardown(() => Promise.all([plant.close(), portal.close()]));
    const notes = { ports: [plant.port], directory: '/', pids: [], tame: false };
    const attacks = [...Object.keys(IPC), 'ipc-handles', 'ipc-dead'];
    const relay = await startHostile(t, {
      installation: makeInstallation(t, CODE, ['lower', 'dial'], notes),
      lowers: [{ name: 'plain', port: plant.port }, ...attacks.map((name) => ({ name, port: 1 }))],
      uppers: [
        { name: 'plain', port: portal.port },
        { name: 'ipc-endless', port: 1 },
        { name: 'ipc-handles', port: 1 },
      ],
    });
    await plant.untilLoop();
    let sent = 0;
    const feed = setInterval(() => {
      plant.send(numberedEvents(sent + 1, sent + 20));
      sent += 20;
    }, 50);
    t.teardown(() => clearInterval(feed));
    const refusals = (name: string): string[] => relay.link(name, 'protocol').map(({ msg }) => msg);
    const most = { descriptors: 0, memory: 0 };
    const watch = (): void => {
      const { descriptors, memory } = relay.usage();
      most.descriptors = Math.max(most.descriptors, descriptors);
      most.memory = Math.max(most.memory, memory);
    };
    const all = [...Object.keys(IPC), 'ipc-handles'].map((name) => `lower ${name}`);
    const killed = async (times: number): Promise<void> => {
      await relay.until(() => {
        watch();
        return all.every((name) => refusals(name).length >= times);
      }, `each is killed ${times} times`);
    };
    await killed(1);
    const before = relay.usage();
    await killed(10);
    for (const [name, said] of Object.entries(IPC)) {
      t.strictSame([...new Set(refusals(`lower ${name}`))], [`${said}: killed`], name);
    }
    await relay.until(
      () => relay.link('lower ipc-dead', 'disconnected').length >= 5,
      'connections that are none are found out',
    );
    const arrived = portal.accepted.length;
    await relay.until(() => portal.accepted.length > arrived + 100, 'events flow');
    plant.dropAll('reset');
    await plant.untilLoop(2);
    const again = portal.accepted.length;
    await relay.until(() => portal.accepted.length > again + 100, 'a lower server is read again');
    clearInterval(feed);
    // By now one for each death, let alone a handle of each, would show.
    t.ok(
      most.descriptors < before.descriptors + 100,
      `the supervisor holds ${before.descriptors}, at most ${most.descriptors} descriptors`,
    );
    t.ok(most.memory < 200 * MEGABYTE, `and ${Math.round(most.memory / MEGABYTE)} MB`);
    for (const { received } of plant.connections) t.equal(received.toString('latin1'), SCRIPT);
    t.equal(await relay.stop(), 0);
  });

  for (const name of ['frames-lies', 'frames-unknown']) {
    await t.test(`a hostile valve harms no other link (${name})`, async (t) => {
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
          { name, port: liar.port },
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
      const from = `valve ${name}`;
      await relay.until(
        () => relay.from(from).filter(({ event }) => event === 'attempted').length >= 2,
        'all is said, twice',
      );
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
  }

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
