import fc from 'fast-check';
import t from 'tap';
import { isMeasurement } from '../../src/event/carries.js';
import { typeNames } from '../../src/policy/tokens.js';
import {
  convert,
  preimage,
  unitNames,
  unitOf,
  unitsOf,
  type Unit,
} from '../../src/policy/units.js';

const all = Array.from({ length: 66 }, (_, type) => unitsOf(1060, type)).flat();
const named = new Map(all.map((unit) => [unit.name, unit]));
const unit = (name: string): Unit => named.get(name)!;
const pairs = [...named.values()].flatMap((from) =>
  [...named.values()].filter((to) => to.base === from.base).map((to) => [from, to] as const),
);

await t.test('every type of the specification that is one quantity has a unit', (t) => {
  const none = ['GENERAL', 'RESERVED47', 'RESERVED48'];
  for (const [name, type] of typeNames(10)) {
    t.equal(unitsOf(10, type).length > 0, !none.includes(name), name);
    t.same(
      unitsOf(10, type).map(({ code }) => code),
      [0, 1, 2, 3].slice(0, unitsOf(10, type).length),
      name,
    );
  }
  t.same(unitNames(10, 6), ['kelvin', 'celsius', 'fahrenheit']);
  t.same(unitNames(10, 4), ['second', 'millisecond'], 'a date is no quantity');
  t.same(unitNames(10, 13), ['joule', 'kilowatt-hour', 'watt-hour', 'electronvolt']);
  t.same(unitNames(10, 45), ['mole-per-cubic-metre', 'part-per-million', 'percent']);
  t.same(unitNames(10, 65), ['kilovar-hour']);
  t.same(unitNames(10, 66), []);
  t.same(unitOf(10, 6, 1), unit('celsius'));
  t.equal(unitOf(10, 6, 3), undefined);
  t.equal(unitOf(10, 6, -1), undefined);
  t.end();
});

await t.test('all measurement classes share the types', (t) => {
  for (let n = 0; n < 65536; n++) {
    const first = [10, 60, 65, 70, 522, 572, 577, 582, 1040, 1060].includes(n);
    const units = unitsOf(n, 6);
    if (units.length !== (first ? 3 : 0)) t.fail(`class ${n}`);
    if (units.length > 0) t.ok(isMeasurement(n));
  }
  t.same(unitsOf(85, 6), [], 'a command is no measurement');
  t.same(unitsOf(11, 6), [], 'the types of X1..X4 have no units');
  t.same(unitsOf(1060, 256 + 6), [], 'nor in Level II');
  t.same(unitsOf(1060, 65535), []);
  t.same(unitOf(1040, 28, 4)?.name, 'centilitre', 'Level II alone has a fifth unit');
  t.equal(unitOf(10, 28, 4), undefined);
  t.equal(unitsOf(10, 28), unitsOf(577, 28), 'no new objects');
  t.end();
});

await t.test('a name stands for one unit', (t) => {
  for (const { name, base, scale, offset } of all) {
    const { base: itsBase, scale: itsScale, offset: itsOffset } = unit(name);
    t.same([base, scale, offset], [itsBase, itsScale, itsOffset], name);
    t.match(name, /^[a-z]+(-[a-z]+)*$/);
    t.ok(scale > 0 && Number.isFinite(scale) && Number.isFinite(offset));
  }
  t.end();
});

