import fc from 'fast-check';
import t from 'tap';
import { Repeats, type RepeatsOptions, type Sealed } from '../../src/supervisor/repeats.js';

const MINUTE = 60_000;

interface Written {
  readonly kind: string;
  readonly time: number;
  readonly repeated?: number;
}

/** A limiter on a clock of its own. */
function begin(options: Omit<RepeatsOptions, 'now'> = {}) {
  const written: Written[] = [];
  let now = 0;
  const repeats = new Repeats((text) => written.push(JSON.parse(text) as Written), {
    ...options,
    now: () => now,
  });
  const line = (kind: string): Sealed => ({
    text: JSON.stringify({ kind, time: now }),
    kind: JSON.stringify({ kind }),
  });
  return {
    repeats,
    written,
    take: (kind: string, count?: number) => repeats.take(line(kind), count),
    /** Lets time pass, with a tick every second. */
    pass: (ms: number) => {
      for (const end = now + ms; now < end;) {
        now = Math.min(end, now + 1000);
        repeats.tick();
      }
    },
  };
}

const sum = (lines: readonly Written[]): number =>
  lines.reduce((total, { repeated = 1 }) => total + repeated, 0);

await t.test('the first passes, the latest of the next stands for them', (t) => {
  const { take, pass, written } = begin();
  take('a');
  t.same(written, [{ kind: 'a', time: 0 }]);
  pass(300);
  take('a');
  pass(300);
  take('a');
  t.equal(written.length, 1);
  pass(1000);
  t.same(written.slice(1), [{ kind: 'a', time: 600, repeated: 2 }]);
  take('a');
  pass(10_000);
  t.same(written.slice(2), [{ kind: 'a', time: 1600 }], 'one is not marked');
  t.end();
});

await t.test('what differs passes at once, however fast it comes', (t) => {
  const { take, written } = begin();
  for (let i = 0; i < 1000; i++) take(`resending ${i}`);
  t.equal(written.length, 1000);
  t.end();
});

await t.test('a link that flaps for a day: few lines, each of its own kind, all counted', (t) => {
  const { repeats, take, pass, written } = begin();
  let tries = 0;
  for (let ms = 0; ms < 24 * 60 * MINUTE; ms += 1500) {
    tries++;
    for (const kind of ['connected', 'disconnected', 'tls']) take(kind);
    pass(1500);
  }
  for (const kind of ['connected', 'disconnected', 'tls']) {
    const own = written.filter((line) => line.kind === kind);
    t.ok(own.length > 100 && own.length < 160, `${own.length} lines`);
    const gaps = own.slice(1).map(({ time }, i) => time - own[i]!.time);
    t.ok(
      gaps.slice(0, 4).every((gap, i, all) => i === 0 || gap > all[i - 1]!),
      'more and more rare',
    );
    t.ok(Math.max(...gaps) <= 10 * MINUTE + 1500, 'but never silent for longer than ten minutes');
  }
  repeats.flush();
  t.equal(sum(written), 3 * tries);
  t.end();
});

await t.test('a kind that has been quiet starts afresh, and what was counted is written', (t) => {
  const { take, pass, written } = begin();
  for (let i = 0; i < 100; i++) {
    take('a');
    pass(1000);
  }
  const before = written.length;
  t.ok(sum(written) < 100, 'some are counted');
  pass(MINUTE);
  t.equal(sum(written), 100, 'and written a minute later');
  t.ok(written.length <= before + 1);
  take('a');
  t.equal(sum(written), 101, 'the next one passes at once');
  pass(30_000);
  take('a');
  t.equal(sum(written), 102, 'and the one after it, as at the beginning');
  t.end();
});

await t.test('without a tick too, what comes late is written', (t) => {
  const written: string[] = [];
  let now = 0;
  const repeats = new Repeats((text) => written.push(text), { now: () => now });
  const line = { text: '{"a":1}', kind: '{"a":1}' };
  for (now of [0, 10, 20, 1000, 1010, 300_000]) repeats.take(line);
  t.same(written, ['{"a":1}', '{"a":1,"repeated":3}', '{"a":1}', '{"a":1}']);
  t.end();
});

await t.test('a line may stand for many', (t) => {
  const { repeats, take, written } = begin();
  take('dropped', 900);
  take('dropped', 50);
  take('dropped');
  repeats.flush();
  t.same(
    written.map(({ repeated }) => repeated),
    [900, 51],
  );
  t.end();
});

await t.test('what is remembered is bounded; the one that is quiet for longest goes', (t) => {
  const { repeats, take, written } = begin({ kinds: 3 });
  for (const kind of ['a', 'b', 'c', 'a', 'b']) take(kind);
  t.equal(written.length, 3);
  take('d');
  t.equal(repeats.size, 3);
  take('c');
  t.same(
    written.map(({ kind }) => kind),
    ['a', 'b', 'c', 'd', 'c', 'a'],
    'c was forgotten and passes, then a goes, with what it had counted',
  );
  const long = begin({ characters: 10_000 });
  for (let i = 0; i < 100; i++) long.take(`${i}${'x'.repeat(900)}`);
  t.ok(long.repeats.size <= 5 && long.repeats.size > 2, `${long.repeats.size} long ones`);
  long.take('x'.repeat(20_000));
  t.equal(long.repeats.size, 0, 'one alone that is too long is not remembered');
  t.end();
});

await t.test('whatever comes whenever: all are counted, in the order of first occurrences', (t) => {
  const step = fc.oneof(
    fc.record({ take: fc.nat(12), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ wait: fc.oneof(fc.nat(3000), fc.nat(20 * MINUTE)) }),
    fc.constant({ tick: true } as const),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 1, max: 8 }),
      (steps, kinds) => {
        const written: Written[] = [];
        let now = 0;
        const repeats = new Repeats((text) => written.push(JSON.parse(text) as Written), {
          kinds,
          now: () => now,
        });
        const taken: { kind: string; count: number; time: number }[] = [];
        for (const step of steps) {
          if ('take' in step) {
            const kind = String(step.take);
            taken.push({ kind, count: step.count, time: now });
            const text = JSON.stringify({ kind, time: now });
            repeats.take({ text, kind }, step.count);
          } else if ('wait' in step) now += step.wait;
          else repeats.tick();
          if (repeats.size > kinds) throw new Error('not bounded');
        }
        repeats.flush();
        if (repeats.size > 0) throw new Error('not forgotten');
        const all = new Set(taken.map(({ kind }) => kind));
        for (const kind of all) {
          const came = taken.filter((one) => one.kind === kind);
          const went = written.filter((one) => one.kind === kind);
          if (sum(went) !== came.reduce((total, { count }) => total + count, 0)) return false;
          // Each stands at the time of the last that it stands for.
          let left = 0;
          let at = 0;
          for (const { time, repeated = 1 } of went) {
            for (left += repeated; left > 0; left -= came[at++]!.count);
            if (left !== 0 || came[at - 1]!.time !== time) return false;
          }
        }
        const order = (lines: readonly { kind: string }[]) => [
          ...new Set(lines.map(({ kind }) => kind)),
        ];
        return order(written).join() === order(taken).join();
      },
    ),
    { numRuns: 1000 },
  );
  t.end();
});
