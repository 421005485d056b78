import { createConnection, type Socket } from 'node:net';
import { once } from 'node:events';
import { connect } from 'node:tls';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { LinkServer } from '../../../src/board/link/server.js';
import { upperIdentity } from '../../fake/upper-pki.js';
import { Peer, serverTls, start, until, USERS } from './kit.js';

const OK = '+OK - Success.\r\n';
const EVENT = '0,10,6,0,2026-11-22T08:00:00Z,1,FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:02,1';

/** A connection without TLS. */
async function raw(t: Test, { port }: { port: number }): Promise<Socket & { ends: boolean }> {
  const socket = Object.assign(createConnection({ host: '127.0.0.1', port }), { ends: false });
  socket.on('error', () => undefined);
  socket.on('close', () => (socket.ends = true));
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The answer to the login. */
async function tryLogin(peer: Peer, name: string, password: string): Promise<string> {
  await peer.answers(1);
  await peer.ask(`USER ${name}`);
  return peer.ask(`PASS ${password}`);
}

await t.test(
  'a certificate that does not verify ends the connection before any word',
  async (t) => {
    const { server, refusals } = await start(t);
    for (const client of ['expired', 'wrong-ca', 'server'] as const) {
      const peer = await Peer.dial(server, client).catch(() => undefined);
      await peer?.end();
      t.equal(peer?.text ?? '', '', client);
    }
    await until(() => server.counters.untrusted === 3);
    await until(() => server.counters.open === 0);
    t.equal(refusals.filter((why) => why === 'untrusted').length, 3);
  },
);

await t.test('TLS 1.2, plain text and garbage get no answer', async (t) => {
  const { server } = await start(t);
  await t.rejects(Peer.dial(server, 'relay', { maxVersion: 'TLSv1.2' }));
  for (const bytes of [
    'USER relay\r\nPASS secret\r\n',
    '\x16\x03\x01\xff\xff' + 'x'.repeat(70_000),
  ]) {
    const socket = await raw(t, server);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.write(bytes, 'latin1');
    await until(() => socket.ends);
    t.notMatch(answer, 'OK');
  }
  await until(() => server.counters.handshakes === 3 && server.counters.open === 0);
});

await t.test('who may log in as whom', async (t) => {
  const { server, relays } = await start(t);
  const wrong = '-OK - Invalid username or password.\r\n';
  const unfit = '-OK - The client certificate does not fit this user.\r\n';
  for (const [client, name, password, answer] of [
    ['relay', 'relay', 'secret', OK],
    ['none', 'relay', 'secret', unfit],
    ['other', 'relay', 'secret', unfit],
    ['only-cn', 'relay', 'secret', unfit],
    ['only-cn', 'plain', 'by its CN', OK],
    ['relay', 'plain', 'by its CN', unfit],
    ['relay', 'relay', 'Secret', wrong],
    ['relay', 'relay', 'secret ', wrong],
    ['relay', 'relay', '', wrong],
    ['relay', 'RELAY', 'secret', wrong],
    ['relay', 'nobody', 'secret', wrong],
    ['relay', '__proto__', 'secret', wrong],
    ['other', 'any', 'any of the CA', OK],
    ['none', 'any', 'any of the CA', unfit],
    ['none', 'reader', 'watch', OK],
    ['other', 'reader', 'watch', OK],
    ['none', 'guard', 'watch too', unfit],
    ['relay', 'guard', 'watch too', OK],
  ] as const) {
    const peer = await Peer.dial(server, client);
    t.equal(await tryLogin(peer, name, password), answer, `${client} as ${name}`);
    if (answer !== OK) await peer.end();
    peer.hangUp();
  }
  t.match(server.counters, { logins: 6, passwords: 6, certificates: 6 });
  await until(() => server.counters.open === 0);
  t.equal(server.counters.sessions, 0);
  t.same(relays.filter((said) => said.endsWith('here')).length, 3);
  t.same(relays.filter((said) => said.endsWith('gone')).length, 3);
});

await t.test('where every user needs a certificate, nobody comes without one', async (t) => {
  const { server } = await start(t, {}, USERS.slice(0, 3));
  const peer = await Peer.dial(server).catch(() => undefined);
  await peer?.end();
  t.equal(peer?.text ?? '', '');
  t.equal(await tryLogin(await Peer.dial(server, 'relay'), 'relay', 'secret'), OK);
});

await t.test('no session is resumed', async (t) => {
  const { server } = await start(t);
  const first = await Peer.dial(server, 'relay');
  let session: Buffer | undefined;
  first.socket.on('session', (given: Buffer) => (session = given));
  t.equal(await tryLogin(first, 'relay', 'secret'), OK);
  await first.ask('NOOP');
  const second = await Peer.dial(server, 'none', session ? { session } : {});
  t.equal(second.socket.isSessionReused(), false);
  t.match(await tryLogin(second, 'relay', 'secret'), /^-OK - The client certificate/);
});

await t.test('new certificates count from the next connection on', async (t) => {
  const { server } = await start(t);
  const old = await Peer.enter(server);
  const before = old.socket.getPeerX509Certificate()?.fingerprint256;
  const tls = await serverTls();
  t.throws(() => server.setTls({ ...tls, key: 'no key' }));
  t.throws(() => server.setTls({ ...tls, ca: '' }));
  const other = await upperIdentity('wrong-name');
  t.throws(() => server.setTls({ ...tls, cert: other.certificate }), 'of another key');
  const renewed = await upperIdentity('renewed');
  server.setTls({ ...tls, cert: renewed.certificate, key: renewed.key });
  const peer = await Peer.enter(server);
  t.not(peer.socket.getPeerX509Certificate()?.fingerprint256, before);
  t.equal(await old.ask('NOOP'), OK, 'the old connection stays');
  await t.rejects(Peer.dial(server, 'relay', { maxVersion: 'TLSv1.2' }), 'it is TLS 1.3 still');
});

await t.test('a relay is here until its last connection has gone', async (t) => {
  const { server, relays } = await start(t);
  const [first, second] = [await Peer.enter(server), await Peer.enter(server)];
  first.hangUp();
  await until(() => server.counters.sessions === 1);
  t.same(relays, ['relay here']);
  t.equal(await second.ask(`SEND ${EVENT}`), OK);
  second.write('QUIT\r\n');
  await until(() => relays.length === 2);
  t.same(relays, ['relay here', 'relay gone']);
  (await Peer.enter(server)).hangUp();
  await until(() => relays.length === 4);
});

await t.test('who does not log in in time is closed; who has may be silent', async (t) => {
  const { server, refusals } = await start(t, { login: 2500 });
  const relay = await Peer.enter(server);
  const reader = await Peer.enter(server, 'reader');
  const [silent, talking, plain] = await Promise.all([
    Peer.dial(server),
    Peer.dial(server, 'relay'),
    raw(t, server),
  ]);
  await talking.answers(1);
  while (!talking.ended) if (!(await talking.ask('NOOP').catch(() => ''))) break;
  await silent.end();
  await until(() => plain.ends);
  t.equal(await relay.ask('NOOP'), OK);
  t.equal(await reader.ask('NOOP'), OK);
  t.equal(server.counters.open, 2);
  t.ok(refusals.includes('login-late'));
});

await t.test('who has not logged in has a few commands, and no more', async (t) => {
  const { server } = await start(t, { strange: 10 });
  const stranger = await Peer.dial(server);
  await stranger.answers(1);
  stranger.write('NOOP\r\n'.repeat(5000));
  t.equal(
    await stranger.answers(11),
    OK.repeat(10) + '-OK - Need to log in to perform this command.\r\n',
  );
  await stranger.end();
  t.equal(stranger.text, '');
  t.equal(server.counters.late, 1);
  const reader = await Peer.enter(server, 'reader');
  reader.write('NOOP\r\n'.repeat(500));
  t.equal(await reader.answers(500), OK.repeat(500));
});

await t.test('wrong passwords slow their address down, and no certificate behind it', async (t) => {
  const { server } = await start(t, { firstPenalty: 60_000, lastPenalty: 60_000, login: 60_000 });
  const reader = await Peer.dial(server);
  t.match(await tryLogin(reader, 'reader', 'wrong'), /^-OK/);
  await reader.end();
  const held = await Peer.dial(server);
  await held.answers(1);
  held.write('USER reader\r\nPASS watch\r\nNOOP\r\n');
  await held.answers(1);
  const refused = await Peer.dial(server);
  t.equal(
    await tryLogin(refused, 'reader', 'watch'),
    '-OK - Too many failed logins, try again later.\r\n',
  );
  await refused.end();
  t.ok(await Peer.enter(server), 'a relay behind the same address logs in');
  t.equal(held.text, '', 'the right password waits as well');
  t.equal(server.counters.passwords, 1);
  held.hangUp();
  await until(() => server.counters.open === 1);
});

await t.test('a line without end is cut off with a word', async (t) => {
  const { server, events, refusals } = await start(t, { line: 200 });
  const relay = await Peer.enter(server);
  const fits = `SEND ${EVENT}`.padEnd(200, ',1').slice(0, 199);
  t.equal(await relay.ask(fits.replace(/,?$/, '')), OK);
  relay.write(`NOOP\r\nSEND ${'1'.repeat(200)}\r\nSEND ${EVENT}\r\n`);
  t.equal(await relay.answers(2), `${OK}-OK - Line too long.\r\n`);
  await relay.end();
  const babbler = await Peer.dial(server);
  await babbler.answers(1);
  babbler.write('x'.repeat(100_000));
  t.equal(await babbler.answers(1), '-OK - Line too long.\r\n');
  await babbler.end();
  t.equal(events.length, 1);
  t.equal(server.counters.overlong, 2);
  t.same(refusals, ['line-too-long', 'line-too-long']);
});

await t.test('connections are bounded for each address, in speed, and in all', async (t) => {
  const few = await start(t, { perAddress: 2 });
  const here = [await Peer.enter(few.server), await Peer.enter(few.server)];
  await t.rejects(Peer.dial(few.server));
  here[0]!.hangUp();
  await until(() => few.server.counters.open === 1);
  const stranger = await Peer.dial(few.server);
  t.equal(few.server.counters.refused, 1);
  t.ok(await Peer.enter(few.server), 'whoever has not logged in makes room');
  await stranger.end();
  t.equal(few.server.counters.refused, 2);

  const fast = await start(t, { burst: 3, arrivals: 0.001 });
  for (let i = 0; i < 3; i++) (await Peer.dial(fast.server)).hangUp();
  await t.rejects(Peer.dial(fast.server), 'too fast');

  const full = await start(t, { connections: 3, perAddress: 10 });
  const relay = await Peer.enter(full.server);
  const strangers = [await Peer.dial(full.server), await Peer.dial(full.server)];
  const reader = await Peer.enter(full.server, 'reader');
  await strangers[0]!.end();
  t.equal(strangers[1]!.ended, false, 'the oldest stranger made room');
  const another = await Peer.enter(full.server, 'reader');
  await strangers[1]!.end();
  const third = await Peer.enter(full.server);
  await reader.end();
  t.equal(await third.ask('NOOP'), OK, 'the oldest reader made room');
  await Peer.enter(full.server);
  await another.end();
  await t.rejects(Peer.dial(full.server), 'no relay does');
  t.equal(await relay.ask('NOOP'), OK);
  t.equal(full.server.counters.open, 3);
});

await t.test('readers have half of the room, and leave the other to relays', async (t) => {
  for (const limits of [
    { connections: 6, perAddress: 100 },
    { connections: 100, perAddress: 6 },
  ]) {
    const { server, refusals } = await start(t, limits);
    const readers = [1, 2, 3].map(() => Peer.enter(server, 'reader'));
    await Promise.all(readers);
    const beyond = await Peer.dial(server);
    t.equal(
      await tryLogin(beyond, 'reader', 'watch'),
      '-OK - Too many readers, try again later.\r\n',
    );
    await beyond.end();
    t.match(server.counters, { readers: 1, sessions: 3 });
    t.same(refusals, ['limit']);
    const strangers = await Promise.all([1, 2, 3].map(() => Peer.dial(server)));
    const relay = await Peer.enter(server);
    await until(() => strangers.some(({ ended }) => ended));
    t.equal(await relay.ask('NOOP'), OK);
    t.equal(await (await readers[0]!).ask('NOOP'), OK);
    (await readers[0]!).hangUp();
    await until(() => server.counters.sessions === 3);
    t.ok(await Peer.enter(server, 'reader'), 'there is room again');
  }
});

await t.test('handshakes that hang make room as well', async (t) => {
  const { server } = await start(t, { connections: 3, perAddress: 10, login: 60_000 });
  const hanging = await Promise.all([raw(t, server), raw(t, server), raw(t, server)]);
  hanging[1].write('\x16\x03\x01', 'latin1');
  await until(() => server.counters.open === 3);
  t.ok(await Peer.enter(server));
  await until(() => hanging.some(({ ends }) => ends));
  t.equal(server.counters.open, 3);
});

await t.test('200 idle connections do not disturb a relay', async (t) => {
  const { server, events } = await start(t, { perAddress: 300, connections: 300 });
  const relay = await Peer.enter(server);
  const idle: Peer[] = [];
  for (let i = 0; i < 20; i++) {
    idle.push(...(await Promise.all(Array.from({ length: 10 }, () => Peer.dial(server)))));
  }
  t.equal(server.counters.open, 201);
  for (let i = 0; i < 5; i++) relay.write(`SEND ${EVENT}\r\n`.repeat(1000));
  await relay.answers(5000);
  t.equal(events.length, 5000);
  for (const peer of idle) peer.hangUp();
  await until(() => server.counters.open === 1);
});

await t.test('a reader that reads nothing is cut, and nobody else notices', async (t) => {
  const { server, events, refusals } = await start(t, { stall: 2000, queue: 50 });
  const relay = await Peer.enter(server);
  const [deaf, hearing] = [await Peer.enter(server, 'reader'), await Peer.enter(server, 'reader')];
  await deaf.ask('RCVLOOP');
  hearing.write('RCVLOOP\r\n');
  await hearing.answers(1);
  deaf.socket.pause();
  const big = `SEND ${EVENT}${',255'.repeat(511)}\r\n`;
  let sent = 0;
  while (server.counters.stalled === 0 && sent < 100_000) {
    relay.write(big.repeat(20));
    await relay.answers(20);
    sent += 20;
  }
  t.equal(server.counters.stalled, 1);
  t.equal(events.length, sent);
  t.ok(server.counters.dropped > 0);
  t.same(refusals, ['stalled']);
  t.ok(hearing.text.split('\r\n').length > 100);
  deaf.hangUp();
});

await t.test('who does not take his answers is read from no more, then cut', async (t) => {
  const { server } = await start(t, { stall: 1500, answers: 64 * 1024 });
  const relay = await Peer.enter(server);
  const greedy = await Peer.enter(server, 'reader');
  greedy.socket.pause();
  const asked = 'HELP\r\n'.repeat(10_000);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 40; i++) greedy.write(asked);
  await until(() => server.counters.stalled === 1);
  // 400,000 times HELP would be 800 MB.
  t.ok(process.memoryUsage().rss - before < 300e6, 'the answers do not pile up');
  t.equal(await relay.ask('NOOP'), OK);
  await until(() => server.counters.open === 1);
});

