import fc from 'fast-check';
import t from 'tap';
import { decodeEvent } from '../../src/event/decode.js';
import { encodeEvent, MAX_TEXT } from '../../src/event/encode.js';
import { MAX_BODY } from '../../src/event/layout.js';
import { fields, spell } from '../arbitrary/event.js';

const canonical = { hexData: false, hexNumbers: false, paddedGuid: true, lowerCase: false };

await t.test('decode, then encode, gives the canonical spelling of the same event', (t) => {
  const body = new Uint8Array(MAX_BODY);
  const text = new Uint8Array(MAX_TEXT);
  fc.assert(
    fc.property(fields, fc.boolean(), (event, hex) => {
      const line = Buffer.from(
        spell(event, { hexData: hex, hexNumbers: hex, paddedGuid: !hex, lowerCase: hex }),
      );
      t.ok(decodeEvent(line, 0, line.length, body, 0) > 0);
      const end = encodeEvent(body, 0, text, 3);
      t.equal(Buffer.from(text.subarray(3, end)).toString(), spell(event, canonical));
    }),
    { numRuns: 500 },
  );
  t.end();
});

await t.test('the longest event fits the bound', (t) => {
  const event = {
    head: 65535,
    vscpClass: 65535,
    type: 65535,
    obid: 0xffffffff,
    datetime: '9999-12-31T23:59:59Z',
    timestamp: (1n << 64n) - 1n,
    guid: new Array<number>(16).fill(255),
    data: new Array<number>(512).fill(255),
  };
  const line = Buffer.from(spell(event, canonical));
  t.ok(line.length <= MAX_TEXT);
  t.ok(Buffer.from(spell(event, { ...canonical, hexData: true })).length <= 4096);
  t.end();
});
