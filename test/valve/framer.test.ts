import fc from 'fast-check';
import t from 'tap';
import { Framer, MAX_FRAMES, MAX_LINE } from '../../src/valve/framer.js';
import { FrameReader, HEADER, MAX_PAYLOAD, type Totals } from '../../src/wire/frame.js';

const GENERATION = 0xfedcba98;
const EVENT = '96,10,6,0,,0,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,138,0,255';

/** What leaves a framer: the lines of all frames, and the totals of each. */
class Taken {
  readonly lines: string[] = [];
  readonly totals: Totals[] = [];
  readonly #framer: Framer;
  readonly #reader = new FrameReader();
  /** Bytes of the payloads, for tests that do not look at each line. */
  count = 0;

  constructor(framer: Framer) {
    this.#framer = framer;
  }

  take(most = Infinity): void {
    for (let i = 0; i < most; i++) {
      const bytes = this.#framer.take();
      if (!bytes) return;
      this.#reader.push(bytes, (frame) => {
        const text = Buffer.from(frame.payload).toString('latin1', frame.start, frame.end);
        if (text.includes('\n\n')) throw new Error('an empty line in a frame');
        const lines = text === '' ? [] : text.slice(0, -1).split('\n');
        if (lines.length !== frame.lines) throw new Error(`${lines.length} lines, not as said`);
        if (frame.generation !== GENERATION) throw new Error('another generation');
        for (const line of lines) this.lines.push(line);
        this.totals.push({ ...frame.totals });
        this.count++;
      });
    }
  }
}

/** The same by splitting strings: lines that go on, and the totals. */
function naive(text: string): { lines: string[]; totals: Totals; refused: boolean } {
  const parts = text.split('\n');
  const rest = parts.pop()!;
  const totals = { read: 0, empty: 0, overlong: 0, truncated: 0, overflow: 0, alive: 0, bytes: 0 };
  totals.bytes = text.length;
  const lines: string[] = [];
  let started = false;
  let refused = false;
  for (const part of parts) {
    const line = part.replace(/\r$/, '');
    if (line.length > 0 && line.length <= MAX_LINE && line.startsWith('+OK')) {
      started = true;
      totals.alive++;
      continue;
    }
    if (line.length <= MAX_LINE && line.startsWith('-OK') && !started) {
      refused = true;
      totals.alive++;
      continue;
    }
    totals.read++;
    if (line === '') totals.empty++;
    else if (line.length > MAX_LINE) totals.overlong++;
    else {
      if (/^\d/.test(line)) started = true;
      lines.push(part);
    }
  }
  if (rest !== '') {
    totals.read++;
    if (rest.length > MAX_LINE + 2) totals.overlong++;
    else totals.truncated++;
  }
  return { lines, totals, refused };
}

const line = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(EVENT, '0', '7,x', EVENT.repeat(3)) },
  { weight: 3, arbitrary: fc.constantFrom('+OK', '+OK - still there', '+O', '+', '-OK', '-OK 5') },
  { weight: 3, arbitrary: fc.constantFrom('', '\r', '\r\r', '\0', '\0\0OK', 'TG', '\rTG') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('0', '+OK', 'x', '-OK'),
        fc.constantFrom(MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE + 2, MAX_LINE + 3, 100_000),
      )
      .map(([start, length]) => start.padEnd(length, 'y')),
  },
  {
    weight: 2,
    arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 30 }).map((s) => s.replace(/\n/g, '')),
  },
);
const stream = fc
  .tuple(
    fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { maxLength: 40 }),
    fc.oneof(fc.constant(''), line),
  )
  .map(([lines, rest]) => lines.map(([text, end]) => text + end).join('') + rest);
const step = fc.tuple(
  fc.oneof(
    fc.integer({ min: 1, max: 10 }),
    fc.integer({ min: 1, max: 5000 }),
    fc.integer({ min: 1, max: 300_000 }),
  ),
  fc.nat(2),
);

