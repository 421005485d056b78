/** One connection to a fake lower server: what came in, what it is allowed, what it is owed. */
import type { Outlet } from './outlet.js';
import { EVERYTHING, matches, type Event, type Pattern } from './event.js';
import type { Trouble } from './trouble.js';

/** What a test can see of a connection. */
export interface LowerConnection {
  /** Every byte that the client ever wrote. */
  readonly received: Buffer;
  /** How many of them came behind the line of the first RCVLOOP that was granted. */
  readonly afterLoop: number;
  readonly inLoop: boolean;
  readonly closed: boolean;
  /** Bytes written to the client. */
  readonly sent: number;
  /** Those of them that the kernel has not taken yet, because the client does not read. */
  readonly waiting: number;
}

/** How one kind of server talks. */
export interface Dialect {
  readonly greeting: Buffer;
  readonly sign: Buffer;
  readonly signEveryMs: number;
  /** Steady traffic holds the sign of life back. */
  readonly signWhenIdle: boolean;
  readonly places: number;
  /** Outside of the receive loop: all commands of a segment, or one a segment. */
  readonly obeysAll: boolean;
  readonly longestLine: number;
  readonly tooLong: Buffer;
  obey(session: Session, line: string): void;
  /** The line in which an event from that session goes to the others. */
  pass(event: Event, from: Session): string;
}

/** What a session needs to know of its server. */
export interface Host {
  readonly dialect: Dialect;
  readonly user: string;
  readonly password: string;
  readonly filters: 'applied' | 'ignored' | 'refused';
  readonly signEveryMs: number;
  trouble: Trouble | undefined;
  signs: boolean;
  takeBacklog(): Buffer;
  entered(): void;
  publish(event: Event, from: Session): void;
}

/** vscpd's default queue; the newest is dropped past it (facts.md section 3). */
const LONGEST_QUEUE = 1024;

export class Session implements LowerConnection {
  readonly host: Host;
  /** The lowest number that no other living connection has. */
  readonly channel: number;
  inLoop = false;
  closed = false;
  loggedIn = false;
  user: string | undefined;
  filter: Pattern = EVERYTHING;
  mask: Pattern = EVERYTHING;
  readonly queue: Buffer[] = [];

  readonly #outlet: Outlet;
  readonly #chunks: Buffer[] = [];
  #total = 0;
  #unread = Buffer.alloc(0);
  #overflowed = false;
  #loopAt: number | undefined;
  #leaving = false;
  #lastEvent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: Host, outlet: Outlet, channel: number) {
    this.host = host;
    this.#outlet = outlet;
    this.channel = channel;
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get afterLoop(): number {
    return this.#loopAt === undefined ? 0 : this.#total - this.#loopAt;
  }

  get sent(): number {
    return this.#outlet.sent;
  }

  get waiting(): number {
    return this.#outlet.waiting;
  }

  /** Books what one recv() of a real server would have given. */
  take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#total += chunk.length;
    this.#unread = Buffer.concat([this.#unread, chunk]);
  }

  obey(): void {
    while (this.#obeyOne() && (this.inLoop || this.host.dialect.obeysAll));
  }

  say(bytes: Buffer): void {
    const twice = this.host.trouble === 'two-lines' && bytes.toString('latin1').startsWith('-OK');
    this.#outlet.write(twice ? Buffer.concat([bytes, bytes]) : bytes);
  }

  hangUp(): void {
    this.#leaving = true;
    this.#outlet.end();
  }

  /** The acknowledgement and whatever waited go out in one segment. */
  enterLoop(acknowledgement: Buffer): void {
    const first = this.#loopAt === undefined;
    this.#loopAt ??= this.#total - this.#unread.length;
    this.inLoop = true;
    this.say(Buffer.concat([acknowledgement, ...this.queue.splice(0), this.host.takeBacklog()]));
    this.#keepSigning(this.host.signEveryMs);
    if (first) this.host.entered();
  }

  leaveLoop(): void {
    this.inLoop = false;
    clearTimeout(this.#timer);
  }

  /** The connection is gone. */
  close(): void {
    this.leaveLoop();
    this.closed = true;
  }

  lets(event: Event): boolean {
    return this.host.filters !== 'applied' || matches(event, this.filter, this.mask);
  }

  deliver(bytes: Buffer): void {
    if (this.inLoop) {
      this.#lastEvent = Date.now();
      this.#outlet.write(bytes);
    } else if (this.queue.length < LONGEST_QUEUE) {
      this.queue.push(bytes);
    }
  }

  #obeyOne(): boolean {
    const { longestLine, tooLong } = this.host.dialect;
    if (this.#leaving) return false;
    const end = this.#unread.indexOf('\n');
    if (end < 0) {
      if (this.#unread.length > longestLine) {
        this.#overflowed = true;
        this.#unread = Buffer.alloc(0);
      }
      return false;
    }
    const line = this.#unread.toString('latin1', 0, end).replace(/\r$/, '');
    this.#unread = this.#unread.subarray(end + 1);
    if (this.#overflowed || line.length > longestLine) this.say(tooLong);
    else this.host.dialect.obey(this, line);
    this.#overflowed = false;
    return true;
  }

  #keepSigning(waitMs: number): void {
    clearTimeout(this.#timer);
    const { host } = this;
    if (waitMs === Infinity) return;
    this.#timer = setTimeout(() => {
      const quietMs = host.dialect.signWhenIdle ? host.signEveryMs / 10 : 0;
      const missingMs = this.#lastEvent + quietMs - Date.now();
      if (missingMs > 0) {
        this.#keepSigning(missingMs);
        return;
      }
      if (host.signs) this.#outlet.write(host.dialect.sign);
      this.#keepSigning(host.signEveryMs);
    }, waitMs).unref();
  }
}
