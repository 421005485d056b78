import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Engine } from '../../src/policy/engine.js';
import { Budget } from '../../src/policy/streams.js';
import { celsius, engineOf, HOUR, keyOf, Stage, stageOf, T0 } from './stage.js';
import { runs } from '../arbitrary/runs.js';

const MATCH = 'match: { class: 1060, type: 6 }';
const PERMIT = `effect: permit, to: open, ${MATCH}`;
const MINUTE = 60_000;

/** A rule that sends what one minute had. */
function minutely(fn = 'mean', more = '', per = '[guid, sensor]', name = 'w'): string {
  return `{ name: ${name}, ${PERMIT}, emit: { guid: keep, sensor: keep, time: { floor: 1m },
      value: { unit: celsius, fn: ${fn} }, window: { every: 1m, per: ${per}${more} } } }`;
}

function steady(more = '', name = 'd'): string {
  return `{ name: ${name}, ${PERMIT}, emit: { guid: keep, data: keep,
      deadband: { change: 1, unit: celsius${more} } } }`;
}

function rated(limits: string, name = 'r'): string {
  return `{ name: ${name}, ${PERMIT}, emit: { data: keep }, limits: { ${limits} } }`;
}

await t.test('a window takes [from, to) to the millisecond, whatever the events say', (t) => {
  const stage = stageOf([minutely()]);
  t.equal(stage.at(T0, celsius(10)), 'open', 'its first millisecond');
  t.equal(stage.at(T0 + MINUTE - 1, celsius(20)), 'open', 'its last one');
  t.equal(stage.engine.nextEnd(), T0 + MINUTE);
  t.same(stage.emitted, []);
  t.equal(stage.at(T0 + MINUTE, celsius(99)), 'open', 'belongs to the next');
  t.same(stage.values, [15]);
  t.equal(stage.emitted[0]!.event.datetime, '2026-06-01T00:00:00Z', 'when the window began');
  for (const time of ['2026-05-31T23:00:00Z', '2027-01-01T00:00:00Z', '2026-06-01T00:01:00Z']) {
    t.equal(stage.at(T0 + MINUTE + 7, celsius(1, { time })), 'open');
  }
  t.ok(stage.advance(T0 + 2 * MINUTE - 1));
  t.equal(stage.emitted.length, 1);
  t.ok(stage.advance(T0 + 2 * MINUTE));
  t.same(stage.values, [15, (99 + 3) / 4]);
  t.equal(stage.emitted[1]!.event.datetime, '2026-06-01T00:01:00Z');
  t.same(stage.numbers, { permitted: 6, emitted: 2, 'absorbed.window': 4 });
  t.equal(stage.engine.nextEnd(), Infinity);
  t.ok(stage.advance(T0 + 3 * MINUTE));
  t.equal(stage.emitted.length, 2, 'a window without samples sends nothing');
  t.end();
});

await t.test('the same event a second time is a second sample', (t) => {
  const stage = stageOf([minutely('mean', ', min_samples: 3')]);
  const [one, two] = [celsius(1, { time: '2026-06-01T00:00:00Z' }), celsius(4)];
  for (const body of [one, one, two]) stage.at(T0, body);
  stage.advance(T0 + MINUTE);
  t.same(stage.values, [2]);
  for (const body of [one, one]) stage.at(T0 + MINUTE, body);
  stage.advance(T0 + 2 * MINUTE);
  t.same(stage.values, [2], 'too few samples');
  t.same(stage.numbers, { permitted: 5, emitted: 1, 'absorbed.window': 4 });
  t.end();
});

