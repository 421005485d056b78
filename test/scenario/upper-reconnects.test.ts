import t, { type Test } from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper, type UpperConnection } from '../fake/upper.js';
import { numberedEvents, numberOf, startRelay } from './relay.js';

const COUNT = 600;
const WINDOW = 16;
/** Each connection ends at this SEND: in the middle of a window, never at its end. */
const LIMIT = 70;

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Checks each connection against those before it; returns the ranges that were sent again. */
function findResent(t: Test, connections: readonly UpperConnection[]): [number, number][] {
  const lines = new Map<number, string>();
  const ranges: [number, number][] = [];
  let last = 0;
  for (const { sends } of connections) {
    if (sends.length === 0) continue;
    const numbers = sends.map(numberOf);
    const first = numbers[0]!;
    t.strictSame(numbers, range(first, numbers.at(-1)!), 'each connection in order, no hole');
    t.ok(first <= last + 1, `nothing is left out between ${last} and ${first}`);
    t.ok(last - first < WINDOW, 'no more than a window comes again');
    if (first <= last) ranges.push([first, last]);
    sends.forEach((line, i) => {
      const known = lines.get(numbers[i]!);
      if (known !== undefined) t.equal(line, known, 'byte for byte');
      lines.set(numbers[i]!, line);
    });
    last = Math.max(last, numbers.at(-1)!);
  }
  t.equal(last, COUNT);
  return ranges;
}

for (const how of ['closeAfter', 'resetAfter'] as const) {
  await t.test(`${how}: a server that breaks off in every window misses nothing`, async (t) => {
    const lower = await FakeLower.start({ kind: 'vscpd-15' });
    t.teardown(() => lower.close());
    const trouble = how === 'closeAfter' ? { closeAfter: LIMIT } : { resetAfter: LIMIT };
    const upper = await FakeUpper.start({ trouble });
    t.teardown(() => upper.close());
    const relay = await startRelay(t, {
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window: WINDOW }],
    });
    await lower.untilLoop();
    lower.send(numberedEvents(1, COUNT));
    await relay.until(
      () => relay.upper('portal')?.lanes.routine.sequence === COUNT,
      'all are settled',
    );

    t.ok(upper.connections.length > COUNT / LIMIT, `${upper.connections.length} connections`);
    const ranges = findResent(t, upper.connections);
    t.ok(ranges.length > 0, 'some came again');
    const again = (): number =>
      relay.resent('portal').reduce((sum, [first, last]) => sum + last - first + 1, 0);
    await relay.until(() => again() >= relay.upper('portal')!.resent, 'all ranges are named');
    const logged = relay.resent('portal');
    // What the relay sent into a broken connection may never have come: it names at least these.
    for (const [first, last] of ranges) {
      const named = logged.some((one) => one[0] <= first && one[1] >= last);
      t.ok(named, `the log names ${first} to ${last}`);
    }
    const status = relay.upper('portal')!;
    t.equal(status.answered, COUNT);
    t.equal(status.refused, 0);
    t.equal(status.resent, again(), 'and the count of them is in the status');
    const link = relay.supervisor()?.uppers[0];
    t.match(link?.cause, how === 'closeAfter' ? /eof|reset/ : /reset|eof/);
    t.equal(lower.connections.length, 1, 'below nothing is noticed');
    t.equal(await relay.stop(), 0);
  });
}
