import fc from 'fast-check';
import t from 'tap';
import { DEFAULT_LIMITS } from '../../../src/board/link/limits.js';
import { Arrivals, groupOf } from '../../../src/board/link/arrivals.js';
import { parsePattern, passes } from '../../../src/board/link/filter.js';
import { Lines } from '../../../src/board/link/lines.js';
import { Logins } from '../../../src/board/link/logins.js';
import { EventQueue } from '../../../src/board/link/queue.js';
import { decodeEvent } from '../../../src/event/decode.js';
import { MAX_BODY } from '../../../src/event/layout.js';
import { matches, toEvent, toPattern } from '../../fake/event.js';

function drain(lines: Lines): string[] {
  const found: string[] = [];
  while (lines.next()) found.push(lines.bytes.toString('latin1', lines.start, lines.end));
  lines.settle();
  return found;
}

await t.test('lines are the same however they are cut', (t) => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', '\r', ' '), maxLength: 10 });
  const ending = fc.constantFrom('\n', '\r\n');
  fc.assert(
    fc.property(fc.array(fc.tuple(line, ending)), fc.array(fc.nat(200)), (parts, cuts) => {
      const bytes = Buffer.from(parts.flat().join(''));
      const expected = bytes
        .toString()
        .split('\n')
        .slice(0, -1)
        .map((text) => text.replace(/\r$/, ''));
      const lines = new Lines(20);
      const found: string[] = [];
      let at = 0;
      for (const cut of [...cuts.map((n) => n % (bytes.length + 1)), bytes.length].sort(
        (a, b) => a - b,
      )) {
        lines.push(bytes.subarray(at, cut));
        found.push(...drain(lines));
        at = cut;
      }
      if (lines.waiting !== 0 || lines.overlong) return false;
      return JSON.stringify(found) === JSON.stringify(expected);
    }),
  );
  t.end();
});

await t.test('the bound of a line holds, however it is cut', (t) => {
  for (const ending of ['\n', '\r\n']) {
    for (let cut = 0; cut <= 12; cut++) {
      for (const length of [9, 10, 11]) {
        const bytes = Buffer.from('x'.repeat(length) + ending);
        const lines = new Lines(10);
        lines.push(bytes.subarray(0, cut));
        const found = drain(lines);
        lines.push(bytes.subarray(cut));
        found.push(...drain(lines));
        t.equal(found.length, length > 10 ? 0 : 1);
        t.equal(lines.overlong, length > 10, `${length} bytes, cut at ${cut}`);
      }
    }
  }
  const lines = new Lines(10);
  lines.push(Buffer.alloc(12, 'x'));
  t.equal(lines.next(), false);
  t.equal(lines.overlong, true, 'its ending is not waited for');
  t.end();
});

await t.test('a queue keeps the newest events within both bounds', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 }),
      fc.array(fc.option(fc.integer({ min: 1, max: 12 })), { maxLength: 40 }),
      (most, steps) => {
        const queue = new EventQueue(most, 20);
        const model: number[] = [];
        let dropped = 0;
        for (const size of steps) {
          if (size === null) {
            if ((queue.shift()?.length ?? 0) !== (model.shift() ?? 0)) return false;
            continue;
          }
          queue.push(Buffer.alloc(size));
          model.push(size);
          while (model.length > most || model.reduce((sum, n) => sum + n, 0) > 20) {
            model.shift();
            dropped++;
          }
          if (queue.length !== model.length || queue.dropped !== dropped) return false;
          if (queue.next !== (model[0] ?? 0)) return false;
        }
        queue.clear();
        return queue.length === 0 && queue.shift() === undefined;
      },
    ),
  );
  const small = new EventQueue(5, 20);
  small.push(Buffer.alloc(21));
  t.same([small.length, small.dropped], [0, 1], 'one beyond the bound by itself');
  t.end();
});

