/** A link server with users and certificates for tests, and a peer that talks to it over TLS. */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import { encodeEvent, MAX_TEXT } from '../../../src/event/encode.js';
import { createAuthority, type Identity, issueCertificate } from '../../../src/pki/authority.js';
import type { LinkLimits } from '../../../src/board/link/limits.js';
import { LinkServer, type LinkUser, type Refusal } from '../../../src/board/link/server.js';
import { trusted, upperIdentity } from '../../fake/upper-pki.js';

export const USERS: readonly LinkUser[] = [
  { name: 'relay', password: 'secret', right: 'send', certificate: ['relay.example'] },
  { name: 'plain', password: 'by its CN', right: 'send', certificate: ['only-cn'] },
  { name: 'any', password: 'any of the CA', right: 'send' },
  { name: 'reader', password: 'watch', right: 'read' },
  { name: 'guard', password: 'watch too', right: 'read', certificate: ['relay.example'] },
];

export type Client = 'relay' | 'only-cn' | 'other' | 'expired' | 'wrong-ca' | 'server' | 'none';

const DAY = 86_400_000;
const kept = new Map<Client, Promise<Identity>>();

/** The client certificate of that kind; made once a process. */
export function identity(client: Exclude<Client, 'none'>): Promise<Identity> {
  const known = kept.get(client) ?? make(client);
  kept.set(client, known);
  return known;
}

async function make(client: Client): Promise<Identity> {
  const ca =
    client === 'wrong-ca'
      ? await createAuthority({ commonName: 'somebody else', days: 400, bits: 2048 })
      : await trusted();
  return issueCertificate(ca, {
    // With a SAN, the CN counts for nothing.
    commonName: client === 'other' ? 'relay.example' : client === 'only-cn' ? 'only-cn' : 'relay',
    usage: client === 'server' ? 'server' : 'client',
    names: client === 'only-cn' ? [] : [client === 'other' ? 'other.example' : 'relay.example'],
    days: 60,
    bits: 2048,
    ...(client === 'expired' ? { notBefore: new Date(Date.now() - 61 * DAY) } : {}),
  });
}

export async function serverTls(): Promise<{ cert: string; key: string; ca: string }> {
  const [ca, own] = await Promise.all([trusted(), upperIdentity('none')]);
  return { cert: own.certificate, key: own.key, ca: ca.certificate };
}

export interface Board {
  readonly server: LinkServer;
  /** The text form of each event, and who sent it. */
  readonly events: string[];
  readonly relays: string[];
  readonly refusals: Refusal[];
}

/** Events go to the readers as well. */
export async function start(
  t: Test,
  limits: Partial<LinkLimits> = {},
  users: readonly LinkUser[] = USERS,
): Promise<Board> {
  const events: string[] = [];
  const relays: string[] = [];
  const refusals: Refusal[] = [];
  const text = Buffer.alloc(MAX_TEXT);
  const server: LinkServer = await LinkServer.start(
    {
      tls: await serverTls(),
      users,
      host: '127.0.0.1',
      port: 0,
      // Many tests come from one address.
      limits: { burst: 10_000, firstPenalty: 1, ...limits },
    },
    {
      event: (body, relay) => {
        const end = encodeEvent(body, 0, text, 0);
        events.push(`${relay} ${text.toString('latin1', 0, end)}`);
        server.publish(body);
      },
      relay: (name, connected) => relays.push(`${name} ${connected ? 'here' : 'gone'}`),
      refused: (why) => refusals.push(why),
    },
  );
  t.teardown(() => server.close());
  return { server, events, relays, refusals };
}

export const PATIENCE = 60_000;

export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not in time: ${String(condition)}`);
    await pause(2);
  }
}

export class Peer {
  readonly socket: TLSSocket;
  ended = false;
  error = '';
  #text = '';

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => (this.#text += chunk.toString('latin1')));
    socket.on('error', (error: Error) => (this.error = error.message));
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.ended = true));
  }

  /** Shakes hands; rejects if that fails. Where the server refuses, that shows later. */
  static async dial(
    { port }: { port: number },
    client: Client = 'none',
    options: ConnectionOptions = {},
  ): Promise<Peer> {
    const [ca, own] = await Promise.all([
      trusted(),
      client === 'none' ? undefined : identity(client),
    ]);
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: ca.certificate,
      servername: 'upper.example',
      ...(own ? { cert: own.certificate, key: own.key } : {}),
      ...options,
    });
    const peer = new Peer(socket);
    await once(socket, 'secureConnect');
    return peer;
  }

  /** Logs in as one of USERS. */
  static async enter(server: { port: number }, name = 'relay'): Promise<Peer> {
    const user = USERS.find((known) => known.name === name)!;
    const client = name === 'plain' ? 'only-cn' : user.right === 'send' ? 'relay' : 'none';
    const peer = await Peer.dial(server, name === 'guard' ? 'relay' : client);
    await peer.answers(1);
    await peer.ask(`USER ${user.name}`);
    const answer = await peer.ask(`PASS ${user.password}`);
    if (answer !== '+OK - Success.\r\n') throw new Error(answer);
    return peer;
  }

  /** What has come and was not taken yet. */
  get text(): string {
    return this.#text;
  }

  /** Takes all that comes up to the n-th answer line. */
  async answers(count: number): Promise<string> {
    const ends = (): number[] =>
      [...this.#text.matchAll(/^[+-]OK[^\n]*\n/gm)].map(
        ({ index, 0: line }) => index + line.length,
      );
    await until(() => this.ended || ends().length >= count);
    const end = ends()[count - 1] ?? this.#text.length;
    const taken = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return taken;
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Sends a line and takes its answer. */
  async ask(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.answers(1);
  }

  async end(): Promise<void> {
    await until(() => this.ended);
  }

  hangUp(): void {
    this.socket.destroy();
  }
}