await t.test('mean, min, max and last, by stream, in the order of the first samples', (t) => {
  for (const [fn, expected] of [
    ['mean', [7, 30]],
    ['min', [-5, 30]],
    ['max', [20, 30]],
    ['last', [6, 30]],
  ] as const) {
    const stage = stageOf([minutely(fn)]);
    stage.at(T0, celsius(20, { sensor: 2 }));
    stage.at(T0 + 1, celsius(30, { sensor: 1 }));
    stage.at(T0 + 2, celsius(-5, { sensor: 2 }), 1);
    stage.at(T0 + 3, celsius(6, { sensor: 2 }));
    stage.advance(T0 + 5 * HOUR);
    t.same(stage.values, expected, fn);
    t.same(
      stage.emitted.map(({ sensor, source, at }) => [sensor, source, at]),
      [
        [2, 0, T0 + 5 * HOUR],
        [1, 0, T0 + 5 * HOUR],
      ],
    );
  }
  t.end();
});

await t.test('a mean of numbers whose sum is none is not sent, clamped or not', (t) => {
  for (const clamp of ['', ', clamp: { ge: -40, le: 60 }']) {
    const rule = minutely().replace('fn: mean', `fn: mean${clamp}`);
    const stage = stageOf([rule]);
    for (const value of [1.5e308, 1.5e308, -1.5e308, -1.5e308]) stage.at(T0, celsius(value));
    stage.advance(T0 + MINUTE);
    // Their mean is 0; neither that nor a refusal is wrong, the edge of the clamp is.
    t.ok(
      stage.values.every((value) => value === 0),
      `${stage.values.join()}${clamp}`,
    );
  }
  t.end();
});

await t.test('a clock set back interrupts windows; none is opened again before its end', (t) => {
  const stage = stageOf([minutely()], T0 + 10 * MINUTE);
  stage.at(T0 + 10 * MINUTE, celsius(1));
  stage.at(T0 + 10 * MINUTE + 30_000, celsius(2));
  t.equal(stage.at(T0 + 10 * MINUTE + 29_000, celsius(3)), 'open', 'one second is no setting back');
  stage.advance(T0 + 10 * MINUTE + 30_000 - 1001);
  t.ok(stage.engine.behind);
  t.same(stage.numbers, { permitted: 3, 'withheld.interrupted': 3 });
  t.equal(stage.engine.nextEnd(), Infinity);
  for (let now = T0 + 9 * MINUTE; now < T0 + 11 * MINUTE; now += 5000) {
    t.equal(stage.at(now, celsius(4)), 'withheld.interrupted');
  }
  t.equal(stage.at(T0 + 11 * MINUTE - 1, celsius(4)), 'withheld.interrupted');
  t.equal(stage.at(T0 + 11 * MINUTE, celsius(5)), 'open');
  stage.advance(T0 + 12 * MINUTE);
  t.same(stage.values, [5]);
  t.same(stage.balance, [0, 0]);
  t.end();
});

await t.test('each window of a stream is sent at most once, whatever the clock does', (t) => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: -1001, max: 0 }) },
    { weight: 2, arbitrary: fc.integer({ min: -3 * MINUTE, max: -1000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -2 * HOUR, max: 2 * HOUR }) },
  );
  const seen = { sent: 0, interrupted: 0, again: 0, stopped: 0, inherited: 0 };
  fc.assert(
    fc.property(
      fc.array(fc.record({ step, sensor: fc.nat(2), kind: fc.nat(11) }), {
        minLength: 20,
        maxLength: 80,
      }),
      (steps) => {
        const press = minutely('max', '', '[guid, sensor]', 'x').replace('open', 'press');
        const stage = stageOf([minutely(), press], T0 + HOUR);
        let now = T0 + HOUR;
        let highest = now;
        for (const { step, sensor, kind } of steps) {
          now += step;
          if (kind === 11) {
            const next = engineOf([[minutely()], ...(sensor === 0 ? [[press]] : [])], { now });
            next.inherit(stage.engine, stage.sink);
            stage.engine = next;
            seen.inherited++;
          }
          stage.room = kind === 9 || kind === 10 ? 1 : Infinity;
          while (!stage.advance(now)) {
            seen.stopped++;
            stage.room = 1;
          }
          stage.room = Infinity;
          const outcome = stage.feed(celsius(sensor, { sensor }))[0];
          if (now < highest - 1000) assert.equal(outcome, 'withheld.interrupted');
          if (outcome === 'open' && now < highest) seen.again++;
          highest = Math.max(highest, now);
          assert.deepEqual(stage.balance, [0, 0]);
        }
        stage.advance(highest + HOUR);
        assert.deepEqual(stage.balance, [0, 0]);
        const { open = 0, emitted = 0, ...rest } = stage.numbers;
        assert.equal(open, 0);
        const opened = stage.emitted.filter(({ channel }) => channel === 0);
        assert.equal(emitted, opened.length);
        const keys = stage.emitted.map(
          ({ rule, sensor, event }) => `${rule} ${sensor} ${event.datetime}`,
        );
        assert.equal(new Set(keys).size, keys.length, keys.join('\n'));
        seen.sent += keys.length;
        seen.interrupted += rest['withheld.interrupted'] ?? 0;
      },
    ),
    { numRuns: runs(150) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 15, `${what}: ${count}`);
  t.end();
});

