import fc from 'fast-check';
import t from 'tap';
import { formatLine, LineCutter } from '../../src/cli/pretty.js';

process.env['TZ'] = 'Europe/Berlin';

const BELL = String.fromCharCode(7);

/** Lines of a log, and what a person sees. */
const GOLDEN: readonly (readonly [line: string, shown: string])[] = [
  [
    '{"level":"info","time":"2026-11-22T08:00:01.250Z","process":"supervisor","event":"started","config":"/etc/tidegate/tidegate.yaml","msg":"relay started"}',
    '09:00:01 INFO  supervisor: relay started event=started config=/etc/tidegate/tidegate.yaml',
  ],
  [
    '{"level":"warn","time":"2026-06-01T22:59:59.000Z","process":"upper","name":"portal","event":"tls","msg":"TLS failed: expired (CERT_HAS_EXPIRED)","from":"upper portal","repeated":12}',
    '00:59:59 WARN  upper portal: TLS failed: expired (CERT_HAS_EXPIRED) event=tls repeated=12',
  ],
  [
    '{"level":"warn","time":"2026-11-22T08:00:01.250Z","process":"supervisor","link":"lower plant","event":"disconnected","cause":"eof","msg":"the connection ended"}',
    '09:00:01 WARN  lower plant: the connection ended event=disconnected cause=eof',
  ],
  [
    '{"level":"info","time":"2026-11-22T08:00:01Z","process":"gate","seals":["user","x"],"n":1.5,"up":true,"no":null,"words":"two words","empty":"","quoted":"a=\\"b\\"","from":"gate"}',
    '09:00:01 INFO  gate: seals=["user","x"] n=1.5 up=true no=null words="two words" empty="" quoted="a=\\"b\\""',
  ],
  ['{}', '--:--:-- ----- -:'],
  ['{"level":["fatal"],"time":"soon","msg":{"a":1},"from":7}', '--:--:-- ----- 7: {"a":1}'],
  ['{"level":"toString","time":null,"msg":""}', '--:--:-- ----- -: '],
  ['{"__proto__":{"level":"info"},"msg":"x"}', '--:--:-- ----- -: x __proto__={"level":"info"}'],
  ['segmentation fault', 'segmentation fault'],
  ['{"level":"info","msg":"broken', '{"level":"info","msg":"broken'],
  ['[1]', '[1]'],
  ['', ''],
  // What JSON has undone is done again.
  [
    '{"msg":"\\u001b[2J\\u0007\\r\\n\\u009b1m","from":"a\\nb"}',
    '--:--:-- ----- a\\u000ab: \\u001b[2J\\u0007\\u000d\\u000a\\u009b1m',
  ],
  [
    '{"k\\u001b[1m":"\\u202etxt\\u200b","msg":"x"}',
    '--:--:-- ----- -: x "k\\u001b[1m"="\\u202etxt\\u200b"',
  ],
  [`\x1b[31mraw${BELL}\u2028`, '\\u001b[31mraw\\u0007\\u2028'],
  ['{"msg":"\\ud800 Größe ✓ \u{1f30a}"}', '--:--:-- ----- -: \\ud800 Größe ✓ \u{1f30a}'],
];

await t.test('golden lines', (t) => {
  for (const [line, shown] of GOLDEN) t.equal(formatLine(line, false), shown);
  t.end();
});

await t.test('colours are the level’s alone', (t) => {
  const line = '{"level":"LEVEL","time":"2026-11-22T08:00:01Z","msg":"\\u001b[31mred"}';
  for (const [level, word] of [
    ['info', '\x1b[32mINFO \x1b[0m'],
    ['warn', '\x1b[33mWARN \x1b[0m'],
    ['error', '\x1b[31mERROR\x1b[0m'],
    ['fatal', '\x1b[1;31mFATAL\x1b[0m'],
    ['loud', '-----'],
  ] as const) {
    t.equal(formatLine(line.replace('LEVEL', level), true), `09:00:01 ${word} -: \\u001b[31mred`);
  }
  t.end();
});

await t.test('huge lines are cut, and never in the middle of a character', (t) => {
  for (const line of [
    'x'.repeat(1e6),
    '\x1b'.repeat(1e6),
    `{"msg":"${'x'.repeat(1e6)}"}`,
    `{"msg":"${'\\u001b'.repeat(30_000)}"}`,
    `{"level":"info","msg":"x","${'k'.repeat(10_000)}":1}`,
    `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  ]) {
    const shown = formatLine(line, false);
    t.ok(shown.length > 1000 && shown.length < 2100, `${shown.length} characters`);
    t.match(shown, /\.\.\.$/);
  }
  for (const more of ['', 'x']) {
    const line = `{"msg":"${more}${'\u{1f30a}'.repeat(5000)}"}`;
    t.notMatch(formatLine(line, false), /\p{Cs}/u);
  }
  t.end();
});

const LINE = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.object().map((value) => JSON.stringify(value)),
  fc
    .record({
      level: fc.constantFrom('info', 'x'),
      msg: fc.string({ unit: 'binary' }),
      from: fc.anything(),
    })
    .map((value) => JSON.stringify(value)),
);

await t.test('whatever the line, one line comes out and no escape in it', (t) => {
  fc.assert(
    fc.property(LINE, (line) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(formatLine(line, false))),
    { numRuns: 3000 },
  );
  t.end();
});

await t.test('a stream is cut into the same lines wherever it is split', (t) => {
  const lines = fc.array(
    LINE.map((line) => line.replaceAll('\n', '')),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(lines, fc.array(fc.nat(400)), fc.boolean(), (lines, cuts, ended) => {
      const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
      const got: string[] = [];
      const cutter = new LineCutter();
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), text.length]) {
        cutter.push(text.slice(from, Math.max(from, cut)), (line) => got.push(line));
        from = Math.max(from, Math.min(cut, text.length));
      }
      cutter.end((line) => got.push(line));
      const expected = text.split('\n');
      if (expected.at(-1) === '') expected.pop();
      return JSON.stringify(got) === JSON.stringify(expected);
    }),
    { numRuns: 1000 },
  );
  t.end();
});

await t.test('of a line without an end the beginning is kept, and the next line is whole', (t) => {
  const got: string[] = [];
  const cutter = new LineCutter();
  const take = (line: string): number => got.push(formatLine(line, false));
  for (let i = 0; i < 200; i++) cutter.push('{"msg":"x'.repeat(1000), take);
  cutter.push('\n{"msg":"next"}\n', take);
  t.equal(got.length, 2);
  t.match(got[0], /^\{"msg":"x.*\.\.\.$/);
  t.equal(got[1], '--:--:-- ----- -: next');
  t.end();
});