await t.test('conversions of people are exact', (t) => {
  for (const [from, value, to, expected] of [
    ['celsius', 25, 'fahrenheit', 77],
    ['celsius', 21.5, 'kelvin', 294.65],
    ['celsius', 21.5, 'fahrenheit', 70.7],
    ['celsius', -40, 'fahrenheit', -40],
    ['celsius', 26.3, 'kelvin', 299.45],
    ['kelvin', 299.45, 'celsius', 26.3],
    ['kelvin', 294.65, 'celsius', 21.5],
    ['kelvin', 0, 'celsius', -273.15],
    ['kelvin', 0, 'fahrenheit', -459.67],
    ['fahrenheit', 70.7, 'celsius', 21.5],
    ['fahrenheit', 77, 'kelvin', 298.15],
    ['second', 1.5, 'millisecond', 1500],
    ['millisecond', 250, 'second', 0.25],
    ['curie', 1, 'becquerel', 3.7e10],
    ['bar', 1.01325, 'pascal', 101325],
    ['psi', 1, 'pascal', 6894.757293168361],
    ['kilowatt-hour', 0.3, 'watt-hour', 300],
    ['watt-hour', 1, 'joule', 3600],
    ['electronvolt', 1, 'joule', 1.602176634e-19],
    ['metric-horsepower', 1, 'watt', 735.49875],
    ['imperial-horsepower', 1, 'watt', 745.6998715822702],
    ['oersted', 1, 'ampere-per-metre', 79.57747154594767],
    ['tesla', 0.5, 'gauss', 5000],
    ['litre', 0.3, 'millilitre', 300],
    ['cubic-metre', 0.00025, 'litre', 0.25],
    ['decilitre', 1, 'centilitre', 10],
    ['degree', 180, 'radian', Math.PI],
    ['degree', 1.5, 'arcminute', 90],
    ['arcsecond', 1800, 'degree', 0.5],
    ['kilometre-per-hour', 36, 'metre-per-second', 10],
    ['mile-per-hour', 1, 'kilometre-per-hour', 1.609344],
    ['mile-per-hour', 1, 'metre-per-second', 0.44704],
    ['litre-per-second', 5, 'cubic-metre-per-second', 0.005],
    ['pascal-second', 0.1, 'poise', 1],
    ['poiseuille', 0.1, 'pascal-second', 0.1],
    ['percent', 0.5, 'part-per-million', 5000],
    ['foot', 1, 'inch', 12],
    ['foot', 1000, 'metre', 304.8],
    ['hectare', 1, 'square-metre', 10000],
    ['are', 1, 'square-metre', 100],
    ['square-kilometre', 1, 'hectare', 100],
    ['watt-per-steradian-square-metre-nanometre', 2, 'watt-per-steradian-cubic-metre', 2e9],
    ['watt-per-square-metre-nanometre', 2, 'watt-per-cubic-metre', 2e9],
    ['rem', 5, 'sievert', 0.05],
    ['roentgen', 1, 'coulomb-per-kilogram', 2.58e-4],
  ] as const) {
    t.equal(convert(value, unit(from), unit(to)), expected, `${value} ${from} in ${to}`);
  }
  for (const one of named.values()) t.equal(convert(0.1, one, one), 0.1);
  const strangers = [
    ['mole-per-cubic-metre', 'percent'],
    ['longitude', 'latitude'],
    ['longitude', 'degree'],
    ['watt-per-square-metre-hertz', 'watt-per-cubic-metre'],
    ['decibel', 'pascal'],
    ['ratio', 'percent'],
    ['hertz', 'becquerel'],
  ] as const;
  for (const [from, to] of strangers) {
    t.same(convert(1, unit(from), unit(to)), NaN);
    t.equal(preimage(unit(from), unit(to), {}), undefined);
  }
  t.end();
});

await t.test('temperatures of one decimal convert to one decimal, but for some', (t) => {
  let off = 0;
  for (let tenths = -400; tenths <= 1500; tenths++) {
    const celsius = tenths / 10;
    t.equal(convert(celsius, unit('celsius'), unit('kelvin')), (tenths * 10 + 27315) / 100);
    const kelvin = unit('kelvin');
    if (convert((tenths * 10 + 27315) / 100, kelvin, unit('celsius')) !== celsius) off++;
    if (convert((tenths * 18 + 3200) / 100, unit('fahrenheit'), unit('celsius')) !== celsius) off++;
    if (convert(celsius, unit('celsius'), unit('fahrenheit')) !== (tenths * 18 + 3200) / 100) off++;
  }
  t.ok(off < 400, `${off} of 5703`);
  t.end();
});

const double = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ noNaN: true, min: -1000, max: 1000 }),
  fc.integer({ min: -50000, max: 50000 }).map((n) => n / 100),
);
const pair = fc.constantFrom(...pairs);

/** The next double above (or below) in binary64. */
function neighbour(value: number, step: 1n | -1n): number {
  const view = new DataView(new ArrayBuffer(8));
  if (value === 0) return step === 1n ? Number.MIN_VALUE : -Number.MIN_VALUE;
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? step : -step));
  return view.getFloat64(0);
}

