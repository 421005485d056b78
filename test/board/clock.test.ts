import fc from 'fast-check';
import t from 'tap';
import { Clock } from '../../src/board/clock.js';

const NOW = Date.UTC(2026, 10, 23, 12);
const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

await t.test('a clock that is set makes nothing old, and is told once', (t) => {
  const clock = new Clock(NOW, 0, '');
  t.equal(clock.tick(NOW + 1000, 1000), 0);
  t.equal(clock.time, NOW + 1000);
  t.equal(clock.tick(NOW + 2000 + 11 * YEAR, 2000), 11 * YEAR);
  t.equal(clock.tick(NOW + 17_000 + 11 * YEAR, 17_000), 0);
  t.equal(clock.time, NOW + 33_000, 'twice as fast as time goes by');
  t.equal(clock.steady(17_000), NOW + 17_000);
  t.equal(clock.tick(NOW + 18_000, 18_000), -11 * YEAR);
  t.equal(clock.time, NOW + 18_000);
  t.equal(clock.tick(NOW + 60_000, 60_000), 0);
  t.equal(clock.time, NOW + 60_000);
  t.end();
});

await t.test('a clock that was set back is believed when it is right again', (t) => {
  const clock = new Clock(NOW, 0, '');
  clock.tick(NOW - YEAR, HOUR);
  t.equal(clock.time, NOW - YEAR, 'less is old');
  clock.tick(NOW + 2 * HOUR, 2 * HOUR);
  t.equal(clock.time, NOW + 2 * HOUR);
  t.end();
});

await t.test('a board that starts goes on from where the one before it was', (t) => {
  const before = new Clock(NOW, 0, '');
  before.tick(NOW + HOUR, HOUR);
  const saved = before.save();
  for (const wrong of [NOW + 11 * YEAR, NOW + 12 * YEAR]) {
    t.equal(new Clock(wrong, 0, saved).time, NOW + HOUR, 'however often it starts');
  }
  const early = new Clock(0, 0, saved);
  t.equal(early.time, 0, 'a machine without a clock of its own');
  early.tick(NOW + 2 * HOUR, HOUR);
  t.equal(early.time, NOW + 2 * HOUR);
  const away = new Clock(NOW + 10 * HOUR, 0, saved);
  away.tick(NOW + 14 * HOUR, 4 * HOUR);
  t.equal(away.time, NOW + 9 * HOUR);
  away.tick(NOW + 20 * HOUR, 10 * HOUR);
  t.equal(away.time, NOW + 20 * HOUR, 'it has made up for the hours that it was away');
  for (const none of ['', 'x', '-1', '1e3', '9'.repeat(16)]) {
    t.equal(new Clock(NOW, 0, none).time, NOW, none);
  }
  t.end();
});

await t.test('whatever is done to the clock, time is never ahead of twice what has passed', (t) => {
  const step = fc.record({ by: fc.integer({ min: -1e12, max: 1e12 }), ms: fc.nat(100_000) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const clock = new Clock(NOW, 0, '');
      let [wall, steady] = [NOW, 0];
      for (const { by, ms } of steps) {
        wall += by + ms;
        steady += ms;
        clock.tick(wall, steady);
        if (clock.time > Math.min(wall, NOW + 2 * steady)) throw new Error('too fast');
      }
    }),
  );
  t.end();
});
