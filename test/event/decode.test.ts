import fc from 'fast-check';
import { createRequire } from 'node:module';
import t from 'tap';
import { decodeEvent, readPair } from '../../src/event/decode.js';
import { formatEvent, parseEvent, unpackEvent } from '../../src/event/event.js';
import { MAX_BODY } from '../../src/event/layout.js';
import { malformedKind } from '../../src/event/malformed.js';
import { type Fields, fields, spell, spelling } from '../arbitrary/event.js';
import { naiveDecode } from './naive.js';

const vscp = createRequire(import.meta.url)('node-vscp') as {
  Event: new (text: string) => {
    vscpHead: number;
    vscpClass: number;
    vscpType: number;
    vscpObId: number;
    vscpTimeStamp: number;
    vscpGuid: string;
    vscpData: number[];
  };
};

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

function decode(line: string): Fields | string {
  const bytes = Buffer.from(line, 'latin1');
  // Offsets other than 0 on both sides: the hot path never decodes at the start of a buffer.
  const padded = Buffer.concat([Buffer.from('0,0,0'), bytes, Buffer.from(',1,2')]);
  const body = new Uint8Array(MAX_BODY + 7).fill(0xaa);
  const length = decodeEvent(padded, 5, 5 + bytes.length, body, 7);
  if (length < 0) return malformedKind(length);
  const event = unpackEvent(body, 7);
  return { ...event, guid: [...event.guid], data: [...event.data] };
}

await t.test('every spelling of every field decodes exactly', (t) => {
  fc.assert(
    fc.property(fields, spelling, (event, how) => {
      t.same(decode(spell(event, how)), event);
    }),
    { numRuns: 500 },
  );
  t.end();
});

await t.test('it agrees with a naive decoder on damaged lines', (t) => {
  const damage = fc.array(
    fc.tuple(
      fc.nat(200),
      fc.constantFrom(...Array.from(',:xXzZ0189aFgT-+. \t\r\0\u00ff'), '', ',,', '::'),
      fc.boolean(),
    ),
    { minLength: 1, maxLength: 3 },
  );
  let malformed = 0;
  fc.assert(
    fc.property(fields, spelling, damage, (event, how, edits) => {
      let line = spell({ ...event, data: event.data.slice(0, 12) }, how);
      for (const [at, text, insert] of edits) {
        const index = at % (line.length + 1);
        line = line.slice(0, index) + text + line.slice(index + (insert ? 0 : 1));
      }
      const ours = decode(line);
      const naive = naiveDecode(line);
      if (typeof ours === 'string') malformed++;
      t.same(typeof ours === 'string' ? undefined : ours, naive, line);
    }),
    { numRuns: 3000 },
  );
  t.ok(malformed > 300, `${malformed} of the damaged lines are malformed`);
  t.end();
});

await t.test('it agrees with node-vscp', (t) => {
  fc.assert(
    fc.property(fields, spelling, (event, how) => {
      const line = spell(
        {
          ...event,
          datetime: event.datetime || '2026-11-22T10:00:00Z',
          timestamp: event.timestamp,
        },
        { ...how, hexNumbers: false, paddedGuid: true },
      );
      const theirs = new vscp.Event(line);
      const ours = parseEvent(line);
      t.equal(ours.head, theirs.vscpHead);
      t.equal(ours.vscpClass, theirs.vscpClass);
      t.equal(ours.type, theirs.vscpType);
      t.equal(ours.obid, theirs.vscpObId);
      t.equal(Number(ours.timestamp), theirs.vscpTimeStamp);
      t.equal(
        [...ours.guid].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
        theirs.vscpGuid.toLowerCase(),
      );
      t.same([...ours.data], event.data.length === 0 ? [] : theirs.vscpData);
    }),
    { numRuns: 300 },
  );
  t.end();
});

await t.test('each kind of malformed line is named', (t) => {
  const cases: [string, string][] = [
    ['', 'empty'],
    ['HTTP/1.1 400 Bad Request', 'head'],
    ['-1,10,6,0,,0,' + GUID, 'head'],
    ['65536,10,6,0,,0,' + GUID, 'head'],
    ['0', 'truncated'],
    ['0,', 'class'],
    ['0,10', 'truncated'],
    ['0,70000,6,0,,0,' + GUID, 'class'],
    ['0,10,x,0,,0,' + GUID, 'type'],
    ['0,10,6,4294967296,,0,' + GUID, 'obid'],
    ['0,10,6,0,2026-02-29T00:00:00Z,0,' + GUID, 'datetime'],
    ['0,10,6,0,2026-01-01 00:00:00,0,' + GUID, 'datetime'],
    ['0,10,6,0,2026-01-01T24:00:00,0,' + GUID, 'datetime'],
    ['0,10,6,0,,18446744073709551616,' + GUID, 'timestamp'],
    ['0,10,6,0,,99999999999999999999,' + GUID, 'timestamp'],
    ['0,10,6,0,,NaN,' + GUID, 'timestamp'],
    ['0,10,6,0,,0', 'truncated'],
    ['0,10,6,0,,0,', 'guid'],
    ['0,10,6,0,,0,-', 'guid'],
    ['0,10,6,0,,0,' + GUID.slice(0, -3), 'guid'],
    ['0,10,6,0,,0,' + GUID + ':01', 'guid'],
    ['0,10,6,0,,0,' + GUID + ',', 'data'],
    ['0,10,6,0,,0,' + GUID + ',256', 'data'],
    ['0,10,6,0,,0,' + GUID + ',1,,2', 'data'],
    ['0,10,6,0,,0,' + GUID + ',1'.repeat(513), 'size'],
  ];
  for (const [line, kind] of cases) t.equal(decode(line), kind, line.slice(0, 60));
  t.end();
});

await t.test('a line cut at any byte is malformed or a shorter event, never a crash', (t) => {
  const line = `96,10,6,7,2026-11-22T10:00:00Z,1795336886892515000,${GUID},0x8A,0x00,0xFF`;
  for (let end = 0; end < line.length; end++) {
    const cut = line.slice(0, end);
    const naive = naiveDecode(cut);
    const ours = decode(cut);
    t.same(typeof ours === 'string' ? undefined : ours, naive, cut);
  }
  t.end();
});

await t.test('class and type alone are read as the whole decoder reads them', (t) => {
  fc.assert(
    fc.property(fields, spelling, (event, how) => {
      const line = Buffer.from(spell(event, how));
      t.equal(readPair(line, 0, line.length), event.vscpClass * 65536 + event.type);
    }),
  );
  t.end();
});

await t.test('a nanosecond timestamp survives decoding and encoding', (t) => {
  const line = `256,20,3,2,,18446744073709551615,${GUID},9,255`;
  t.equal(parseEvent(line).timestamp, 18446744073709551615n);
  const body = new Uint8Array(MAX_BODY);
  const bytes = Buffer.from(line);
  decodeEvent(bytes, 0, bytes.length, body, 0);
  t.equal(formatEvent(body), line);
  t.end();
});