await t.test(
  'a sink that takes no more while windows end: nothing is lost, nothing sent twice',
  (t) => {
    const stage = stageOf([minutely(), minutely('mean', '', '[guid, sensor]', 'v')]);
    for (let sensor = 0; sensor < 10; sensor++) stage.at(T0 + sensor, celsius(sensor, { sensor }));
    t.equal(stage.numbers['open'], 10);
    stage.room = 3;
    t.notOk(stage.advance(T0 + MINUTE));
    t.equal(stage.emitted.length, 3);
    t.notOk(stage.advance(T0 + MINUTE + 5), 'still no room');
    t.equal(stage.emitted.length, 3);
    stage.room = 6;
    t.notOk(stage.advance(T0 + 7 * MINUTE), 'however late');
    t.same(stage.balance, [0, 0]);
    stage.room = Infinity;
    t.ok(stage.advance(T0 + 7 * MINUTE));
    t.same(stage.values, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    t.same(stage.numbers, { permitted: 10, emitted: 10 });
    t.end();
  },
);

await t.test('set back while windows end: what has been sent is not sent again', (t) => {
  const stage = stageOf([minutely()]);
  for (let sensor = 0; sensor < 10; sensor++) stage.at(T0 + sensor, celsius(sensor, { sensor }));
  stage.room = 4;
  t.notOk(stage.advance(T0 + MINUTE));
  stage.room = Infinity;
  t.ok(stage.advance(T0 + 100));
  t.same(stage.numbers, { permitted: 10, emitted: 4, 'withheld.interrupted': 6 });
  t.equal(stage.at(T0 + MINUTE, celsius(1)), 'open', 'the next window');
  stage.advance(T0 + 2 * MINUTE);
  t.same(stage.values, [0, 1, 2, 3, 1]);
  t.end();
});

await t.test('a rule that is the same keeps what it remembers, wherever it stands', (t) => {
  const stage = stageOf([minutely()]);
  const other = '{ name: a, effect: permit, to: press, match: { class: 20 } }';
  const window = celsius(10);
  stage.at(T0, window);
  const kept = new Budget(100);
  const next = engineOf([[other, minutely()], [other]], { now: T0 + 1000, budget: kept });
  next.inherit(stage.engine, stage.sink);
  stage.engine = next;
  t.equal(stage.at(T0 + 2000, celsius(20)), 'open');
  const moved = engineOf([[minutely().replace('{ name: w', '{ reason: x, name: w')]], { now: T0 });
  moved.inherit(stage.engine, stage.sink);
  stage.engine = moved;
  stage.advance(T0 + MINUTE);
  t.same(stage.values, [15]);
  const changed = engineOf([[minutely('max')]], { now: T0 + MINUTE });
  stage.at(T0 + MINUTE, celsius(7));
  changed.inherit(stage.engine, stage.sink);
  stage.engine = changed;
  stage.advance(T0 + 3 * MINUTE);
  t.same(stage.values, [15], 'a changed rule starts afresh');
  t.same(stage.numbers, {
    permitted: 3,
    emitted: 1,
    'absorbed.window': 1,
    'withheld.interrupted': 1,
  });
  t.end();
});

await t.test('a rule that becomes urgent keeps what it remembers, and sends it so', (t) => {
  const urgent = (rule: string): string => rule.replace('effect:', 'urgent: true, effect:');
  const stage = stageOf([minutely()]);
  stage.at(T0, celsius(10));
  for (const [rule, expected] of [
    [urgent(minutely()), true],
    [minutely(), false],
  ] as const) {
    const next = engineOf([[rule]], { now: stage.now });
    next.inherit(stage.engine, stage.sink);
    stage.engine = next;
    stage.at(stage.now + 1, celsius(20));
    stage.advance(Math.ceil((stage.now + 1) / MINUTE) * MINUTE);
    t.equal(stage.emitted.at(-1)!.urgent, expected);
    stage.at(stage.now + 1, celsius(10));
  }
  t.same(stage.values, [15, 15]);
  t.equal(stage.numbers['withheld.interrupted'], undefined);
  const dead = stageOf([steady()]);
  t.equal(dead.at(T0, celsius(20)), 'emitted');
  const next = engineOf([[urgent(steady())]], { now: T0 });
  next.inherit(dead.engine, dead.sink);
  dead.engine = next;
  t.equal(dead.at(T0 + 1, celsius(20.5)), 'absorbed.deadband');
  t.equal(dead.at(T0 + 2, celsius(21)), 'emitted');
  t.same(
    dead.emitted.map((each) => each.urgent),
    [false, true],
  );
  t.end();
});

await t.test('a window is urgent as its rule says, or as the last of its samples was', (t) => {
  const head = (priority: number, sensor: number): Uint8Array => {
    const body = celsius(1, { sensor });
    body[1] = priority << 5;
    return body;
  };
  const last = (rule: string): boolean[] => {
    const stage = stageOf([rule]);
    for (const priorities of [
      [3, 0],
      [0, 3],
    ]) {
      for (const [i, priority] of priorities.entries())
        stage.at(T0 + i, head(priority, priorities[0]!));
    }
    stage.advance(T0 + MINUTE);
    return stage.emitted.map(({ urgent }) => urgent);
  };
  t.same(last(minutely()), [true, false]);
  t.same(last(minutely().replace('guid: keep', 'guid: keep, priority: 2')), [false, false]);
  t.same(last(minutely().replace('guid: keep', 'guid: keep, priority: zero')), [true, true]);
  t.same(last(minutely().replace('effect:', 'urgent: true, effect:')), [true, true]);
  t.end();
});

await t.test('deadbands and buckets are handed on too, and by the order of files', (t) => {
  const zoned = (rule: string, zone: number) => rule.replace('type: 6', `type: 6, zone: ${zone}`);
  const rules = [zoned(steady(), 1), zoned(rated('rate: 1/h, burst: 2'), 2)];
  const stage = new Stage(engineOf([[rules[0]!], [rules[1]!]], { now: T0, settled: true }), T0);
  t.equal(stage.at(T0, celsius(5, { zone: 1 })), 'emitted');
  t.equal(stage.at(T0, celsius(5, { zone: 2 })), 'emitted');
  for (const files of [
    [
      [rules[0]!],
      [rules[1]!, minutely('mean', '', '[guid, sensor]', 'z').replace('open', 'press')],
    ],
    [[rules[0]!], [rules[1]!]],
  ]) {
    const next = engineOf(files, { now: T0 + 1 });
    next.inherit(stage.engine, stage.sink);
    stage.engine = next;
    t.equal(stage.at(T0 + 1, celsius(5.5, { zone: 1 })), 'absorbed.deadband');
  }
  t.equal(stage.at(T0 + 2, celsius(5, { zone: 2 })), 'emitted', 'the second of its burst');
  t.equal(stage.at(T0 + 2, celsius(5, { zone: 2 })), 'withheld.rate');
  const changed = [
    rules[0]!.replace('change: 1', 'change: 2'),
    rules[1]!.replace('burst: 2', 'burst: 3'),
  ];
  const next = engineOf([[changed[0]!], [changed[1]!]], { now: T0 + 3 });
  next.inherit(stage.engine, stage.sink);
  stage.engine = next;
  t.equal(stage.at(T0 + 3, celsius(5.5, { zone: 1 })), 'emitted', 'its deadband starts afresh');
  t.equal(stage.at(T0 + 3, celsius(5, { zone: 2 })), 'withheld.rate', 'its bucket starts empty');
  t.end();
});

await t.test('another key makes another rule', (t) => {
  const guid = '{ pseudonym: { key_file: k, prefix: "02/8" } }';
  const rule = minutely().replace('guid: keep', `guid: ${guid}`);
  const begin = (key: string) => engineOf([[rule]], { now: T0 }, keyOf(key));
  const stage = new Stage(begin('one'), T0);
  stage.at(T0, celsius(1));
  const same = begin('one');
  same.inherit(stage.engine, stage.sink);
  stage.engine = same;
  t.equal(stage.numbers['open'], 1);
  const other = begin('two');
  other.inherit(stage.engine, stage.sink);
  stage.engine = other;
  t.same(stage.numbers, { permitted: 1, 'withheld.interrupted': 1 });
  stage.advance(T0 + MINUTE);
  t.same(stage.emitted, []);
  t.end();
});

await t.test(
  'a window that ended while the rules were replaced is sent, and takes no more',
  (t) => {
    const stage = stageOf([minutely()]);
    stage.at(T0 + MINUTE - 10, celsius(10));
    const next = engineOf([[minutely()]], { now: T0 + MINUTE + 10 });
    next.inherit(stage.engine, stage.sink);
    stage.engine = next;
    t.equal(stage.at(T0 + MINUTE + 10, celsius(99)), 'open');
    t.same(stage.values, [10], 'sent as soon as the new engine advances');
    stage.advance(T0 + 2 * MINUTE);
    t.same(stage.values, [10, 99]);
    t.same(stage.numbers, { permitted: 2, emitted: 2 });
    t.end();
  },
);

await t.test('replaced while windows end: the rest of them is sent', (t) => {
  const stage = stageOf([minutely()]);
  for (let sensor = 0; sensor < 5; sensor++) stage.at(T0, celsius(sensor, { sensor }));
  stage.room = 2;
  t.notOk(stage.advance(T0 + MINUTE));
  stage.room = Infinity;
  const next = engineOf([[minutely()]], { now: T0 + MINUTE });
  next.inherit(stage.engine, stage.sink);
  stage.engine = next;
  t.equal(stage.at(T0 + MINUTE, celsius(50, { sensor: 0 })), 'open');
  stage.advance(T0 + 2 * MINUTE);
  t.same(stage.values, [0, 1, 2, 3, 4, 50]);
  t.same(stage.numbers, { permitted: 6, emitted: 6 });
  t.end();
});

await t.test(
  'streams beyond the budget are withheld; the budget comes back as windows end',
  (t) => {
    const budget = new Budget(3);
    const stage = new Stage(engineOf([[minutely()]], { now: T0, budget }), T0);
    for (let sensor = 0; sensor < 3; sensor++)
      t.equal(stage.at(T0, celsius(1, { sensor })), 'open');
    t.equal(stage.at(T0, celsius(1, { sensor: 3 })), 'withheld.overflow');
    t.equal(stage.at(T0, celsius(3, { sensor: 1 })), 'open', 'a stream that is known');
    t.equal(budget.left, 0);
    stage.advance(T0 + MINUTE);
    t.equal(budget.left, 3);
    t.same(stage.values, [1, 2, 1]);
    t.equal(stage.at(T0 + MINUTE, celsius(1, { sensor: 3 })), 'open');
    stage.advance(T0);
    t.equal(budget.left, 3, 'interrupted');
    t.same(stage.balance, [0, 0]);
    t.end();
  },
);

await t.test('the budget of streams comes back from rules that are gone', (t) => {
  const budget = new Budget(3);
  const stage = new Stage(
    engineOf([[steady(), minutely().replace('open', 'press')]], { now: T0, budget }),
    T0,
  );
  t.same(stage.feed(celsius(1, { sensor: 1 })), ['emitted', 'open']);
  t.equal(budget.left, 1);
  const next = engineOf([[steady(', refresh: 1h')]], { now: T0, budget });
  next.inherit(stage.engine, stage.sink);
  stage.engine = next;
  t.equal(budget.left, 3, 'nobody can ask for what the old rules remembered');
  t.end();
});

await t.test('a deadband: a change is measured from the last value sent', (t) => {
  const stage = stageOf([steady(', refresh: 1h')]);
  const feed: [after: number, value: number, outcome: string][] = [
    [0, 20, 'emitted'],
    [1, 20.75, 'absorbed.deadband'],
    [2, 21, 'emitted'],
    [3, 20.25, 'absorbed.deadband'],
    [4, 20, 'emitted'],
    [HOUR + 3, 20, 'absorbed.deadband'],
    [HOUR + 4, 20, 'emitted'],
    [HOUR + 5, 20.5, 'absorbed.deadband'],
    [2 * HOUR + 3, 20, 'absorbed.deadband'],
    [2 * HOUR + 4, 20.5, 'emitted'],
  ];
  for (const [after, value, outcome] of feed) {
    t.equal(stage.at(T0 + after, celsius(value)), outcome, `${value} after ${after}`);
  }
  t.equal(stage.at(T0 + 2 * HOUR + 5, celsius(20.5, { sensor: 1 })), 'emitted', 'another sensor');
  t.equal(stage.at(T0 + 2 * HOUR + 5, celsius(20.5, { guid: 2 })), 'emitted', 'another GUID');
  t.equal(stage.at(T0 + 2 * HOUR + 5, celsius(20.5), 1), 'absorbed.deadband', 'another source');
  t.same(stage.balance, [0, 0]);
  t.end();
});

await t.test('a deadband without refresh sends a value that stays only once', (t) => {
  const stage = stageOf([steady()]);
  for (let now = T0; now < T0 + 72 * HOUR; now += 10 * MINUTE) stage.at(now, celsius(20));
  t.equal(stage.emitted.length, 1, 'however long it stays, while it is heard of');
  t.end();
});

await t.test('a deadband that is full withholds, and takes no token for it', (t) => {
  const budget = new Budget(1);
  const rule = steady().replace(/ }$/, ', limits: { rate: 1/h, burst: 3 } }');
  const stage = new Stage(engineOf([[rule]], { now: T0, settled: true, budget }), T0);
  t.equal(stage.at(T0, celsius(1)), 'emitted');
  for (let sensor = 1; sensor < 6; sensor++) {
    t.equal(stage.at(T0, celsius(1, { sensor })), 'withheld.overflow');
  }
  t.equal(stage.at(T0, celsius(9)), 'emitted');
  t.equal(stage.at(T0, celsius(1)), 'emitted');
  t.equal(stage.at(T0, celsius(9)), 'withheld.rate');
  t.equal(stage.at(T0 + HOUR, celsius(1)), 'absorbed.deadband', 'what was withheld is not sent');
  t.end();
});

