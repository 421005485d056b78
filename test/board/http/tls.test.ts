import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import t from 'tap';
import { createAuthority, issueCertificate } from '../../../src/pki/authority.js';
import { FakeView } from '../fake.js';
import { eventually, Line, Served } from './served.js';

const authority = await createAuthority({ commonName: 'CA', days: 30, bits: 2048 });
const leaf = { commonName: 'board', usage: 'server', names: ['localhost'], days: 20 } as const;
const first = await issueCertificate(authority, leaf);
const second = await issueCertificate(authority, { ...leaf, commonName: 'board 2' });
const tlsOf = ({ certificate, key }: typeof first) => ({ cert: certificate, key });
const LIMITS = { headersTimeout: 500, connectionsPerAddress: 4, refresh: 20 };

async function ask(
  served: Served,
  path: string,
): Promise<{ res: IncomingMessage; subject: unknown }> {
  const { port } = served.server;
  const ca = authority.certificate;
  const req = request({ host: 'localhost', family: 4, port, path, ca, agent: false });
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.resume();
  return {
    res,
    subject: (res.socket as unknown as Pick<TLSSocket, 'getPeerCertificate'>).getPeerCertificate()
      .subject.CN,
  };
}

async function dial(served: Served, more: ConnectionOptions = {}): Promise<Line> {
  const { port } = served.server;
  const ca = authority.certificate;
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ca, ...more });
  const line = new Line(socket);
  await once(socket, 'secureConnect');
  return line;
}

await t.test('over TLS browsers are told to stay there', async (t) => {
  const served = await Served.start(t, LIMITS, FakeView.of(2), tlsOf(first));
  const { res } = await ask(served, '/');
  t.equal(res.statusCode, 200);
  t.equal(res.headers['strict-transport-security'], 'max-age=31536000');
  const raw = await dial(served);
  raw.socket.write('garbage\r\n\r\n');
  t.match(await raw.all(), /^HTTP\/1\.1 400 [\s\S]*Strict-Transport-Security: max-age=31536000/);
});

await t.test('a stream goes over TLS, and outlives a change of certificate', async (t) => {
  const served = await Served.start(t, LIMITS, FakeView.of(2), tlsOf(first));
  const line = await dial(served);
  line.socket.write('GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n');
  await line.until('event: relay');
  t.throws(() => served.server.setTls({ cert: first.certificate, key: second.key }));
  t.throws(() => served.server.setTls({ cert: '', key: 'x' }));
  t.equal((await ask(served, '/healthz')).subject, 'board', 'what does not fit is not taken');
  served.server.setTls(tlsOf(second));
  t.equal((await ask(served, '/healthz')).subject, 'board 2');
  served.view.read(served.view.sensors()[0]!.id, 1.25);
  await line.until('"value":1.25');
  line.socket.destroy();
  await eventually(() => served.counters.streams === 0);
});

await t.test('what does not fit is refused at the start', async (t) => {
  await t.rejects(
    Served.start(t, {}, FakeView.of(1), { cert: first.certificate, key: second.key }),
  );
  const plain = await Served.start(t);
  t.throws(() => plain.server.setTls(tlsOf(first)), { message: 'the server has no TLS' });
});

await t.test('handshakes that hang, plain text and old versions hurt nobody', async (t) => {
  const served = await Served.start(t, LIMITS, FakeView.of(2), tlsOf(first));
  const { port } = served.server;
  const hung = new Line(connectPlain({ host: '127.0.0.1', port }));
  const plain = new Line(connectPlain({ host: '127.0.0.1', port }));
  plain.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.notMatch(await plain.all(), /200/);
  await t.rejects(dial(served, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
  t.equal((await ask(served, '/healthz')).res.statusCode, 200);
  await hung.all();
  await eventually(() => served.counters.connections === 0);
  const many = Array.from(
    { length: 12 },
    () => new Line(connectPlain({ host: '127.0.0.1', port })),
  );
  await eventually(() => served.counters.turnedAway === 8);
  for (const { socket } of many) socket.destroy();
  await eventually(() => served.counters.connections === 0);
  t.equal((await ask(served, '/healthz')).res.statusCode, 200);
});

await t.test('one that stops reading over TLS is cut off too', async (t) => {
  const view = new FakeView();
  const place = 'x'.repeat(500_000);
  const served = await Served.start(t, { refresh: 20, streamPatience: 200 }, view, tlsOf(first));
  const line = await dial(served);
  line.socket.write('GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n');
  await line.until('event: relay');
  line.socket.pause();
  const sensor = { ...FakeView.of(1).sensors()[0]!, place };
  const timer = setInterval(() => view.show(sensor), 5);
  await eventually(() => served.counters.cutStreams === 1);
  clearInterval(timer);
  await eventually(() => served.counters.connections === 0);
});