await t.test('who reads slowly gets all answers in the end', async (t) => {
  const { server } = await start(t, { answers: 64 * 1024 });
  const reader = await Peer.enter(server, 'reader');
  const help = await reader.ask('HELP');
  reader.socket.pause();
  reader.write('HELP\r\n'.repeat(10_000) + 'QUIT\r\n');
  await new Promise((resolve) => setTimeout(resolve, 300));
  let bytes = 0;
  reader.socket.removeAllListeners('data');
  reader.socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  reader.socket.resume();
  await reader.end();
  t.equal(bytes, help.length * 10_000 + '+OK - Connection closed by client.\r\n'.length);
  t.equal(server.counters.stalled, 0);
});

await t.test('a peer that half-closes, resets or vanishes hurts nobody else', async (t) => {
  const { server, events, relays } = await start(t);
  const relay = await Peer.enter(server);
  const half = await Peer.enter(server);
  half.socket.end(`SEND ${EVENT}\r\nSEND ${EVENT}\r\nSEND 0,10`);
  t.equal(await half.answers(2), OK + OK, 'what came whole is taken and answered');
  await half.end();
  const resets = await Peer.enter(server, 'reader');
  await resets.ask('RCVLOOP');
  (resets.socket as unknown as { _parent?: Socket })._parent?.resetAndDestroy();
  resets.socket.destroy();
  const closing = await raw(t, server);
  closing.resetAndDestroy();
  await until(() => server.counters.sessions === 1 && server.counters.open === 1);
  t.equal(await relay.ask(`SEND ${EVENT}`), OK);
  t.equal(events.length, 3);
  t.same(relays, ['relay here']);
});

