/**
 * An upper server for tests: takes SEND over TLS on loopback, answers as it is told, and records
 * every byte that it was sent.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import { type Flaw, trusted, upperIdentity } from './upper-pki.js';

export type UpperTrouble =
  /** Greets nobody: the handshake is all there is. */
  | 'silent'
  /** Refuses the right user and password as if they were wrong. */
  | 'refuse-login'
  /** Logs in and reads no further byte. */
  | 'deaf'
  /** Logs in, takes every SEND and answers none. */
  | 'mute'
  /** Logs in and sends a gigabyte without a line's end. */
  | 'garbage'
  /** Logs in and sends a gigabyte of `+OK` lines that answer nothing. */
  | 'answers'
  /** The n-th SEND of each connection is taken, not answered, and the connection ends. */
  | { closeAfter: number }
  /** The same by a reset. */
  | { resetAfter: number };

export interface UpperOptions {
  /** `relay` and `secret` if not given. */
  user?: string;
  password?: string;
  /** 0 or nothing: any free port. A given one is for a server that comes back. */
  port?: number;
  /** 127.0.0.1 if not given. */
  host?: string;
  /** What its certificate or its TLS lacks. */
  tls?: Flaw | 'tls-1.2' | 'plain';
  /** vscpd 14 executes one command for each segment that comes; others all, in order. */
  window?: 'one-per-segment' | 'all';
  /** How many `-OK` lines answer this SEND, the argument given; 0: it is accepted. */
  refuse?: (event: string) => 0 | 1 | 2;
  /** What a refusal says behind `-OK`. */
  refusal?: string;
  /** What NOOP is answered with. */
  noop?: 'ok' | 'refused' | 'nothing';
  trouble?: UpperTrouble;
}

/** One connection that completed its handshake, from the server's side. */
export interface UpperConnection {
  /** The argument of each SEND, in order. */
  readonly sends: string[];
  /** Every byte that came. */
  readonly received: Buffer;
  /** Bytes written to it that the relay's side has taken. */
  readonly poured: number;
}

const GIGABYTE = 2 ** 30;
const GREETING = 'fake upper server\r\nVersion: 1.0.0\r\n+OK - Success.\r\n';

