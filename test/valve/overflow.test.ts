/** What survives when nothing takes frames for a while, against the sums that the gate keeps. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Framer, MAX_FRAMES, MAX_SAVED } from '../../src/valve/framer.js';
import { FrameReader, HEADER, MAX_PAYLOAD, type Totals, zeroTotals } from '../../src/wire/frame.js';

const MIB = 2 ** 20;

/** Numbered lines of one kind of head. */
class Source {
  /** By number: whether it has the highest priority. */
  readonly priority: boolean[] = [];
  #rest = '';

  /** About that many bytes of lines, of which each `every`-th has the highest priority. */
  text(bytes: number, width: number, every: number): Buffer {
    const lines: string[] = [this.#rest];
    for (let made = 0; made < bytes; made += width) {
      const number = this.priority.length;
      const high = every > 0 && number % every === 0;
      this.priority.push(high);
      lines.push(`${high ? '31' : '32'},${number},`.padEnd(width - 1, '7'), '\n');
    }
    const all = lines.join('');
    // Lines go on in the next chunk.
    const end = all.length - (width >> 1);
    this.#rest = all.slice(end);
    return Buffer.from(all.slice(0, end), 'latin1');
  }

  end(): Buffer {
    return Buffer.from(this.#rest, 'latin1');
  }
}

/** The gate's arithmetic, and the numbers of the lines that have come. */
class Gate {
  readonly high: number[] = [];
  readonly low: number[] = [];
  lasts = 0;
  lines = 0;
  before: Totals = zeroTotals();
  readonly #reader = new FrameReader();
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  take(frame: Buffer): void {
    this.#reader.push(frame, ({ totals, lines, last, payload, start, end }) => {
      assert.equal(this.lasts, 0, 'nothing comes after the last frame');
      if (last) this.lasts++;
      const since = (name: keyof Totals): number => {
        const more = totals[name] - this.before[name];
        assert.ok(more >= 0, `${name} never falls`);
        return more;
      };
      const named = since('empty') + since('overlong') + since('truncated') + since('overflow');
      assert.equal(since('read') - lines - named, 0, 'every line is in this frame or in a counter');
      this.before = { ...totals };
      const texts = Buffer.from(payload.subarray(start, end)).toString('latin1').split('\n');
      assert.equal(texts.pop(), '');
      assert.equal(texts.length, lines);
      this.lines += lines;
      for (const text of texts) {
        const number = Number(text.split(',')[1]);
        const high = this.#source.priority[number]!;
        assert.equal(text.startsWith('31,'), high);
        (high ? this.high : this.low).push(number);
      }
    });
  }
}

const ascends = (numbers: readonly number[]): boolean =>
  numbers.every((n, i) => i === 0 || n > numbers[i - 1]!);

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      megabytes: fc.integer({ min: 1, max: 6 }),
      width: fc.integer({ min: 40, max: 2000 }),
      every: fc.constantFrom(0, 1, 2, 10, 100, 1000),
    }),
  },
  { weight: 5, arbitrary: fc.record({ takes: fc.integer({ min: 1, max: 40 }) }) },
);

await t.test('order, sums and bounds hold, whatever is pushed and taken', (t) => {
  const seen = { saved: 0, lostHigh: 0, lostLow: 0 };
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 10 }), (steps) => {
      const source = new Source();
      const framer = new Framer(1);
      const gate = new Gate(source);
      for (const each of steps) {
        if ('megabytes' in each) {
          for (let i = 0; i < 16 * each.megabytes; i++) {
            framer.push(source.text(MIB / 16, each.width, each.every));
          }
        } else {
          for (let i = 0; i < each.takes; i++) {
            const frame = framer.take();
            if (!frame) break;
            gate.take(frame);
          }
        }
        const { read, overflow } = framer.totals;
        assert.equal(gate.lines + framer.waiting + overflow, read);
      }
      framer.push(source.end());
      framer.finish();
      for (let frame; (frame = framer.take());) gate.take(frame);
      assert.equal(gate.lasts, 1, 'it says that it was the last, once');
      assert.equal(framer.take(), undefined);
      assert.ok(ascends(gate.high) && ascends(gate.low), 'each kind is in order');
      const { read, overflow } = framer.totals;
      assert.equal(read, source.priority.length);
      assert.equal(gate.high.length + gate.low.length + overflow, read);
      assert.deepEqual(gate.before, framer.totals, 'the last frame says it all');
      const high = source.priority.filter((each) => each).length;
      seen.lostHigh += high - gate.high.length;
      seen.lostLow += read - high - gate.low.length;
      if (gate.high.some((number, i) => i > 0 && number < gate.low[0]!)) seen.saved++;
    }),
    { numRuns: 25 },
  );
  t.ok(seen.saved > 0, `in ${seen.saved} of them something was saved`);
  t.ok(seen.lostHigh > 0 && seen.lostLow > 1000, JSON.stringify(seen));
  t.end();
});

