/** Real packets against a real ruleset: what goes down, what does not, and what is counted. */
import t, { type Test } from 'tap';
import { uidOf } from '../../src/config/identity.js';
import { buildLogin } from '../../src/link/login.js';
import { renderRuleset } from '../../src/nft/ruleset.js';
import { budgetOf } from '../../src/nft/script.js';
import { makeNetwork, type Network } from './network.js';
import { partsOf, PASSWORD } from './parts.js';

const DOWN = 9598;
const UP = 9599;
const OTHER = 9600;
/** Of a lower server that does not listen. */
const ABSENT = 9700;
const QUAD = '0,0,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';
const parts = partsOf(
  [
    { name: 'a', host: '192.0.2.1' },
    { name: 'b', host: '2001:db8::1', filter: QUAD, mask: QUAD },
    // As another user, at an address of a's server and at one of its own.
    { name: 'c', host: 'both.example', user: 'other', found: ['192.0.2.1', '192.0.2.3'] },
    { name: 'd', host: '192.0.2.1', port: ABSENT },
  ],
  [{ name: 'portal', host: '192.0.2.9', port: UP }],
  { resolvers: ['192.0.2.53'] },
);
const RULES = renderRuleset(parts);
const { config } = parts;
const A = uidOf(config, 'lower', 0);
const B = uidOf(config, 'lower', 1);
const C = uidOf(config, 'lower', 2);
const DIAL = uidOf(config, 'dial', 0);
const NOBODY = 65534;

const script = (i: number) => buildLogin({ ...config.lowers[i]!, password: PASSWORD });
const hex = (text: string): string => Buffer.from(text).toString('hex');
const say = (text: string): string => `say:${hex(text)}`;

/** Steps of a login: connect, take the greeting, say a line for each answer. */
function login(i: number): string[] {
  const { bytes, steps } = script(i);
  const lines = steps.map(({ end }, k) => bytes.subarray(k && steps[k - 1]!.end, end).toString());
  return ['connect', 'answer', ...lines.flatMap((line) => [say(line), 'answer'])];
}

const count = (steps: readonly string[]): string[] =>
  steps.flatMap((step) => {
    const [name] = step.split(':');
    return name === 'connect' || name === 'answer' ? [`${name} yes`] : [];
  });

const network = await makeNetwork(
  t,
  ['192.0.2.1/24', '192.0.2.3/24', '192.0.2.9/24', '192.0.2.53/24', '2001:db8::1/64'],
  [DOWN, UP, OTHER],
);

/** A test on a fresh ruleset. */
async function scene(
  name: string,
  act: (t: Test, network: Network) => Promise<void>,
): Promise<void> {
  if (!network) return;
  await t.test(name, async (t) => {
    network.load(RULES);
    await act(t, network);
  });
}

await scene('a login passes, and all that comes after it, and nothing is counted', async (t, n) => {
  for (const [i, uid, address] of [
    [0, A, '192.0.2.1'],
    [1, B, '2001:db8::1'],
    [2, C, '192.0.2.1'],
    [2, C, '192.0.2.3'],
  ] as const) {
    const from = n.heard.length;
    // The server sends 2 MB behind the last answer: windows close and open again.
    const steps = [...login(i), 'sleep:0.3', 'drain:2000000', 'close'];
    t.same(await n.client(uid, address, DOWN, ...steps), [...count(steps), 'drain yes']);
    t.ok(await n.until(() => n.heard.slice(from).some(({ kind }) => kind === 'end')), 'its FIN');
    t.same(n.texts(DOWN, from), [script(i).bytes.toString()], address);
  }
  t.same(n.alarms(), {});
});

