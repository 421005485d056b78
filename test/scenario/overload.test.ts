/**
 * A lower server that writes as fast as the kernel takes it, above a gate that runs a tenth of the time.
 *
 * TIDEGATE_OVERLOAD says for how many seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { sum } from '../../src/wire/status.js';
import { mixedEvents, numberOf, startRelay } from './relay.js';

const SECONDS = Number(process.env['TIDEGATE_OVERLOAD'] ?? 8);
/** One event of so many has priority 0. */
const URGENT_EVERY = 100;
const PIECE = 2000;
/** Written, and not taken by the relay's side: no more is written. */
const MOST_WAITING = 2 * 2 ** 20;
/** The gate runs so long of each turn, ms. */
const TURN = 100;
const SHARE = 0.1;
const MEBIBYTE = 2 ** 20;
const MAX_MEMORY = 120 * MEBIBYTE;

const lines = (first: number, count: number): Buffer => mixedEvents(first, count, URGENT_EVERY);

await t.test(`a flood of ${SECONDS} s`, async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  const upper = await FakeUpper.start({});
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 1000 }],
    retain: '{ size: 2GiB, age: 1d }',
  });
  await lower.untilLoop();
  await relay.untilUp();
  const gate = relay.pid('gate')!;
  t.teardown(() => {
    try {
      process.kill(gate, 'SIGCONT');
    } catch {
      // It is gone.
    }
  });
  const flood = { on: true };
  const throttle = (async () => {
    while (flood.on) {
      process.kill(gate, 'SIGSTOP');
      await sleep(TURN * (1 - SHARE));
      process.kill(gate, 'SIGCONT');
      await sleep(TURN * SHARE);
    }
  })();

  const connection = lower.connections[0]!;
  let [sent, bytes, memory, longest] = [0, 0, 0, 0];
  const begun = performance.now();
  let taken = begun;
  for (let now = begun; now - begun < SECONDS * 1000; now = performance.now()) {
    if (connection.waiting < MOST_WAITING) {
      const piece = lines(sent + 1, PIECE);
      lower.send(piece);
      sent += PIECE;
      bytes += piece.length;
      longest = Math.max(longest, now - taken);
      taken = now;
    }
    await sleep(0);
    const valve = relay.supervisor()?.processes.find((each) => each.process === 'valve');
    memory = Math.max(memory, valve?.memory ?? 0);
  }
  const elapsed = (performance.now() - begun) / 1000;
  flood.on = false;
  await throttle;

  const flooded = performance.now();
  lower.send(lines(++sent, 1));
  await relay.until(() => numberOf(upper.sends.at(-1) ?? '') === sent, 'the next one is above');
  const source = () => relay.gate()!.sources['plant']!;
  t.comment(
    `${sent} lines, ${Math.round(bytes / elapsed / MEBIBYTE)} MiB/s were taken in; ` +
      `the longest time without: ${Math.round(longest)} ms; valve at most ` +
      `${Math.round(memory / MEBIBYTE)} MiB; the first event behind the flood came above after ` +
      `${Math.round(performance.now() - flooded)} ms`,
  );
  await relay.until(() => source().in === sent, 'all are counted');
  const { permitted, lost, malformed, denied } = source();
  t.equal(permitted + sum(lost), sent, 'every line is permitted or lost');
  t.same([sum(malformed), denied], [0, 0]);
  // A gate that is stopped may find that its log has not answered for a second.
  const reasons = Object.keys(lost).filter((reason) => reason !== 'audit');
  t.same(reasons, ['overflow'], 'and lost for one reason');
  await relay.until(() => relay.upper('portal')?.answered === permitted, 'the rest is answered');
  t.equal(upper.sends.length, permitted);
  t.ok(memory > 0 && memory < MAX_MEMORY, 'the valve does not grow');

  const numbers = upper.sends.map(numberOf);
  const urgent = numbers.filter((n) => n % URGENT_EVERY === 0);
  const share = lost['overflow']! / sent;
  const urgentShare = 1 - urgent.length / Math.floor(sent / URGENT_EVERY);
  t.comment(
    `lost ${(100 * share).toFixed(1)} % of all, ${(100 * urgentShare).toFixed(2)} % of priority 0`,
  );
  t.ok(share > 0.2, 'it was a flood');
  t.ok(urgentShare < share / 4, 'priority 0 is lost far less');
  const routine = numbers.filter((n) => n % URGENT_EVERY !== 0);
  t.ok(
    routine.every((n, i) => i === 0 || n > routine[i - 1]!),
    'in order',
  );
  // The oldest are dropped: what waited at the end came whole.
  const whole = routine.findLastIndex((n, i) => {
    const next = routine[i + 1];
    return next !== undefined && next > n + 2;
  });
  const tail = routine.length - 1 - whole;
  t.comment(`${tail} of the newest lines came without a gap`);
  t.ok(tail > 50_000, 'all that a full buffer holds, and it holds the newest');
});
