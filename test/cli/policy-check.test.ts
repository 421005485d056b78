import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { completion } from '../../src/cli/completion.js';
import { excerpt, printable, printableJson } from '../../src/cli/excerpt.js';
import type { Io } from '../../src/cli/io.js';
import { policy, POLICY_HELP } from '../../src/cli/policy.js';
import { policyCheck } from '../../src/cli/policy-check.js';
import type { Finding } from '../../src/review/lint.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');

/** A directory of files, and what `policy check` makes of them. */
function world(t: Test, files: Readonly<Record<string, string>>) {
  const directory = t.testdir(files);
  return (...args: readonly string[]): { code: number; lines: string[] } => {
    const lines: string[] = [];
    const io: Io = { out: (line) => lines.push(line), err: (line) => lines.push(`err ${line}`) };
    const paths = args.map((arg) => (arg in files || arg === 'none' ? join(directory, arg) : arg));
    const code = policyCheck(paths, io, NOW);
    return { code, lines: lines.map((line) => line.replaceAll(`${directory}/`, '')) };
  };
}

const CAREFUL = `schema: tidegate-policy/v1
policy: { id: hall, revision: 1, expires: 2027-03-31 }
rules:
  - name: climate
    effect: permit
    to: public
    match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }
    emit: { value: keep, sensor: keep, time: { floor: 1m } }
tests:
  - name: goes up
    feed: { event: { class: 10, type: 6, value: 20, unit: celsius } }
    expect: { rule: climate }
`;
const RAW = CAREFUL.replace('time: { floor: 1m }', 'time: keep');
const WRONG = CAREFUL.replace('id: hall', 'id: wrong')
  .replace('TEMPERATURE }', 'TEMPRATURE }')
  .replace('rule: climate', 'rule: climte');

await t.test('text: a line with a caret, the fix, and a sum', (t) => {
  const check = world(t, { 'ok.yaml': CAREFUL, 'raw.yaml': RAW, 'wrong.yaml': WRONG });
  t.strictSame(check('ok.yaml'), {
    code: 0,
    lines: ['1 file, 1 rule, 1 test (not run): policy OK'],
  });
  t.strictSame(check('raw.yaml'), {
    code: 0,
    lines: [
      "raw.yaml:8:46: warning: permit 'hall/climate' keeps timestamps: microseconds tell devices " +
        'apart, and say when people come [raw-time]',
      '   8 |     emit: { value: keep, sensor: keep, time: keep }',
      '     |                                              ^',
      '  fix: send time: { floor: 1m }, relay or zero',
      '',
      '1 file, 1 rule, 1 test (not run): 1 warning',
    ],
  });
  t.equal(check('raw.yaml', '--strict').code, 1);
  t.strictSame(check('wrong.yaml', 'none'), {
    code: 1,
    lines: [
      "wrong.yaml:7:47: error: class CLASS1.MEASUREMENT (10) has no type 'TEMPRATURE'; did you " +
        "mean 'TEMPERATURE'? [invalid]",
      '   7 |     match: { class: CLASS1.MEASUREMENT, type: TEMPRATURE }',
      '     |                                               ^',
      '',
      "wrong.yaml:12:21: error: this file has no rule 'climte' [invalid]",
      '  12 |     expect: { rule: climte }',
      '     |                     ^',
      '',
      'none:1:1: error: cannot read it: there is no such file [unreadable]',
      '',
      '2 files, 0 rules, 0 tests: 3 errors; hazards are looked for once there are no errors',
    ].map((line) => line.replace('CLASS1.MEASUREMENT (10)', 'CLASS1.MEASUREMENT')),
  });
  t.end();
});

await t.test('files are taken together', (t) => {
  const check = world(t, { 'a.yaml': CAREFUL, 'b.yaml': CAREFUL });
  const { code, lines } = check('a.yaml', 'b.yaml');
  t.equal(code, 1);
  t.equal(lines[0], "b.yaml:2:15: error: a second policy with the id 'hall' [not-loadable]");
  t.equal(lines.at(-1), '2 files, 2 rules, 2 tests (not run): 1 error');
  t.end();
});