await scene('the relay itself logs in', async (t, n) => {
  const dist = (file: string): string =>
    JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
  const { user, filter, mask } = config.lowers[1]!;
  const options = JSON.stringify({ user, filter, mask, password: PASSWORD });
  const said = await n.node(`
    import { logIn } from ${dist('lower/session.js')};
    import { buildLogin } from ${dist('link/login.js')};
    process.setgid(${B});
    process.setuid(${B});
    const outcome = await logIn({ host: '2001:db8::1', port: ${DOWN} }, buildLogin(${options}));
    console.log(outcome.kind, outcome.script);
    process.exit();`);
  t.same(said, [`ready ${script(1).bytes.length}`]);
  t.same(n.alarms(), {});
});

await scene('a login whose every line is lost twice passes', async (t, n) => {
  const lose = (command: string): string =>
    `@ih,0,${command.length * 8} 0x${hex(command)} limit rate 1/hour burst 2 packets counter drop`;
  n.load(
    `table inet loss { chain in { type filter hook prerouting priority -300; ` +
      `${['USER', 'PASS', 'SFLT', 'SMSK', 'RCVLOOP'].map(lose).join('\n')}\n}\n}`,
    'server',
  );
  const from = n.heard.length;
  t.same(await n.client(B, '2001:db8::1', DOWN, ...login(1)), count(login(1)));
  t.same(n.texts(DOWN, from), [script(1).bytes.toString()]);
  t.same(n.alarms(), {});
  n.load('delete table inet loss', 'server');
});

await scene('not a byte goes down after the login', async (t, n) => {
  const from = n.heard.length;
  for (const [i, uid, address] of [
    [0, A, '192.0.2.1'],
    [1, B, '2001:db8::1'],
  ] as const) {
    const steps = [...login(i), 'drain:2000000', say('SEND 0,10,6,0,,,-,1\r\n'), 'answer:1'];
    const said = await n.client(uid, address, DOWN, ...steps, 'flood:200000', 'sleep:0.3');
    t.equal(said.at(-1), 'answer no');
  }
  t.same(
    n.texts(DOWN, from),
    [0, 1].map((i) => script(i).bytes.toString()),
  );
  t.match(n.alarms(), { 'lower/a/payload': Number, 'lower/b/payload': Number });
});

await scene('what is not exactly a line of the login stays here', async (t, n) => {
  const wrong = [
    'QUIT\r\n',
    'USER rela\r\n',
    'USER relay\r\nSEND 0,10\r\n',
    'USER relay \r\n',
    'USER relay\n\n',
    'USER relay',
    'user relay\r\n',
    'USER other\r\n', // of the other lower at that address
    'PASS secret-worx',
    'PASS secret-wor\r\n',
    'PASS secret-words\r\n',
    'PASS x\r\nSEND 0\r\n', // as long as the true one
    'PASS x\nSEND 00\r\n',
    'RCVLOOP\r\nX',
    'RCVLOOX\r\n',
    'S',
    '\0',
    `SFLT ${QUAD}\r\n`, // a has no filter
  ];
  for (const [i, text] of wrong.entries()) {
    n.load(RULES);
    const from = n.heard.length;
    const steps = ['connect', 'answer', say(text), 'sleep:0.02', 'reset', 'close'];
    t.same(await n.client(A, '192.0.2.1', DOWN, ...steps), ['connect yes', 'answer yes']);
    t.ok(await n.until(() => n.heard.length >= from + 2));
    t.same(n.texts(DOWN, from), [''], `${i} ${JSON.stringify(text)}`);
    t.match(n.alarms(), { 'lower/a/payload': Number });
  }
});

await scene('other vessels of bytes: urgent data, options, a SYN with data', async (t, n) => {
  const from = n.heard.length;
  await n.client(A, '192.0.2.1', DOWN, 'connect', 'answer', `urgent:${hex('USER relay\r\n')}`);
  t.match(n.alarms(), { 'lower/a/form': Number });
  n.load(RULES);
  t.same(await n.client(A, '192.0.2.1', DOWN, 'tcp', 'option', 'connect'), ['connect no']);
  t.match(n.alarms(), { 'lower/a/form': Number });
  n.load(RULES);
  n.sysctl('net.ipv4.tcp_fastopen=5'); // data in the first SYN, too
  await n.client(A, '192.0.2.1', DOWN, `fast:${hex('SEND 0\r\n')}`, 'sleep:0.1');
  t.match(n.alarms(), { 'lower/a/payload': Number });
  t.notMatch(n.texts(DOWN, from).join(''), /./);
});