await t.test('a bucket starts full where all has settled, empty otherwise', (t) => {
  const limits = 'rate: 2/s, burst: 3';
  const outcomes = (stage: Stage, now: number, count: number) =>
    Array.from({ length: count }, () => stage.at(now, celsius(1)) === 'emitted').filter(Boolean)
      .length;
  const settled = stageOf([rated(limits)]);
  t.equal(outcomes(settled, T0, 9), 3);
  t.equal(outcomes(settled, T0 + 499, 1), 0);
  t.equal(outcomes(settled, T0 + 500, 2), 1);
  t.equal(outcomes(settled, T0 + HOUR, 9), 3, 'no more than the burst');
  const fresh = stageOf([rated(limits)], T0, false);
  t.equal(outcomes(fresh, T0, 1), 0);
  t.equal(outcomes(fresh, T0 + 499, 1), 0);
  t.equal(outcomes(fresh, T0 + 500, 2), 1);
  t.equal(outcomes(fresh, T0 + 2000, 9), 3);
  t.same(fresh.balance, [0, 0]);
  t.end();
});

await t.test('what comes exactly as often as its rate says is all sent', (t) => {
  for (const [rate, every] of [
    ['1/s', 1000],
    ['3/m', 20_000],
    ['10/s', 100],
    ['100/h', 36_000],
    ['1/h', HOUR],
    ['1/d', 24 * HOUR],
    ['24/d', HOUR],
    ['96/d', HOUR / 4],
    ['48/d', HOUR / 2],
    ['360/h', 10_000],
    ['20/s', 50],
    ['25/s', 40],
    ['12/m', 5000],
  ] as const) {
    const stage = stageOf([rated(`rate: ${rate}, burst: 1`)]);
    for (let i = 0; i < 2000; i++) stage.at(T0 + Math.ceil(i * every), celsius(1));
    t.equal(stage.numbers['withheld.rate'] ?? 0, 0, rate);
  }
  t.end();
});

