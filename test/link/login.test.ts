import fc from 'fast-check';
import t from 'tap';
import { buildLogin } from '../../src/link/login.js';

const FULL = '0,0,0,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00';

await t.test('the script is one command a line, in the order of the login, RCVLOOP last', (t) => {
  const { bytes, steps } = buildLogin({
    user: 'relay',
    password: 'pass word',
    filter: FULL,
    mask: FULL,
  });
  const lines = [
    'USER relay\r\n',
    'PASS pass word\r\n',
    `SFLT ${FULL}\r\n`,
    `SMSK ${FULL}\r\n`,
    'RCVLOOP\r\n',
  ];
  t.equal(bytes.toString('latin1'), lines.join(''));
  t.strictSame(
    steps.map(({ name }) => name),
    ['USER', 'PASS', 'SFLT', 'SMSK', 'RCVLOOP'],
  );
  let start = 0;
  steps.forEach(({ end }, i) => {
    t.equal(bytes.toString('latin1', start, end), lines[i]);
    start = end;
  });
  t.end();
});

await t.test('without filter and mask neither is sent', (t) => {
  const { bytes, steps } = buildLogin({
    user: 'u',
    password: 'p',
    filter: undefined,
    mask: undefined,
  });
  t.equal(bytes.toString(), 'USER u\r\nPASS p\r\nRCVLOOP\r\n');
  t.equal(steps.at(-1)!.end, bytes.length);
  t.end();
});

await t.test('steps end at bytes, not at characters', (t) => {
  const { bytes, steps } = buildLogin({
    user: 'u',
    password: 'gr\u00fc\u00dfe \u2603',
    filter: undefined,
    mask: undefined,
  });
  t.equal(bytes.toString('utf8', steps[0]!.end, steps[1]!.end), 'PASS gr\u00fc\u00dfe \u2603\r\n');
  t.equal(bytes.toString('utf8', steps[1]!.end), 'RCVLOOP\r\n');
  t.end();
});

await t.test('no field can break out of its line, and none may be empty', (t) => {
  const good = { user: 'u', password: 'p', filter: FULL, mask: FULL };
  for (const field of ['user', 'password', 'filter', 'mask'] as const) {
    for (const bad of ['', 'a\r\nSEND 0', 'a\nb', 'a\rb', 'a\x00b', '\t', 'a\x7f', 'a\x1b[2J']) {
      t.throws(() => buildLogin({ ...good, [field]: bad }), /empty or holds control characters/);
    }
  }
  t.end();
});

await t.test('property: whatever is accepted has one line for each step', (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const maybe = fc.option(text, { nil: undefined });
  fc.assert(
    fc.property(text, text, maybe, maybe, (user, password, filter, mask) => {
      let script;
      try {
        script = buildLogin({ user, password, filter, mask });
      } catch {
        return;
      }
      const lines = script.bytes.toString('latin1').split('\r\n');
      t.equal(lines.pop(), '');
      t.equal(lines.length, script.steps.length);
      t.notOk(lines.some((line) => /[\r\n\x00]/.test(line)));
      t.strictSame(
        lines.map((line) => line.split(' ')[0]),
        script.steps.map(({ name }) => name),
      );
    }),
    { numRuns: 300 },
  );
  t.end();
});
