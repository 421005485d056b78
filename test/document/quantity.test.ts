import t from 'tap';
import { parseDuration, parseSize } from '../../src/document/quantity.js';
import { type Field, parseDocument } from '../../src/document/document.js';

function field(value: string): Field {
  return parseDocument(`q: ${value}`, 'f').record(['q']).q!;
}

await t.test('a size is a number and a unit', (t) => {
  const cases: [string, number][] = [
    ['0B', 0],
    ['1B', 1],
    ['1kB', 1000],
    ['1KiB', 1024],
    ['1.5MiB', 1572864],
    ['2 GB', 2e9],
    ['1GiB', 1073741824],
    ['"1TB"', 1e12],
    ['1TiB', 2 ** 40],
    ['0.001kB', 1],
    ['1.001B', 1],
    ['8191TiB', 8191 * 2 ** 40],
  ];
  for (const [text, bytes] of cases) t.equal(parseSize(field(text), 0), bytes, text);
  t.end();
});

await t.test('a duration is a number and a unit', (t) => {
  const cases: [string, number][] = [
    ['1ms', 1],
    ['1s', 1000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1.0001s', 0],
  ];
  for (const [text, ms] of cases.slice(0, -1)) t.equal(parseDuration(field(text), 0), ms, text);
  t.throws(() => parseDuration(field('1.0001s'), 0), /^f:1:4: q must be a number and a unit as 7d/);
  t.end();
});

await t.test('what is no quantity is refused with the units', (t) => {
  const units = 'q must be a number and a unit as 1GiB; units: B kB MB GB TB KiB MiB GiB TiB';
  for (const text of [
    ...[
      '1',
      '1.5',
      '1073741824',
      'GiB',
      '1gib',
      '1Gib',
      '-1GiB',
      '+1GiB',
      '1e3MB',
      '.5GiB',
      '1.GiB',
    ],
    ...['1GiB ', '1 GiBx', '1  GiB', '1,5GiB', '0x1GiB', '1toString', '1constructor', '1__proto__'],
    ...['', '~', 'true', '.inf', '.nan', '1234567890123B', '1d'],
  ]) {
    t.throws(
      () => parseSize(field(JSON.stringify(text)), 0),
      { message: text === '' ? /./ : `f:1:4: ${units}` },
      text,
    );
  }
  t.throws(() => parseSize(field('1073741824'), 0), { message: `f:1:4: ${units}` });
  t.throws(() => parseSize(field('[1GiB]'), 0), /^f:1:4: q must be a single value$/);
  t.end();
});

await t.test('a quantity has bounds', (t) => {
  const min = 4 * 2 ** 20;
  t.equal(parseSize(field('4MiB'), min), min);
  t.throws(() => parseSize(field('4MB'), min), /^f:1:4: q must be at least 4MiB$/);
  t.equal(parseDuration(field('1s'), 1000), 1000);
  t.throws(() => parseDuration(field('999.999ms'), 1000), /^f:1:4: q must be at least 1s$/);
  t.throws(() => parseSize(field('8192TiB'), 0), /^f:1:4: q is too large$/);
  t.throws(() => parseDuration(field('999999999999d'), 0), /^f:1:4: q is too large$/);
  t.end();
});
