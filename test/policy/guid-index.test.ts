import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { GuidIndex } from '../../src/policy/guid-index.js';

/** Bytes of few values: masks and values that meet. */
const bytes = fc.uint8Array({ minLength: 16, maxLength: 16, max: 3 });
const mask = fc.oneof(
  bytes.map((each) => each.map((byte) => byte * 85)),
  fc.nat(16).map((n) => Uint8Array.from({ length: 16 }, (_, i) => (i < n ? 255 : 0))),
);
const patterns = fc
  .tuple(fc.array(mask, { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(bytes, fc.nat(3))))
  .map(([masks, cubes]) => cubes.map(([value, n]) => ({ value, mask: masks[n % masks.length]! })));

function words(cubes: readonly { value: Uint8Array; mask: Uint8Array }[]): Int32Array {
  return Int32Array.from(
    cubes.flatMap(({ value, mask: bits }) =>
      [0, 4, 8, 12].flatMap((at) => [value, bits].map((part) => Buffer.from(part).readInt32BE(at))),
    ),
  );
}

await t.test('a table finds what trying one after the other finds', (t) => {
  const seen = { inside: 0, outside: 0 };
  fc.assert(
    fc.property(patterns, fc.array(bytes, { minLength: 5 }), fc.nat(5), (cubes, guids, at) => {
      const index = new GuidIndex(words(cubes));
      for (const guid of [...guids, ...cubes.map(({ value }) => value)]) {
        const inside = cubes.some(({ value, mask: bits }) =>
          value.every((byte, i) => ((byte ^ guid[i]!) & bits[i]!) === 0),
        );
        const body = new Uint8Array(32).fill(0xff);
        body.set(guid, at);
        assert.equal(index.has(body, at), inside);
        seen[inside ? 'inside' : 'outside']++;
      }
    }),
    { numRuns: 500 },
  );
  t.ok(seen.inside > 1000 && seen.outside > 1000, JSON.stringify(seen));
  t.notOk(new GuidIndex(new Int32Array(0)).has(new Uint8Array(16), 0), 'nothing is in none');
  t.end();
});