await t.test('a rate holds while the clock is set back, but does not starve', (t) => {
  const stage = stageOf([rated('rate: 1/s, burst: 5')], T0 + HOUR);
  for (let i = 0; i < 5; i++) t.equal(stage.at(T0 + HOUR, celsius(1)), 'emitted');
  let sent = 0;
  for (let s = 0; s < 60; s++) {
    for (let i = 0; i < 3; i++) sent += Number(stage.at(T0 + s * 1000, celsius(1)) === 'emitted');
  }
  t.ok(sent <= 61, `${sent} in a minute`);
  t.ok(sent >= 55, `${sent} in a minute that the clock is behind`);
  t.end();
});

await t.test('data longer than the limit is withheld, and needs no token', (t) => {
  const stage = stageOf([rated('rate: 1/h, burst: 1, size: 11')]);
  t.equal(stage.at(T0, celsius(1)), 'withheld.size');
  const wide = stageOf([rated('rate: 1/h, burst: 1, size: 12')]);
  t.equal(wide.at(T0, celsius(1)), 'emitted');
  t.equal(wide.at(T0, celsius(1)), 'withheld.rate');
  t.type(wide.engine, Engine);
  t.end();
});

await t.test(
  'a permit ends with its last day, to the millisecond; what it gathered is given up',
  (t) => {
    const day = 24 * HOUR;
    const stage = stageOf([minutely().replace('match:', 'expires: 2026-06-01, match:')]);
    t.equal(stage.at(T0 + day - 1, celsius(5)), 'open');
    t.equal(stage.at(T0 + day, celsius(6)), undefined);
    t.same(stage.values, []);
    t.equal(stage.at(T0 + 2 * day, celsius(7)), undefined);
    t.same(stage.numbers, { permitted: 1, 'withheld.interrupted': 1 });
    t.end();
  },
);

await t.test("times of day are the machine's, to the millisecond, set back or not", (t) => {
  const night = 'time: { zone: Europe/Berlin, daily: ["22:00-02:01"] }';
  const rule = `{ name: n, effect: permit, to: open, match: { class: 1060, ${night} } }`;
  const stage = stageOf([rule], T0 - 5 * HOUR);
  for (const [now, outcome] of [
    [T0 - 4 * HOUR - 1, undefined],
    [T0 - 4 * HOUR, 'emitted'],
    [T0 + 60_000 - 1, 'emitted'],
    [T0 + 60_000, undefined],
    [T0 + 60_000 - 1, 'emitted'],
    [T0 - 4 * HOUR, 'emitted'],
    [T0 - 4 * HOUR - 1, undefined],
  ] as const) {
    t.equal(stage.at(now, celsius(1)), outcome, new Date(now).toISOString());
  }
  t.end();
});
