/**
 * A hostile upper server that sends bits by behaving and misbehaving:
 * `covert-upper.js DIRECTORY MODULATION SLOT BITS`.
 *
 * It behaves until it is told when the first slot begins; in the slot of a 1 it misbehaves.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { serverOptions } from './tls.js';
import { now } from './covert-capture.js';

/** How a 1 is sent. */
export type Modulation =
  /** Behaves all the time. */
  | 'none'
  /** Reads nothing and answers nothing. */
  | 'stall'
  /** Resets the connection, and every new one when it has logged in. */
  | 'close'
  /** Answers every SEND behind GARBAGE bytes of lines that are no answers. */
  | 'flood'
  /** Refuses every SEND, which the relay records on its disk. */
  | 'refuse'
  /** Resets the connection, and meets every new one with a TLS alert or with no TLS at all. */
  | 'handshake'
  /** Resets the connection and listens no more. */
  | 'absent';

const [directory, , slotText, bits] = process.argv.slice(2) as [string, string, string, string];
const modulation = process.argv[3] as Modulation;
const slot = Number(slotText);
/** Under the relay's bound, beyond which it closes: what is cheap to send and dear to read. */
const GARBAGE = Buffer.from('x\n'.repeat(100_000));
const ALERT = Buffer.from([0x15, 3, 3, 0, 2, 2, 40]); // fatal, handshake_failure
const OK = Buffer.from('+OK\r\n');
const NO = Buffer.from('-OK\r\n');

let active = false;
let port = 0;
let met = false;
let greeted = 0;
const sockets = new Set<Socket>();
const sessions = new Set<Session>();

class Session {
  readonly #socket: TLSSocket;
  #login = 2;
  #owed = 0;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sessions.delete(this));
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.write('bench\r\n+OK\r\n');
    this.follow();
  }

  /** Begins to misbehave, or ends it. */
  follow(): void {
    if (modulation !== 'stall') return;
    if (active) {
      this.#socket.pause();
      return;
    }
    this.#answer(this.#owed, OK);
    this.#owed = 0;
    this.#socket.resume();
  }

  #take(chunk: Buffer): void {
    let lines = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    const login = Math.min(lines, this.#login);
    this.#login -= login;
    this.#answer(login, OK);
    if (login > 0 && this.#login === 0 && active && modulation === 'close') resetAll();
    const events = lines - login;
    if (events === 0) return;
    if (!met) process.send!({ met: true });
    met = true;
    if (active && modulation === 'stall') this.#owed += events;
    else if (active && modulation === 'refuse' && !chunk.includes('NOOP')) this.#answer(events, NO);
    else if (active && modulation === 'flood') {
      for (let i = 0; i < events; i++) {
        this.#socket.write(GARBAGE);
        this.#socket.write(OK);
      }
    } else this.#answer(events, OK);
  }

  #answer(count: number, line: Buffer): void {
    if (count > 0) this.#socket.write(Buffer.concat(Array.from({ length: count }, () => line)));
  }
}

function resetAll(): void {
  for (const socket of sockets) socket.resetAndDestroy();
}

const tls = createTlsServer(serverOptions(directory), (socket) =>
  sessions.add(new Session(socket)),
);
tls.on('tlsClientError', () => undefined);

const server = createServer((socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => socket.destroy());
  if (!active || modulation !== 'handshake') {
    tls.emit('connection', socket);
    return;
  }
  socket.end(greeted++ % 2 === 0 ? ALERT : '220 no TLS here\r\n');
  socket.resume();
});

function change(): void {
  if (modulation === 'absent') {
    if (active) server.close();
    else server.listen(port, '127.0.0.1');
  }
  if (active && (modulation === 'close' || modulation === 'handshake' || modulation === 'absent')) {
    resetAll();
  }
  for (const session of sessions) session.follow();
}

function run(start: number): void {
  const step = (k: number): void => {
    const wanted = bits[k] === '1';
    if (wanted !== active) {
      active = wanted;
      change();
    }
    if (k < bits.length) setTimeout(() => step(k + 1), start + (k + 1) * slot - now());
  };
  setTimeout(() => step(0), start - now());
}

server.on('error', () => undefined);
server.listen(0, '127.0.0.1', () => {
  port = (server.address() as AddressInfo).port;
  process.send!({ port });
});
process.on('message', ({ start }: { start: number }) => run(start));
process.on('disconnect', () => process.exit());
