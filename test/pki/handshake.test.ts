import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import t from 'tap';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';
import type { Identity } from '../../src/pki/authority.js';

const HOST = 'upper.example';

const [authority, other] = await Promise.all([
  createAuthority({ commonName: 'tidegate CA', days: 2, bits: 2048 }),
  createAuthority({ commonName: 'tidegate CA', days: 2, bits: 2048 }),
]);

function issueClient(from: Identity, notBefore?: Date): Promise<Identity> {
  const options = { commonName: 'relay', usage: 'client', names: [], days: 1 } as const;
  return issueCertificate(from, notBefore ? { ...options, notBefore } : options);
}

function issueServer(from: Identity, notBefore?: Date): Promise<Identity> {
  const names = [HOST, '127.0.0.1'];
  const options = { commonName: 'upper', usage: 'server', names, days: 1 } as const;
  return issueCertificate(from, notBefore ? { ...options, notBefore } : options);
}

const relay = await issueClient(authority);
const upper = await issueServer(authority);

interface Outcome {
  /** What the client read, or the code of its error. */
  readonly client: string;
  /** The common name that the server saw, or the code of its error. */
  readonly server: string;
}

type Rejected = Omit<TLSSocket, 'authorizationError'> & { authorizationError?: string | null };

const describe = (error: Error): string => ('code' in error ? String(error.code) : error.message);

/** Lets one client meet one server that demands a certificate, and reports both points of view. */
async function meet(
  server: Identity,
  client: Identity | undefined,
  change: ConnectionOptions = {},
): Promise<Outcome> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  });
  const seen = new Promise<string>((resolve) => {
    listener.once('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end(socket.getProtocol() ?? '');
    });
    // Node drops a client whose certificate fails; the reason stays on its socket.
    listener.once('tlsClientError', (error: Error, socket: Rejected) =>
      resolve(socket.authorizationError ?? describe(error)),
    );
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect({
    port: (listener.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: HOST,
    ca: authority.certificate,
    ...(client ? { cert: client.certificate, key: client.key } : {}),
    ...change,
  });
  const received = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString()));
    socket.once('error', (error: Error) => resolve(describe(error)));
    socket.once('close', () => resolve(text));
  });
  const outcome = { client: await received, server: await seen };
  socket.destroy();
  listener.close();
  return outcome;
}

await t.test('an issued server and an issued client meet over TLS 1.3', async (t) => {
  t.strictSame(await meet(upper, relay), { client: 'TLSv1.3', server: 'relay' });
});

await t.test('an address in the certificate serves as the name', async (t) => {
  const { client } = await meet(upper, relay, { servername: '' });
  t.equal(client, 'TLSv1.3');
});

await t.test('a server of another name is refused by the client', async (t) => {
  const { client } = await meet(upper, relay, { servername: 'other.example' });
  t.equal(client, 'ERR_TLS_CERT_ALTNAME_INVALID');
});

await t.test('the common name of a server is no name to go by', async (t) => {
  const { client } = await meet(upper, relay, { servername: 'upper' });
  t.equal(client, 'ERR_TLS_CERT_ALTNAME_INVALID');
});

await t.test('a server of another authority of the same name is refused', async (t) => {
  const { client } = await meet(await issueServer(other), relay);
  t.equal(client, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
});

await t.test('a client of another authority is refused by the server', async (t) => {
  const { client, server } = await meet(upper, await issueClient(other));
  t.equal(server, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  t.not(client, 'TLSv1.3');
});

await t.test('a client without a certificate is refused by the server', async (t) => {
  const { client, server } = await meet(upper, undefined);
  t.equal(server, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
  t.not(client, 'TLSv1.3');
});

await t.test('expired certificates are refused on both ends', async (t) => {
  const notBefore = new Date('2020-01-01T00:00:00Z');
  const { client } = await meet(await issueServer(authority, notBefore), relay);
  t.equal(client, 'CERT_HAS_EXPIRED');
  const { client: expired, server } = await meet(upper, await issueClient(authority, notBefore));
  t.equal(server, 'CERT_HAS_EXPIRED');
  t.not(expired, 'TLSv1.3');
});

await t.test('a certificate for one end does not serve at the other', async (t) => {
  const asServer = await meet(relay, relay, { checkServerIdentity: () => undefined });
  t.equal(asServer.client, 'INVALID_PURPOSE');
  const asClient = await meet(upper, upper);
  t.equal(asClient.server, 'INVALID_PURPOSE');
  t.not(asClient.client, 'TLSv1.3');
});
