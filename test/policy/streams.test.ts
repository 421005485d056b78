import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Budget, KEY_WORDS, MAX_STREAMS, mix, StreamTable } from '../../src/policy/streams.js';

const word = fc.oneof(fc.constantFrom(0, 1, -1, 0x7fffffff, -0x80000000), fc.integer());
const key = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.nat(200), fc.nat(6)).map(([n, at]) => keyOf(n, at)) },
  {
    weight: 1,
    arbitrary: fc.array(word, { minLength: KEY_WORDS, maxLength: KEY_WORDS }),
  },
);

type Step =
  | { readonly kind: 'put'; readonly key: readonly number[] }
  | { readonly kind: 'find'; readonly key: readonly number[] }
  | { readonly kind: 'many'; readonly from: number; readonly count: number }
  | { readonly kind: 'retain'; readonly every: number; readonly rest: number }
  | { readonly kind: 'clear' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('put' as const), key }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('find' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('many' as const),
      from: fc.nat(5000),
      count: fc.nat(400),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('retain' as const),
      every: fc.integer({ min: 1, max: 5 }),
      rest: fc.nat(4),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

/** Words that are 0 but for one. */
function keyOf(n: number, at: number): number[] {
  return Array.from({ length: KEY_WORDS }, (_, i) => (i === at ? n : 0));
}

function findIn(table: StreamTable, words: readonly number[]): number {
  table.key.set(words);
  const entry = table.find();
  assert.deepEqual([...table.key], [...words], 'the key stays');
  return entry;
}

/** Adds what is not there; -1 if there is no room. */
function put(table: StreamTable, words: readonly number[]): number {
  const entry = findIn(table, words);
  return entry < 0 ? table.add() : entry;
}

await t.test('a table is what a Map and a list are', (t) => {
  const seen = { added: 0, again: 0, full: 0, grown: 0, moved: 0, dropped: 0, cleared: 0 };
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
      fc.constantFrom(5, 100, 1000, MAX_STREAMS),
      (steps, room) => {
        const budget = new Budget(room);
        const table = new StreamTable(budget);
        let list: string[] = [];
        const capacity = table.capacity;
        const putOne = (words: readonly number[]): void => {
          const name = words.join();
          const known = list.indexOf(name);
          const entry = put(table, words);
          if (known >= 0) {
            assert.equal(entry, known);
            seen.again++;
          } else if (list.length === room) {
            assert.equal(entry, -1);
            seen.full++;
          } else {
            assert.equal(entry, list.length, 'dense, in the order of coming');
            list.push(name);
            seen.added++;
          }
        };
        for (const step of steps) {
          if (step.kind === 'put') putOne(step.key);
          else if (step.kind === 'find') {
            assert.equal(findIn(table, step.key), list.indexOf(step.key.join()));
          } else if (step.kind === 'many') {
            const { from, count } = step;
            for (let n = from; n < from + count; n++) putOne(keyOf(n, 3));
          } else if (step.kind === 'retain') {
            const { every, rest } = step;
            const moves: string[] = [];
            const kept = [...list.keys()].filter((entry) => entry % every === rest);
            const expected = kept.flatMap((from, to) => (from === to ? [] : [`${from}>${to}`]));
            table.retain(
              (entry) => entry % every === rest,
              (from, to) => moves.push(`${from}>${to}`),
            );
            assert.deepEqual(moves, expected);
            seen.moved += moves.length;
            seen.dropped += list.length - kept.length;
            list = kept.map((entry) => list[entry]!);
          } else {
            table.clear();
            seen.cleared += list.length;
            list = [];
          }
          assert.equal(table.count, list.length);
          assert.equal(budget.left, room - list.length);
          assert.ok(table.capacity >= table.count);
        }
        list.forEach((name, entry) => {
          const words = Array.from({ length: KEY_WORDS }, (_, i) => table.word(entry, i));
          assert.equal(words.join(), name);
          assert.equal(findIn(table, words), entry);
        });
        seen.grown += Number(table.capacity > capacity);
      },
    ),
    { numRuns: 300 },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 50, `${what}: ${count}`);
  t.end();
});

await t.test('tables share a budget; what one gives back another may take', (t) => {
  const budget = new Budget(3);
  const [one, two] = [new StreamTable(budget), new StreamTable(budget)];
  t.equal(put(one, keyOf(1, 0)), 0);
  t.equal(put(one, keyOf(2, 0)), 1);
  t.equal(put(two, keyOf(1, 0)), 0);
  t.equal(put(two, keyOf(2, 0)), -1);
  t.equal(put(one, keyOf(2, 0)), 1, 'found all the same');
  one.retain(
    (entry) => entry === 1,
    () => undefined,
  );
  t.equal(put(two, keyOf(2, 0)), 1);
  t.equal(put(one, keyOf(3, 0)), -1);
  two.clear();
  t.equal(budget.left, 2);
  t.equal(new Budget().left, MAX_STREAMS);
  t.end();
});

/** Undoes the shifts and multiplications of `mix`, as an attacker who knows them can. */
function unmix(hash: number): number {
  const inverse = (odd: number): number => {
    let x = odd;
    for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
    return x;
  };
  const unshift13 = (y: number): number => y ^ (y >>> 13) ^ (y >>> 26);
  let x = hash ^ (hash >>> 16);
  x = unshift13(Math.imul(x, inverse(0xc2b2ae35)));
  x = Math.imul(x, inverse(0x85ebca6b));
  return x ^ (x >>> 16);
}

await t.test('keys that collide without the seed, and keys in rows, find their places', (t) => {
  fc.assert(fc.property(fc.integer(), (x) => assert.equal(unmix(mix(x)), x)));
  const rows: ((n: number) => number[])[] = [
    (n) => keyOf(n, 0),
    (n) => keyOf(n << 16, 2),
    (n) => keyOf(n << 20, 5),
    (n) => keyOf(Math.imul(n, 0x01000193), 6),
    (n) => Array.from({ length: KEY_WORDS }, () => n),
    (n) => Array.from({ length: KEY_WORDS }, (_, i) => (i % 2 === 0 ? n : -n)),
    // With a seed of 0 all of these have one hash: the second word undoes what the first one did.
    (n) => [n, mix(n) ^ unmix(42), 0, 0, 0, 0, 0],
  ];
  const COUNT = 20_000;
  rows.forEach((row, i) => {
    const table = new StreamTable(new Budget());
    let refused = 0;
    for (let n = 1; n <= COUNT; n++) if (put(table, row(n)) < 0) refused++;
    t.ok(refused <= 2, `row ${i}: ${refused} refused`);
    let lost = 0;
    for (let entry = 0; entry < table.count; entry++) {
      table.key.set(Array.from({ length: KEY_WORDS }, (_, w) => table.word(entry, w)));
      if (table.find() !== entry) lost++;
    }
    t.equal(lost, 0, `row ${i}`);
  });
  t.end();
});
