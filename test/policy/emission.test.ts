import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { capacityOf, roundTo as roundBy, stepOf } from '../../src/policy/emission.js';
import { compare, decimal, nearest, type Ratio, times } from './naive.js';

const roundTo = (value: number, step: number): number => roundBy(value, stepOf(step));

/** The multiple of a step nearest to a value, both as people write them, half away from zero. */
function byHand(value: number, step: number): number {
  const [n, d] = decimal(value);
  const [a, b] = decimal(step);
  // value / step = n * b / (d * a)
  const [above, below] = [n * b, d * a];
  const size = above < 0n ? -above : above;
  const whole = (2n * size + below) / (2n * below);
  return nearest(times([above < 0n ? -whole : whole, 1n], [a, b]));
}

const STEPS = [0.1, 0.25, 0.5, 1, 5, 1000, 3, 0.01, 0.2, 0.001, 2.5];

await t.test('values of few decimals round as people do it, halves away from zero', (t) => {
  const seen = { half: 0, other: 0, negative: 0 };
  fc.assert(
    fc.property(
      fc.integer({ min: -2_000_000, max: 2_000_000 }),
      fc.nat(4),
      fc.constantFrom(...STEPS),
      (mantissa, places, step) => {
        const value = Number(`${mantissa}e-${places}`);
        assert.equal(roundTo(value, step), byHand(value, step), `${value} to ${step}`);
        const [n, d] = times(decimal(value), [decimal(step)[1], decimal(step)[0]]);
        const half = (2n * n) % d === 0n && n % d !== 0n;
        seen[half ? 'half' : 'other']++;
        seen.negative += Number(value < 0);
      },
    ),
    { numRuns: 20_000 },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 300, `${what}: ${count}`);
  t.end();
});

await t.test('every half of the steps that sensors use', (t) => {
  for (const step of STEPS) {
    const wrong: number[] = [];
    for (let k = -5000; k < 5000; k++) {
      // (k + 1/2) * step, as it would be written.
      const half: Ratio = times([BigInt(2 * k + 1), 2n], decimal(step));
      const value = nearest(half);
      if (compare(decimal(value), half) !== 0) continue;
      const away = nearest(times([BigInt(k < 0 ? k : k + 1), 1n], decimal(step)));
      if (roundTo(value, step) !== away) wrong.push(value);
    }
    t.same(wrong.slice(0, 5), [], `${wrong.length} of 10000 halves of ${step}`);
  }
  t.end();
});

await t.test('what is a multiple stays, what is huge stays finite, what is tiny becomes 0', (t) => {
  for (const step of STEPS) {
    for (let k = -3000; k <= 3000; k++) {
      const value = nearest(times([BigInt(k), 1n], decimal(step)));
      if (roundTo(value, step) !== value) t.fail(`${value} to ${step}: ${roundTo(value, step)}`);
    }
    for (const value of [0, -0, 5e-324, -5e-324, step / 4, -step / 4]) {
      t.ok(Object.is(roundTo(value, step), 0), `${value} to ${step}`);
    }
    t.equal(roundTo(step / 2, step), step);
    t.equal(roundTo(-step / 2, step), -step);
    for (const huge of [2 ** 53, -(2 ** 60), 1e22, 1e300, Number.MAX_VALUE, -Number.MAX_VALUE]) {
      const rounded = roundTo(huge, step);
      t.ok(Math.abs(rounded / huge - 1) < 1e-12, `${huge} to ${step}: ${rounded}`);
    }
  }
  t.equal(roundTo(0.49999999999999994, 1), 0);
  t.equal(roundTo(-0.5, 1), -1);
  t.equal(roundTo(2 ** 51 + 0.5, 1), 2 ** 51 + 1);
  t.equal(roundTo(-(2 ** 51) - 1.5, 1), -(2 ** 51) - 2);
  t.end();
});

await t.test('it never goes down as the value goes up, and is within half a step', (t) => {
  const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(number, number, fc.constantFrom(...STEPS), (a, b, step) => {
      const [low, high] = [roundTo(Math.min(a, b), step), roundTo(Math.max(a, b), step)];
      assert.ok(low <= high);
      assert.ok(Math.abs(low - Math.min(a, b)) <= (step / 2) * (1 + 1e-9));
    }),
    { numRuns: 3000 },
  );
  t.end();
});

await t.test('data that a class has room for', (t) => {
  t.equal(capacityOf(undefined), 512);
  for (const [vscpClass, size] of [
    [0, 8],
    [10, 8],
    [511, 8],
    [512, 24],
    [1023, 24],
    [1024, 512],
    [65535, 512],
  ] as const) {
    t.equal(capacityOf(vscpClass), size, String(vscpClass));
  }
  t.end();
});