await t.test('a filter passes what the specification says', (t) => {
  const byte = fc.constantFrom(0, 1, 0x80, 0xff);
  const guid = fc
    .array(byte, { minLength: 16, maxLength: 16 })
    .map((bytes) => bytes.map((n) => n.toString(16)).join(':'));
  const quad = fc
    .tuple(
      fc.constantFrom(0, 1, 6, 7),
      fc.constantFrom(0, 10, '0xFFFF'),
      fc.constantFrom(0, 6),
      guid,
    )
    .map((fields) => fields.join(','));
  const event = fc
    .tuple(fc.constantFrom(0, 32, 192, 224), fc.constantFrom(10, 1060), fc.constantFrom(6, 7), guid)
    .map(([head, vscpClass, type, text]) => `${head},${vscpClass},${type},0,,0,${text}`);
  const body = new Uint8Array(MAX_BODY);
  fc.assert(
    fc.property(event, quad, quad, (line, filter, mask) => {
      decodeEvent(Buffer.from(line), 0, line.length, body, 0);
      const expected = matches(
        toEvent(line)!,
        toPattern(filter.split(',')),
        toPattern(mask.split(',')),
      );
      return passes(body, parsePattern(filter)!, parsePattern(mask)!) === expected;
    }),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('0', ',', ':', 'x', '-', 'F'), maxLength: 60 }),
      (text) => {
        const pattern = parsePattern(text);
        return pattern === undefined || pattern.guid.length === 16;
      },
    ),
  );
  t.end();
});

await t.test('failed logins of an address wait longer and longer, up to a bound', (t) => {
  const limits = { ...DEFAULT_LIMITS, firstPenalty: 100, lastPenalty: 1000 };
  const logins = new Logins([{ name: 'r', password: 'p', right: 'read' }], limits);
  let now = 1000;
  t.equal(logins.wait('a', now), 0);
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 6; i++) {
    t.equal(logins.judge('r', 'x', undefined, 'a', now), 'password');
    const wait = logins.wait('a', now);
    waits.push(wait);
    now += wait ?? 0;
  }
  t.equal(waits[0], 100);
  t.ok(waits.every((wait, i) => wait === undefined || i === 0 || wait >= waits[i - 1]!));
  t.equal(logins.wait('b', now), 0, 'another address does not wait');
  const queued = Array.from({ length: 50 }, () => logins.wait('a', now));
  t.ok(queued.includes(undefined), 'only so many may wait');
  t.ok(queued.every((wait) => wait === undefined || wait <= 1000));
  t.match(logins.judge('r', 'p', undefined, 'a', now), { name: 'r' });
  t.equal(logins.wait('a', now), 0, 'it is forgotten by a right one');
  logins.judge('r', 'x', undefined, 'a', now);
  t.equal(logins.wait('a', now + 3_600_000), 0, 'and in time');
  for (let i = 0; i < 10_000; i++) logins.judge('r', 'x', undefined, `many ${i}`, now);
  t.equal(logins.wait('many 0', now), 0, 'the oldest are forgotten');
  t.ok(logins.wait('many 9999', now)! > 0);
  t.end();
});

await t.test('an address has so many connections, and new ones so fast', (t) => {
  const arrivals = new Arrivals({ ...DEFAULT_LIMITS, perAddress: 2, burst: 4, arrivals: 1 });
  t.same(
    [1, 2, 3].map(() => arrivals.enter('a', 0)),
    [true, true, false],
  );
  t.equal(arrivals.enter('b', 0), true);
  arrivals.leave('a');
  t.equal(arrivals.enter('a', 0), true);
  arrivals.leave('a');
  t.equal(arrivals.enter('a', 0), true);
  arrivals.leave('a');
  t.equal(arrivals.enter('a', 0), false, 'four came at once');
  t.equal(arrivals.enter('a', 1000), true, 'a second later one may');
  for (let i = 0; i < 10_000; i++) arrivals.enter(`many ${i}`, 2000);
  t.equal(arrivals.enter('a', 600_000), false, 'who is here is not forgotten');
  t.end();
});

await t.test('addresses of one peer count as one', (t) => {
  t.equal(groupOf('192.0.2.1'), '192.0.2.1');
  t.equal(groupOf('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(groupOf('2001:db8:1:2:3:4:5:6'), groupOf('2001:db8:1:2::1'));
  t.not(groupOf('2001:db8:1:2::1'), groupOf('2001:db8:1:3::1'));
  t.equal(groupOf('::1'), '0:0:0:0::/64');
  t.equal(groupOf('fe80::1%eth0'), groupOf('fe80::2%eth0'));
  t.end();
});