await t.test('every line is in a frame or in one counter, however the stream was cut', (t) => {
  fc.assert(
    fc.property(stream, fc.array(step, { minLength: 1, maxLength: 30 }), (text, steps) => {
      const framer = new Framer(GENERATION);
      const taken = new Taken(framer);
      const bytes = Buffer.from(text, 'latin1');
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const [size, takes] = steps[i % steps.length]!;
        framer.push(bytes.subarray(at, at + size));
        taken.take(takes);
        at += size;
      }
      framer.finish();
      taken.take();
      const { lines, totals, refused } = naive(text);
      t.same(taken.lines, lines);
      t.same(framer.totals, totals);
      t.equal(framer.refused, refused);
      const { read, empty, overlong, truncated, overflow } = framer.totals;
      t.equal(taken.lines.length + empty + overlong + truncated + overflow, read);
      if (taken.totals.length > 0 && read > 0) t.equal(taken.totals.at(-1)?.read, read);
    }),
    { numRuns: 300 },
  );
  t.end();
});

await t.test('a chunk of any size fits, whatever waits in the frame already', (t) => {
  const long = (length: number) => `${'1'.repeat(length - 2)}\r\n`;
  const full = long(MAX_LINE + 2);
  const fitting = Math.floor(MAX_PAYLOAD / 2 / full.length);
  const half = full.repeat(fitting) + long(MAX_PAYLOAD / 2 - fitting * full.length);
  t.equal(half.length, MAX_PAYLOAD / 2);
  const framer = new Framer(GENERATION);
  const taken = new Taken(framer);
  const all = half + half + full.repeat(200);
  framer.push(Buffer.from(half));
  framer.push(Buffer.from(half + full.repeat(200)));
  taken.take();
  t.equal(taken.lines.map((text) => `${text}\n`).join(''), all);
  t.end();
});

const WIDTH = 64;
const PER_CHUNK = 1024;

/** Fills a chunk with lines that are numbered from `first` on. */
function number(chunk: Buffer, first: number): void {
  for (let i = 0; i < PER_CHUNK; i++) {
    chunk.write(String(first + i).padStart(10, '0'), i * WIDTH, 'latin1');
  }
}