await t.test(
  'while they fit the room that is theirs, none of the highest priority is lost',
  (t) => {
    const source = new Source();
    const framer = new Framer(1);
    // 256 MiB in all, and 1 MiB of it of the highest priority.
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 256 * 16; i++) framer.push(source.text(MIB / 16, 128, 256));
    const grown = process.memoryUsage().arrayBuffers - before;
    // One is filled, one lent, one dropped from; and what the collector has not seen yet.
    const bound = (MAX_FRAMES + MAX_SAVED + 4) * (HEADER + MAX_PAYLOAD) + 2 * MIB;
    t.ok(grown < bound, `${grown} bytes`);
    framer.push(source.end());
    framer.finish();
    const gate = new Gate(source);
    for (let frame; (frame = framer.take());) gate.take(frame);
    t.equal(gate.high.length, source.priority.filter((high) => high).length);
    t.ok(gate.low[0]! > 0);
    t.ok(ascends(gate.low) && gate.low.length === source.priority.length - 1 - lastMissing(gate));
    t.end();

    /** The newest line of the others that is missing, with those of the highest priority counted. */
    function lastMissing({ high, low }: Gate): number {
      return low[0]! - 1 + high.filter((number) => number > low[0]!).length;
    }
  },
);

await t.test('of the highest priority alone, the newest are kept', (t) => {
  const source = new Source();
  const framer = new Framer(1);
  for (let i = 0; i < 64 * 16; i++) framer.push(source.text(MIB / 16, 128, 1));
  framer.push(source.end());
  framer.finish();
  const gate = new Gate(source);
  for (let frame; (frame = framer.take());) gate.take(frame);
  const lost = source.priority.length - gate.high.length;
  t.equal(gate.high[0], lost, 'the oldest are gone');
  t.equal(gate.high.at(-1), source.priority.length - 1);
  t.ok(ascends(gate.high));
  t.ok(gate.high.length * 128 > ((MAX_FRAMES + MAX_SAVED) * MAX_PAYLOAD) / 2);
  t.end();
});

await t.test('the head alone is read: decimal or hexadecimal, or it is not of priority 0', (t) => {
  const kept = ['0', '00', '31', '15', '256', '65311', '0x0', '0X1f', '0x001F', '0x100', '000000'];
  const dropped = [
    ...['32', '96', '255', '65535', '0x20', '0XE0', '0xffff', '0x', '', 'x', '-1', ' 0', '+0'],
    ...['0x1g', '1e0', '0.0', '0000000', '0x0000000', 'a', '0 ', '1a', '+OK!', '99999999999'],
  ];
  const framer = new Framer(1);
  for (const head of [...kept, ...dropped]) framer.push(Buffer.from(`${head},first,${head}\r\n`));
  framer.push(Buffer.from('0\n31\n0x1f\n,\n'));
  const filler = Buffer.from(`${'64,'.padEnd(1023, '7')}\n`.repeat(64));
  for (let i = 0; i < 300; i++) framer.push(filler);
  const found: string[] = [];
  const reader = new FrameReader();
  for (let frame; (frame = framer.take());) {
    reader.push(frame, ({ payload, start, end }) => {
      const lines = Buffer.from(payload.subarray(start, end)).toString('latin1').split('\r\n');
      found.push(...lines.filter((line) => line.includes('first')));
    });
  }
  t.same(
    found,
    kept.map((head) => `${head},first,${head}`),
  );
  t.end();
});

await t.test('a connection that ends in the middle of all that says so once', (t) => {
  for (const [text, lines] of [
    ['', 0],
    ['0,1,2\n', 1],
    ['0,1', 0],
  ] as const) {
    for (const early of [false, true]) {
      const framer = new Framer(7);
      const said: [lines: number, last: boolean][] = [];
      const reader = new FrameReader();
      const take = (): void => {
        const frame = framer.take();
        if (frame) reader.push(frame, ({ lines, last }) => said.push([lines, last]));
      };
      framer.push(Buffer.from(text));
      if (early) take();
      framer.finish();
      for (let i = 0; i < 3; i++) take();
      const first = early && lines > 0;
      t.same(
        said,
        first
          ? [
              [1, false],
              [0, true],
            ]
          : [[lines, true]],
        `'${text}' ${early}`,
      );
    }
  }
  t.end();
});
