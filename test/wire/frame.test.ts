import fc from 'fast-check';
import t from 'tap';
import { crc32 } from 'node:zlib';
import {
  type Frame,
  FrameReader,
  HEADER,
  MAX_FRAME,
  MAX_PAYLOAD,
  sealFrame,
  type Totals,
  zeroTotals,
} from '../../src/wire/frame.js';

interface Sent {
  readonly generation: number;
  readonly lines: number;
  readonly last: boolean;
  readonly totals: Totals;
  readonly payload: string;
}

const PLAIN: Sent = {
  generation: 1,
  lines: 1,
  last: false,
  totals: zeroTotals(),
  payload: 'x\n',
};

function seal({ generation, lines, last, totals, payload }: Sent): Buffer {
  const frame = Buffer.alloc(HEADER + payload.length);
  frame.write(payload, HEADER, 'latin1');
  sealFrame(frame, payload.length, generation, lines, totals, last);
  return frame;
}

function copy({ generation, lines, last, totals, payload, start, end }: Frame): Sent {
  const text = Buffer.from(payload.subarray(start, end)).toString('latin1');
  return { generation, lines, last, totals: { ...totals }, payload: text };
}

/** Feeds `bytes` in chunks of the given lengths, over and over. */
function receive(bytes: Buffer, chunks: readonly number[], reader = new FrameReader()) {
  const frames: Sent[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + chunks[i % chunks.length]!);
    reader.push(bytes.subarray(at, end), (frame) => frames.push(copy(frame)));
    at = end;
  }
  return { frames, skipped: reader.skipped };
}

/** Numbers whose bytes look like the beginning of a frame, when they stand in a header. */
const HOSTILE = [0x0a0a5447, 0x0a0a, 0x0a0a0a0a, 0x0a0a_5447_0101, 0x0a_0a54_4701];
const count = fc.oneof(fc.maxSafeNat(), fc.constantFrom(...HOSTILE), fc.nat(1000));
const totals: fc.Arbitrary<Totals> = fc.record({
  read: count,
  empty: count,
  overlong: count,
  truncated: count,
  overflow: count,
  alive: count,
  bytes: count,
});

const imitation = seal({ ...PLAIN, lines: 0, payload: '' })
  .toString('latin1')
  .slice(2);
const line = fc
  .oneof(
    { weight: 2, arbitrary: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('TG', 'TG\x01\x01', '\r\r\rTG', imitation, '\0'.repeat(200)),
    },
  )
  .map((text) => text.replaceAll('\n', '') || 'x');
const sent: fc.Arbitrary<Sent> = fc
  .record({
    generation: fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0x0a0a5447, 0x54470101)),
    totals,
    last: fc.boolean(),
    text: fc.array(line, { maxLength: 8 }),
  })
  .map(({ text, ...rest }) => ({
    ...rest,
    lines: text.length,
    payload: text.map((each) => `${each}\n`).join(''),
  }));
const chunks = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 500 })),
  {
    minLength: 1,
    maxLength: 20,
  },
);

await t.test('frames come out as they went in, however they were cut', (t) => {
  fc.assert(
    fc.property(fc.array(sent, { maxLength: 6 }), chunks, (sent, chunks) => {
      const result = receive(Buffer.concat(sent.map(seal)), chunks);
      t.same(result, { frames: sent, skipped: 0 });
    }),
    { numRuns: 300 },
  );
  t.end();
});

/** What a reader must make of a frame cut at `end` and then `next`. */
function survivors(torn: Sent, end: number, next: readonly Sent[]) {
  const whole = seal(torn);
  const bytes = Buffer.concat([whole.subarray(0, end), ...next.map(seal)]);
  // The bytes that are missing may be those that the next frame begins with.
  const completed = bytes.subarray(0, whole.length).equals(whole);
  return completed ? { frames: [torn, ...next], skipped: 0 } : { frames: [...next], skipped: end };
}

await t.test('a writer killed at any byte costs its frame, and nothing else', (t) => {
  let completed = 0;
  fc.assert(
    fc.property(sent, sent, fc.array(sent, { minLength: 1, maxLength: 3 }), (first, torn, next) => {
      const whole = seal(torn);
      const after = next.map(seal);
      for (let end = 0; end < whole.length; end++) {
        const bytes = Buffer.concat([seal(first), whole.subarray(0, end), ...after]);
        const { frames, skipped } = survivors(torn, end, next);
        if (frames.length > next.length) completed++;
        // All at once, and in two chunks that meet somewhere behind the tear.
        for (const chunks of [[bytes.length], [HEADER + end + 7]]) {
          const result = receive(bytes, chunks);
          if (result.frames.length !== 1 + frames.length || result.skipped !== skipped) {
            t.same(result, { frames: [first, ...frames], skipped }, `cut at ${end}`);
          }
        }
      }
      const end = whole.length - 2;
      const bytes = Buffer.concat([whole.subarray(0, end), ...after]);
      t.same(receive(bytes, [1]), survivors(torn, end, next));
    }),
    { numRuns: 60 },
  );
  t.ok(completed > 0, 'a payload without its last newline was among them');
  t.end();
});

