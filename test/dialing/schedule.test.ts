import t from 'tap';
import { PATIENCE, Schedule } from '../../src/dialing/schedule.js';

await t.test('the first try comes within 250 ms, none later than 1 s', (t) => {
  for (const random of [0, 0.25, 0.5, 0.999_999]) {
    const schedule = new Schedule(() => random);
    const waits = Array.from({ length: 2000 }, () => schedule.next());
    t.ok(waits[0]! <= 250);
    t.ok(waits.every((wait) => wait > 0 && wait <= 1000));
    t.strictSame(
      [...waits].sort((a, b) => a - b),
      waits,
      'and none is shorter than the one before',
    );
    t.ok(waits.at(-1)! >= 400, 'a server that is away is not hammered');
  }
  t.end();
});

await t.test('a try that took long is followed by the next at once, and still not at once', (t) => {
  for (const random of [0, 0.5, 0.999_999]) {
    const schedule = new Schedule(() => random);
    for (let i = 0; i < 8; i++) schedule.next();
    const usual = schedule.next();
    for (let spent = 0; spent <= 4 * PATIENCE; spent += 10) {
      const wait = schedule.next(spent);
      t.ok(wait >= 40 && wait <= usual);
      if (spent <= PATIENCE) t.ok(spent + wait <= PATIENCE + 100, `${spent} and ${wait}`);
    }
    t.equal(schedule.next(5), usual, 'one that failed at once is not');
  }
  t.end();
});

await t.test(
  'a refused login: a minute as any failure, for a server that starts, then slowly',
  (t) => {
    const schedule = new Schedule(() => 1);
    const quick: number[] = [];
    for (let wait; (wait = schedule.nextRefused()) < 30_000;) quick.push(wait);
    t.strictSame(quick.slice(0, 4), [250, 500, 1000, 1000]);
    const sum = quick.reduce((all, wait) => all + wait, 0);
    t.ok(sum > 50_000 && sum < 65_000, `${sum} ms`);
    t.equal(schedule.next(), 1000, 'a failure in between is one like any other');
    t.equal(schedule.nextRefused(), 30_000, 'and makes no refusal forgotten');
    schedule.reset();
    t.equal(schedule.nextRefused(), 250);
    t.end();
  },
);

await t.test('a connection that was of use starts the schedule afresh', (t) => {
  const schedule = new Schedule(() => 1);
  const first = schedule.next();
  for (let i = 0; i < 10; i++) schedule.next();
  t.ok(schedule.next() > first);
  schedule.reset();
  t.equal(schedule.next(), first);
  t.end();
});

await t.test('waits are jittered: many relays do not come at once', (t) => {
  const waits = new Set(Array.from({ length: 100 }, () => new Schedule().next()));
  t.ok(waits.size > 50);
  t.end();
});
