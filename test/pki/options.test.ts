import t from 'tap';
import {
  checkBits,
  checkCommonName,
  checkDays,
  checkNotBefore,
  OptionError,
  quote,
} from '../../src/pki/options.js';

await t.test('a common name has 1 to 64 printable characters', (t) => {
  for (const name of ['relay', 'tidegate CA', 'Zürich — Hafen', 'x'.repeat(64), '𝕏'.repeat(64)]) {
    t.doesNotThrow(() => checkCommonName(name), name);
  }
  t.throws(() => checkCommonName(''), { name: 'OptionError', message: /is empty/ });
  t.throws(() => checkCommonName('   '), { name: 'OptionError', message: /is empty/ });
  t.throws(() => checkCommonName(' relay'), { message: /starts or ends with a blank/ });
  t.throws(() => checkCommonName('x'.repeat(65)), { message: /has 65 characters, at most 64/ });
  t.end();
});

const MARKS = ['\0', '\n', '\x1b[31m', '\x7f', '\x85', '\x9b', '\u2028', '\u202e', '\ud800'];

await t.test('a common name cannot break a line, recolour a terminal or reorder text', (t) => {
  for (const mark of MARKS) {
    const label = `U+${mark.charCodeAt(0).toString(16)}`;
    t.throws(() => checkCommonName(`re${mark}lay`), { message: /control character/ }, label);
  }
  t.end();
});

await t.test('quoted text is a single printable line', (t) => {
  t.equal(quote('a "b"'), '"a \\"b\\""');
  t.equal(quote('a\n\x9b\u202e\u{e0001}'), '"a\\n\\u{9b}\\u{202e}\\u{e0001}"');
  t.notMatch(quote(MARKS.join('')), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  t.ok(new OptionError('a') instanceof Error);
  t.end();
});

await t.test('days are whole and within their bounds', (t) => {
  t.doesNotThrow(() => checkDays(1, 10));
  t.doesNotThrow(() => checkDays(10, 10));
  for (const days of [0, -1, 11, 1.5, NaN, Infinity]) {
    const message = `days must be a whole number from 1 to 10, not ${days}`;
    t.throws(() => checkDays(days, 10), { name: 'OptionError', message });
  }
  t.end();
});

await t.test('keys have 2048, 3072 or 4096 bits', (t) => {
  for (const bits of [2048, 3072, 4096]) t.doesNotThrow(() => checkBits(bits));
  for (const bits of [512, 1024, 2049, 8192, NaN]) {
    t.throws(() => checkBits(bits), { name: 'OptionError', message: /one of 2048, 3072, 4096/ });
  }
  t.end();
});

await t.test('a life starts at a date that a certificate can hold', (t) => {
  t.doesNotThrow(() => checkNotBefore(new Date('2020-02-03T04:05:06Z')));
  for (const date of [new Date(NaN), new Date('1949-12-31T00:00:00Z')]) {
    t.throws(() => checkNotBefore(date), { name: 'OptionError', message: /notBefore/ });
  }
  t.end();
});
