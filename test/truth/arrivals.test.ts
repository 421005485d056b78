import t from 'tap';
import { Arrivals } from './arrivals.js';
import { Plan, readSend } from './plan.js';

const plan = new Plan(1);
const up = Array.from({ length: 5000 }, (_, i) => i + 1).filter((n) => plan.goes(0, n, 0));

await t.test('what comes again must be named, as often as it comes', (t) => {
  const arrivals = new Arrivals(plan, 0);
  for (const n of up) arrivals.add(0, n);
  t.equal(arrivals.total, up.length);
  for (const n of up.slice(10, 20)) t.equal(arrivals.add(0, n), false);
  arrivals.name(false, 11, 19);
  for (const n of up.slice(10, 11)) arrivals.add(0, n);
  arrivals.settle(true);
  t.equal(arrivals.duplicates, 11);
  t.equal(arrivals.unnamed, 2, 'the twentieth, and the eleventh that came a second time');
  t.equal(arrivals.disordered, 0);
  t.end();
});

await t.test('what was passed over may not come later', (t) => {
  const arrivals = new Arrivals(plan, 0);
  const late = up.find((n) => !plan.urgent(0, n))!;
  for (const n of up) if (n !== late) arrivals.add(0, n);
  arrivals.add(0, late);
  t.equal(arrivals.disordered, 1);
  t.end();
});

await t.test('after a power cut sequences name other events', (t) => {
  const arrivals = new Arrivals(plan, 0);
  for (const n of up.slice(0, 20)) arrivals.add(0, n);
  arrivals.rewind(false, 15);
  for (const n of up.slice(25, 40)) arrivals.add(0, n);
  arrivals.add(0, up[25]!);
  arrivals.name(false, 16, 16);
  arrivals.settle(true);
  t.equal(arrivals.unnamed, 0);
  t.end();
});

await t.test('old numbers are forgotten, and duplicates that are named with them', (t) => {
  const arrivals = new Arrivals(plan, 0);
  let first = 0;
  for (let n = 1, sequence = 0; sequence < 200_000; n++) {
    if (!plan.goes(0, n, 0)) continue;
    first ||= n;
    arrivals.add(0, n);
    if (++sequence % 1000 === 0) {
      arrivals.add(0, n);
      arrivals.name(false, sequence, sequence);
      arrivals.settle(false);
    }
  }
  arrivals.settle(true);
  t.equal(arrivals.unnamed, 0);
  t.equal(arrivals.duplicates, 200);
  arrivals.add(0, first);
  t.equal(arrivals.disordered, 1, 'too old to be a duplicate');
  t.end();
});

await t.test('the plan is the same for the same seed, and says what its lines are', (t) => {
  for (const n of up.slice(0, 200)) {
    t.strictSame(readSend(plan.send(0, n, 0)), { source: 0, n });
    t.equal(plan.line(0, n), new Plan(1).line(0, n));
  }
  t.ok(up.some((n) => plan.urgent(0, n)));
  t.end();
});
