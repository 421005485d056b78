import fc from 'fast-check';
import { crc32 as zlib } from 'node:zlib';
import t from 'tap';
import { crc32 } from '../../src/journal/crc.js';

await t.test('it is the CRC-32 of zlib, of every range of any bytes', (t) => {
  const range = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(300));
  fc.assert(
    fc.property(range, ([bytes, a, b]) => {
      const [start, end] = [a % (bytes.length + 1), b % (bytes.length + 1)].sort((x, y) => x - y);
      return crc32(bytes, start!, end!) === zlib(bytes.subarray(start, end));
    }),
    { numRuns: 2000 },
  );
  t.equal(
    crc32(Buffer.from('..123456789..'), 2, 11),
    0xcbf43926,
    'the check value of the standard',
  );
  t.equal(crc32(new Uint8Array(8), 4, 4), 0);
  t.end();
});
