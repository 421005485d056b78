import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { DATA, MAX_BODY } from '../../src/event/layout.js';
import {
  MARK,
  sealRecord,
  checkRecord,
  EVENT_OVERHEAD,
  formatHeader,
  MAX_HEADER,
  MAX_RECORD,
  parseHeader,
  readMark,
  readU64,
  sortSegments,
  writeMark,
  writeU64,
} from '../../src/journal/format.js';
import { MAX_RECORDS } from '../../src/journal/reader.js';
import { append, numbered, openWriter, segmentName } from './tools.js';

const TIME = 1_795_336_886_892.5;

/** The format as its description has it, written down a second time. */
function sealed(parts: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(parts);
  const record = Buffer.alloc(4 + rest.length + 4);
  record.writeUInt32BE(record.length);
  rest.copy(record, 4);
  record.writeUInt32BE(crc32(record.subarray(0, -4)), record.length - 4);
  return record;
}

function number(bytes: 1 | 2 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt(value));
  return buffer.subarray(8 - bytes);
}

function double(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  return buffer;
}

await t.test('a segment is, byte for byte, what the format says', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory, {
    channels: ['public'],
    outcomes: ['permitted', 'emitted'],
    journals: ['public/urgent', 'public'],
  });
  const event = { ...numbered(7), source: 0x0102, rule: 0x0304 };
  append(writer, [event]);
  writer.flush();
  writer.commit(
    0x1_0000_0005,
    TIME,
    [Float64Array.of(1, 2, 3), Float64Array.of(4, 5, 6)],
    [Float64Array.of(7, 8)],
    Float64Array.of(9, 1),
  );
  writer.close();
  const file = readFileSync(join(directory, '0000000000000001-00000001.tgj'));

  t.equal(file.toString('latin1', 0, 8), 'TGJRNL1\n');
  const length = file.readUInt32BE(8);
  const header = JSON.parse(file.toString('utf8', 12, 12 + length)) as Record<string, unknown>;
  t.type(header['created'], 'number');
  t.match(header['salt'], /^[0-9a-f]{64}$/);
  t.same(
    { ...header, created: 0, salt: '' },
    {
      version: 1,
      channel: 'public',
      lane: 'routine',
      epoch: 1,
      first: 1,
      created: 0,
      sources: ['north', 'south'],
      rules: ['p/a', 'p/b'],
      counters: ['in', 'out', 'lost'],
      channels: ['public'],
      outcomes: ['permitted', 'emitted'],
      journals: ['public/urgent', 'public'],
      salt: '',
    },
  );
  t.equal(file.readUInt32BE(12 + length), crc32(file.subarray(0, 12 + length)));

  const record = sealed([
    number(1, 1), // an event
    number(1, 0),
    number(2, 0x0102), // source
    number(8, 1), // sequence
    number(2, 0x0304), // rule
    number(2, 0),
    Buffer.from(event.body),
  ]);
  const mark = sealed([
    number(1, 2), // a mark
    number(2, 0),
    number(1, 0),
    number(8, 1), // the last sequence that it commits
    number(8, 0x1_0000_0005), // batch
    double(TIME),
    number(2, 2), // vectors
    number(2, 3), // numbers in each
    ...[1, 2, 3, 4, 5, 6].map(double),
    number(2, 1), // vectors of the channels
    number(2, 2),
    ...[7, 8].map(double),
    number(2, 1), // one vector of the journals
    number(2, 2),
    ...[9, 1].map(double),
  ]);
  t.equal(
    file.toString('hex', 12 + length + 4),
    Buffer.concat([record, mark]).toString('hex'),
    'one record, one mark, and nothing else',
  );
  t.end();
});

await t.test('every number that a double holds exactly survives as u64', (t) => {
  const bytes = new Uint8Array(11).fill(0xaa);
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      writeU64(bytes, 2, value);
      return readU64(bytes, 2) === value && bytes[1] === 0xaa && bytes[10] === 0xaa;
    }),
  );
  t.end();
});

