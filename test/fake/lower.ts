/** A lower server for tests, on loopback, that answers as the recorded one of its kind did. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { toEvent, type Event } from './event.js';
import { Outlet } from './outlet.js';
import { Session, type Dialect, type Host, type LowerConnection } from './session.js';
import { pretend, type Trouble } from './trouble.js';
import { uvscpd } from './uvscpd.js';
import { vscpd } from './vscpd.js';

export type { LowerConnection } from './session.js';
export type { Trouble } from './trouble.js';

export type Kind = 'vscpd-14' | 'vscpd-15' | 'uvscpd';

export interface LowerOptions {
  kind: Kind;
  /** `admin` and `secret` if not given. */
  user?: string | undefined;
  password?: string | undefined;
  /** 0 or nothing: any free port. A given one is for a server that comes back. */
  port?: number | undefined;
  /** 127.0.0.1 if not given. */
  host?: string | undefined;
  /** Refused: `-OK` to SFLT and SMSK. Ignored: `+OK`, and everything is sent all the same. */
  filters?: 'applied' | 'ignored' | 'refused' | undefined;
  /** In milliseconds; the kind's own interval if not given. */
  signsOfLife?: number | 'off' | undefined;
  /** Splits every write into chunks of so many bytes. */
  pieces?: number | undefined;
  trouble?: Trouble | undefined;
}

const DIALECTS: Readonly<Record<Kind, () => Dialect>> = {
  'vscpd-14': () => vscpd(14),
  'vscpd-15': () => vscpd(15),
  uvscpd,
};

const LOOKS_LIKE_AN_EVENT = /^\d+,\d+,\d+,\d*,[^,]*,\d*,[0-9A-Fa-f:-]+(?:,|$)/;

/** Text is taken line by line, whichever way its lines end; bytes stay as they are. */
const toLines = (text: string) => text.split(/\r?\n/).filter((line) => line !== '');

export class FakeLower {
  /** Every connection ever accepted, those turned away for lack of a place included. */
  readonly connections: readonly LowerConnection[];

  readonly #server: Server;
  readonly #host: Host;
  readonly #sessions: Session[] = [];
  readonly #sockets = new Map<Session, Socket>();
  readonly #pieces: number | undefined;
  readonly #backlog: Buffer[] = [];
  #entered = 0;
  #closed = false;
  #waiting: { count: number; resolve: () => void; reject: (reason: Error) => void }[] = [];

  private constructor(options: LowerOptions) {
    const dialect = DIALECTS[options.kind]();
    this.connections = this.#sessions;
    this.#pieces = options.pieces;
    this.#host = {
      dialect,
      user: options.user ?? 'admin',
      password: options.password ?? 'secret',
      filters: options.filters ?? 'applied',
      signEveryMs:
        options.signsOfLife === 'off' ? Infinity : (options.signsOfLife ?? dialect.signEveryMs),
      trouble: options.trouble,
      signs: true,
      takeBacklog: () => Buffer.concat(this.#backlog.splice(0)),
      entered: () => this.#enter(),
      publish: (event, from) => this.#publish(event, from),
    };
    // A half-closed connection is dropped by our own close, behind what is still to be written.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    );
    this.#server.unref();
  }

  static async start(options: LowerOptions): Promise<FakeLower> {
    const lower = new FakeLower(options);
    lower.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(lower.#server, 'listening');
    return lower;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get trouble(): Trouble | undefined {
    return this.#host.trouble;
  }

  /** Holds for the connections that come, and for the commands that are answered, from now on. */
  set trouble(trouble: Trouble | undefined) {
    this.#host.trouble = trouble;
  }

  /** Goes to all connections in RCVLOOP. Text that looks like an event passes their filters. */
  send(lines: string | Buffer): void {
    if (typeof lines !== 'string') {
      this.#deliver(lines, undefined);
      return;
    }
    for (const line of toLines(lines)) {
      const event = LOOKS_LIKE_AN_EVENT.test(line) ? toEvent(line) : undefined;
      this.#deliver(Buffer.from(`${line}\r\n`), event);
    }
  }

  /** The next connection to enter RCVLOOP gets this behind the answer, in the same segment. */
  backlog(lines: string | Buffer): void {
    const bytes = typeof lines === 'string' ? toLines(lines).map((line) => `${line}\r\n`) : [lines];
    this.#backlog.push(...bytes.map((each) => Buffer.from(each)));
  }

  dropAll(how: 'fin' | 'reset'): void {
    for (const [session, socket] of this.#sockets) {
      if (how === 'fin') session.hangUp();
      else socket.resetAndDestroy();
    }
  }

  pauseSignsOfLife(): void {
    this.#host.signs = false;
  }

  resumeSignsOfLife(): void {
    this.#host.signs = true;
  }

  /** Resolves when the n-th connection of all time has entered RCVLOOP; rejects at close(). */
  untilLoop(count = 1): Promise<void> {
    if (this.#entered >= count) return Promise.resolve();
    if (this.#closed) return Promise.reject(new Error('the fake lower server is closed'));
    return new Promise((resolve, reject) => this.#waiting.push({ count, resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const [session, socket] of this.#sockets) {
      session.close();
      socket.destroy();
    }
    await closed;
    const waiting = this.#waiting.splice(0);
    for (const each of waiting) each.reject(new Error('the fake lower server is closed'));
  }

  #accept(socket: Socket): void {
    const { dialect, trouble } = this.#host;
    const closeAfter = typeof trouble === 'object' ? trouble.closeAfter : undefined;
    const outlet = new Outlet(socket, { pieces: this.#pieces, closeAfter });
    const session = new Session(this.#host, outlet, this.#freeChannel());
    const full = this.#sockets.size >= dialect.places;
    this.#sessions.push(session);
    this.#sockets.set(session, socket);
    socket.unref();
    socket.on('error', () => undefined); // a reset is followed by 'close' as well
    socket.once('close', () => {
      session.close();
      this.#sockets.delete(session);
    });
    socket.once('end', () => session.hangUp());
    if (full) {
      socket.resume();
      session.hangUp();
      return;
    }
    const strange = pretend(trouble, socket, outlet);
    if (!strange) session.say(dialect.greeting);
    socket.on('data', (chunk: Buffer) => {
      session.take(chunk);
      if (!strange) session.obey();
    });
  }

  #freeChannel(): number {
    const taken = new Set([...this.#sockets.keys()].map((session) => session.channel));
    let channel = 1;
    while (taken.has(channel)) channel++;
    return channel;
  }

  #enter(): void {
    this.#entered++;
    const due = this.#waiting.filter(({ count }) => count <= this.#entered);
    this.#waiting = this.#waiting.filter(({ count }) => count > this.#entered);
    for (const { resolve } of due) resolve();
  }

  #deliver(bytes: Buffer, event: Event | undefined): void {
    for (const session of this.#sockets.keys()) {
      if (session.inLoop && (event === undefined || session.lets(event))) session.deliver(bytes);
    }
  }

  /** Passes on what one client sent: to all others that are logged in, in RCVLOOP or not. */
  #publish(event: Event, from: Session): void {
    const bytes = Buffer.from(`${this.#host.dialect.pass(event, from)}\r\n`);
    for (const session of this.#sockets.keys()) {
      const open = session.loggedIn || this.#host.dialect.obeysAll;
      if (session !== from && open && session.lets(event)) session.deliver(bytes);
    }
  }
}
