import t from 'tap';
import { Schedule } from '../../src/dialing/schedule.js';

await t.test('the first try comes within 250 ms, none later than 1.5 s', (t) => {
  for (const random of [0, 0.25, 0.5, 0.999_999]) {
    const schedule = new Schedule(() => random);
    const waits = Array.from({ length: 2000 }, () => schedule.next());
    t.ok(waits[0]! <= 250);
    t.ok(waits.every((wait) => wait > 0 && wait <= 1500));
    t.strictSame(
      [...waits].sort((a, b) => a - b),
      waits,
      'and none is shorter than the one before',
    );
    t.ok(waits.at(-1)! >= 600, 'a server that is away is not hammered');
  }
  t.end();
});

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
