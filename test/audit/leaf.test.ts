import fc from 'fast-check';
import { deepStrictEqual } from 'node:assert/strict';
import t from 'tap';
import {
  BatchEncoder,
  encodeDenials,
  encodePlain,
  type Heading,
  type Pending,
} from '../../src/audit/encode.js';
import { crc32 } from '../../src/journal/crc.js';
import { decodeLeaf, type Head, type Leaf, LeafError, type Plain } from '../../src/audit/leaf.js';
import { EVENT, RULE, sealRecord, SOURCE } from '../../src/journal/format.js';
import { BODY } from '../../src/journal/format.js';
import { CLASS, DATA, TYPE } from '../../src/event/layout.js';
import { longStory } from './build.js';

/** As JSON makes objects. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });
const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const vectors = fc.array(fc.array(count, { maxLength: 4 }), { maxLength: 3 });
const text = fc.string({ maxLength: 20, unit: 'grapheme' });
const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'.split('')), {
      minLength: digits,
      maxLength: digits,
    })
    .map((all) => all.join(''));

const plain: fc.Arbitrary<Plain> = fc.oneof(
  record({ kind: fc.constant('stop' as const), counts: vectors, sums: vectors }),
  record({ kind: fc.constant('loss' as const), source: count, reason: text, count }),
  record({ kind: fc.constant('clock' as const), by: fc.maxSafeInteger() }),
  record({ kind: fc.constant('void' as const), journal: count, first: count, reason: text }),
  record({ kind: fc.constant('key' as const), before: text, key: text, endorsement: text }),
  record({ kind: fc.constant('state' as const), forwarding: fc.boolean(), reason: text }),
  record({
    kind: fc.constant('policies' as const),
    digest: text,
    files: fc.array(record({ id: text, revision: count, sha256: hex(64) }), { maxLength: 3 }),
    rules: fc.array(text, { maxLength: 3 }),
    signers: fc.array(record({ name: text, id: text }), { maxLength: 3 }),
  }),
);
const heading: fc.Arbitrary<Heading> = record({
  time: count,
  clock: fc.constantFrom('steady' as const, 'behind' as const),
  start: count,
  policies: fc.option(fc.nat(), { nil: undefined }),
});
const head: fc.Arbitrary<Head> = fc
  .tuple(heading, count)
  .map(([each, index]) => ({ ...each, index }));

await t.test('rare leaves and denials come out as they went in', (t) => {
  fc.assert(
    fc.property(head, plain, (head, own) => {
      deepStrictEqual(decodeLeaf(encodePlain(head, own)), { ...head, ...own });
    }),
    { numRuns: 200 },
  );
  const denied = fc.array(
    record({ source: count, rule: fc.option(fc.nat(), { nil: undefined }), count }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(head, count, denied, (head, since, denied) => {
      const own = { kind: 'denials' as const, since, denied };
      deepStrictEqual(decodeLeaf(encodeDenials(head, own)), { ...head, ...own });
    }),
    { numRuns: 100 },
  );
  t.end();
});

interface Made {
  readonly rule: number;
  readonly source: number;
  readonly vscpClass: number;
  readonly type: number;
}

function recordsOf(all: readonly Made[]): Uint8Array {
  return Buffer.concat(
    all.map(({ rule, source, vscpClass, type }) => {
      const bytes = Buffer.alloc(BODY + DATA + 4);
      bytes.writeUInt16BE(rule, RULE);
      bytes.writeUInt16BE(source, SOURCE);
      bytes.writeUInt16BE(vscpClass, BODY + CLASS);
      bytes.writeUInt16BE(type, BODY + TYPE);
      sealRecord(bytes, 0, bytes.length, EVENT);
      return bytes;
    }),
  );
}

/** Encodes a batch, and says what its leaves say. */
function roundTrip(journals: readonly (readonly Made[])[], firsts: readonly number[]) {
  const seen: { from: number; to: number; at: number; journal: number }[] = [];
  const pending: Pending[] = journals.map((all, journal) => ({
    journal,
    first: firsts[journal]!,
    count: all.length,
    bytes: recordsOf(all),
    commit: (at, from, to) => {
      seen.push({ at, from, to, journal });
      return Buffer.alloc(32, seen.length);
    },
  }));
  const before = [Float64Array.of(1, 2, 3)];
  const counts = [Float64Array.of(1, 5, 3)];
  const encoder = new BatchEncoder(before, [Float64Array.of(7)]);
  const leaves: Leaf[] = [];
  const heading = { time: 5, clock: 'steady' as const, start: 0, policies: 1 };
  const sums = { batch: 9, counts, sums: [Float64Array.of(7)], sequences: Float64Array.of(4, 5) };
  const parts = encoder.encode(10, heading, pending, sums, (leaf) => {
    if (leaf.length > 65_535) throw new RangeError('too long');
    leaves.push(decodeLeaf(Buffer.from(leaf)));
  });
  const said = journals.map((): Made[] => []);
  const ends = [...firsts];
  leaves.forEach((leaf, i) => {
    if (leaf.kind !== 'batch') throw new Error('no batch');
    const wrong = leaf.index !== 10 + i || leaf.part !== i || leaf.last !== (i === parts - 1);
    if (wrong || leaf.batch !== 9) throw new Error('a part out of place');
    for (const { journal, first, count, of } of leaf.ranges) {
      if (first !== ends[journal]) throw new Error('a gap');
      ends[journal] = first + count;
      for (const each of of) said[journal]!.push(leaf.decisions[each]!);
    }
  });
  return { said, leaves, seen };
}