export class FakeUpper {
  /** SENDs in the order in which they came, over all connections: the argument of each. */
  readonly sends: string[] = [];
  /** Those that were answered `+OK`, or would have been, had the connection not ended. */
  readonly accepted: string[] = [];
  readonly refused: string[] = [];
  readonly connections: UpperConnection[] = [];
  /** Handshakes that failed. */
  failures = 0;
  trouble: UpperTrouble | undefined;
  readonly options: UpperOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: UpperOptions, server: Server) {
    this.options = options;
    this.trouble = options.trouble;
    this.#server = server;
  }

  static async start(options: UpperOptions = {}): Promise<FakeUpper> {
    const { tls = 'none' } = options;
    const flaw = tls === 'tls-1.2' || tls === 'plain' ? 'none' : tls;
    const [ca, own] = await Promise.all([trusted(), upperIdentity(flaw)]);
    const server: Server =
      tls === 'plain'
        ? createServer()
        : createTlsServer({
            ca: ca.certificate,
            cert: own.certificate,
            key: own.key,
            requestCert: true,
            rejectUnauthorized: true,
            ...(tls === 'tls-1.2' ? { maxVersion: 'TLSv1.2' } : { minVersion: 'TLSv1.3' }),
          });
    const upper = new FakeUpper(options, server);
    server.on(tls === 'plain' ? 'connection' : 'secureConnection', (socket: Socket) => {
      upper.#serve(socket);
    });
    server.on('tlsClientError', () => upper.failures++);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(server, 'listening');
    return upper;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Has another certificate from the next connection on. */
  async present(flaw: Flaw): Promise<void> {
    const [ca, own] = await Promise.all([trusted(), upperIdentity(flaw)]);
    const context = { ca: ca.certificate, cert: own.certificate, key: own.key };
    if (!(this.#server instanceof TlsServer)) throw new Error('this upper server speaks no TLS');
    this.#server.setSecureContext({ ...context, minVersion: 'TLSv1.3' });
  }

  dropAll(how: 'fin' | 'reset'): void {
    for (const socket of this.#sockets) {
      if (how === 'fin') socket.end();
      else reset(socket);
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    const session = new Session(this, socket);
    this.connections.push(session);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

/** A reset below TLS: no close_notify, no FIN. */
function reset(socket: Socket): void {
  const below = (socket as unknown as { _parent?: Socket })._parent;
  (below ?? socket).resetAndDestroy();
  socket.destroy();
}

class Session implements UpperConnection {
  readonly sends: string[] = [];
  readonly #upper: FakeUpper;
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #poured = 0;
  #rest = '';
  #user = '';
  #ended = false;

  constructor(upper: FakeUpper, socket: Socket) {
    this.#upper = upper;
    this.#socket = socket;
    if (upper.trouble !== 'silent') socket.write(GREETING);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get poured(): number {
    return this.#poured;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#rest += chunk.toString('latin1');
    let answers = '';
    for (let end; (end = this.#rest.indexOf('\n')) >= 0 && !this.#ended;) {
      const line = this.#rest.slice(0, end).replace(/\r$/, '');
      this.#rest = this.#rest.slice(end + 1);
      answers += this.#answer(line);
      if (this.#upper.options.window === 'one-per-segment') break;
    }
    if (answers !== '') this.#socket.write(answers, 'latin1');
    if (this.#ended) this.#end();
  }

  #answer(line: string): string {
    const [, verb, argument] = /^(\S*) ?(.*)$/s.exec(line)!;
    const { options, trouble } = this.#upper;
    if (trouble === 'silent') return '';
    switch (verb) {
      case 'USER':
        this.#user = argument!;
        return '+OK - User name accepted, password please\r\n';
      case 'PASS':
        return this.#logIn(argument!);
      case 'SEND':
        return this.#send(argument!);
      case 'NOOP':
        if (options.noop === 'nothing') return '';
        return options.noop === 'refused' ? '-OK - Unknown command\r\n' : '+OK - Success.\r\n';
      default:
        return '-OK - Unknown command\r\n';
    }
  }

  #logIn(password: string): string {
    const { options, trouble } = this.#upper;
    const right =
      this.#user === (options.user ?? 'relay') && password === (options.password ?? 'secret');
    if (!right || trouble === 'refuse-login') {
      return '-OK - Invalid username or password.\r\n';
    }
    if (trouble === 'deaf') this.#socket.pause();
    if (trouble === 'garbage') this.#pour(Buffer.alloc(64 * 1024, 'garbage \x1b[2J\x00'));
    if (trouble === 'answers') this.#pour(Buffer.from('+OK\r\n'.repeat(13_000)));
    return '+OK - Success.\r\n';
  }

  #send(event: string): string {
    const { options, trouble, sends, accepted, refused } = this.#upper;
    sends.push(event);
    this.sends.push(event);
    const lines = options.refuse?.(event) ?? 0;
    (lines === 0 ? accepted : refused).push(event);
    if (trouble === 'mute') return '';
    if (typeof trouble === 'object') {
      const limit = 'closeAfter' in trouble ? trouble.closeAfter : trouble.resetAfter;
      if (this.sends.length >= limit) {
        this.#ended = true;
        return '';
      }
    }
    if (lines === 0) return '+OK - Success.\r\n';
    return `-OK - ${options.refusal ?? 'Invalid parameter'}\r\n`.repeat(lines);
  }

  /** Writes a gigabyte, as fast as it is taken. */
  #pour(chunk: Buffer): void {
    const pour = (): void => {
      while (this.#poured < GIGABYTE && !this.#socket.destroyed) {
        this.#poured += chunk.length;
        if (!this.#socket.write(chunk)) return;
      }
    };
    this.#socket.on('drain', pour);
    setImmediate(pour);
  }

  #end(): void {
    const { trouble } = this.#upper;
    if (typeof trouble === 'object' && 'resetAfter' in trouble) reset(this.#socket);
    else this.#socket.end();
  }
}