await t.test('the next frame may complete a torn one, and is not lost for that', (t) => {
  const torn = PLAIN;
  const next = { ...torn, generation: 2 };
  const empty = { ...next, lines: 0, payload: '' };
  for (const frame of [next, empty]) {
    const bytes = Buffer.concat([seal(torn).subarray(0, -1), seal(frame)]);
    for (let size = 1; size <= bytes.length; size++) {
      t.same(receive(bytes, [size]), { frames: [torn, frame], skipped: 0 });
    }
  }
  // A header is never completed, whatever its CRC ends with.
  for (let generation = 0; generation < 1000; generation++) {
    const header = { ...torn, generation };
    const cut = seal(header).subarray(0, HEADER - 1);
    t.same(receive(Buffer.concat([cut, seal(next)]), [60]), {
      frames: [next],
      skipped: HEADER - 1,
    });
  }
  // Between the two the reader may move its buffer.
  const large = { ...torn, payload: `${'x'.repeat(MAX_PAYLOAD - 1)}\n` };
  const stream = Buffer.concat([large, large].flatMap((each) => seal(each).subarray(0, -1)));
  const result = receive(Buffer.concat([stream, seal(next)]), [MAX_FRAME - 1, 3]);
  t.same(
    result.frames.map(({ generation }) => generation),
    [1, 1, 2],
  );
  t.equal(result.skipped, 0);
  t.end();
});

await t.test('writers killed one after the other are skipped byte for byte', (t) => {
  const torn = fc.tuple(sent, fc.nat()).map(([frame, at]) => {
    const bytes = seal(frame);
    return bytes.subarray(0, at % (bytes.length - 2)); // two bytes at least are missing
  });
  fc.assert(
    fc.property(fc.array(torn, { minLength: 1, maxLength: 5 }), sent, chunks, (torn, last, cut) => {
      const before = Buffer.concat(torn);
      t.same(receive(Buffer.concat([before, seal(last)]), cut), {
        frames: [last],
        skipped: before.length,
      });
    }),
    { numRuns: 300 },
  );
  t.end();
});

await t.test('a reader that starts in the middle finds the next frame', (t) => {
  const first = { ...PLAIN, lines: 2, payload: 'TG\nTG\x01\n' };
  const second = { ...first, generation: 2 };
  const bytes = Buffer.concat([seal(first), seal(second)]);
  for (let start = 1; start <= bytes.length / 2; start++) {
    t.same(receive(bytes.subarray(start), [13]), {
      frames: [second],
      skipped: bytes.length / 2 - start,
    });
  }
  t.end();
});

await t.test(
  'a header whose numbers spell the magic is no two frames while it is incomplete',
  (t) => {
    for (const bytes of HOSTILE) {
      const frame = {
        generation: 7,
        lines: 1,
        last: false,
        totals: { ...zeroTotals(), read: bytes, bytes },
        payload: `${'\0'.repeat(300)}\n`,
      };
      for (let cut = 1; cut < HEADER + 300; cut++) {
        const { frames, skipped } = receive(seal(frame), [cut]);
        if (frames.length !== 1 || skipped !== 0)
          t.fail(`${bytes} in chunks of ${cut}: ${skipped}`);
      }
    }
    t.end();
  },
);

await t.test('any byte changed costs the frame, and invents none', (t) => {
  const frame = { ...PLAIN, generation: 3, lines: 2, payload: '1,2,3\nTG\n' };
  const next = { ...frame, generation: 4 };
  const bytes = seal(frame);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1 << (at % 8);
    t.same(receive(Buffer.concat([changed, seal(next)]), [1000]), {
      frames: [next],
      skipped: bytes.length,
    });
  }
  t.end();
});

await t.test('what is unknown and yet has the right CRC is passed over and counted', (t) => {
  const good = { ...PLAIN, generation: 3 };
  const reseal = (change: (frame: Buffer) => void): Buffer => {
    const frame = seal(good);
    change(frame);
    frame.writeUInt32BE(crc32(frame.subarray(HEADER)), HEADER - 10);
    frame.writeUInt32BE(crc32(frame.subarray(0, HEADER - 6)), HEADER - 6);
    return frame;
  };
  for (const [unknown, change] of [
    [0, () => undefined],
    [1, (frame: Buffer) => (frame[4] = 2)],
    [1, (frame: Buffer) => (frame[5] = 9)],
    [1, (frame: Buffer) => frame.writeUInt32BE(MAX_PAYLOAD + 1, 6)],
    [1, (frame: Buffer) => (frame[HEADER + 1] = 0x20)],
  ] as const) {
    const reader = new FrameReader();
    const strange = reseal(change);
    const { frames, skipped } = receive(Buffer.concat([strange, seal(good)]), [9], reader);
    t.same(frames, unknown === 0 ? [good, good] : [good], 'the next one comes through');
    t.equal(reader.unknown, unknown);
    t.equal(skipped, unknown * strange.length);
  }
  t.end();
});

await t.test('the largest frames come through, back to back', (t) => {
  const payload = `${'x'.repeat(MAX_PAYLOAD - 1)}\n`;
  const frames = [1, 2, 3].map((generation) => {
    return { ...PLAIN, generation, payload };
  });
  const bytes = Buffer.concat(frames.map(seal));
  for (const chunk of [64 * 1024, MAX_FRAME, MAX_FRAME - 1]) {
    const result = receive(bytes, [chunk]);
    t.same(
      result.frames.map(({ generation }) => generation),
      [1, 2, 3],
    );
    t.ok(result.frames.every((frame) => frame.payload === payload));
    t.equal(result.skipped, 0);
  }
  t.end();
});
