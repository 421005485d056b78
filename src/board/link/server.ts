/**
 * The VSCP tcp/ip link server of the board, over TLS 1.3: relays send events, readers watch them.
 *
 * To a relay it never says an event. Every peer is bounded in connections, bytes and time, and none
 * of them can hold up another.
 */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import { escapeText } from '../../link/answers.js';
import { encodeEvent, MAX_TEXT } from '../../event/encode.js';
import { MAX_BODY } from '../../event/layout.js';
import { Arrivals, groupOf } from './arrivals.js';
import { DEFAULT_LIMITS, type LinkLimits } from './limits.js';
import { Logins, type LinkUser } from './logins.js';
import { OUT_BYTES, Session, type SessionHost } from './session.js';

export type { LinkLimits } from './limits.js';
export type { LinkUser } from './logins.js';

/** PEM: the server's certificate and key, and the authority of the clients' certificates. */
export interface LinkTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface LinkOptions {
  readonly tls: LinkTls;
  readonly users: readonly LinkUser[];
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly limits?: Partial<LinkLimits>;
  /** For VERS: `major,minor,sub,build`. */
  readonly version?: string;
}

/** Why a peer was sent away. */
export type Refusal =
  /** Too many connections, in all or from its address, or too fast. */
  | 'limit'
  /** No TLS 1.3, or no certificate where each user has to have one. */
  | 'handshake'
  /** Its certificate is not of the authority, or not valid now, or not for clients. */
  | 'untrusted'
  /** It did not log in in time, or within so many commands. */
  | 'login-late'
  | 'login-password'
  | 'login-certificate'
  /** It reads nothing. */
  | 'stalled'
  | 'line-too-long';

export interface LinkHandlers {
  /**
   * An event came; `body` is its binary form (src/event/layout.ts) as it was sent, valid during the
   * call. What has no time has none here either.
   */
  event(body: Uint8Array, relay: string): void;
  /** A relay (a user who may send) has logged in, or its last connection has gone. */
  relay(name: string, connected: boolean): void;
  /** A peer was sent away; for a log, which must bound what it repeats. */
  refused?(why: Refusal, address: string, detail: string): void;
}

/** Sums since the start, but for `open` and `sessions`. */
export interface LinkCounters {
  /** Connections that are open now. */
  open: number;
  /** Of them, those that have logged in. */
  sessions: number;
  /** Connections that came. */
  connections: number;
  /** Those that were closed at once, or for a newer one, because there were too many. */
  refused: number;
  /** Logins of readers that were refused, because there were too many. */
  readers: number;
  /** Handshakes that failed. */
  handshakes: number;
  /** Connections with a certificate that does not verify. */
  untrusted: number;
  logins: number;
  /** Logins with no such user or another password. */
  passwords: number;
  /** Logins with a certificate that does not fit the user, or none. */
  certificates: number;
  /** Connections that did not log in in time, or within so many commands. */
  late: number;
  /** SENDs that were taken. */
  events: number;
  /** SENDs that were refused as malformed. */
  malformed: number;
  /** Lines beyond the bound; each ended its connection. */
  overlong: number;
  /** Events that a reader's queue dropped. */
  dropped: number;
  /** Connections that were cut because the peer did not read. */
  stalled: number;
}

/** Between two looks at all connections, ms. */
const TICK = 200;
/** Events for readers are written together, ms. */
const GATHER = 10;
/** A peer without a word is asked by TCP whether it lives, ms. */
const KEEP_ALIVE = 30_000;

interface Connection {
  readonly raw: Socket;
  readonly address: string;
  readonly group: string;
  /** When it came, ms. */
  readonly since: number;
  socket?: TLSSocket;
  session?: Session;
}

export class LinkServer {
  readonly counters: Readonly<LinkCounters>;
  readonly #counters: LinkCounters;
  readonly #limits: LinkLimits;
  readonly #handlers: LinkHandlers;
  readonly #logins: Logins;
  readonly #arrivals: Arrivals;
  /** Listens; the TLS server behind it is handed what may stay. */
  readonly #listener: Server;
  readonly #tls: TlsServer;
  readonly #host: SessionHost;
  /** By address and port of the peer; the oldest first. */
  readonly #connections = new Map<string, Connection>();
  readonly #readers = new Set<Session>();
  /** Connections of each relay that is here. */
  readonly #relays = new Map<string, number>();
  readonly #line = Buffer.allocUnsafe(MAX_TEXT + 2);
  #channels = 0;
  #pouring: NodeJS.Timeout | undefined;
  #ticking: NodeJS.Timeout | undefined;

