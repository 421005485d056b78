import t from 'tap';
import { formatGuid, parseGuid } from '../../src/event/guid.js';

const cases: [string, string][] = [
  [
    'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01',
    'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01',
  ],
  ['ff:ff:ff:ff:ff:ff:ff:fe:0:0:0:0:0:1:0:0', 'FF:FF:FF:FF:FF:FF:FF:FE:00:00:00:00:00:01:00:00'],
  ['::1', 'FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:01'],
  ['::', 'FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF'],
  ['*:1', 'FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:01'],
  ['::0102:03aa:44:01:30', 'FF:FF:FF:FF:FF:FF:FF:FF:FF:01:02:03:AA:44:01:30'],
  ['-:1,2,3', '00:00:00:00:00:00:00:00:00:00:00:00:00:01:02:03'],
  ['-', '00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00'],
  ['{FFFFFFFF-FFFF-FFFF-0102-03AABB440130}', 'FF:FF:FF:FF:FF:FF:FF:FF:01:02:03:AA:BB:44:01:30'],
  ['FFFFFFFF-FFFF-FFFF-0102-03AABB440130', 'FF:FF:FF:FF:FF:FF:FF:FF:01:02:03:AA:BB:44:01:30'],
  ['FFFF-FFFF-FFFF-FFFF-FFFF-FFFF-FFFF-FFFF', 'FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF:FF'],
];

await t.test('every spelling of the specification is read', (t) => {
  for (const [text, full] of cases) {
    t.equal(formatGuid(parseGuid(text)), full, text);
    t.equal(formatGuid(parseGuid(full)), full);
  }
  t.end();
});

await t.test('what is no GUID is refused with what is wrong', (t) => {
  t.throws(() => parseGuid(''), /not a group of hex bytes/);
  t.throws(() => parseGuid('FF:FF'), /16 bytes, not 2; begin it with/);
  t.throws(() => parseGuid('01:'.repeat(16) + '01'), /16 bytes, not 17/);
  t.throws(() => parseGuid('::123'), /'123' is not a group/);
  t.throws(() => parseGuid('::0x1'), /'0x1'/);
  t.throws(() => parseGuid('{FF-FF}'), /32 hex digits/);
  t.end();
});
