/** A lower server that sends the plan's events at a pace, and knows what it wrote to whom. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Plan } from './plan.js';

/** How it receives a new connection. */
export type SourceMood = 'well' | 'silent' | 'garbage' | 'reset';

/** What was written to one connection that was in the receive loop. */
export interface Stretch {
  /** Its events: from `first` to `last`, that is `first - 1` if there are none. */
  readonly first: number;
  last: number;
  /** Bytes, the answer to RCVLOOP and signs of life included. */
  bytes: number;
  open: boolean;
  /** When it ended, on this process's own clock, ms. */
  ended: number;
  /** The last of its events, priority 0 left out, that has come above. */
  seen: number;
  /** It was reset, or one of the processes that may hold its bytes was killed. */
  interrupted: boolean;
}

const ANSWER = Buffer.from('+OK - Success.\r\n');
const SIGN_EVERY = 2000;
const TICK = 10;
/** A connection that begins so soon, ms, after a process was killed may be of that process. */
const AFTERMATH = 100;
/** A gate may be stopped, or its disk full, for so long, ms, and connections of it that end. */
const UNCOMMITTED = 15_000;
const MOST_ENDED = 16;
/** No more is written while the client's side has not taken this many bytes. */
export const MAX_WAITING = 256 * 1024;

export class Source {
  readonly index: number;
  /** The last event that was written. */
  n = 0;
  /** Events a second. */
  rate = 0;
  mood: SourceMood = 'well';
  /** In hang: a connection stays, and nothing is written to it. */
  hung = false;
  readonly stretches: Stretch[] = [];
  /** Connections that began before the one before had ended. */
  doubled = 0;
  /** Connections that did not behave as those of a relay do. */
  readonly strange: string[] = [];
  readonly #plan: Plan;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #current: { socket: Socket; stretch: Stretch } | undefined;
  #disturbed = -Infinity;
  #due = 0;
  #ticked = performance.now();
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(index: number, plan: Plan) {
    this.index = index;
    this.#plan = plan;
    this.#timers = [
      setInterval(() => this.#tick(), TICK),
      setInterval(() => this.#write(ANSWER), SIGN_EVERY),
    ];
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server !== undefined;
  }

  /** Whether a connection is in the receive loop. */
  get watched(): boolean {
    return this.#current !== undefined;
  }

  /** Listens, on the same port again where it has done so before. */
  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
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

  /** Ends the connection behind what is written, or by a reset. */
  drop(how: 'fin' | 'reset'): void {
    if (how === 'reset') this.disturb();
    for (const socket of this.#sockets) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.end();
    }
    this.#leave();
  }

  /** What stands between this server and the gate may be lost. */
  disturb(): void {
    this.#disturbed = performance.now();
    for (const stretch of this.stretches.slice(-2)) {
      if (stretch.open || stretch === this.stretches.at(-1)) stretch.interrupted = true;
    }
  }

  /**
   * A gate was killed: of connections that have ended it takes along what it had not committed, and
   * their valves are gone, whose totals would have told.
   */
  disturbEnded(): void {
    const since = performance.now() - UNCOMMITTED;
    for (const stretch of this.stretches.slice(-MOST_ENDED)) {
      if (!stretch.open && stretch.ended > since) stretch.interrupted = true;
    }
  }

  /** An event has come above. */
  saw(n: number): void {
    const stretch = this.stretches.findLast(({ first }) => first <= n);
    if (stretch && n > stretch.seen) stretch.seen = n;
  }

  /** Writes events until one goes to all channels; returns its number, 0 where nobody reads. */
  mark(): number {
    if (!this.#current) return 0;
    for (;;) {
      this.#send(1);
      if (this.#plan.kind(this.index, this.n) === 'both') return this.n;
    }
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.refuse();
    for (const socket of this.#sockets) socket.destroy();
  }

  #tick(): void {
    const now = performance.now();
    const elapsed = Math.min(200, now - this.#ticked);
    this.#ticked = now;
    if (!this.#current || this.hung) return;
    if (this.#current.socket.writableLength > MAX_WAITING) return;
    this.#due += (this.rate * elapsed) / 1000;
    const count = Math.floor(this.#due);
    this.#due -= count;
    if (count > 0) this.#send(count);
  }

  #send(count: number): void {
    let text = '';
    for (let i = 0; i < count; i++) text += this.#plan.line(this.index, ++this.n);
    this.#current!.stretch.last = this.n;
    this.#write(Buffer.from(text, 'latin1'));
  }

  #write(bytes: Buffer): void {
    if (!this.#current || (this.hung && bytes === ANSWER)) return;
    this.#current.stretch.bytes += bytes.length;
    this.#current.socket.write(bytes);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let rest = '';
    let entered: Stretch | undefined;
    let step = 0;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (entered) {
        entered.open = false;
        entered.ended = performance.now();
      }
      if (this.#current?.socket === socket) this.#leave();
    });
    if (this.mood === 'reset') {
      socket.resetAndDestroy();
      return;
    }
    if (this.mood === 'silent') return;
    if (this.mood === 'garbage') {
      socket.write(Buffer.alloc(64 * 1024, 'garbage \x1b[2J\x00'));
      return;
    }
    socket.write('a lower server\r\nVersion: 1.0.0\r\n+OK - Success.\r\n');
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const wanted = ['USER admin', 'PASS secret', 'RCVLOOP'][step++];
        if (line !== wanted) this.strange.push(`${line} instead of ${wanted ?? 'silence'}`);
        if (line === 'RCVLOOP') entered = this.#enter(socket);
        else socket.write(ANSWER);
      }
    });
  }

  #enter(socket: Socket): Stretch {
    // Of a process that was killed, and whose end has not come to be known here yet.
    if (this.#current) this.doubled++;
    // Of a process that was killed just now: what it asked for was on the way.
    const interrupted = performance.now() - this.#disturbed < AFTERMATH;
    const last = this.n;
    const stretch = {
      first: last + 1,
      last,
      seen: last,
      bytes: 0,
      open: true,
      ended: 0,
      interrupted,
    };
    this.stretches.push(stretch);
    this.#current = { socket, stretch };
    this.#write(ANSWER);
    return stretch;
  }

  #leave(): void {
    this.#current = undefined;
  }
}
