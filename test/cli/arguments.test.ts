import t from 'tap';
import { parseStrictly } from '../../src/cli/arguments.js';

const OPTIONS = {
  dir: { type: 'string', default: '.' },
  host: { type: 'string', multiple: true },
  server: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

await t.test('options and positionals come out typed', (t) => {
  const { values, positionals } = parseStrictly(
    ['a', '--dir=x', '--host', 'h1', '--host', 'h2', '-h', '--', '-b'],
    OPTIONS,
  );
  t.strictSame({ ...values }, { dir: 'x', host: ['h1', 'h2'], help: true });
  t.strictSame(positionals, ['a', '-b']);
  t.end();
});

await t.test('an unknown option is refused with the nearest known one', (t) => {
  const cases: [string, string][] = [
    ['--dri', 'unknown option "--dri"; did you mean \'--dir\'?'],
    ['--hots=x', 'unknown option "--hots"; did you mean \'--host\'?'],
    ['--sever', 'unknown option "--sever"; did you mean \'--server\'?'],
    ['--xyzzy', 'unknown option "--xyzzy"; known: --dir --host --server --help'],
  ];
  for (const [arg, message] of cases) {
    t.throws(() => parseStrictly([arg], OPTIONS), { name: 'UsageError', message }, arg);
  }
  t.end();
});

await t.test('an option given twice, without its value or with one too many is refused', (t) => {
  const cases: [string[], RegExp][] = [
    [['--dir', 'a', '--dir', 'b'], /--dir is given twice/],
    [['--dir'], /argument missing/],
    [['--dir', '--server'], /ambiguous/],
    [['--server=yes'], /does not take an argument/],
  ];
  for (const [args, message] of cases) {
    t.throws(() => parseStrictly(args, OPTIONS), { name: 'UsageError', message }, args.join(' '));
  }
  t.end();
});

await t.test('every message is one line', (t) => {
  for (const args of [['--dir', '--server'], ['--a\nb'], ['--dir']]) {
    try {
      parseStrictly(args, OPTIONS);
      t.fail('it must throw');
    } catch (error) {
      t.notMatch(String(error), /\n/);
    }
  }
  t.end();
});
