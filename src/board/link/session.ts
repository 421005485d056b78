/**
 * One connection to the link server, from its greeting to its end.
 *
 * Source: VSCP specification, "VSCP tcp/ip link protocol": a command is a line; it is answered by
 * optional lines of data and one line that begins with +OK or -OK. All commands of a segment are
 * answered in order, and by one write.
 */
import { randomBytes, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { decodeEvent } from '../../event/decode.js';
import { formatGuid, parseGuid } from '../../event/guid.js';
import { BAD_DATETIME, BAD_GUID } from '../../event/malformed.js';
import * as answers from './answers.js';
import { EVERYTHING, parsePattern, passes, type Pattern } from './filter.js';
import { helpOn } from './help.js';
import { decodeMended } from './mend.js';
import type { LinkLimits } from './limits.js';
import { Lines } from './lines.js';
import type { LinkUser, LoginFailure } from './logins.js';
import { EventQueue } from './queue.js';

/** What all sessions of a server share. */
export interface SessionHost {
  readonly limits: LinkLimits;
  readonly version: string;
  /** When the server began. */
  readonly started: Date;
  /** Where an event is decoded: MAX_BODY bytes. */
  readonly body: Uint8Array;
  /** Where answers are gathered. */
  readonly out: Buffer;
  /** ms to wait before a login is looked at; undefined: never. */
  wait(session: Session): number | undefined;
  judge(session: Session, user: string, password: string): LinkUser | LoginFailure | 'readers';
  /** The login was right: the session has its user. */
  entered(session: Session): void;
  event(body: Uint8Array, session: Session): void;
  malformed(): void;
  overlong(session: Session): void;
  /** It says much, and does not log in. */
  late(session: Session): void;
  dropped(count: number): void;
  /** Cut off, because it does not read. */
  stalled(session: Session): void;
  /** Events wait for a reader in the receive loop. */
  pourSoon(): void;
}

const SPACE = 0x20;
const TAB = 0x09;
/** Who has been told goodbye has this long to go, ms. */
const LINGER = 2000;
/** Lines of events are written together up to this many bytes. */
const MOST_AT_ONCE = 16 * 1024;
/** Room in `out` for the longest single answer, HELP. */
export const OUT_BYTES = 64 * 1024;
/** VSCP specification, CLASS2.PROTOCOL type 20: link server, IPv6, IPv4, TLS, many connections. */
const CAPABILITIES = '00-00-00-00-00-00-80-78';
/** RETR takes no more at once. */
const MOST_RETRIEVED = 1_000_000;

/** Commands that need no login (privilege 0). */
const FREE = [
  'NOOP',
  'HELP',
  'QUIT',
  'USER',
  'PASS',
  'CHALLENGE',
  'VERS',
  'VERSION',
  'WCYD',
].concat(['WHATCANYOUDO', 'QUITLOOP', '+']);

const REFUSED = {
  password: answers.WRONG_LOGIN,
  certificate: answers.WRONG_CERTIFICATE,
  readers: answers.TOO_MANY_READERS,
} as const;

type Command = (session: Session, argument: string) => void;

export class Session {
  /** The channel id. */
  readonly id: number;
  readonly certificate: X509Certificate | undefined;
  readonly address: string;
  /** The address, or what stands for all that its peer may have. */
  readonly group: string;
  /** Whose failed logins count together: no stranger slows down who has a certificate. */
  readonly origin: string;
  /** Who it has logged in as. */
  user: LinkUser | undefined;
  readonly #host: SessionHost;
  readonly #socket: TLSSocket;
  readonly #lines: Lines;
  readonly #queue: EventQueue;
  #guid: Uint8Array;
  #name = '';
  #filter = EVERYTHING;
  #mask = EVERYTHING;
  #looping = false;
  /** When the next sign of life is due, ms. */
  #signAt = 0;
  /** Bytes of `out` that hold its answers. */
  #used = 0;
  /** Commands before the login. */
  #strange = 0;
  /** The last command, for `+`. */
  #last: Buffer | undefined;
  /** Of a login that waits to be looked at. */
  #held: NodeJS.Timeout | undefined;
  /** Too much waits for the peer: it is read from no more. */
  #blocked = false;
  /** Since when something waits for the peer, ms. */
  #waitsSince: number | undefined;
  /** When it was told goodbye, ms. */
  #endedAt: number | undefined;
  #closed = false;
  readonly #stat = { bytesIn: 0, eventsIn: 0, bytesOut: 0, eventsOut: 0 };

  constructor(host: SessionHost, socket: TLSSocket, id: number, address: string, group: string) {
    this.#host = host;
    this.#socket = socket;
    this.id = id;
    this.certificate = socket.getPeerX509Certificate();
    this.address = address;
    this.group = group;
    this.origin = `${group} ${this.certificate?.fingerprint256 ?? ''}`;
    this.#lines = new Lines(host.limits.line);
    this.#queue = new EventQueue(host.limits.queue, host.limits.queueBytes);
    this.#guid = Uint8Array.of(...new Array<number>(7).fill(0xff), 0xf5, 1, 0, 0, 0, 0, 0, 0, 0);
    this.#guid[12] = id >>> 8;
    this.#guid[13] = id;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('drain', () => this.#drained());
    this.#say(answers.GREETING);
    this.#flush();
  }

  /** Events that were dropped because it did not take them. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Whether an event is for this reader. */
  wants(body: Uint8Array): boolean {
    return passes(body, this.#filter, this.#mask);
  }

  /** @param line of an event, with its ending */
  deliver(line: Buffer): void {
    const before = this.#queue.dropped;
    this.#queue.push(line);
    this.#host.dropped(this.#queue.dropped - before);
  }

  /** In the receive loop: writes what waits, as far as the peer takes it. */
  pour(): void {
    if (!this.#looping) return;
    while (this.#queue.length > 0 && this.#writable && !this.#socket.writableNeedDrain) {
      while (this.#queue.length > 0 && this.#used + this.#queue.next <= MOST_AT_ONCE) {
        this.#sayNext();
      }
      this.#flush();
    }
  }

  /** @param now ms, of a clock that does not go back */
  tick(now: number): void {
    if (this.#endedAt !== undefined) {
      const most = this.#socket.writableLength === 0 ? LINGER : this.#host.limits.stall;
      if (now - this.#endedAt > most) this.#socket.destroy();
    } else if (this.#waitsSince !== undefined) {
      if (now - this.#waitsSince <= this.#host.limits.stall) return;
      this.#host.stalled(this);
      this.#socket.destroy();
    } else if (this.#looping && now >= this.#signAt) {
      this.#signAt = now + this.#host.limits.sign;
      this.#say(answers.SIGN);
      this.#flush();
    }
  }

  /** The connection is gone. */
  close(): void {
    this.#closed = true;
    this.#looping = false;
    clearTimeout(this.#held);
    this.#queue.clear();
  }

  get #writable(): boolean {
    return !this.#closed && this.#endedAt === undefined && this.#socket.writable;
  }

  #take(chunk: Buffer): void {
    if (this.#endedAt !== undefined) return;
    this.#lines.push(chunk);
    this.#pump();
  }

  #drained(): void {
    this.#waitsSince = undefined;
    this.pour();
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#pump();
  }

  /** Obeys what has come, as far as the peer takes the answers. */
  #pump(): void {
    const lines = this.#lines;
    let last: Buffer | undefined;
    let [from, to] = [0, 0];
    while (this.#goesOn && lines.next()) {
      const { bytes, end } = lines;
      let { start } = lines;
      while (start < end && isBlank(bytes[start]!)) start++;
      // vscpd answers no empty line either.
      if (start === end) continue;
      if (!this.user && ++this.#strange > this.#host.limits.strange) {
        this.#host.late(this);
        this.#say(answers.NEEDS_LOGIN);
        this.#hangUp();
        break;
      }
      if (end - start === 1 && bytes[start] === 0x2b) {
        if (last) this.#last = Buffer.from(last.subarray(from, to));
        last = undefined;
        this.#repeat();
      } else {
        [last, from, to] = [bytes, start, end];
        if (!this.#obey(bytes, start, end)) [last, this.#last] = [undefined, undefined];
      }
      // Some commands are answered by more bytes than they have.
      if (this.#used > OUT_BYTES / 2) this.#flush();
    }
    if (last) this.#last = Buffer.from(last.subarray(from, to));
    lines.settle();
    if (lines.overlong && this.#goesOn) {
      this.#host.overlong(this);
      this.#say(answers.TOO_LONG);
      this.#hangUp();
    }
    this.#flush();
    if (this.#goesOn || this.#endedAt !== undefined) this.#socket.resume();
    else this.#socket.pause();
  }

  get #goesOn(): boolean {
    return (
      !this.#blocked && this.#held === undefined && this.#endedAt === undefined && !this.#closed
    );
  }

  #repeat(): void {
    if (this.#last) this.#obey(this.#last, 0, this.#last.length);
    else this.#say(answers.NOTHING_TO_REPEAT);
  }

  /** Returns whether the command may be repeated: a password is not kept for that. */
  #obey(bytes: Buffer, start: number, end: number): boolean {
    let from = start;
    while (from < end && !isBlank(bytes[from]!)) from++;
    if (from - start === 4 && isSend(bytes, start)) {
      this.#send(bytes, Math.min(from + 1, end), end);
      return true;
    }
    const verb = bytes.toString('latin1', start, Math.min(from, start + 16)).toUpperCase();
    const command = COMMANDS.get(verb);
    if (this.user === undefined && !FREE.includes(verb)) {
      this.#say(command || verb === 'SEND' ? answers.NEEDS_LOGIN : answers.UNKNOWN);
    } else if (command) command(this, bytes.toString('utf8', Math.min(from + 1, end), end));
    else this.#say(answers.UNKNOWN);
    return verb !== 'PASS';
  }

  #send(bytes: Buffer, from: number, end: number): void {
    const host = this.#host;
    if (this.user?.right !== 'send') {
      this.#say(this.user ? answers.NO_RIGHT : answers.NEEDS_LOGIN);
      return;
    }
    const { body } = host;
    let length = decodeEvent(bytes, from, end, body, 0);
    if (length === BAD_GUID || length === BAD_DATETIME) {
      length = decodeMended(bytes, from, end, formatGuid(this.#guid), length, body);
    }
    if (length < 0) {
      host.malformed();
      this.#say(answers.malformed(length));
      return;
    }
    this.#stat.bytesIn += end - from;
    this.#stat.eventsIn++;
    host.event(body.subarray(0, length), this);
    this.#say(answers.SUCCESS);
  }

  #say(answer: Uint8Array): void {
    const { out } = this.#host;
    if (this.#used + answer.length > out.length) this.#flush();
    out.set(answer, this.#used);
    this.#used += answer.length;
  }

  #sayLine(text: string): void {
    this.#say(Buffer.from(`${text}\r\n`));
  }

  /** The oldest event that waits. */
  #sayNext(): boolean {
    const line = this.#queue.shift();
    if (!line) return false;
    this.#stat.bytesOut += line.length;
    this.#stat.eventsOut++;
    this.#say(line);
    return true;
  }

  /** Writes what was gathered: before another session gathers anything. */
  #flush(): void {
    if (this.#used === 0) return;
    const bytes = Buffer.from(this.#host.out.subarray(0, this.#used));
    this.#used = 0;
    if (this.#closed || !this.#socket.writable) return;
    if (!this.#socket.write(bytes)) this.#waitsSince ??= performance.now();
    if (this.#socket.writableLength > this.#host.limits.answers) this.#blocked = true;
  }

  #hangUp(): void {
    this.#flush();
    this.#looping = false;
    this.#endedAt = performance.now();
    this.#socket.end();
  }

  /** The commands but SEND. */
  static commands(): ReadonlyMap<string, Command> {
    const say =
      (answer: Buffer): Command =>
      (session) =>
        session.#say(answer);
    const tell =
      (text: (session: Session) => string): Command =>
      (session) => {
        session.#sayLine(text(session));
        session.#say(answers.SUCCESS);
      };
    const reader =
      (command: Command): Command =>
      (session, argument) => {
        if (session.user?.right === 'read') command(session, argument);
        else session.#say(answers.NO_RIGHT);
      };
    const setPattern =
      (set: (session: Session, pattern: Pattern) => void): Command =>
      (session, argument) => {
        const pattern = parsePattern(argument);
        if (pattern) set(session, pattern);
        session.#say(pattern ? answers.SUCCESS : answers.INVALID);
      };
    const commands: readonly (readonly [names: string, command: Command])[] = [
      ['NOOP', say(answers.SUCCESS)],
      ['HELP', (session, argument) => session.#help(argument)],
      [
        'QUIT',
        (session) => {
          session.#say(answers.GOODBYE);
          session.#hangUp();
        },
      ],
      ['USER', (session, argument) => session.#takeName(argument)],
      ['PASS', (session, argument) => session.#takePassword(argument)],
      ['CHALLENGE', (session) => session.#sayLine(`+OK - ${randomBytes(16).toString('hex')}`)],
      ['RETR', reader((session, argument) => session.#retrieve(argument))],
      ['RCVLOOP', reader((session) => session.#enterLoop())],
      [
        'QUITLOOP',
        (session) => {
          session.#looping = false;
          session.#say(answers.LOOP_LEFT);
        },
      ],
      ['CDTA CHKDATA CHECKDATA', tell((session) => String(session.#queue.length))],
      [
        'CLRA CLRALL',
        (session) => {
          session.#queue.clear();
          session.#say(answers.CLEARED);
        },
      ],
      ['STAT', tell((session) => session.#describe())],
      // The specification's own example of an error.
      ['INFO', tell(({ dropped }) => (dropped > 0 ? '0,12,0,"Overrun"' : '0,0,0,""'))],
      ['CHID GETCHID', tell(({ id }) => String(id))],
      ['GGID GETGUID', tell((session) => formatGuid(session.#guid))],
      ['SGID SETGUID', (session, argument) => session.#setGuid(argument)],
      ['VERS VERSION', tell((session) => session.#host.version)],
      ['WCYD WHATCANYOUDO', tell(() => CAPABILITIES)],
      ['SFLT SETFILTER', setPattern((session, pattern) => (session.#filter = pattern))],
      ['SMSK SETMASK', setPattern((session, pattern) => (session.#mask = pattern))],
      ['INTERFACE', (session, argument) => session.#tellInterface(argument)],
      ['SHUTDOWN RESTART', say(answers.UNSUPPORTED)],
    ];
    return new Map(
      commands.flatMap(([names, command]) => names.split(' ').map((name) => [name, command])),
    );
  }

  #help(argument: string): void {
    const help = helpOn(argument.trim().toUpperCase());
    if (help !== undefined) this.#say(Buffer.from(help));
    this.#say(help === undefined ? answers.UNKNOWN : answers.SUCCESS);
  }

  #takeName(argument: string): void {
    const name = argument.trim();
    if (this.user) this.#say(answers.LOGGED_IN);
    else if (name === '') this.#say(answers.INVALID);
    else {
      this.#name = name;
      this.#say(answers.USER_ACCEPTED);
    }
  }

  #takePassword(password: string): void {
    if (this.user) {
      this.#say(answers.LOGGED_IN);
      return;
    }
    if (this.#name === '') {
      this.#say(answers.NEEDS_USER);
      return;
    }
    const wait = this.#host.wait(this);
    if (wait === undefined) {
      this.#say(answers.TOO_MANY_LOGINS);
      this.#hangUp();
    } else if (wait === 0) {
      this.#logIn(password);
    } else {
      this.#held = setTimeout(() => {
        this.#held = undefined;
        this.#logIn(password);
        this.#pump();
      }, wait);
    }
  }

  #logIn(password: string): void {
    const judged = this.#host.judge(this, this.#name, password);
    if (typeof judged === 'string') {
      this.#say(REFUSED[judged]);
      this.#hangUp();
      return;
    }
    this.user = judged;
    this.#host.entered(this);
    this.#say(answers.SUCCESS);
  }

  #retrieve(argument: string): void {
    const text = argument.trim();
    const wanted = text === '' ? 1 : /^(?:-1|\d{1,7})$/.test(text) ? Number(text) : NaN;
    if (!(wanted <= MOST_RETRIEVED) || wanted === 0) {
      this.#say(answers.INVALID);
      return;
    }
    // -1: all there are, as node-vscp-tcp asks for them.
    const most = wanted < 0 ? Math.max(1, this.#queue.length) : wanted;
    let given = 0;
    while (given < most && this.#sayNext()) given++;
    this.#say(given < most ? answers.NO_EVENTS : answers.SUCCESS);
  }

  #enterLoop(): void {
    // What waits comes after the answer, in a segment of its own: some clients need that.
    this.#looping = true;
    this.#signAt = performance.now() + this.#host.limits.sign;
    this.#say(answers.LOOP_ENTERED);
    this.#host.pourSoon();
  }

  /** Undefined by the specification are the first three numbers; the third: dropped events. */
  #describe(): string {
    const { bytesIn, eventsIn, bytesOut, eventsOut } = this.#stat;
    return [0, 0, this.#queue.dropped, bytesIn, eventsIn, bytesOut, eventsOut].join(',');
  }

  #setGuid(argument: string): void {
    try {
      if (argument.length > 64) throw new Error('a GUID is shorter');
      this.#guid = parseGuid(argument);
      this.#say(answers.SUCCESS);
    } catch {
      this.#say(answers.INVALID);
    }
  }

  #tellInterface(argument: string): void {
    const [verb = ''] = argument.trim().toUpperCase().split(/\s+/, 1);
    if (verb === '' || verb === 'LIST') {
      const started = this.#host.started.toISOString().slice(0, 19);
      // Type 4: a client of the tcp/ip interface; as vscpd has it, without a line that counts them.
      this.#sayLine(
        `${this.id},4,${formatGuid(this.#guid)},tidegate board | Started at ${started}Z`,
      );
      this.#say(answers.SUCCESS);
    } else {
      // An interface that cannot be closed says so by success (specification, INTERFACE close).
      this.#say(verb === 'CLOSE' ? answers.SUCCESS : answers.INVALID);
    }
  }
}

const COMMANDS = Session.commands();

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** SEND in any case. */
function isSend(bytes: Uint8Array, at: number): boolean {
  return (
    (bytes[at]! | 0x20) === 0x73 &&
    (bytes[at + 1]! | 0x20) === 0x65 &&
    (bytes[at + 2]! | 0x20) === 0x6e &&
    (bytes[at + 3]! | 0x20) === 0x64
  );
}
