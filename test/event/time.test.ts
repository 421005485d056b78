import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseBody, unpackEvent } from '../../src/event/event.js';
import { MAX_BODY } from '../../src/event/layout.js';
import {
  civil,
  daysOf,
  restOfSecond,
  secondsOf,
  setCivil,
  wholeSeconds,
  writeSeconds,
} from '../../src/event/time.js';

const FIRST = Date.parse('0000-01-01T00:00:00Z') / 1000;
const LAST = Date.parse('9999-12-31T23:59:59Z') / 1000;
const GUID = '00:'.repeat(15) + '00';

await t.test('dates are those of the calendar, in all years that a datetime can say', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: FIRST / 86400, max: Math.floor(LAST / 86400) }), (days) => {
      const date = new Date(days * 86_400_000);
      setCivil(days);
      assert.deepEqual(
        { ...civil },
        {
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
        },
      );
      assert.equal(daysOf(civil.year, civil.month, civil.day), days);
    }),
    { numRuns: 5000 },
  );
  t.end();
});

await t.test('seconds are written as a datetime and read back', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: FIRST, max: LAST }), fc.nat(50), (seconds, at) => {
      const body = new Uint8Array(MAX_BODY + 50).fill(0xaa);
      assert.ok(writeSeconds(body, at, seconds));
      assert.equal(secondsOf(body, at), seconds);
      const event = unpackEvent(body, at);
      assert.equal(event.datetime, new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'));
      assert.equal(event.timestamp, 0n);
    }),
    { numRuns: 2000 },
  );
  const body = new Uint8Array(MAX_BODY);
  for (const seconds of [FIRST - 1, LAST + 1, 1e15, -1e15]) {
    t.notOk(writeSeconds(body, 0, seconds), String(seconds));
  }
  t.ok(
    body.every((byte) => byte === 0),
    'nothing is written',
  );
  t.end();
});

await t.test('a count of nanoseconds is divided exactly', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (stamp) => {
      const [high, low] = [Number(stamp >> 32n), Number(stamp & 0xffff_ffffn)];
      assert.equal(wholeSeconds(high, low), Number(stamp / 1_000_000_000n));
      assert.equal(restOfSecond(high, low), Number(stamp % 1_000_000_000n));
    }),
    { numRuns: 5000 },
  );
  t.end();
});

await t.test('the time of an event is its datetime, else its nanoseconds, else none', (t) => {
  const at = (time: string): number => secondsOf(parseBody(`0,10,6,0,${time},${GUID}`), 0);
  t.equal(at('2026-06-01T12:00:07Z,123'), Date.parse('2026-06-01T12:00:07Z') / 1000);
  t.equal(at('2026-06-01T12:00:07,18446744073709551615'), at('2026-06-01T12:00:07Z,0'));
  t.equal(at(',1795336886892515000'), 1_795_336_886);
  t.equal(at('2016-12-31T23:59:60Z,0'), at('2017-01-01T00:00:00Z,0'), 'a leap second');
  t.ok(Number.isNaN(at(',0')));
  t.ok(Number.isNaN(at(',4294967295')), 'microseconds since nobody knows when');
  t.end();
});
