import { createHmac } from 'node:crypto';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { GUID, MAX_BODY } from '../../src/event/layout.js';
import { type Hmac, pseudonymOf, Pseudonyms } from '../../src/policy/pseudonym.js';

const ALL = (1n << 128n) - 1n;

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'));
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function hmac(key: string, guid: Uint8Array): Buffer {
  return createHmac('sha256', key).update(guid).digest();
}

/** Prefix, then the first bits of the HMAC: as one number. */
function byHand(key: string, guid: Uint8Array, prefix: bigint, bits: number): string {
  const digest = BigInt(`0x${hmac(key, guid).toString('hex')}`);
  return ((prefix & ~(ALL >> BigInt(bits)) & ALL) | (digest >> BigInt(128 + bits)))
    .toString(16)
    .padStart(32, '0');
}

function pseudonyms(key: string, prefix: bigint, bits: number, asked: string[] = []): Pseudonyms {
  const value = bytesOf(prefix & ~(ALL >> BigInt(bits)) & ALL);
  const ask: Hmac = (guid) => {
    // What is no GUID is asked once, for the key's fingerprint.
    if (guid.length === 16) asked.push(Buffer.from(guid).toString('hex'));
    return hmac(key, guid);
  };
  const keyFile = { text: 'k', field: undefined as never };
  return new Pseudonyms({ keyFile, prefix: value, bits }, ask);
}

function name(of: Pseudonyms, guid: Uint8Array, at = 3, to = 7): string {
  const body = new Uint8Array(MAX_BODY + 16).fill(0xaa);
  const out = new Uint8Array(MAX_BODY + 16).fill(0xbb);
  body.set(guid, at + GUID);
  const before = body.slice();
  of.write(body, at, out, to);
  assert.deepEqual(body, before);
  const written = out.slice(to + GUID, to + GUID + 16);
  out.fill(0xbb, to + GUID, to + GUID + 16);
  assert.ok(
    out.every((byte) => byte === 0xbb),
    'nothing but the GUID is written',
  );
  return Buffer.from(written).toString('hex');
}

const guid = fc.uint8Array({ minLength: 16, maxLength: 16 });
const prefix = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(numberOf);

await t.test('a pseudonym is the prefix and the first bits of HMAC-SHA-256, for 8 to 64', (t) => {
  const seen = new Set<number>();
  fc.assert(
    fc.property(guid, prefix, fc.integer({ min: 8, max: 64 }), (guid, prefix, bits) => {
      seen.add(bits);
      const expected = byHand('secret', guid, prefix, bits);
      assert.equal(name(pseudonyms('secret', prefix, bits), guid), expected);
      const value = bytesOf(prefix & ~(ALL >> BigInt(bits)) & ALL);
      const digest = hmac('secret', guid);
      const alone = pseudonymOf(digest, { prefix: value, bits });
      assert.equal(Buffer.from(alone).toString('hex'), expected);
    }),
    { numRuns: 1500 },
  );
  t.equal(seen.size, 57, 'every length');
  t.end();
});

await t.test('a known answer, computed elsewhere', (t) => {
  // Python: hmac.new(b'tidegate', bytes(15) + b'\1', 'sha256').hexdigest()
  const digest = '4eb932f7b100677f0833b011e0b568cf2555c17088f91c2a178bfffd94aa7ef4';
  const guid = bytesOf(1n);
  const of = pseudonyms('tidegate', 0x02524c59n << 96n, 32);
  t.equal(name(of, guid), `02524c59${digest.slice(0, 24)}`);
  const odd = pseudonyms('tidegate', 0xffn << 120n, 12);
  t.equal(name(odd, guid), `ff0${digest.slice(0, 29)}`);
  t.end();
});

await t.test('remembered names are those that would be computed, however many there are', (t) => {
  const asked: string[] = [];
  const of = pseudonyms('secret', 0x02524c59n << 96n, 32, asked);
  const other = pseudonyms('another', 0x02524c59n << 96n, 32);
  const guids = Array.from({ length: 25_000 }, (_, n) =>
    bytesOf(0xfffffffffffffffe_b827eb10_00000000n ^ (BigInt(n) << (n % 2 === 0 ? 0n : 64n))),
  );
  let wrong = 0;
  let same = 0;
  for (const guid of guids) {
    const expected = byHand('secret', guid, 0x02524c59n << 96n, 32);
    if (name(of, guid) !== expected) wrong++;
    if (name(of, guid) !== expected) wrong++;
    if (name(other, guid) === expected) same++;
  }
  t.equal(asked.length, guids.length, 'the second time it is remembered');
  for (const guid of guids.slice(0, 8000)) {
    if (name(of, guid) !== byHand('secret', guid, 0x02524c59n << 96n, 32)) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(same, 0, 'two keys, two names');
  t.ok(asked.length > guids.length + 1000, 'some had been overwritten');
  t.equal(new Set(guids.map((guid) => name(of, guid))).size, guids.length);
  t.end();
});

await t.test('the GUID of zeros has a pseudonym, not the emptiness of a fresh memory', (t) => {
  const of = pseudonyms('secret', 0xfen << 120n, 8);
  const zero = new Uint8Array(16);
  t.equal(name(of, zero), byHand('secret', zero, 0xfen << 120n, 8));
  t.equal(name(of, zero), byHand('secret', zero, 0xfen << 120n, 8));
  t.end();
});

await t.test('an HMAC that gives the same bytes again and again is copied', (t) => {
  const shared = new Uint8Array(32);
  const value = { keyFile: { text: 'k', field: undefined as never }, prefix: bytesOf(0n), bits: 8 };
  const of = new Pseudonyms(value, (guid) => shared.fill(guid.at(-1)!));
  const one = name(of, bytesOf(1n));
  name(of, bytesOf(2n));
  t.equal(name(of, bytesOf(1n)), one);
  t.end();
});
