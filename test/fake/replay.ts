/** Plays the client's side of a recording against a fake lower server. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { FakeLower, LowerConnection } from './lower.js';
import type { Step } from './transcript.js';

/** What one connection should have got, and got, line by line and without the times. */
export interface Comparison {
  connection: string;
  got: string[];
  expected: string[];
}

export interface ReplayOptions {
  /** Commands that are left out, and what was answered to them. */
  skip?: (connection: string, command: string) => boolean;
  /** Lines that are left out of what was recorded and of what came. */
  ignore?: (line: string) => boolean;
  /** Connections that shut their writing side down right behind their last command. */
  halfClosed?: readonly string[];
}

/** A client that keeps every byte. `connection` is the same one as the server sees it. */
export class Caller {
  readonly socket: Socket;
  readonly connection: LowerConnection;
  readonly #chunks: Buffer[] = [];
  #written = 0;

  private constructor(socket: Socket, connection: LowerConnection) {
    this.socket = socket;
    this.connection = connection;
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on('error', () => undefined);
  }

  static async dial(lower: FakeLower): Promise<Caller> {
    const index = lower.connections.length;
    const socket = connect({ host: '127.0.0.1', port: lower.port, noDelay: true });
    await once(socket, 'connect');
    while (lower.connections.length === index) await turn();
    const caller = new Caller(socket, lower.connections[index]!);
    await caller.settle();
    return caller;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  /** Returns what came back, once the server has taken and answered all of it. */
  async ask(bytes: string | Buffer): Promise<string> {
    const before = this.bytes.length;
    this.socket.write(bytes);
    this.#written += Buffer.byteLength(bytes);
    await this.settle();
    return this.bytes.toString('latin1', before);
  }

  /** Waits, without a clock, until everything that was written has been read at both ends. */
  async settle(): Promise<void> {
    while (!this.connection.closed && !this.socket.destroyed) {
      const taken = this.connection.received.length === this.#written;
      if (taken && this.bytes.length === this.connection.sent) return;
      await turn();
    }
  }

  async ended(): Promise<void> {
    if (!this.socket.readableEnded && !this.socket.destroyed) await once(this.socket, 'end');
  }

  async hangUp(): Promise<void> {
    this.socket.destroy();
    while (!this.connection.closed) await turn();
  }
}

/** The form of a time is the server's, its value is not. */
function withoutTimes(line: string): string {
  const fields = line.split(',');
  if (fields.length < 7 || !/^\d+,\d+,\d+,\d+,/.test(line)) return line;
  fields[4] = fields[4]!.replace(/\d/g, '9');
  fields[5] = fields[5]!.length > 10 ? 'ns' : 'us';
  return fields.join(',');
}

const split = (text: string) => text.split('\r\n').filter((line) => line !== '');

/** The daemon's own events (facts.md section 3, own traffic), which the fake does not make. */
const isHeartbeat = (line: string) => /^\d+,\d+,\d+,65534,/.test(line);

/** Compares what has come so far before each command, and everything in the end. */
export async function replay(
  steps: readonly Step[],
  lower: FakeLower,
  options: ReplayOptions = {},
): Promise<Comparison[]> {
  const { skip = () => false, ignore = () => false, halfClosed = [] } = options;
  const callers = new Map<string, Caller>();
  const expected = new Map<string, string[]>();
  const unanswered = new Map<string, number>();
  const skipping = new Set<string>();
  const gone = new Set<string>();
  const compare = (connection: string): Comparison => ({
    connection,
    got: split(callers.get(connection)!.text)
      .map(withoutTimes)
      .filter((line) => !ignore(line)),
    expected: expected.get(connection)!,
  });
  const wrong = ({ got, expected }: Comparison) => got.join('\n') !== expected.join('\n');

  const dial = async (connection: string) => {
    const [name] = connection.split('.');
    for (const [older, caller] of callers) {
      if (older.split('.')[0] === name) await caller.hangUp();
    }
    callers.set(connection, await Caller.dial(lower));
    expected.set(connection, []);
    unanswered.set(connection, 0);
  };
  const expect = (connection: string, bytes: Buffer) => {
    for (const line of split(bytes.toString('latin1')).map(withoutTimes)) {
      const open = unanswered.get(connection)!;
      if (/^[+-]OK/.test(line)) unanswered.set(connection, Math.max(0, open - 1));
      // A bare +OK is uvscpd's answer to anything, and anyone's sign of life.
      const isSign = line === '+OK' && (open === 0 || steps.some(isWelcome));
      if (!isSign && !isHeartbeat(line) && !ignore(line)) expected.get(connection)!.push(line);
    }
  };
  const isLast = (step: Step) =>
    step ===
    steps.findLast((each) => each.connection === step.connection && each.from === 'client');

  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    const { connection, from } = step;
    if (from === 'server') {
      if (!callers.has(connection)) await dial(connection);
      if (!skipping.has(connection)) expect(connection, step.bytes);
    } else if (from === 'eof') {
      gone.add(connection);
    } else if (from === 'note' && / shutdown\(SHUT_WR\)|^shutdown/.test(step.bytes.toString())) {
      callers.get(connection)!.socket.end();
      await callers.get(connection)!.ended();
    } else if (from === 'client' && !gone.has(connection)) {
      const caller = callers.get(connection)!;
      await caller.settle();
      if (wrong(compare(connection))) break;
      skipping.delete(connection);
      const written = [step];
      const isSame = (next: Step | undefined): next is Step =>
        next?.from === 'client' && next.connection === connection && next.at === step.at;
      while (isSame(steps[i + 1])) written.push(steps[++i]!);
      if (skip(connection, step.bytes.toString('latin1').trim())) {
        skipping.add(connection);
        continue;
      }
      unanswered.set(connection, unanswered.get(connection)! + written.length);
      const bytes = Buffer.concat(written.map((each) => each.bytes));
      if (halfClosed.includes(connection) && isLast(written.at(-1)!)) caller.socket.end(bytes);
      else await caller.ask(bytes);
    }
  }
  for (const [connection, caller] of callers) {
    if (gone.has(connection)) await caller.ended();
    else await caller.settle();
  }
  const comparisons = [...callers.keys()].map(compare);
  for (const caller of callers.values()) caller.socket.destroy();
  return comparisons;
}

function isWelcome(step: Step): boolean {
  return step.from === 'server' && step.bytes.toString('latin1').startsWith('Welcome to the VSCP');
}