await t.test('github: workflow commands, escaped', (t) => {
  const file = 'a,b:c%d.yaml';
  const check = world(t, { [file]: RAW, 'wrong.yaml': WRONG });
  const { lines } = check(file, '--format', 'github');
  const { lines: wrong } = check('wrong.yaml', '-f', 'github');
  t.match(lines[0]!, /^::warning file=\S*a%2Cb%3Ac%25d\.yaml,line=8,col=46,title=raw-time::permit/);
  t.match(lines[0]!, /people come%0Afix: send time: \{ floor: 1m \}/);
  t.equal(lines.length, 2);
  t.match(wrong[0]!, /^::error file=wrong.yaml,line=7,col=47,title=invalid::class /);
  t.end();
});

await t.test('json: one object of a stable shape', (t) => {
  const check = world(t, { 'raw.yaml': RAW });
  const { code, lines } = check('raw.yaml', '--format', 'json');
  t.equal(code, 0);
  t.equal(lines.length, 1);
  const { findings, ...counts } = JSON.parse(lines[0]!) as { findings: Finding[] };
  t.strictSame(counts, { files: 1, rules: 1, tests: 1, errors: 0, warnings: 1 });
  t.strictSame(Object.keys(findings[0]!).sort(), [
    'code',
    'column',
    'file',
    'fix',
    'line',
    'message',
    'severity',
  ]);
  t.match(findings[0], { code: 'raw-time', severity: 'warning', line: 8, column: 46 });
  t.end();
});

await t.test('what is no policy is an error, whatever it is', (t) => {
  const check = world(t, {
    'big.yaml': `# ${'x'.repeat(1024 * 1024)}\n`,
    'empty.yaml': '',
    'escape.yaml': 'schema: "\u001b[2J"\n',
    'tab.yaml': 'schema: x\n\tpolicy: y\n',
  });
  t.match(check('big.yaml').lines[0]!, /big\.yaml:1:1: error: the file is larger than 1 MiB/);
  t.match(check('empty.yaml'), { code: 1, lines: [/empty\.yaml:1:1: error: /] });
  const { lines } = check('escape.yaml');
  t.match(lines[0]!, /escape\.yaml:1:10: error: control characters/);
  t.equal(lines[1], '   1 | schema: "\ufffd[2J"');
  t.notMatch(lines.join('\n'), /\u001b/);
  t.match(check('tab.yaml').lines[1]!, /^ {3}2 \| {9}policy: y$/);
  t.match(check(t.testdirName), { code: 1, lines: [/it is a directory/] });
  t.end();
});

await t.test('an excerpt points at the character, however wide what is before it', (t) => {
  const at = (line: string, column: number, room = 40) => excerpt(line, column, room);
  t.strictSame(at('abc', 3), { source: 'abc', caret: '  ^' });
  t.strictSame(at('abc', 4), { source: 'abc', caret: '   ^' });
  t.strictSame(at('', 1), { source: '', caret: '^' });
  t.strictSame(at('a\tb', 3), { source: 'a       b', caret: '        ^' });
  t.strictSame(at('日本x', 3), { source: '日本x', caret: '    ^' });
  t.strictSame(at('😀x', 3), { source: '😀x', caret: '  ^' });
  t.strictSame(at('e\u0301x', 3), { source: 'e\u0301x', caret: ' ^' });
  t.strictSame(at('\u202ea\u009bx', 4), { source: '\ufffda\ufffdx', caret: '   ^' });
  t.equal(at(`e${'\u0301'.repeat(100)}`, 1).source.length, 5);
  for (const column of [1, 30, 500, 999, 1000, 1001]) {
    const long = 'x'.repeat(column - 1) + '^' + 'y'.repeat(Math.max(0, 1000 - column));
    const { source, caret } = at(long, column);
    t.ok(source.length <= 46, `${column}: ${source.length}`);
    t.equal(source[caret.length - 1], '^', String(column));
    t.equal(source.startsWith('...'), column > 30 || source.startsWith('.'), String(column));
  }
  const huge = at('x'.repeat(1024 * 1024), 600_000);
  t.match(huge.source, /^\.\.\.x+\.\.\.$/);
  t.equal(printable('a\u001bb\u2028c'), 'a\ufffdb\ufffdc');
  const hidden = '{"a":"\\u009b\\u202e\\udb40\\udc01é"}';
  t.equal(printableJson({ a: '\u009b\u202e\u{e0001}é' }), hidden);
  t.strictSame(JSON.parse(printableJson({ a: '\u009b\u{e0001}' })), { a: '\u009b\u{e0001}' });
  t.end();
});