await t.test('batches say of every record what was decided', (t) => {
  const made = record({
    rule: fc.constantFrom(0, 1, 500, 65_535),
    source: fc.nat(3),
    vscpClass: fc.constantFrom(10, 1060),
    type: fc.nat(65_535),
  });
  const journals = fc.array(fc.array(made, { maxLength: 30 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(journals, fc.array(fc.nat(), { minLength: 3, maxLength: 3 }), (all, firsts) => {
      const { said, leaves } = roundTrip(all, firsts);
      deepStrictEqual(said, all);
      const last = leaves.at(-1);
      if (last?.kind !== 'batch') throw new Error('no batch');
      deepStrictEqual([last.counts, last.sums, last.sequences], [[[0, 1, 5]], [], [4, 5]]);
    }),
    { numRuns: 60 },
  );
  t.end();
});

await t.test('a large batch has several parts', (t) => {
  const many = Array.from({ length: 40_000 }, (_, i) => ({
    rule: i % 3000,
    source: 0,
    vscpClass: 10,
    type: 6,
  }));
  const { said, leaves, seen } = roundTrip([many, many.slice(0, 10)], [1, 2 ** 40]);
  t.ok(leaves.length > 3, `${leaves.length} parts`);
  t.strictSame(said, [many, many.slice(0, 10)]);
  t.equal(
    seen.reduce((sum, { from, to }) => sum + to - from, 0),
    (many.length + 10) * (BODY + DATA + 4),
  );
  const alike = many.map((each) => ({ ...each, rule: 0 }));
  t.strictSame(roundTrip([alike], [1]).said, [alike], 'one decision, no indices');
  t.end();
});

/** With a checksum that fits. */
function sealed(bytes: Uint8Array): Buffer {
  const own = Buffer.from(bytes);
  if (own.length >= 4) own.writeUInt32BE(crc32(own, 0, own.length - 4), own.length - 4);
  return own;
}

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeLeaf(bytes);
    return true;
  } catch (error) {
    if (error instanceof LeafError) return false;
    throw error;
  }
}

await t.test('whatever the bytes are, they are a leaf or a LeafError', (t) => {
  const { leaves } = longStory();
  const some = fc.constantFrom(...leaves);
  const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  let [right, wrong] = [0, 0];
  fc.assert(
    fc.property(some, change, fc.boolean(), (leaf, changes, fits) => {
      const bytes = Buffer.from(leaf);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      if (decodes(fits ? sealed(bytes) : bytes)) right++;
      else wrong++;
    }),
    { numRuns: 3000 },
  );
  t.ok(right > 0 && wrong > 0, `${right} leaves, ${wrong} none`);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(12), (bytes, kind) => {
      bytes[0] = kind;
      bytes[1] = 0;
      decodes(sealed(bytes));
    }),
    { numRuns: 3000 },
  );
  for (const length of [0, 1, 9]) t.throws(() => decodeLeaf(Buffer.alloc(length)), LeafError);
  t.end();
});

await t.test('what a leaf says in JSON does not pass for its head, and has its shape', (t) => {
  const head: Head = { index: 7, time: 1, clock: 'steady', start: 0, policies: undefined };
  const with_ = (own: object): Buffer => encodePlain(head, own as Plain);
  const leaf = decodeLeaf(with_({ kind: 'clock', by: 5, index: 99, time: 99, extra: [] }));
  t.strictSame(leaf, { ...head, kind: 'clock', by: 5 });
  for (const own of [
    { kind: 'clock' },
    { kind: 'clock', by: '5' },
    { kind: 'clock', by: 1.5 },
    { kind: 'loss', source: -1, reason: 'x', count: 1 },
    { kind: 'stop', counts: [[1], 2], sums: [] },
    { kind: 'state', forwarding: true, reason: 5 },
    { kind: 'policies', digest: '', files: [null], rules: [], signers: [] },
  ]) {
    t.throws(() => decodeLeaf(with_(own)), LeafError, JSON.stringify(own));
  }
  const json = (text: string): Buffer => {
    const whole = with_({ kind: 'clock', by: 5 });
    const start = whole.indexOf('{');
    return sealed(Buffer.concat([whole.subarray(0, start), Buffer.from(text), Buffer.alloc(4)]));
  };
  t.equal(decodeLeaf(json('{"by":6}')).kind, 'clock');
  for (const text of ['null', '[]', '5', '{', '{"__proto__":{"by":5}}']) {
    t.throws(() => decodeLeaf(json(text)), LeafError, text);
  }
  t.end();
});
