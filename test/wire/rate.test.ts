import fc from 'fast-check';
import t from 'tap';
import { Rate } from '../../src/wire/rate.js';

await t.test('a rate is that of the last ten seconds, or of what there is of them', (t) => {
  const rate = new Rate();
  t.equal(rate.note(5000, 100), 0);
  t.equal(rate.note(5900, 1000), 0, 'not of less than a second');
  t.equal(rate.note(6000, 1100), 1000);
  for (let second = 2; second <= 10; second++) {
    t.equal(rate.note(5000 + 1000 * second, 100 + 1000 * second), 1000);
  }
  // From here on nothing happens, and what happened leaves the ten seconds.
  const after = Array.from({ length: 12 }, (_, i) => rate.note(16_000 + 1000 * i, 10_100));
  t.same(after.slice(0, 3), [900, 800, 700]);
  t.same(after.slice(-2), [0, 0]);
  t.end();
});

await t.test(
  'it follows whatever notes there are, never below zero, and keeps few of them',
  (t) => {
    const note = fc.record({ after: fc.integer({ min: 1, max: 4000 }), more: fc.nat(10_000) });
    fc.assert(
      fc.property(fc.array(note, { minLength: 1, maxLength: 200 }), (notes) => {
        const rate = new Rate();
        const all: [time: number, total: number][] = [];
        let [now, total] = [0, 0];
        for (const { after, more } of notes) {
          now += after;
          total += more;
          all.push([now, total]);
          const said = rate.note(now, total);
          // The oldest of eleven samples that are a second apart at least.
          const samples: (readonly [number, number])[] = [];
          for (const each of all) {
            if (samples.length === 0 || each[0] - samples.at(-1)![0] >= 1000) samples.push(each);
          }
          const [since, before] = samples.at(Math.max(0, samples.length - 11))!;
          const elapsed = now - since;
          t.equal(said, elapsed < 1000 ? 0 : ((total - before) * 1000) / elapsed);
        }
      }),
    );
    const rate = new Rate();
    rate.note(0, 500);
    t.equal(rate.note(2000, 100), 0, 'a number that was taken back');
    t.end();
  },
);