await t.test('colours are for terminals, and not where NO_COLOR is set', (t) => {
  const directory = t.testdir({ 'ok.yaml': CAREFUL });
  const said = (terminal: boolean): string => {
    const lines: string[] = [];
    policyCheck(
      [join(directory, 'ok.yaml')],
      { out: (line) => lines.push(line), err: () => undefined, terminal },
      NOW,
    );
    return lines.join('\n');
  };
  const { NO_COLOR: before } = process.env;
  delete process.env['NO_COLOR'];
  t.match(said(true), /^\u001b\[32m.*policy OK\u001b\[0m$/);
  t.notMatch(said(false), /\u001b/);
  process.env['NO_COLOR'] = '1';
  t.notMatch(said(true), /\u001b/);
  if (before === undefined) delete process.env['NO_COLOR'];
  else process.env['NO_COLOR'] = before;
  t.end();
});

await t.test('policy: help teaches, what is unknown names the nearest known', async (t) => {
  const run = async (...args: readonly string[]) => {
    const lines: string[] = [];
    const io: Io = { out: (line) => lines.push(line), err: (line) => lines.push(line) };
    return { code: await policy(args, io), text: lines.join('\n') };
  };
  const help = await run('--help');
  t.equal(help.code, 0);
  for (const name of ['check', 'test', 'explain', 'schema', 'import']) {
    t.match(help.text, new RegExp(`^ +${name} `, 'm'));
    t.match(await run(name, '--help'), { code: 0, text: /Usage: / });
  }
  t.match(await run('chekc'), { code: 2, text: /did you mean 'check'\?/ });
  t.match(await run(), { code: 2, text: /a command is missing/ });
  t.match(await run('check'), { code: 2, text: /^tidegate policy check: name the policy files/ });
  t.match(await run('check', 'x', '--format', 'jsno'), { code: 2, text: /did you mean 'json'\?/ });
  t.match(await run('check', 'x', '--stict'), { code: 2, text: /did you mean '--strict'\?/ });
});

await t.test("the policy in the help is one that 'check' has nothing to say about", (t) => {
  const example = POLICY_HELP.slice(POLICY_HELP.indexOf('  schema: ')).replaceAll(/^ {2}/gm, '');
  const check = world(t, { 'example.yaml': `${example}\n` });
  t.match(check('example.yaml'), { code: 0, lines: [/policy OK$/] });
  t.end();
});

await t.test('bash completes the commands below policy, their options, and formats', (t) => {
  const lines: string[] = [];
  completion(['bash'], { out: (line) => lines.push(line), err: () => undefined });
  const complete = (...words: readonly string[]): string => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const script =
      `${lines.join('\n')}\nCOMP_WORDS=(tidegate ${quoted}); COMP_CWORD=${words.length}; ` +
      'COMPREPLY=(old); _tidegate; echo "${COMPREPLY[*]}"';
    return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim();
  };
  t.equal(complete('pol'), 'policy');
  t.equal(complete('policy', 'ch'), 'check');
  t.equal(complete('policy', 'check', '--s'), '--strict');
  t.equal(complete('policy', 'check', '--format', 'g'), 'github');
  t.equal(complete('policy', 'check', 'hall'), '', 'left to readline: files');
  t.end();
});
