/**
 * Servers that say back whatever they were told, and what they have no business to say: no secret,
 * no event, and nothing that a terminal would obey gets into the log.
 */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { trusted, upperIdentity } from '../fake/upper-pki.js';
import { type LogLine, startRelay } from './relay.js';

const EVIL = '\x1b[2J\x1b]0;owned\x07\x9b31m\x00\u202e\u200f\u2028';
const PERMITTED_GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:BE:EF:CA:FE:01:02:00:0A';
const DENIED_GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:DE:AD:FA:CE:01:02:00:0B';
const PERMITTED = `96,10,6,3,2031-07-04T05:06:07Z,2718281828,${PERMITTED_GUID},0x89,0xC7,0xB1`;
const DENIED = `64,20,3,3,2031-07-04T05:06:07Z,3141592653,${DENIED_GUID},0x42,0xE6,0xD5`;
const KEY = 'f00dfacef00dfacef00dfacef00dfacef00dfacef00dfacef00dfacef00dface';
const LOWER_PASSWORD = 'lowersesame pässword für morgen';
const UPPER_PASSWORD = 'uppersesame correct horse';

/** None of these, in any case and however it is written, may stand in the log. */
const SECRETS = [
  ...['beef', 'ca:?fe', 'dead', 'fa:?ce', '27182', '31415', '2031', '0x', ',10,6', ',20,3'],
  ...['sesame', 'morgen', 'horse', 'f00d', 'PRIVATE KEY', 'owned', '02:52:4C:59'],
];

const POLICY = `schema: tidegate-policy/v1
policy: { id: some, revision: 1 }
rules:
  - name: some
    effect: permit
    to: [public]
    match: { class: 10 }
    emit:
      guid: { pseudonym: { key_file: pseudonym.key, prefix: '02:52:4C:59/32' } }
      data: keep
      time: keep
`;

type Talk = (line: string, socket: Socket, connection: number) => void;

