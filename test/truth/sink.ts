/** An upper server that checks every SEND against the plan when it comes, and remembers numbers only. */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:tls';
import { trusted, upperIdentity } from '../fake/upper-pki.js';
import { Arrivals } from './arrivals.js';
import { type Plan, readSend } from './plan.js';
import type { Source } from './source.js';

/** How it receives a new connection, and what it answers to those that are there. */
export type SinkMood = 'well' | 'silent' | 'mute' | 'garbage' | 'reset';

const ANSWER = '+OK - Success.\r\n';
/** One SEND of so many is refused, each time that it comes. */
const REFUSED_SHARE = 4999;
/** Kept of what is wrong; the rest is counted. */
const KEPT = 10;

export class Sink {
  readonly channel: number;
  readonly arrivals: Arrivals;
  mood: SinkMood = 'well';
  /** Distinct events that were refused. */
  refused = 0;
  /** Lines that the plan does not allow, and the first of them. */
  wrong = 0;
  readonly wrongs: string[] = [];
  /** Connections that logged in. */
  connections = 0;
  readonly #plan: Plan;
  readonly #sources: readonly Source[];
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(channel: number, plan: Plan, sources: readonly Source[]) {
    this.channel = channel;
    this.#plan = plan;
    this.#sources = sources;
    this.arrivals = new Arrivals(plan, channel);
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server !== undefined;
  }

  /** Listens, on the same port again where it has done so before. */
  async listen(): Promise<void> {
    const [ca, own] = await Promise.all([trusted(), upperIdentity('none')]);
    const server = createServer({
      ca: ca.certificate,
      cert: own.certificate,
      key: own.key,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      if (this.mood === 'reset') socket.resetAndDestroy();
    });
    server.on('secureConnection', (socket) => this.#serve(socket));
    server.on('tlsClientError', () => undefined);
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Connections are refused from now on; those that are there stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  drop(how: 'fin' | 'reset'): void {
    for (const socket of this.#sockets) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.end();
    }
  }

  close(): void {
    this.refuse();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    if (this.mood === 'silent') return;
    socket.write('an upper server\r\nVersion: 1.0.0\r\n+OK - Success.\r\n');
    let rest = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split('\r\n');
      rest = lines.pop()!;
      let answers = '';
      for (const line of lines) answers += this.#take(line, socket);
      if (answers !== '') socket.write(answers, 'latin1');
    });
  }

  #take(line: string, socket: Socket): string {
    if (line.startsWith('SEND ')) return this.#takeSend(line.slice(5));
    if (line === 'PASS secret') {
      this.connections++;
      if (this.mood === 'garbage') socket.write(Buffer.alloc(2 ** 21, 'garbage \x1b[2J\x00'));
    } else if (line !== 'NOOP' && line !== 'USER relay') this.#object(`not a SEND: ${line}`);
    return ANSWER;
  }

  #takeSend(argument: string): string {
    const { source, n } = readSend(argument);
    const known = n <= (this.#sources[source]?.n ?? 0) && this.#plan.goes(source, n, this.channel);
    if (!known || argument !== this.#plan.send(source, n, this.channel)) {
      this.#object(argument);
      return ANSWER;
    }
    if (!this.#plan.urgent(source, n)) this.#sources[source]!.saw(n);
    const refuses = n % REFUSED_SHARE === 0;
    if (this.arrivals.add(source, n) && refuses) this.refused++;
    if (this.mood === 'mute') return '';
    return refuses ? '-OK - Invalid parameter\r\n' : ANSWER;
  }

  #object(what: string): void {
    if (this.wrong++ < KEPT) this.wrongs.push(what.slice(0, 200));
  }
}
