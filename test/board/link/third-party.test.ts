/** The protocol author's own client, node-vscp-tcp, through a forwarder that speaks TLS for it. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { trusted } from '../../fake/upper-pki.js';
import { identity, start, until } from './kit.js';

interface Answer {
  readonly response: readonly string[];
}

/** The part of the client that is used here; the package has no types. */
const Client = createRequire(import.meta.url)('node-vscp-tcp') as new () => {
  connect(options: { host: string; port: number; timeout: number }): Promise<unknown>;
  user(options: { username: string }): Promise<boolean>;
  password(options: { password: string }): Promise<boolean>;
  sendEvent(options: { event: string | object }): Promise<boolean>;
  noop(): Promise<boolean>;
  setFilter(options: { filterClass?: number; filterType?: number }): Promise<Answer>;
  setMask(options: { maskClass?: number; maskType?: number }): Promise<Answer>;
  startRcvLoop(): Promise<Answer>;
  stopRcvLoop(): Promise<Answer>;
  getEvents(options: { count: number }): Promise<readonly object[]>;
  getPendingEventCount(): Promise<number>;
  getRemoteVersion(): Promise<object>;
  getInterfaces(): Promise<readonly { index: number; type: number; guid: string; name: string }[]>;
  getStatistics(): Promise<object>;
  getInfo(): Promise<object>;
  disconnect(): Promise<Answer>;
  addEventListener(listener: (event: object) => void): void;
  on(name: 'alive', listener: () => void): void;
  socket: Socket;
};

/** What stunnel does: plain TCP on this side, TLS with a client certificate on the other. */
async function forward(t: Test, to: number, client?: 'relay'): Promise<number> {
  const [{ certificate: ca }, own] = await Promise.all([trusted(), client && identity(client)]);
  const keys = own ? { cert: own.certificate, key: own.key } : {};
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: to, ca, servername: 'upper.example', ...keys });
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

console.info = () => undefined;

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:02';

await t.test('node-vscp-tcp sends as a relay and watches as a reader', async (t) => {
  const { server, events, relays } = await start(t, { sign: 400 });
  const relay = new Client();
  const reader = new Client();
  await relay.connect({
    host: '127.0.0.1',
    port: await forward(t, server.port, 'relay'),
    timeout: 10_000,
  });
  await reader.connect({
    host: '127.0.0.1',
    port: await forward(t, server.port),
    timeout: 10_000,
  });
  t.equal(await relay.user({ username: 'relay' }), true);
  t.equal(await relay.password({ password: 'secret' }), true);
  t.same(relays, ['relay here']);
  t.equal(await reader.user({ username: 'reader' }), true);
  t.equal(await reader.password({ password: 'watch' }), true);

  t.equal(await relay.noop(), true);
  t.equal(await relay.sendEvent({ event: `0,10,6,0,2026-11-22T08:00:00,1,${GUID},138,1,7` }), true);
  const object = { vscpClass: 20, vscpType: 3, vscpGuid: GUID, vscpData: [0, 1, 35] };
  t.equal(await relay.sendEvent({ event: object }), true);
  await t.rejects(relay.sendEvent({ event: 'nothing' }));
  t.equal(events.length, 2);
  t.match(events[1], /^relay \d+,20,3,0,.*FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:02,0,1,35$/);
  await t.rejects(relay.startRcvLoop(), 'a relay is given nothing');

  t.equal(await reader.getPendingEventCount(), 2);
  t.match(await reader.getEvents({ count: 1 }), [{ vscpClass: 10, vscpType: 6 }]);
  t.match(await reader.getEvents({ count: -1 }), [{ vscpClass: 20, vscpType: 3 }]);
  await t.rejects(reader.getEvents({ count: 1 }));
  t.match(await reader.getRemoteVersion(), { major: '1', minor: '0', release: '0', build: '0' });
  t.match(await reader.getInterfaces(), [{ type: 4, name: 'tidegate board ' }]);
  await reader.getStatistics();
  await reader.getInfo();

  await reader.setFilter({ filterClass: 10, filterType: 6 });
  await reader.setMask({ maskClass: 0xffff, maskType: 0xffff });
  const seen: object[] = [];
  let alive = 0;
  reader.addEventListener((event) => seen.push(event));
  reader.on('alive', () => alive++);
  await reader.startRcvLoop();
  await relay.sendEvent({ event: `0,20,3,0,,1,${GUID}` });
  await relay.sendEvent({ event: `0,10,6,0,2026-11-22T08:00:01Z,2,${GUID},138,1,8` });
  await until(() => seen.length === 1 && alive >= 2);
  t.match(seen, [{ vscpClass: 10, vscpType: 6, vscpGuid: GUID, vscpData: [138, 1, 8] }]);
  await relay.disconnect();
  await until(() => relays.includes('relay gone'));
  reader.socket.destroy();
});