const vectors = fc.tuple(fc.nat(5), fc.nat(30)).chain(([count, width]) =>
  fc.array(fc.float64Array({ minLength: width, maxLength: width }), {
    minLength: count,
    maxLength: count,
  }),
);

await t.test('a mark of an older gate has no vectors of channels, or of journals', (t) => {
  const bytes = Buffer.alloc(200);
  const counters = [Float64Array.of(4)];
  const sequences = new Float64Array();
  const mark = { sequence: 1, batch: 2, time: 3, counters, outcomes: [], sequences };
  for (const missing of [4, 8]) {
    const length = writeMark(bytes, 0, mark) - missing;
    sealRecord(bytes, 0, length, MARK);
    t.equal(checkRecord(bytes, 0, length), length);
    t.same(readMark(bytes, 0), mark);
  }
  t.end();
});

await t.test('a mark survives, at any place of a buffer', (t) => {
  const mark = fc.record({
    sequence: fc.maxSafeNat(),
    batch: fc.maxSafeNat(),
    time: fc.double({ noNaN: true }),
    counters: vectors,
    outcomes: vectors,
    sequences: fc.float64Array({ maxLength: 60 }),
  });
  fc.assert(
    fc.property(mark, fc.nat(9), (mark, at) => {
      const bytes = new Uint8Array(4096).subarray(3);
      const length = writeMark(bytes, at, mark);
      t.equal(checkRecord(bytes, at, length), length);
      t.same(readMark(bytes, at), mark);
    }),
  );
  t.end();
});

await t.test('a header is found whole or not at all', (t) => {
  const header = {
    version: 1,
    channel: 'dépôt',
    epoch: 3,
    first: 2 ** 40,
    created: TIME,
    sources: [],
    rules: ['"\n'],
    counters: ['in'],
  } as const;
  const bytes = formatHeader(header);
  t.same(parseHeader(Buffer.concat([bytes, Buffer.from('more')])), {
    header,
    length: bytes.length,
  });
  for (let end = 0; end < bytes.length; end++) {
    if (parseHeader(bytes.subarray(0, end))) t.fail(`a header of ${end} bytes`);
    const flipped = Buffer.from(bytes);
    flipped[end]! ^= 1 << (end % 8);
    if (parseHeader(flipped)) t.fail(`a header with byte ${end} changed`);
  }
  t.end();
});

await t.test('a header that no reader would read to its end is refused when it is written', (t) => {
  const directory = t.testdir();
  const rules = Array.from({ length: 10 }, (_, i) => String(i).repeat(MAX_HEADER / 10));
  t.throws(() => openWriter(directory, { rules }), RangeError);
  t.end();
});

await t.test('only names of segments are segments, and the epoch orders them first', (t) => {
  t.equal(segmentName(12, 3), '0000000000000012-00000003.tgj');
  const names = [
    '0000000000000003-00000002.tgj',
    '0000000000000009-00000001.tgj',
    '0000000000000001-00000001.tgj',
  ];
  const garbage = [
    '',
    'x',
    '1-1.tgj',
    '0000000000000001-00000001.tgj.part',
    '.0000000000000001-00000001.tgj',
    '0000000000000001-0000000x.tgj',
  ];
  t.same(
    sortSegments([...garbage, ...names]).map(({ first, epoch }) => [epoch, first]),
    [
      [1, 1],
      [1, 9],
      [2, 3],
    ],
  );
  t.end();
});

await t.test('whatever batch fits the writer, a reader delivers at once', (t) => {
  const directory = t.testdir();
  const writer = openWriter(directory);
  // Behind the records there is room for a mark.
  const most = writer.buffer.length - MAX_RECORD - MAX_BODY - EVENT_OVERHEAD;
  t.ok(MAX_RECORDS * (EVENT_OVERHEAD + DATA) >= most);
  writer.close();
  t.end();
});
