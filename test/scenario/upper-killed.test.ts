import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

const WINDOW = 20;
const KILLS = 6;
const BATCH = 400;
const COUNT = (KILLS + 1) * BATCH;

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

await t.test(
  'kill -9 of upper in the middle of its windows: nothing is missing above',
  async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    t.teardown(() => lower.close());
    const upper = await FakeUpper.start();
    t.teardown(() => upper.close());
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window: WINDOW }],
    });
    await lower.untilLoop();
    const seen = (): number =>
      upper.sends.reduce((most, send) => Math.max(most, numberOf(send)), 0);
    const killed = new Set<number>();
    for (let kill = 0; kill < KILLS; kill++) {
      const before = seen();
      lower.send(numberedEvents(kill * BATCH + 1, (kill + 1) * BATCH));
      await relay.until(() => seen() > before, 'events flow');
      // Which process it is becomes known a moment after it has started.
      await relay.until(() => relay.pid('upper', 'portal') !== undefined, 'an upper runs');
      const pid = relay.pid('upper', 'portal')!;
      t.notOk(killed.has(pid), 'a new process each time');
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
      await relay.until(() => {
        const link = relay.supervisor()!.uppers[0]!;
        const now = relay.pid('upper', 'portal');
        return link.cause === 'killed' && now !== undefined && !killed.has(now);
      }, 'the supervisor has started another');
    }
    lower.send(numberedEvents(KILLS * BATCH + 1, COUNT));
    await relay.until(
      () => relay.upper('portal')?.lanes.routine.sequence === COUNT,
      'all are settled',
    );

    const lines = new Map<number, string>();
    let last = 0;
    let again = 0;
    for (const { sends } of upper.connections.filter((one) => one.sends.length > 0)) {
      const numbers = sends.map(numberOf);
      const first = numbers[0]!;
      t.strictSame(numbers, range(first, numbers.at(-1)!), 'each connection in order, no hole');
      t.ok(first <= last + 1, `nothing between ${last} and ${first} is left out`);
      // What was answered in the last read may not be saved: a window's worth, and the one before.
      t.ok(last - first < 2 * WINDOW, `${last - first + 1} came again`);
      sends.forEach((line, i) => {
        const known = lines.get(numbers[i]!);
        if (known === undefined) lines.set(numbers[i]!, line);
        else {
          again++;
          t.equal(line, known, 'byte for byte');
        }
      });
      last = Math.max(last, numbers.at(-1)!);
    }
    t.equal(lines.size, COUNT, 'every event has come');
    const status = relay.upper('portal')!;
    t.equal(status.answered, COUNT, 'answered = journalled');
    t.ok(status.resent >= again, 'what came again is counted');
    const named = (): number =>
      relay.resent('portal').reduce((sum, [first, last]) => sum + last - first + 1, 0);
    await relay.until(() => named() >= status.resent, 'and named in the log, range by range');
    // One that is killed between its log and its cursor has named more.
    t.ok(named() <= status.resent + KILLS * WINDOW);
    t.equal(lower.connections.length, 1);
    t.equal(await relay.stop(), 0);
  },
);