await t.test('conversions are monotone', (t) => {
  fc.assert(
    fc.property(pair, double, double, ([from, to], a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      const near = neighbour(low, 1n);
      return (
        convert(low, from, to) <= convert(high, from, to) &&
        (!Number.isFinite(near) || convert(low, from, to) <= convert(near, from, to))
      );
    }),
    { numRuns: 20000 },
  );
  t.end();
});

await t.test('conversions there and back agree to a few units of the last place', (t) => {
  fc.assert(
    fc.property(pair, fc.double({ noNaN: true, min: -1e9, max: 1e9 }), ([from, to], value) => {
      const back = convert(convert(value, from, to), to, from);
      const size = Math.max(
        Math.abs(value),
        (Math.abs(from.offset) + Math.abs(to.offset)) / from.scale,
      );
      return Math.abs(back - value) <= 4 * Number.EPSILON * size + 1e-270; // below: denormals
    }),
    { numRuns: 20000 },
  );
  t.end();
});

interface Bounds {
  readonly ge?: number;
  readonly gt?: number;
  readonly le?: number;
  readonly lt?: number;
}
const inside = (value: number, { ge, gt, le, lt }: Bounds): boolean =>
  (ge === undefined || value >= ge) &&
  (gt === undefined || value > gt) &&
  (le === undefined || value <= le) &&
  (lt === undefined || value < lt);

await t.test('a preimage holds the doubles whose conversion is within the bounds', (t) => {
  const bounds = fc
    .record({ ge: double, gt: double, le: double, lt: double }, { requiredKeys: [] })
    .map((record): Bounds => record);
  fc.assert(
    fc.property(pair, bounds, double, ([from, to], range, value) => {
      const found = preimage(from, to, range);
      const holds = (raw: number) => inside(convert(raw, from, to), range);
      if (found === undefined) return !holds(value) && !holds(0);
      const [low, high] = found;
      let ok = low <= high && Number.isFinite(low) && Number.isFinite(high);
      ok &&= holds(value) === (value >= low && value <= high);
      // Brute force: the five doubles on either side of either edge.
      for (const edge of [low, high]) {
        for (const step of [1n, -1n] as const) {
          let raw = edge;
          for (let k = 0; k < 5 && Number.isFinite(raw); k++) {
            ok &&= holds(raw) === (raw >= low && raw <= high);
            raw = neighbour(raw, step);
          }
        }
      }
      return ok;
    }),
    { numRuns: 5000 },
  );
  t.end();
});

await t.test('preimages at the ends', (t) => {
  const kelvin = unit('kelvin');
  const celsius = unit('celsius');
  const max = Number.MAX_VALUE;
  t.same(preimage(kelvin, celsius, {}), [-max, max]);
  t.same(preimage(celsius, celsius, { ge: 20, le: 25 }), [20, 25]);
  t.same(preimage(celsius, celsius, { gt: 20, lt: 25 }), [neighbour(20, 1n), neighbour(25, -1n)]);
  t.same(preimage(celsius, celsius, { gt: 0, lt: 1e-323 }), [5e-324, 5e-324]);
  t.same(preimage(celsius, celsius, { ge: -0, le: 0 }), [0, 0]);
  t.same(preimage(celsius, celsius, { gt: 0, lt: 5e-324 }), undefined);
  t.same(preimage(celsius, celsius, { ge: 25, le: 20 }), undefined);
  t.same(preimage(celsius, celsius, { gt: 20, ge: 20, le: 20 }), undefined);
  t.same(preimage(celsius, celsius, { ge: NaN }), undefined);
  t.same(preimage(celsius, celsius, { lt: NaN }), undefined);
  t.same(preimage(celsius, celsius, { ge: max }), [max, max]);
  t.same(preimage(celsius, celsius, { gt: max }), undefined);
  t.same(preimage(celsius, celsius, { lt: -Infinity }), undefined);
  t.same(preimage(celsius, celsius, { le: Infinity, ge: -Infinity }), [-max, max]);
  // Doubles near 300 are sixteen times as far apart as those near 25: not every bound is reached.
  const [low, high] = preimage(kelvin, celsius, { ge: 20, le: 25 })!;
  t.ok(convert(low, kelvin, celsius) >= 20 && convert(high, kelvin, celsius) <= 25);
  t.same([low, high], [293.15, 298.15]);
  t.end();
});
