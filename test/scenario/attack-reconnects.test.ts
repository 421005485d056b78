/** Outages of a lower server under a hostile and under a friendly upper: no difference goes down. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { buildLogin } from '../../src/link/login.js';
import { HostileUpper, type Turn } from './hostile-upper.js';
import { numberedEvents, startRelay } from './relay.js';

const OUTAGES = 20;
/** Connections of each outage that end before the login does. */
const FAILURES = 1;
/** A connection that lived this long, ms, may have been of use: the schedule may start afresh. */
const LONG = 1000;
/** The schedule, ms (src/dialing/schedule.ts). */
const FIRST = 250;
const SLOWEST = 1000;
const SHORTEST = 0.4;
/** What starting processes and a busy machine add to a wait, ms; only a guard. */
const SLACK = 20_000;
/** Of the clocks, ms: a timer may be a millisecond early. */
const EARLY = 3;
/** Waits are one distribution unless the two samples are as unlike as this, in standard deviations. */
const UNLIKE = 4.7;

const SCRIPT = buildLogin({
  user: 'admin',
  password: 'secret',
  filter: undefined,
  mask: undefined,
}).bytes.toString();

/** Floods, then everything else that an upper server can do to a connection. */
const HOSTILE: readonly Turn[] = [
  { kind: 'garbage' },
  { kind: 'refuse', alert: [2, 40] },
  { kind: 'answers' },
  { kind: 'reset', after: 20_000 },
  { kind: 'slam' },
  { kind: 'alert', after: 20_000 },
  { kind: 'noise' },
  { kind: 'fin', after: 0 },
];

/** What a lower server saw of one connection. */
interface Call {
  /** ms since its start, monotonic. */
  readonly at: number;
  text: string;
  /** When the server ended it. */
  ended?: number;
}

interface Observed {
  readonly calls: readonly Call[];
  /** Waits by how many failures were before, ms. */
  readonly waits: readonly (readonly number[])[];
}

/**
 * A lower server that closes every connection: one in the middle of its login, the next after some
 * events, and so on.
 */
async function observe(t: Test, turns: readonly Turn[]): Promise<Observed> {
  const upper = await HostileUpper.start(turns);
  const calls: Call[] = [];
  const sockets = new Set<Socket>();
  let outages = 0;
  let failures = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const call: Call = { at: performance.now(), text: '' };
    calls.push(call);
    sockets.add(socket);
    const failing = outages > 0 && failures < FAILURES;
    if (failing) failures++;
    const end = (): void => {
      call.ended = performance.now();
      socket.end();
    };
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.write('+OK - hello\r\n');
    socket.on('data', (chunk: Buffer) => {
      call.text += chunk.toString('latin1');
      if (failing) {
        end();
        return;
      }
      socket.write('+OK\r\n');
      if (!call.text.endsWith('RCVLOOP\r\n')) return;
      outages++;
      failures = 0;
      const events = numberedEvents(outages * 100, outages * 100 + 99);
      socket.write(`${events}\r\n`, () => setTimeout(end, 50));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: (server.address() as AddressInfo).port }],
    uppers: [{ name: 'portal', port: upper.port, window: 20 }],
  });
  await relay.until(() => outages > OUTAGES, `${OUTAGES} outages`, 250_000);
  const turned = [...upper.taken.values()].reduce((sum, times) => sum + times, 0);
  await relay.stop();
  for (const socket of sockets) socket.destroy();
  await Promise.all([once(server.close(), 'close'), upper.close()]);
  if (turns.length > 1) t.ok(turned >= turns.length, `the upper was hostile ${turned} times`);

  const waits: number[][] = Array.from({ length: FAILURES + 1 }, () => []);
  let before = 0;
  let tries = 0;
  let previous: Call | undefined;
  for (const call of calls) {
    if (previous?.ended !== undefined) {
      const wait = call.at - previous.ended;
      // Of use for the relay is what lives from its valve's start to its valve's end.
      if (call.at - previous.at > LONG) tries = 0;
      const due = Math.min(SLOWEST, FIRST * 2 ** tries++);
      const text = `${Math.round(wait)} ms of ${due}`;
      if (wait < SHORTEST * due - EARLY || wait > SLOWEST + SLACK) t.fail(text);
      waits[before]!.push(wait);
    }
    before = call.text === SCRIPT ? 0 : before + 1;
    previous = call;
  }
  return { calls, waits };
}

/** How unlike two samples are (Mann-Whitney), in standard deviations. */
function unlikeness(a: readonly number[], b: readonly number[]): number {
  let wins = 0;
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0;
  const mean = (a.length * b.length) / 2;
  const deviation = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12);
  return Math.abs(wins - mean) / deviation;
}

await t.test('reconnects do not depend on the upper side', async (t) => {
  // At the same time: what else the machine does is the same for both.
  const observed: Observed[] = [];
  t.jobs = 2;
  await Promise.all(
    (['hostile', 'friendly'] as const).map((name, which) =>
      t.test(name, { buffered: true }, async (t) => {
        const turns: readonly Turn[] = which === 0 ? HOSTILE : [{ kind: 'serve' }];
        const { calls, waits } = await observe(t, turns);
        const texts = calls.slice(0, 1 + OUTAGES * (FAILURES + 1)).map(({ text }) => text);
        t.strictSame(
          texts,
          texts.map((_, i) => (i % (FAILURES + 1) === 0 ? SCRIPT : 'USER admin\r\n')),
          'so many connections, and its login on each, as far as it came',
        );
        observed[which] = { calls, waits };
      }),
    ),
  );
  const [hostile, friendly] = observed;
  for (const [k, wait] of hostile!.waits.entries()) {
    const unlike = unlikeness(wait, friendly!.waits[k]!);
    t.ok(
      wait.length >= OUTAGES - 1 && unlike < UNLIKE,
      `after ${k} failures: ${unlike.toFixed(2)}`,
    );
  }
});