await scene('a line said again and again exhausts the budget', async (t, n) => {
  const from = n.heard.length;
  const steps = ['connect', 'answer', `insist:1000:${hex('USER relay\r\n')}`];
  const said = await n.client(A, '192.0.2.1', DOWN, ...steps);
  const times = Number(said.at(-1)!.split(' ')[1]);
  const budget = budgetOf(parts.lowers[0]!.lines, parts.lowers[0]!.addresses);
  t.ok(times >= 3 && times * (40 + 12) <= budget, `${times} times`);
  t.equal(n.texts(DOWN, from)[0], 'USER relay\r\n'.repeat(times));
  t.match(n.alarms(), { 'lower/a/budget': Number });
});

await scene(
  'a port used again has a budget again, one whose login is long over has none',
  async (t, n) => {
    const spend = [
      'bind:40000',
      'reset',
      'connect',
      'answer',
      `insist:1000:${hex('USER relay\r\n')}`,
    ];
    const again = ['tcp', 'bind:40000', ...login(0), 'close'];
    const said = await n.client(A, '192.0.2.1', DOWN, 'tcp', ...spend, 'close', ...again);
    t.same(said.slice(3), count(again));
    n.load(RULES);
    const late = [say('USER relay\r\n'), 'answer:0.6', say('PASS secret-word\r\n'), 'answer:0.6'];
    const connected = n.client(A, '192.0.2.1', DOWN, 'connect', 'answer', 'sleep:1', ...late);
    await n.until(() =>
      n.nft('list', 'set', 'inet', 'tidegate', 'lower/a/logins').includes('used'),
    );
    // What 30 s do.
    n.nft('flush', 'set', 'inet', 'tidegate', 'lower/a/logins');
    t.same(await connected, ['connect yes', 'answer yes', 'answer no', 'answer no']);
    t.match(n.alarms(), { 'lower/a/budget': Number });
  },
);

await scene('twenty connections in a row pass, a flood of them does not', async (t, n) => {
  const one = ['tcp', 'reset', 'connect:0.2', 'close'];
  const said = await n.client(
    A,
    '192.0.2.1',
    DOWN,
    ...Array.from({ length: 40 }, () => one).flat(),
  );
  t.same(
    said.slice(0, 20),
    Array.from({ length: 20 }, () => 'connect yes'),
  );
  const more = said.slice(20).filter((line) => line === 'connect yes').length;
  // 20 that are dropped take 0.2 s each: 3 a second of them.
  t.ok(more >= 3 && more <= 15, `${more} of 20 more`);
  t.match(n.alarms(), { 'lower/a/rate': Number });
  t.strictSame(Object.keys(n.alarms()), ['lower/a/rate']);
});

await scene('nobody else reaches a lower server', async (t, n) => {
  const others = [B, DIAL, uidOf(config, 'valve', 0), uidOf(config, 'gate'), NOBODY, 0];
  for (const uid of others) {
    n.load(RULES);
    t.same(await n.client(uid, '192.0.2.1', DOWN, 'connect'), ['connect no'], String(uid));
    t.match(n.alarms(), { 'lower/a/stranger': Number });
  }
  n.load(RULES);
  t.same(await n.client(A, '2001:db8::1', DOWN, 'connect'), ['connect no']);
  t.match(n.alarms(), { 'lower/b/stranger': Number });
  // a and c share 192.0.2.1; 192.0.2.3 is c's alone.
  t.same(await n.client(A, '192.0.2.3', DOWN, 'connect'), ['connect no']);
  t.match(n.alarms(), { 'lower/c/stranger': Number });
});

