/** An upper server that is away for long: memory stays, the disk fills as configured, then all drains. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { backlogOf, lookAt } from '../../src/cli/status-look.js';
import { judge } from '../../src/cli/status-verdict.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { mixedEvents, type RunningRelay, startRelay } from './relay.js';

/** An hour at 5,000 a second is 18 million: TIDEGATE_AWAY says how many. */
const COUNT = Number(process.env['TIDEGATE_AWAY'] ?? 200_000);
/** Every so many-th event is of the highest priority. */
const URGENT_EVERY = 50;
const PIECE = 10_000;
/** Sent and not yet decided: less than a valve holds. */
const AHEAD = 10_000;
const MEBIBYTE = 2 ** 20;
/** What a process may grow by between a fifth of the flood and its end. */
const FLAT = 48 * MEBIBYTE;

const lines = (first: number, count: number): Buffer => mixedEvents(first, count, URGENT_EVERY);

async function flood(
  relay: RunningRelay,
  lower: FakeLower,
  from: number,
  count: number,
  during: (sent: number) => void = () => undefined,
): Promise<void> {
  const taken = (): number => relay.gate()?.sources['plant']?.in ?? 0;
  for (let sent = from; sent < count; sent += PIECE) {
    lower.send(lines(sent + 1, Math.min(PIECE, count - sent)));
    await relay.until(() => taken() >= sent + PIECE - AHEAD, `${sent} are decided`);
    during(sent);
  }
  await relay.until(() => taken() === count, 'all are decided');
}

function memory(relay: RunningRelay): Record<string, number> {
  const processes = relay.supervisor()?.processes ?? [];
  return Object.fromEntries(processes.map((each) => [each.process, each.memory ?? 0]));
}

interface Received {
  readonly urgent: number[];
  readonly routine: number[];
  /** How many urgent ones came before the first routine one. */
  readonly before: number;
}

function sort(sends: readonly string[]): Received {
  const numbers = sends.map((send) => Number(send.split(',', 6)[5]));
  const urgent = numbers.filter((n) => n % URGENT_EVERY === 0);
  const routine = numbers.filter((n) => n % URGENT_EVERY !== 0);
  const first = numbers.findIndex((n) => n % URGENT_EVERY !== 0);
  return { urgent, routine, before: first < 0 ? numbers.length : first };
}

const ascending = (numbers: readonly number[]): boolean =>
  numbers.every((n, i) => i === 0 || n > numbers[i - 1]!);

async function world(t: Test, retain: string, drain: 'urgent-first' | 'in-order') {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  t.teardown(() => lower.close());
  const before = await FakeUpper.start();
  const { port } = before;
  await before.close();
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port, window: 5000, drain }],
    retain,
  });
  await lower.untilLoop();
  const back = async (): Promise<FakeUpper> => {
    const upper = await FakeUpper.start({ port });
    t.teardown(() => upper.close());
    return upper;
  };
  return { lower, relay, back };
}

await t.test(
  'everything waits in the journal, and drains oldest first, urgent ones before',
  async (t) => {
    const { lower, relay, back } = await world(t, '{ size: 8GiB, age: 1d }', 'urgent-first');
    let early: Record<string, number> | undefined;
    await flood(relay, lower, 0, COUNT, (sent) => {
      if (sent >= COUNT / 5) early ??= memory(relay);
    });
    const late = memory(relay);
    for (const role of ['gate', 'valve', 'supervisor', 'dial'] as const) {
      if (!early?.[role] || !late[role]) continue; // not to be seen from within a hidden /proc
      const grown = late[role] - early[role];
      t.comment(
        `${role}: ${Math.round(late[role] / MEBIBYTE)} MiB, grown by ${Math.round(grown / MEBIBYTE)}`,
      );
      t.ok(grown < FLAT, `${role} is flat`);
    }
    const [channel] = relay.gate()!.channels;
    t.match(channel, { journalled: COUNT, urgent: COUNT / URGENT_EVERY });

    const upper = await back();
    await relay.until(() => relay.upper('portal')?.answered === COUNT, 'all are answered', 300_000);
    const { urgent, routine, before } = sort(upper.sends);
    t.equal(urgent.length + routine.length, COUNT);
    t.ok(ascending(urgent) && ascending(routine), 'in order within a lane');
    t.equal(before, COUNT / URGENT_EVERY, 'what was urgent came first');
    t.match(relay.upper('portal'), { refused: 0, expired: 0, resent: 0, rewound: 0 });
    t.equal(relay.gate()?.sources['plant']?.permitted, COUNT);
  },
);

await t.test('in order: nothing overtakes', async (t) => {
  const { lower, relay, back } = await world(t, '{ size: 1GiB, age: 1d }', 'in-order');
  const count = 60_000;
  await flood(relay, lower, 0, count);
  const upper = await back();
  await relay.until(() => relay.upper('portal')?.answered === count, 'all are answered', 300_000);
  await flood(relay, lower, count, 2 * count);
  await relay.until(() => relay.upper('portal')?.answered === 2 * count, 'so are others', 300_000);
  const numbers = upper.sends.map((send) => Number(send.split(',', 6)[5]));
  t.ok(ascending(numbers), 'over both lanes, waiting or live');
});

await t.test('retention overtakes it: it counts exactly what it missed', async (t) => {
  const { lower, relay, back } = await world(t, '{ size: 8MiB, age: 1d }', 'urgent-first');
  const first = await back();
  await flood(relay, lower, 0, PIECE);
  await relay.until(() => relay.upper('portal')?.answered === PIECE, 'the first are answered');
  await first.close();
  await relay.until(() => relay.supervisor()!.uppers[0]!.state !== 'up', 'it is away');
  await flood(relay, lower, PIECE, 200_000);
  await relay.until(() => relay.gate()!.channels[0]!.journalled === 200_000, 'all are journalled');
  const look = lookAt({ state: join(relay.directory, 'state'), uppers: [] });
  const away = look.uppers.get('portal')!;
  const reasons = judge(look).reasons.map((reason) => reason.text);
  const said = `retention has deleted ${away.overtaken} events that it has not had`;
  t.ok(
    reasons.some((reason) => reason.endsWith(said)),
    reasons.join('\n'),
  );
  const backlog = backlogOf(look, away.status!)!;
  t.equal(backlog.routine + backlog.urgent, 200_000 - PIECE - away.overtaken!);
  const upper = await back();
  const settled = (): boolean => {
    const status = relay.upper('portal');
    return status !== undefined && status.answered + status.expired === 200_000;
  };
  await relay.until(settled, 'all are answered or expired');
  t.equal(relay.upper('portal')!.expired, away.overtaken, 'as was said while it was away');
  const { urgent, routine } = sort([...first.sends, ...upper.sends]);
  const lanes = relay.upper('portal')!.lanes;
  t.ok(lanes.routine.expired > 50_000, `${lanes.routine.expired} have expired`);
  t.equal(routine.length, lanes.routine.answered);
  t.equal(urgent.length, lanes.urgent.answered);
  t.equal(lanes.routine.expired + lanes.routine.answered, 200_000 - 200_000 / URGENT_EVERY);
  t.equal(lanes.urgent.expired + lanes.urgent.answered, 200_000 / URGENT_EVERY);
  // What came is the newest, without a gap.
  t.equal(routine.at(-1), 199_999);
  t.equal(urgent.at(-1), 200_000);
  const late = sort(upper.sends).urgent;
  t.equal(late.at(-1)! - late[0]!, (late.length - 1) * URGENT_EVERY);
  t.ok(ascending(routine));
});