  private constructor(options: LinkOptions, handlers: LinkHandlers) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#handlers = handlers;
    this.#logins = new Logins(options.users, this.#limits);
    this.#arrivals = new Arrivals(this.#limits);
    this.#counters = {
      open: 0,
      sessions: 0,
      connections: 0,
      refused: 0,
      readers: 0,
      handshakes: 0,
      untrusted: 0,
      logins: 0,
      passwords: 0,
      certificates: 0,
      late: 0,
      events: 0,
      malformed: 0,
      overlong: 0,
      dropped: 0,
      stalled: 0,
    };
    this.counters = this.#counters;
    this.#host = this.#makeHost(options.version ?? '1,0,0,0');
    this.#tls = createTlsServer({
      ...contextOf(options.tls),
      requestCert: true,
      rejectUnauthorized: !this.#logins.open,
      handshakeTimeout: this.#limits.login,
    });
    this.#tls.on('secureConnection', (socket) => this.#begin(socket));
    this.#tls.on('tlsClientError', (error, socket) => {
      this.#counters.handshakes++;
      this.#tell('handshake', socket.remoteAddress ?? '', error.message);
      socket.destroy();
    });
    this.#listener = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE,
    });
    this.#listener.on('connection', (raw) => this.#accept(raw));
  }

  /**
   * Listens.
   *
   * @throws Error if the options make no sense, the PEM cannot be read, or the port cannot be had
   */
  static async start(options: LinkOptions, handlers: LinkHandlers): Promise<LinkServer> {
    const server = new LinkServer(options, handlers);
    const listener = server.#listener;
    listener.listen(options.port, options.host);
    await once(listener, 'listening');
    // Out of descriptors, for example: those who are here stay.
    listener.on('error', () => server.#counters.refused++);
    server.#ticking = setInterval(() => server.#tick(), TICK);
    return server;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo | null)?.port ?? 0;
  }

  /**
   * For connections that come from now on.
   *
   * @throws Error if the PEM cannot be read; then the old ones stay
   */
  setTls(tls: LinkTls): void {
    const context = contextOf(tls);
    createSecureContext(context);
    this.#tls.setSecureContext(context);
  }

  /** Gives an event to the readers whose filter it passes. */
  publish(body: Uint8Array): void {
    let line: Buffer | undefined;
    for (const reader of this.#readers) {
      if (!reader.wants(body)) continue;
      line ??= this.#encode(body);
      reader.deliver(line);
    }
    if (line) this.#pourSoon();
  }

  /** Ends every connection; then no handler is called any more. */
  async close(): Promise<void> {
    clearInterval(this.#ticking);
    clearTimeout(this.#pouring);
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    for (const connection of this.#connections.values()) drop(connection);
    await closed;
    clearTimeout(this.#pouring);
  }

  #makeHost(version: string): SessionHost {
    const counters = this.#counters;
    return {
      limits: this.#limits,
      version,
      started: new Date(),
      body: new Uint8Array(MAX_BODY),
      out: Buffer.allocUnsafe(OUT_BYTES),
      wait: ({ origin }) => this.#logins.wait(origin, performance.now()),
      judge: ({ origin, certificate, address, group }, name, password) => {
        const judged = this.#logins.judge(name, password, certificate, origin, performance.now());
        if (typeof judged !== 'string') {
          if (judged.right === 'send' || this.#hasRoomForReader(group)) return judged;
          counters.readers++;
          this.#tell('limit', address, name);
          return 'readers';
        }
        counters[judged === 'password' ? 'passwords' : 'certificates']++;
        this.#tell(`login-${judged}`, address, name);
        return judged;
      },
      entered: (session) => this.#enter(session),
      event: (body, { user }) => {
        counters.events++;
        this.#handlers.event(body, user!.name);
      },
      malformed: () => counters.malformed++,
      overlong: ({ address, user }) => {
        counters.overlong++;
        this.#tell('line-too-long', address, user?.name ?? '');
      },
      late: ({ address }) => this.#noteLate(address),
      dropped: (count) => (counters.dropped += count),
      stalled: ({ address, user }) => {
        counters.stalled++;
        this.#tell('stalled', address, user?.name ?? '');
      },
      pourSoon: () => this.#pourSoon(),
    };
  }

  #accept(raw: Socket): void {
    this.#counters.connections++;
    const { remoteAddress: address, remotePort: port } = raw;
    raw.on('error', () => raw.destroy());
    if (address === undefined || port === undefined) {
      raw.destroy();
      return;
    }
    const group = groupOf(address);
    const now = performance.now();
    if (!this.#arrivals.enter(group, now, () => this.#makeRoom(group))) {
      this.#refuse(raw, address);
      return;
    }
    if (this.#connections.size >= this.#limits.connections && !this.#makeRoom()) {
      this.#arrivals.leave(group);
      this.#refuse(raw, address);
      return;
    }
    const key = `${address} ${port}`;
    const connection: Connection = { raw, address, group, since: now };
    const old = this.#connections.get(key);
    if (old) this.#gone(key, old);
    this.#connections.set(key, connection);
    this.#counters.open = this.#connections.size;
    raw.on('close', () => this.#gone(key, connection));
    this.#tls.emit('connection', raw);
  }

  #refuse(raw: Socket, address: string): void {
    this.#counters.refused++;
    this.#tell('limit', address, '');
    raw.resetAndDestroy();
  }

  /** One password of a reader must not lock a relay out. */
  #hasRoomForReader(group: string): boolean {
    const { connections, perAddress } = this.#limits;
    const here = [...this.#readers].filter((reader) => reader.group === group).length;
    return this.#readers.size < connections / 2 && here < perAddress / 2;
  }

  /**
   * Closes the oldest connection that has not logged in, or else the oldest reader.
   *
   * @param group undefined: whichever
   * @returns false if there is none
   */
  #makeRoom(group?: string): boolean {
    const all = [...this.#connections].filter(([, each]) => (group ?? each.group) === each.group);
    const [key, connection] =
      all.find(([, { session }]) => !session?.user) ??
      all.find(([, { session }]) => session?.user?.right === 'read') ??
      [];
    if (key === undefined || !connection) return false;
    this.#counters.refused++;
    this.#tell('limit', connection.address, connection.session?.user?.name ?? '');
    drop(connection);
    this.#gone(key, connection);
    return true;
  }

  /** The handshake is done. */
  #begin(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    const connection = this.#connections.get(`${socket.remoteAddress} ${socket.remotePort}`);
    if (!connection) {
      socket.destroy();
      return;
    }
    const { address, group } = connection;
    const certificate = socket.getPeerX509Certificate();
    // A session that is resumed is not verified again: none is offered, and none is taken.
    if (socket.isSessionReused() || (certificate && !socket.authorized)) {
      this.#counters.untrusted++;
      const why = socket.authorizationError as unknown;
      this.#tell('untrusted', address, typeof why === 'string' ? why : '');
      socket.destroy();
      return;
    }
    this.#channels = (this.#channels % 0xffff) + 1;
    connection.socket = socket;
    connection.session = new Session(this.#host, socket, this.#channels, address, group);
  }

  #enter(session: Session): void {
    const { name, right } = session.user!;
    this.#counters.logins++;
    this.#counters.sessions++;
    if (right === 'read') {
      this.#readers.add(session);
      return;
    }
    const here = this.#relays.get(name) ?? 0;
    this.#relays.set(name, here + 1);
    if (here === 0) this.#handlers.relay(name, true);
  }

  #gone(key: string, connection: Connection): void {
    if (this.#connections.get(key) !== connection) return;
    this.#connections.delete(key);
    this.#counters.open = this.#connections.size;
    this.#arrivals.leave(connection.group);
    const { session } = connection;
    session?.close();
    if (!session?.user) return;
    this.#counters.sessions--;
    this.#readers.delete(session);
    const { name, right } = session.user;
    if (right === 'read') return;
    const left = this.#relays.get(name)! - 1;
    if (left > 0) this.#relays.set(name, left);
    else {
      this.#relays.delete(name);
      this.#handlers.relay(name, false);
    }
  }

  #noteLate(address: string): void {
    this.#counters.late++;
    this.#tell('login-late', address, '');
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections.values()) {
      const { session, since } = connection;
      if (!session?.user && now - since > this.#limits.login) {
        this.#noteLate(connection.address);
        drop(connection);
      } else session?.tick(now);
    }
  }

  #pourSoon(): void {
    this.#pouring ??= setTimeout(() => {
      this.#pouring = undefined;
      for (const reader of this.#readers) reader.pour();
    }, GATHER);
  }

  #tell(why: Refusal, address: string, detail: string): void {
    this.#handlers.refused?.(why, address, escapeText(detail));
  }

  #encode(body: Uint8Array): Buffer {
    let end = encodeEvent(body, 0, this.#line, 0);
    this.#line[end++] = 0x0d;
    this.#line[end++] = 0x0a;
    return Buffer.from(this.#line.subarray(0, end));
  }
}

/** @throws Error if it would not do for a handshake, or would trust whom nobody named */
function contextOf({ cert, key, ca }: LinkTls): SecureContextOptions {
  let belongs;
  try {
    belongs = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new Error("the link's certificate or its key is no PEM that can be read", { cause });
  }
  if (!belongs) throw new Error("the link's key does not belong to its certificate");
  try {
    // An empty one would stand for the authorities of the whole web.
    new X509Certificate(ca);
  } catch (cause) {
    throw new Error("the link's ca is no PEM certificate that can be read", { cause });
  }
  // Without tickets and without a store of sessions none can be resumed.
  const secureOptions = constants.SSL_OP_NO_TICKET;
  return { cert, key, ca, minVersion: 'TLSv1.3', secureOptions };
}

function drop({ raw, socket }: Connection): void {
  socket?.destroy();
  raw.destroy();
}