await scene('each process reaches its own place, the others none', async (t, n) => {
  const places = [
    ['192.0.2.9', UP],
    ['192.0.2.1', OTHER],
    ['2001:db8::1', OTHER],
    ['2001:db8::1', UP],
    ['127.0.0.1', OTHER],
    ['192.0.2.53', 53],
  ] as const;
  const processes: [number, string, readonly string[]][] = [
    [A, 'lower/a/elsewhere', []],
    [C, 'lower/c/elsewhere', ['192.0.2.53 53 udp']],
    [DIAL, 'dial/portal', ['192.0.2.9 9599 connect']],
    [uidOf(config, 'valve', 1), 'valve/b', []],
    [uidOf(config, 'gate'), 'gate', []],
    [uidOf(config, 'upper', 0), 'upper/portal', []],
    [config.uids, 'relay/other', []],
    [config.uids + 1023, 'relay/other', []],
  ];
  for (const [uid, counter, reached] of processes) {
    n.load(RULES);
    const probes = places.flatMap(([address, port]) =>
      ['connect', 'udp'].map(async (how) => {
        const said = await n.client(uid, address, port, how);
        const own = reached.includes(`${address} ${port} ${how}`);
        t.same(said, [`${how} ${own ? 'yes' : 'no'}`], `${counter}: ${how} ${address} ${port}`);
      }),
    );
    await Promise.all(probes);
    const alarms = n.alarms();
    t.same(Object.keys(alarms), [counter]);
    // A name server that is not there refuses a connection; it was asked all the same.
    const asked = counter === 'lower/c/elsewhere' ? 1 : 0;
    t.ok(alarms[counter]! >= probes.length - reached.length - asked);
  }
  n.load(RULES);
  for (const uid of [config.uids - 1, config.uids + 1024, NOBODY]) {
    t.same(await n.client(uid, '192.0.2.1', OTHER, 'connect'), ['connect yes'], 'nobody of ours');
  }
  t.same(n.alarms(), {});
});

await scene("a handed-over socket is its maker's, whoever holds it", async (t, n) => {
  const valve = uidOf(config, 'valve', 0);
  const from = n.heard.length;
  const steps = [`euid:${A}`, ...login(0), `uid:${valve}`, 'drain:2000000'];
  const more = [say('SEND 0,10,6,0,,,-,1\r\n'), 'answer:1'];
  const said = await n.client(0, '192.0.2.1', DOWN, ...steps, ...more);
  t.same(said, [...count(login(0)), 'drain yes', 'answer no']);
  t.same(n.texts(DOWN, from), [script(0).bytes.toString()]);
  const alarms = n.alarms();
  t.match(alarms, { 'lower/a/payload': Number });
  t.notOk('valve/a' in alarms);
});

await scene(
  'nothing is accepted: not from a lower server, not by a process of the relay',
  async (t, n) => {
    for (const [uid, bind, counter] of [
      [NOBODY, [`bind:${ABSENT + 1}`], undefined],
      [NOBODY, [`bind:${ABSENT}`], 'lower/d/stranger'],
      [uidOf(config, 'valve', 0), [], 'valve/a'],
    ] as const) {
      n.load(RULES);
      const listening = n.client(uid, '192.0.2.3', 1, 'listen:7000');
      t.ok(await n.until(() => n.listens(7000)));
      const connect = n.remote('192.0.2.100', 7000, 'tcp', ...bind, 'connect:1');
      const said = counter === undefined ? 'yes' : 'no';
      t.same(await connect, [`connect ${said}`], String(counter));
      t.same(await listening, ['listen yes', `accept ${said}`]);
      if (counter === undefined) t.same(n.alarms(), {});
      else t.match(n.alarms(), { [counter]: Number });
    }
  },
);

await scene('what a closed socket had left stays here, and is no alarm', async (t, n) => {
  const from = n.heard.length;
  const steps = ['connect', 'answer', say('SEND 0\r\n'), 'close', 'sleep:1'];
  await n.client(A, '192.0.2.1', DOWN, ...steps);
  t.match(n.alarms(), { 'lower/a/orphan': Number });
  t.same(n.texts(DOWN, from), ['']);
});