await t.test('garbage within TLS, before and after the login, is survived', async (t) => {
  const { server } = await start(t, { line: 500, firstPenalty: 0, lastPenalty: 0 });
  const relay = await Peer.enter(server);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 }),
      fc.boolean(),
      async (chunks, loggedIn) => {
        const peer = loggedIn ? await Peer.enter(server, 'reader') : await Peer.dial(server);
        for (const chunk of chunks) peer.write(Buffer.from(chunk));
        peer.write('\nQUIT\r\n');
        await peer.end();
        if ((await relay.ask('NOOP')) !== OK) throw new Error('the relay is gone');
      },
    ),
    { numRuns: 40 },
  );
  await until(() => server.counters.open === 1);
});

await t.test('it says why it cannot start, and closes whatever is open', async (t) => {
  const tls = await serverTls();
  const handlers = { event: () => undefined, relay: () => undefined };
  const options = { tls, users: USERS, host: '127.0.0.1', port: 0 };
  const server = await LinkServer.start(options, handlers);
  const { port } = server;
  await t.rejects(LinkServer.start({ ...options, port }, handlers), { code: 'EADDRINUSE' });
  for (const [broken, why] of [
    [{ key: '' }, /certificate or its key is no PEM/],
    [{ cert: 'x' }, /certificate or its key is no PEM/],
    [{ cert: tls.ca }, /key does not belong/],
    [{ ca: '' }, /ca is no PEM/],
  ] as const) {
    const started = LinkServer.start({ ...options, tls: { ...tls, ...broken } }, handlers);
    await t.rejects(started, { message: why });
  }
  const relay = USERS[0]!;
  for (const [user, why] of [
    [{ ...relay, name: '' }, /must have a name/],
    [{ ...relay, password: 'a\nb' }, /the password of 'relay'/],
    [{ ...relay, certificate: [] }, /no certificate at all would fit 'relay'/],
    [{ ...relay, certificate: ['.example'] }, /no name that a certificate/],
  ] as const) {
    await t.rejects(LinkServer.start({ ...options, users: [user] }, handlers), { message: why });
  }
  const twice = { ...options, users: [relay, relay] };
  await t.rejects(LinkServer.start(twice, handlers), { message: "there are two users 'relay'" });

  const peers = [await Peer.enter(server), await Peer.enter(server, 'reader')];
  const hanging = await raw(t, server);
  await server.close();
  for (const peer of peers) await peer.end();
  await until(() => hanging.ends);
  t.equal(server.counters.open, 0);
  await t.rejects(once(connect({ host: '127.0.0.1', port }), 'secureConnect'));
});
