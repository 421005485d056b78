/** Plays the client's side of a recording against a fake lower server. */
import { Caller } from './caller.js';
import type { FakeLower } from './lower.js';
import { greeting, type Step } from './transcript.js';

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
  const isVscpd = greeting(steps).includes('Welcome to the VSCP');
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

  const settleAll = async () => {
    for (const name of gone) await callers.get(name)?.ended();
    for (const caller of callers.values()) await caller.settle();
  };
  /** A reconnect ends what was before; and whoever is done makes room, once it is scarce. */
  const dial = async (connection: string, rest: readonly Step[]) => {
    const [name] = connection.split('.');
    const due = new Set(rest.map((step) => step.connection));
    await settleAll();
    const isFull = lower.connections.filter(({ closed }) => !closed).length >= 5;
    for (const [older, caller] of callers) {
      if (older.split('.')[0] === name || (isFull && !due.has(older))) await caller.hangUp();
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
      const isSign = line === '+OK' && (open === 0 || isVscpd);
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
      if (!callers.has(connection)) await dial(connection, steps.slice(i));
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
  await settleAll();
  const comparisons = [...callers.keys()].map(compare);
  for (const caller of callers.values()) caller.socket.destroy();
  return comparisons;
}
