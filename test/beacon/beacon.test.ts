import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  type Beacon,
  type BeaconPart,
  decodeBeacon,
  encodeBeacon,
} from '../../src/beacon/beacon.js';
import { Assembly } from '../../src/beacon/parts.js';
import { BeaconWatch } from '../../src/beacon/watch.js';

const CONTEXT = 'tidegate beacon\0';
const sealOf = (number: number): Uint8Array => new Uint8Array(64).fill(number);
const count = fc.maxSafeNat();
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const hex = (length: number) => bytes(length).map((raw) => Buffer.from(raw).toString('hex'));
const beacon = fc
  .record({
    relay: fc.stringMatching(/^[a-z0-9.\u00e9/-]{1,31}$/),
    boot: hex(8),
    time: fc.maxSafeNat().map((n) => n % 8.64e15),
    routine: count,
    urgent: count,
    size: count,
    root: bytes(32),
    keyId: hex(4),
    signature: bytes(64),
    sources: fc.array(
      fc.record({
        in: count,
        permitted: count,
        denied: count,
        malformed: count,
        lost: count,
        silence: fc.nat(),
      }),
      { maxLength: 64 },
    ),
  })
  .map((each): Beacon => {
    const sources = each.sources.map((source, number) => ({ number, ...source }));
    return { ...each, sources };
  });

await t.test('what is encoded is decoded, in parts that a Level II event carries', (t) => {
  fc.assert(
    fc.property(beacon, (sent) => {
      const asked: Uint8Array[] = [];
      const events = encodeBeacon(sent, (message) => {
        asked.push(message.slice());
        return sealOf(asked.length);
      });
      const parts = events.map((data) => {
        assert.ok(data.length <= 512);
        // By the layout as its comment has it, and nothing else.
        const raw = Buffer.from(data);
        const name = raw[3]!;
        assert.equal(raw.toString('utf8', 4, 4 + name), sent.relay);
        assert.equal(Number(raw.readBigUInt64BE(4 + name + 16)), sent.routine);
        assert.equal(
          raw.toString('hex', 4 + name + 40, 4 + name + 72),
          Buffer.from(sent.root).toString('hex'),
        );
        assert.equal((raw.length - (4 + name + 142 + 64)) / 44, raw[4 + name + 141]);
        return decodeBeacon(data)!;
      });
      parts.forEach(({ message, own }, i) => {
        const data = Buffer.from(events[i]!).subarray(0, -64);
        assert.deepEqual(Buffer.from(message), Buffer.concat([Buffer.from(CONTEXT), data]));
        assert.deepEqual([message, own], [asked[i], sealOf(i + 1)]);
      });
      const [{ part, parts: total }] = parts as [BeaconPart];
      assert.deepEqual([part, total], [0, parts.length]);
      assert.ok(parts[0]!.sources.length <= sent.sources.length);
      const assembly = new Assembly();
      assert.deepEqual(parts.map((each) => assembly.take(each)).at(-1)?.beacon, sent);
    }),
  );
  t.end();
});

await t.test('nothing else is taken for a beacon, and nothing throws', (t) => {
  fc.assert(
    fc.property(
      beacon,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.uint8Array(),
      (sent, where, by, noise) => {
        const [data] = encodeBeacon(sent, () => sealOf(1)) as [Uint8Array];
        decodeBeacon(noise);
        for (let end = 0; end < data.length; end += 7) {
          assert.equal(decodeBeacon(data.subarray(0, end)), undefined);
        }
        const other = data.slice();
        const at = where % data.length;
        other[at] = other[at]! ^ by;
        // A flipped byte is another beacon or none.
        assert.notDeepEqual(decodeBeacon(other), decodeBeacon(data));
      },
    ),
  );
  t.end();
});

await t.test('a journal that begins anew is an account of its own', (t) => {
  const watch = new BeaconWatch();
  const say = (boot: string, time: number, routine: number, urgent = 0) => {
    const said = {
      ...{ relay: 'r', boot: boot.repeat(16), time, routine, urgent, size: 1 },
      ...{ root: new Uint8Array(32), keyId: '00000000', signature: new Uint8Array(64) },
      sources: [],
    };
    const [data] = encodeBeacon(said, () => sealOf(1));
    return watch.note(decodeBeacon(data!)!);
  };
  const came = (count: number): void => {
    for (let i = 0; i < count; i++) watch.take();
  };
  say('a', 1, 1000, 50);
  came(8);
  t.match(say('a', 2, 1011, 50), { expected: 10, missing: 2 });
  came(40);
  t.match(say('b', 3, 41), { restarted: true, missing: 2 }, 'those of before stay');
  came(5);
  t.match(say('b', 4, 50), { restarted: false, missing: 5 }, 'three of eight never came');
  t.equal(say('a', 2, 1011, 50), undefined, 'one of before that came again');
  t.equal(say('b', 3, 41), undefined);
  t.match(say('c', 5, 60), { restarted: true, missing: 14 }, 'the same journal goes on');
  t.end();
});

await t.test('missing events are counted exactly, whatever comes late or again', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ events: fc.nat(20), lost: fc.nat(5), again: fc.boolean() }), {
        minLength: 1,
        maxLength: 20,
      }),
      fc.integer({ min: 0, max: 40 }),
      (steps, sourceCount) => {
        const watch = new BeaconWatch();
        let [sequence, urgent, missing] = [0, 0, 0];
        steps.forEach(({ events, lost, again }, step) => {
          for (let i = 0; i < events; i++) {
            if (i % 3 === 0) urgent++;
            else sequence++;
            if (i < lost && step > 0) missing++;
            else watch.take();
          }
          const sources = Array.from({ length: sourceCount }, (_, number) => {
            return { number, in: 0, permitted: 0, denied: 0, malformed: 0, lost: 0, silence: 1 };
          });
          const said = {
            ...{ relay: 'r', boot: '0123456789abcdef', time: step, routine: sequence + 1, urgent },
            ...{ size: step, root: new Uint8Array(32), keyId: '00000000' },
            ...{ signature: new Uint8Array(64), sources },
          };
          const parts = encodeBeacon(said, () => sealOf(1));
          const decoded = parts.map((data) => decodeBeacon(data)!);
          sequence += parts.length;
          const seen = decoded.map((part) => watch.note(part));
          assert.ok(seen.slice(0, -1).every((account) => account === undefined));
          assert.equal(seen.at(-1)!.missing, missing);
          assert.equal(seen.at(-1)!.beacon.sources.length, sourceCount);
          if (again) for (const part of decoded) assert.equal(watch.note(part), undefined);
        });
      },
    ),
  );
  t.end();
});