await t.test('when nothing takes frames, the oldest lines go, and memory stays', (t) => {
  const framer = new Framer(GENERATION);
  const chunk = Buffer.from(`${'9'.repeat(WIDTH - 1)}\n`.repeat(PER_CHUNK));
  const before = process.memoryUsage().arrayBuffers;
  const chunks = (100 * 2 ** 20) / chunk.length;
  for (let i = 0; i < chunks; i++) {
    number(chunk, i * PER_CHUNK);
    framer.push(chunk);
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  t.ok(grown < (MAX_FRAMES + 4) * (HEADER + MAX_PAYLOAD), `${grown} bytes`);
  const taken = new Taken(framer);
  taken.take();
  t.ok(taken.count <= MAX_FRAMES + 1, `${taken.count} frames`);
  t.ok(taken.lines.length >= (MAX_FRAMES * MAX_PAYLOAD) / 2 / WIDTH);
  const { read, overflow } = framer.totals;
  t.equal(read, chunks * PER_CHUNK);
  t.equal(taken.lines.length + overflow, read);
  const numbers = taken.lines.map((text) => Number(text.slice(0, 10)));
  t.equal(numbers[0], overflow, 'the oldest are gone');
  t.ok(
    numbers.every((n, i) => n === overflow + i),
    'the rest is whole and in order',
  );
  t.end();
});

await t.test('each frame says what was lost before it, so that the lines always add up', (t) => {
  const framer = new Framer(GENERATION);
  const chunk = Buffer.from(`${'9'.repeat(WIDTH - 1)}\n`.repeat(PER_CHUNK));
  const taken = new Taken(framer);
  let pushed = 0;
  let lines = 0;
  for (const [pushes, takes] of [
    [1, 9],
    [300, 1],
    [50, 3],
    [400, 2],
    [3, 99],
  ] as const) {
    for (let i = 0; i < pushes; i++, pushed++) {
      number(chunk, pushed * PER_CHUNK);
      framer.push(chunk);
    }
    for (let i = 0; i < takes; i++) {
      const frames = taken.count;
      taken.take(1);
      if (taken.count === frames) continue;
      const { read, overflow } = taken.totals.at(-1)!;
      t.equal(read, taken.lines.length + overflow, 'at every frame');
      t.equal(Number(taken.lines[lines]!.slice(0, 10)), lines + overflow, 'and in its place');
      lines = taken.lines.length;
    }
  }
  t.equal(framer.totals.read, pushed * PER_CHUNK);
  t.ok(framer.totals.overflow > 0);
  t.end();
});

await t.test('a frame that was taken stays as it is until the next is taken', (t) => {
  const framer = new Framer(GENERATION);
  const chunk = Buffer.from(`${'9'.repeat(WIDTH - 1)}\n`.repeat(PER_CHUNK));
  framer.push(Buffer.from(`${EVENT}\n`));
  const frame = framer.take()!;
  const copy = Buffer.from(frame);
  for (let i = 0; i < 400; i++) framer.push(chunk);
  t.ok(framer.totals.overflow > 0);
  t.ok(frame.equals(copy));
  t.not(framer.take()!.buffer, frame.buffer);
  t.end();
});

await t.test('signs of life are told without lines, once', (t) => {
  const framer = new Framer(GENERATION);
  t.equal(framer.take(), undefined);
  framer.push(Buffer.from('+OK\r\n+O'));
  framer.push(Buffer.from('K - fine\r\n'));
  const taken = new Taken(framer);
  taken.take();
  t.same([taken.count, taken.lines], [1, []]);
  t.match(taken.totals[0], { alive: 2, read: 0 });
  t.equal(framer.vital, 2);
  t.equal(framer.take(), undefined);
  framer.push(Buffer.from(`${EVENT}\n`));
  t.equal(framer.vital, 3);
  framer.push(Buffer.from('garbage\n\n\r\n'));
  framer.push(Buffer.from('9'.repeat(MAX_LINE + 1) + '\n'));
  framer.push(Buffer.from('+'.repeat(3) + '\n' + EVENT));
  t.equal(framer.vital, 3, 'what is neither an event nor an answer is no sign of life');
  t.match(framer.totals, { read: 6, empty: 2, overlong: 1, alive: 2 });
  t.end();
});

await t.test('an empty line alone is told as well', (t) => {
  const framer = new Framer(GENERATION);
  const taken = new Taken(framer);
  framer.push(Buffer.from('\r\n'));
  taken.take();
  t.match(taken.totals, [{ read: 1, empty: 1 }]);
  framer.push(Buffer.from('x'.repeat(2 * MAX_LINE)));
  taken.take();
  t.match(taken.totals[1], { read: 2, overlong: 1 });
  framer.push(Buffer.from('x\n'));
  taken.take();
  t.equal(taken.count, 2, 'its end says nothing new');
  t.end();
});

await t.test('a first -OK is a refusal, however it comes; a later one is a line', (t) => {
  for (const size of [1, 3, 100]) {
    const framer = new Framer(GENERATION);
    const answer = Buffer.from('-OK - no\r\n');
    for (let at = 0; at < answer.length; at += size) {
      t.equal(framer.refused, false);
      framer.push(answer.subarray(at, at + size));
    }
    t.equal(framer.refused, true);
  }
  for (const first of ['+OK\r\n', `${EVENT}\r\n`]) {
    const framer = new Framer(GENERATION);
    framer.push(Buffer.from(`${first}-OK\r\n`));
    t.equal(framer.refused, false);
    const taken = new Taken(framer);
    taken.take();
    t.equal(taken.lines.at(-1), '-OK\r');
  }
  t.end();
});

await t.test('a last line without its end is counted and never sent', (t) => {
  for (const [text, counted] of [
    [EVENT, { read: 1, truncated: 1 }],
    ['+OK', { read: 1, truncated: 1 }],
    ['\r', { read: 1, truncated: 1 }],
    ['', { read: 0, truncated: 0 }],
    ['9'.repeat(MAX_LINE + 3), { read: 1, truncated: 0, overlong: 1 }],
  ] as const) {
    const framer = new Framer(GENERATION);
    const taken = new Taken(framer);
    framer.push(Buffer.from(text));
    framer.finish();
    framer.finish();
    taken.take();
    t.same(taken.lines, []);
    t.match(framer.totals, counted);
    if (text !== '') t.match(taken.totals.at(-1), counted);
  }
  t.end();
});
