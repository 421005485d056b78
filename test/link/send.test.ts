import fc from 'fast-check';
import t from 'tap';
import { MAX_TEXT } from '../../src/event/encode.js';
import { parseBody, parseEvent } from '../../src/event/event.js';
import { type Timestamps, writeSend } from '../../src/link/send.js';
import { fields, type Fields, spell } from '../arbitrary/event.js';

const canonical = { hexData: false, hexNumbers: false, paddedGuid: true, lowerCase: false };
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
/** Node's Date ends in the year 275760; 64 bits of nanoseconds end in 2554. */
const MAX_NS = (1n << 64n) - 1n;

/** The SEND line of an event that was decoded from `line`, at an odd place of both buffers. */
function send(line: string, timestamps: Timestamps): string {
  const body = parseBody(line);
  const shifted = new Uint8Array(body.length + 7).fill(0xee);
  shifted.set(body, 7);
  const out = new Uint8Array(MAX_TEXT + 8 + 5).fill(0x58);
  const end = writeSend(shifted, 7, out, 5, timestamps);
  if (end > out.length) throw new Error('the line is longer than its bound');
  return Buffer.from(out.subarray(5, end)).toString('latin1');
}

/** What SEND should say, told with BigInt and Date. */
function expected(event: Fields, timestamps: Timestamps): string {
  const { head, timestamp } = event;
  const sent = { ...event, head: ((head >> 5) & 7) << 5, obid: 0 };
  if (timestamps === 'nanoseconds' || event.datetime !== '' || timestamp < 1n << 32n) {
    return `SEND ${spell(sent, canonical)}\r\n`;
  }
  const iso = new Date(Number(timestamp / 1_000_000n)).toISOString();
  const dated = {
    ...sent,
    datetime: `${iso.slice(0, 19)}Z`,
    timestamp: (timestamp / 1000n) % 1_000_000n,
  };
  return `SEND ${spell(dated, canonical)}\r\n`;
}

await t.test('head is the priority alone, obid is 0, the GUID has all sixteen bytes', (t) => {
  const guid = 'FF:0:1:2:3:4:5:6:7:8:9:a:b:c:d:e';
  const line = `0xFFFF,10,6,4294967295,2026-11-22T08:00:00,17,${guid},0x8A,1`;
  t.equal(
    send(line, 'datetime'),
    'SEND 224,10,6,0,2026-11-22T08:00:00,17,' +
      'FF:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E,138,1\r\n',
  );
  for (let priority = 0; priority < 8; priority++) {
    for (const rest of [0x00, 0x1f, 0x100, 0x801f]) {
      const sent = send(`${(priority << 5) | rest},20,3,2,,0,${GUID}`, 'nanoseconds');
      t.equal(sent, `SEND ${priority << 5},20,3,0,,0,${GUID}\r\n`);
    }
  }
  t.end();
});

await t.test(
  'nanoseconds become a datetime and microseconds, where a server would cut them',
  (t) => {
    const of = (stamp: bigint): string =>
      send(`0,10,6,0,,${stamp},${GUID}`, 'datetime').split(',', 6).slice(4).join(',');
    t.equal(of(1_795_336_886_892_515_999n), '2026-11-22T08:41:26Z,892515');
    t.equal(of(951_782_400_000_000_000n), '2000-02-29T00:00:00Z,0');
    t.equal(of(4_107_542_399_999_999_999n), '2100-02-28T23:59:59Z,999999');
    t.equal(of(4_107_542_400_000_000_000n), '2100-03-01T00:00:00Z,0');
    t.equal(of(MAX_NS), '2554-07-21T23:34:33Z,709551');
    t.equal(of(1n << 32n), '1970-01-01T00:00:04Z,294967', 'the first that 32 bits do not hold');
    t.equal(of((1n << 32n) - 1n), ',4294967295', 'what fits stays as it is');
    t.equal(of(0n), ',0');
    t.end();
  },
);

await t.test('every day that 64 bits of nanoseconds can name is the one that Date names', (t) => {
  const days = Number(MAX_NS / 86_400_000_000_000n);
  const wrong: string[] = [];
  for (let day = 1; day <= days; day++) {
    const stamp = BigInt(day) * 86_400_000_000_000n - 1n;
    const sent = send(`0,10,6,0,,${stamp},${GUID}`, 'datetime').split(',', 6);
    const iso = new Date(day * 86_400_000 - 1).toISOString();
    if (sent[4] !== `${iso.slice(0, 19)}Z` || sent[5] !== '999999') wrong.push(`${iso} ${sent[4]}`);
  }
  t.strictSame(wrong, []);
  t.end();
});

await t.test('property: random nanoseconds against Date', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n << 32n, max: MAX_NS }), (stamp) => {
      const sent = send(`96,10,6,9,,${stamp},${GUID},1`, 'datetime').split(',', 6);
      const iso = new Date(Number(stamp / 1_000_000n)).toISOString();
      t.equal(sent[4], `${iso.slice(0, 19)}Z`);
      t.equal(sent[5], String((stamp / 1000n) % 1_000_000n));
    }),
    { numRuns: 2000 },
  );
  t.end();
});

await t.test('property: every field of every event, in both forms of time', (t) => {
  const form = fc.constantFrom<Timestamps>('datetime', 'nanoseconds');
  fc.assert(
    fc.property(fields, form, (event, timestamps) => {
      const sent = send(spell(event, canonical), timestamps);
      t.equal(sent, expected(event, timestamps));
      const read = parseEvent(sent.slice('SEND '.length, -2));
      t.equal(read.obid, 0);
      t.strictSame([...read.guid], event.guid);
      t.strictSame([...read.data], event.data);
      if (timestamps === 'nanoseconds') t.equal(read.timestamp, event.timestamp);
    }),
    { numRuns: 1000 },
  );
  t.end();
});