/** A server that says what it is told to: `hello` at the start of each connection, as a line. */
async function listen(t: Test, server: Server, event: string, talk: Talk): Promise<number> {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on(event, (socket: Socket) => {
    const connection = ++connections;
    let rest = '';
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) talk(line, socket, connection);
    });
    talk('hello', socket, connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Half a mebibyte more than is borne. */
function flood(socket: Socket, line: string): void {
  for (let bytes = 0; bytes < 1.5 * 2 ** 20; bytes += 64 * (line.length + 2)) {
    socket.write(`${line}\r\n`.repeat(64));
  }
}

const LOWERS: Readonly<Record<string, Talk>> = {
  greeter: (line, socket) => {
    if (line === 'hello') socket.write(`${DENIED}\r\n-OK - ${DENIED} ${PERMITTED} ${EVIL}\r\n`);
  },
  closer: (line, socket) => {
    if (line === 'hello') socket.end(`${DENIED} ${EVIL}\r\n`);
  },
  stream: (line, socket) => {
    if (line === 'hello') flood(socket, `${DENIED} ${EVIL}`);
  },
  echo: (line, socket) => {
    const refused = line.startsWith('PASS');
    socket.write(refused ? `-OK - what is ${line} ${EVIL}?\r\n` : `${line}\r\n+OK - ${line}\r\n`);
  },
  // An honest one but for its answer to SFLT, and for lines that are none.
  plain: (line, socket) => {
    const filter = line.startsWith('SFLT');
    socket.write(filter ? `-OK - ${DENIED} ${EVIL} refused ${line}\r\n` : `+OK ${line}\r\n`);
    if (line !== 'RCVLOOP') return;
    const lines = [PERMITTED, DENIED, `${PERMITTED},${EVIL}`, `${EVIL}${DENIED}`, `-OK ${DENIED}`];
    const feed = setInterval(() => socket.write(`${lines.join('\r\n')}\r\n`), 50);
    setTimeout(() => socket.end(PERMITTED.slice(0, 70)), 2500);
    socket.on('close', () => clearInterval(feed));
  },
};

/** What the server says to a login, and what an upper that has got an event says then. */
function upperTalk(greet: (socket: Socket, event: string) => void, take: Talk): Talk {
  let event: string | undefined;
  return (line, socket, connection) => {
    if (line === 'hello') {
      if (event === undefined) socket.write('+OK\r\n');
      else greet(socket, event);
    } else if (line.startsWith('SEND')) {
      event ??= line;
      take(line, socket, connection);
    } else socket.write(`${line} ${EVIL}\r\n+OK - ${line} ${EVIL}\r\n`);
  };
}

const UPPERS: Readonly<Record<string, Talk>> = {
  login: (line, socket) => {
    const refused = line.startsWith('PASS');
    socket.write(refused ? `-OK - what is ${line} ${EVIL}?\r\n` : `${line}\r\n+OK - ${line}\r\n`);
  },
  refuser: upperTalk(
    (socket) => socket.write('+OK\r\n'),
    (line, socket) => socket.write(`${line} ${EVIL}\r\n-OK - ${line} ${EVIL}\r\n`),
  ),
  babbler: upperTalk(
    (socket) => socket.write('+OK\r\n'),
    (line, socket) => flood(socket, `${line} ${EVIL}`),
  ),
  greeter: upperTalk(
    (socket, event) => socket.write(`-OK - ${event} ${EVIL}\r\n`),
    (_, socket) => socket.end(),
  ),
  rememberer: upperTalk(
    (socket, event) => flood(socket, `${event} ${EVIL}`),
    (_, socket) => socket.end(),
  ),
};

/** What each is to be heard of: without it the test would show nothing. */
const HEARD: readonly (readonly [who: string, event: string, said: RegExp])[] = [
  ['lower greeter', 'failed', /^the greeting was -OK - \*\*\*/],
  ['lower closer', 'failed', /after saying \*\*\*$/],
  ['lower stream', 'failed', /^this is no VSCP server: \*\*\*$/],
  ['lower echo', 'refused', /^PASS was refused: -OK - what is PASS \*\*\*/],
  [
    'lower plain',
    'warning',
    /^SFLT was refused, the gate filters anyway: -OK - \*\*\* refused SFLT/,
  ],
  ['upper login', 'refused', /^the server refused \(PASS\): -OK - what is PASS \*\*\*/],
  ['upper refuser', 'ready', /^logged in/],
  ['upper babbler', 'babble', /more than 1 MiB/],
  [
    'upper greeter',
    'refused',
    /^the server refused \(greeting\): -OK - \*\*\*$|-OK - SEND \*\*\*$/,
  ],
  ['upper rememberer', 'babble', /beginning with: (SEND )?\*\*\*$/],
];

await t.test('the log of a relay among servers that echo', async (t) => {
  const directory = t.testdir({});
  writeFileSync(join(directory, 'pseudonym.key'), KEY, { mode: 0o600 });
  const [ca, own] = await Promise.all([trusted(), upperIdentity('none')]);
  const tls: TlsOptions = {
    ...{ ca: ca.certificate, cert: own.certificate, key: own.key },
    ...{ requestCert: true, minVersion: 'TLSv1.3' },
  };
  const lowers = await Promise.all(
    Object.entries(LOWERS).map(async ([name, talk]) => ({
      name,
      port: await listen(t, createServer(), 'connection', talk),
      password: LOWER_PASSWORD,
      filter: '0,10,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00',
      mask: '0,0xFFFF,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00',
    })),
  );
  const uppers = await Promise.all(
    Object.entries(UPPERS).map(async ([name, talk]) => ({
      name,
      port: await listen(t, createTlsServer(tls), 'secureConnection', talk),
      password: UPPER_PASSWORD,
      window: 4,
    })),
  );
  const relay = await startRelay(t, { directory, policy: POLICY, lowers, uppers });
  let text = '';
  relay.process.stderr!.on('data', (more: string) => (text += more));
  const heard = (who: string, event: string, said: RegExp) => (line: LogLine) =>
    line.from === who && line.event === event && said.test(line.msg);
  for (const [who, event, said] of HEARD) {
    await relay.until(() => relay.logged(heard(who, event, said)) !== undefined, `${who} is heard`);
  }
  const rejects = join(relay.state, 'upper', 'refuser', 'rejects.0.jsonl');
  const refused = (): string => (existsSync(rejects) ? readFileSync(rejects, 'utf8') : '');
  await relay.until(() => refused().includes('2718281828'), 'words of an upper are in its rejects');
  const plain = () => relay.gate()!.sources['plain']!;
  await relay.until(() => plain().denied > 100 && plain().permitted > 100, 'events are decided');
  await relay.until(
    () =>
      relay.logged((line) => line['link'] === 'lower plain' && line.event === 'disconnected') !==
      undefined,
    'a connection breaks off in the middle of an event',
  );
  t.equal(await relay.stop(), 0);

  t.ok(relay.log.length > 30, `${relay.log.length} lines`);
  for (const line of text.trimEnd().split('\n')) {
    t.doesNotThrow(() => JSON.parse(line) as unknown, 'every line is JSON');
    t.notMatch(line, /[\p{C}\p{Zl}\p{Zp}]/u, 'and holds nothing that a terminal would obey');
    t.notMatch(line, /\\u00|\\x|\\u20/i, 'nor what would be such once more');
    // Times are digits, and digests, too.
    const words = line
      .replaceAll(/"(time|since|digest)":("[^"]*"|\d+)/g, '')
      .replaceAll(relay.directory, '');
    for (const secret of SECRETS) t.notMatch(words, new RegExp(secret, 'i'), secret);
  }
  t.notMatch(refused(), /[^\n\x20-\x7e]/, 'the rejects are harmless, too');
});
