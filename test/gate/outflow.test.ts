import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { adoptOutcomes, describeOutcomes } from '../../src/gate/outflow.js';
import { OUTCOMES } from '../../src/policy/outcome.js';
import { sum } from '../../src/wire/status.js';
import { imbalance, Valve, World, type Auditor } from './world.js';
import { runs } from '../arbitrary/runs.js';

/** A mean over a minute for each GUID, to one channel; every change by a kelvin to the other. */
const POLICY = `
schema: tidegate-policy/v1
policy: { id: w, revision: 1 }
rules:
  - name: means
    effect: permit
    to: public
    match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }
    emit:
      class: CLASS2.MEASUREMENT_FLOAT
      guid: { pseudonym: { key_file: key, prefix: "02:52:4C:59/32" } }
      value: { fn: mean, unit: kelvin }
      window: { every: 1m, per: guid, min_samples: 2 }
  - name: changes
    effect: permit
    to: archive
    match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }
    emit: { guid: keep, data: keep, deadband: { change: 1, unit: kelvin } }
    limits: { rate: 1/s, burst: 5 }
`;
// The marks that a gate makes when it begins have the machine's time.
const MINUTE = 60_000;
const NOON = Math.ceil(Date.now() / MINUTE) * MINUTE + 60 * MINUTE;

/** A temperature of one byte, in kelvin. */
const line = (node: number, kelvin: number): string =>
  `0,10,6,0,,0,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0${node},0x60,${kelvin}\n`;

function world(directory: string, audit?: Auditor): World {
  return new World(directory, audit, undefined, [POLICY]);
}

/** What the sums of a channel leave over. */
function rest(channel: ReturnType<typeof describeOutcomes> & { journalled: number }): number {
  const { permitted, emitted, absorbed, open, withheld, journalled } = channel;
  assert.equal(emitted, journalled);
  return permitted - emitted - sum(absorbed) - open - sum(withheld);
}

await t.test('a window that a gate had open is interrupted, and counted by the next', (t) => {
  const first = world(t.testdir());
  const valve = new Valve();
  first.advance(NOON);
  first.intake.take(valve.frame([line(1, 20), line(1, 22), line(2, 9)]), 0);
  t.ok(first.commit(NOON));
  t.match(first.ledger.describe()[0], { permitted: 3, emitted: 0, open: 3, absorbed: {} });
  first.restart();
  t.match(first.ledger.describe()[0], { permitted: 3, open: 0, withheld: { interrupted: 3 } });
  // The clock of the gate before is not forgotten: the same window takes samples, none is sent twice.
  first.intake.take(valve.frame([line(1, 30), line(1, 31)]), 0);
  first.advance(NOON + MINUTE);
  t.ok(first.commit(NOON + MINUTE));
  const [record] = first.journalled(0);
  t.match(record, /^u1 north w\/means 0,1060,6,0,,0,02:52:4C:59:[\dA-F:]{35},0,0,0,0,64,62,128,0,/);
  t.match(first.ledger.describe()[0], { emitted: 1, absorbed: { window: 1 }, open: 0 });
  t.equal(imbalance(first.counters(0)), 0);
  first.close();
  t.end();
});

await t.test('a clock that was set back between two gates sends no window again', (t) => {
  const gate = world(t.testdir());
  const valve = new Valve();
  gate.advance(NOON);
  gate.intake.take(valve.frame([line(1, 20), line(1, 22)]), 0);
  gate.advance(NOON + MINUTE);
  t.ok(gate.commit(NOON + MINUTE));
  gate.restart();
  gate.advance(NOON);
  gate.intake.take(valve.frame([line(1, 20), line(1, 22)]), 0);
  gate.advance(NOON + 2 * MINUTE);
  t.ok(gate.commit(NOON + 2 * MINUTE));
  t.match(gate.ledger.describe()[0], { emitted: 1, withheld: { interrupted: 2 } });
  t.equal(gate.journalled(0).length, 1);
  gate.close();
  t.end();
});

await t.test('the sums of every channel hold whatever the disk does', (t) => {
  const seen = { windows: 0, abandoned: 0, restarts: 0, rate: 0 };
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ node: fc.nat(3), kelvin: fc.integer({ min: 1, max: 9 }) }),
    },
    { weight: 2, arbitrary: fc.record({ later: fc.nat(90_000) }) },
    { weight: 2, arbitrary: fc.record({ stands: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant({ restart: true }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let failing = false;
      const audit = {
        append() {
          if (failing) throw new Error('no space');
        },
      };
      const gate = world(t.testdir(), audit);
      const valve = new Valve();
      let now = NOON;
      for (const each of steps) {
        failing = false;
        if ('node' in each) gate.intake.take(valve.frame([line(each.node, each.kelvin)]), 0);
        else if ('later' in each) gate.advance((now += each.later));
        else if ('restart' in each) {
          gate.restart();
          gate.advance(now);
          seen.restarts++;
        } else {
          failing = !each.stands;
          seen.abandoned += Number(!gate.commit(now));
        }
      }
      failing = false;
      assert.ok(gate.commit(now + 1e6));
      for (const channel of gate.ledger.describe()) assert.equal(rest(channel), 0);
      assert.equal(imbalance(gate.counters(0)), 0);
      const [means, changes] = gate.ledger.describe();
      seen.windows += means!.emitted;
      seen.rate += changes!.withheld['rate'] ?? 0;
      gate.close();
    }),
    { numRuns: runs(200) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 0, `${what}: ${count}`);
  t.end();
});

await t.test('outcomes that were written with other names are taken over', (t) => {
  const names = ['emitted', 'of old', 'open', 'permitted'];
  const adopted = adoptOutcomes(names, Float64Array.of(3, 99, 4, 7));
  t.same(describeOutcomes(adopted), {
    permitted: 7,
    emitted: 3,
    absorbed: {},
    open: 0,
    withheld: { interrupted: 4 },
    beacons: 0,
  });
  t.equal(adopted.length, OUTCOMES.length);
  t.end();
});
