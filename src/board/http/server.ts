/** The public server: HTTP or HTTPS for anybody; it answers GET, HEAD and OPTIONS in limits. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer, Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { type HttpCounters, zeroCounters } from './counters.js';
import { METHODS } from './headers.js';
import { completeLimits, type HttpLimits } from './limits.js';
import { Buckets, networkOf, Tally } from './network.js';
import { Problem } from './problem.js';
import { type Exchange, Replies } from './reply.js';
import { type Board, Routes } from './routes.js';
import { parseTarget } from './target.js';

export interface PublicTls {
  /** PEM: the certificate, and those between it and its root. */
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Without it, HTTP. */
  readonly tls?: PublicTls;
  readonly limits?: Partial<HttpLimits>;
}

/** An answer to what is no HTTP may still be on its way for so many ms. */
const LINGER = 500;
/** Told to close, wait this many ms for answers that are on their way. */
const LAST_ANSWERS = 1000;
const MIN_VERSION = 'TLSv1.2';

export class PublicServer {
  readonly counters: Readonly<HttpCounters>;
  readonly #counters: HttpCounters = zeroCounters();
  readonly #limits: HttpLimits;
  readonly #server: Server | SecureServer;
  readonly #board: Board;
  readonly #replies: Replies;
  readonly #routes: Routes;
  readonly #buckets: Buckets;
  readonly #tally = new Tally();
  readonly #sockets = new Set<Socket>();
  /** Answers that are on their way, and since when (ms, monotonic); streams and exports apart. */
  readonly #open = new Map<ServerResponse, number>();
  /** Connections on which nothing more is answered. */
  readonly #done = new WeakSet<Duplex>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: HttpOptions, board: Board) {
    const limits = (this.#limits = completeLimits(options.limits));
    this.counters = this.#counters;
    this.#board = board;
    this.#replies = new Replies(options.tls !== undefined, this.#counters);
    this.#routes = new Routes(board, limits, this.#replies, this.#counters);
    this.#buckets = new Buckets(limits.requestsPerSecond, limits.requestBurst, limits.addresses);
    const settings: ServerOptions = {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: Math.min(limits.headersTimeout, limits.requestTimeout),
      requestTimeout: limits.requestTimeout,
      keepAliveTimeout: limits.idleTimeout,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeout),
      insecureHTTPParser: false,
      // Asked for below, with an answer like all others.
      requireHostHeader: false,
      noDelay: true,
    };
    this.#server = options.tls
      ? createSecureServer({
          ...settings,
          ...options.tls,
          minVersion: MIN_VERSION,
          handshakeTimeout: limits.headersTimeout,
        })
      : createServer(settings);
    this.#server.maxConnections = limits.connections;
    // What is beyond it is left out: one more, to be refused.
    this.#server.maxHeadersCount = limits.headers + 1;
    this.#server.timeout = limits.answerTimeout;
    this.#attach();
  }

  /** @throws Error: it cannot listen there, the key does not fit, or a limit is out of bounds */
  static async start(options: HttpOptions, board: Board): Promise<PublicServer> {
    const server = new PublicServer(options, board);
    await server.#listen(options);
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** For connections that come from now on. @throws Error: they do not fit each other */
  setTls(tls: PublicTls): void {
    if (!(this.#server instanceof SecureServer)) throw new Error('the server has no TLS');
    // A server that has taken half of what does not fit would answer nobody.
    createSecureContext({ ...tls, minVersion: MIN_VERSION });
    this.#server.setSecureContext({ ...tls, minVersion: MIN_VERSION });
  }

  /** Takes no more connections, ends streams, and waits a little for answers on their way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#routes.streams.close();
    const end = performance.now() + LAST_ANSWERS;
    const counters = this.#counters;
    const isBusy = (): boolean => this.#open.size + counters.exports + counters.streams > 0;
    while (isBusy() && performance.now() < end) await sleep(10);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #listen({ host, port }: HttpOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'another program does' : error.message;
        const way = 'give another address or port';
        reject(new Error(`cannot listen on ${host}:${port}: ${why}: ${way}`, { cause: error }));
      });
      this.#server.listen({ host, port, backlog: 1024 }, resolve);
    });
    this.#server.on('error', () => undefined);
    this.#timer = setInterval(() => this.#tick(), this.#limits.refresh);
  }

  #tick(): void {
    const now = performance.now();
    for (const [res, since] of this.#open) {
      // The oldest are the first.
      if (now - since < this.#limits.answerTimeout) break;
      this.#open.delete(res);
      this.#counters.cutAnswers++;
      res.destroy();
    }
    this.#cutWaiting();
    // The view may throw: that must not end the board.
    this.#routes.streams.look().catch(() => {
      this.#counters.failed++;
    });
  }

  /** Answers that nobody takes off must not fill the memory, however many ask for them. */
  #cutWaiting(): void {
    let waiting = 0;
    for (const res of this.#open.keys()) waiting += res.writableLength;
    if (waiting <= this.#limits.answersBytes) return;
    const largest = [...this.#open.keys()].sort((a, b) => b.writableLength - a.writableLength);
    for (const res of largest) {
      if (waiting <= this.#limits.answersBytes / 2) return;
      waiting -= res.writableLength;
      this.#open.delete(res);
      this.#counters.cutAnswers++;
      res.destroy();
    }
  }

  #attach(): void {
    const server = this.#server;
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('drop', () => {
      this.#counters.turnedAway++;
    });
    server.on('request', (req, res) => this.#take(req, res));
    server.on('checkContinue', (req, res) => this.#take(req, res));
    server.on('checkExpectation', (req, res) =>
      this.#take(req, res, new Problem('expectation_failed', 'Expect is not understood: leave it')),
    );
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket));
    server.on('connect', (_, socket) => {
      const text = this.#replies.raw(405, 'Method Not Allowed', 'no proxy here', {
        Allow: METHODS,
      });
      this.#hangUp(socket, text);
    });
    server.on('tlsClientError', () => {
      this.#counters.malformed++;
    });
  }

  #admit(socket: Socket): void {
    const network = networkOf(socket.remoteAddress);
    this.#counters.accepted++;
    if (this.#tally.of(network) >= this.#limits.connectionsPerAddress) {
      this.#counters.turnedAway++;
      socket.destroy();
      return;
    }
    this.#tally.add(network);
    this.#sockets.add(socket);
    this.#counters.connections++;
    socket.on('close', () => {
      this.#tally.remove(network);
      this.#sockets.delete(socket);
      this.#counters.connections--;
    });
  }

  #take(req: IncomingMessage, res: ServerResponse, trouble?: Problem): void {
    this.#counters.requests++;
    const { socket } = req;
    if (socket.destroyed) return;
    if (this.#done.has(socket)) {
      socket.destroy();
      return;
    }
    res.on('error', () => undefined);
    const target = parseTarget(req.url ?? '');
    const path = target?.path ?? '';
    const exchange: Exchange = {
      req,
      res,
      head: req.method === 'HEAD',
      api: path === '/api' || path.startsWith('/api/'),
      network: networkOf(socket.remoteAddress),
      path,
      search: target?.search ?? '',
    };
    try {
      if (trouble) throw trouble;
      this.#check(exchange, target !== undefined);
    } catch (error) {
      this.#fail(exchange, error);
      return;
    }
    if (req.method === 'OPTIONS') {
      this.#replies.options(exchange);
      return;
    }
    if (!path.endsWith('/readings.csv') && path !== '/api/v1/stream')
      this.#open.set(res, performance.now());
    res.on('close', () => void this.#open.delete(res));
    const answering = this.#routes.answer(exchange);
    // Nothing is answered behind a stream, which has begun by now.
    if (path === '/api/v1/stream' && res.headersSent) this.#done.add(socket);
    answering.catch((error: unknown) => this.#fail(exchange, error));
  }

  /** @throws Problem */
  #check({ req, res, network }: Exchange, targeted: boolean): void {
    const wait = this.#buckets.take(network, performance.now());
    if (wait > 0) {
      throw Problem.later('too_many_requests', 'too many requests: wait a little', wait);
    }
    const { method, headers } = req;
    if (req.rawHeaders.length > 2 * this.#limits.headers) {
      this.#finish(req, res);
      throw new Problem('too_many_headers', `give at most ${this.#limits.headers} headers`);
    }
    const hosts = req.rawHeaders.filter((name, i) => i % 2 === 0 && /^host$/i.test(name)).length;
    if (hosts > 1 || (hosts === 0 && req.httpVersion !== '1.0')) {
      this.#finish(req, res);
      throw new Problem('bad_request', 'give Host, once');
    }
    const known = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
    const length = headers['content-length'];
    if (headers['transfer-encoding'] !== undefined || (length !== undefined && +length !== 0)) {
      this.#finish(req, res);
      if (known) throw new Problem('body_refused', 'a request has no body here: leave it');
    }
    if (!known) {
      const text = `only ${METHODS} are answered here`;
      throw new Problem('method_not_allowed', text, { Allow: METHODS });
    }
    if (!targeted && !(method === 'OPTIONS' && req.url === '*')) {
      this.#finish(req, res);
      throw new Problem('bad_request', 'the target is no path: begin it with /');
    }
  }

  /** What follows may be a body, or what a proxy takes for one: nothing more is read here. */
  #finish(req: IncomingMessage, res: ServerResponse): void {
    this.#done.add(req.socket);
    res.shouldKeepAlive = false;
  }

  #fail(exchange: Exchange, error: unknown): void {
    const { res } = exchange;
    if (res.headersSent) {
      res.destroy();
      return;
    }
    const problem =
      error instanceof Problem
        ? error
        : new Problem('internal', 'the board has failed: try again later');
    let page: string | undefined;
    try {
      if (problem.status === 404 && !exchange.api) page = this.#board.pages.notFound();
    } catch {
      // The plain one says so too.
    }
    this.#replies.problem(exchange, problem, page);
  }

  /** What came is no request, or did not come in time. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (this.#done.has(socket) || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    this.#counters.malformed++;
    const text =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? this.#replies.raw(
            431,
            'Request Header Fields Too Large',
            'the request line and headers are too long',
          )
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? this.#replies.raw(408, 'Request Timeout', 'the request did not come in time')
          : this.#replies.raw(400, 'Bad Request', 'this is no HTTP request');
    this.#hangUp(socket, text);
  }

  /** Says a last word: what the peer still sends is not read, and must not reset the connection. */
  #hangUp(socket: Duplex, text: string): void {
    this.#done.add(socket);
    socket.on('error', () => undefined);
    // An answer that is on its way has not ended: it would be taken for a part of it.
    const busy = [...this.#open.keys()].some(
      (res) => res.req.socket === socket && !res.writableEnded,
    );
    if (busy) {
      socket.destroy();
      return;
    }
    socket.end(text);
    setTimeout(() => socket.destroy(), LINGER).unref();
  }
}
