import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Io } from '../../src/cli/io.js';
import { policyTest } from '../../src/cli/policy-test.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');

function world(t: Test, files: Readonly<Record<string, string>>) {
  const directory = t.testdir(files);
  return (args: readonly string[], terminal = false): { code: number; lines: string[] } => {
    const lines: string[] = [];
    const io: Io = {
      out: (line) => lines.push(line),
      err: (line) => lines.push(`err ${line}`),
      terminal,
    };
    const paths = args.map((arg) => (arg in files ? join(directory, arg) : arg));
    const code = policyTest(paths, io, NOW);
    return { code, lines: lines.map((line) => line.replaceAll(`${directory}/`, '')) };
  };
}

const GOOD = `schema: tidegate-policy/v1
policy: { id: hall, revision: 3, expires: 2027-03-31 }
rules:
  - name: climate
    effect: permit
    to: public
    match: { class: CLASS1.MEASUREMENT, type: TEMPERATURE }
    emit:
      value: { unit: celsius, round: 0.5 }
      guid: { pseudonym: { key_file: /none, prefix: "02:52/16" } }
    limits: { rate: 2/s, burst: 2 }
tests:
  - name: to half a degree
    feed: { event: { class: 10, type: 6, value: 21.37, unit: celsius } }
    expect: { rule: climate, emitted: 1, out: { value: 21.5, unit: celsius, guid: "02:52/16" } }
  - name: two at once
    feed: { repeat: 5, event: { class: 10, type: 6, value: 21, unit: celsius } }
    expect: { emitted: 2, withheld: { rate: 3 } }
`;
const MISS = `  - name: nothing else
    feed:
      - { event: { class: 20, type: 6 } }
      - { event: { class: 10, type: 6, value: 1, unit: celsius } }
    expect: { emitted: 1 }
`;
const BAD = GOOD.replace('value: 21.5,', 'value: 21.4,').replace('rate: 3 }', 'rate: 2 }');

await t.test('tests that pass: integer counts, key files are not read', (t) => {
  const run = world(t, { 'good.yaml': GOOD });
  t.strictSame(run(['good.yaml']), {
    code: 0,
    lines: [
      'good.yaml (hall, revision 3)',
      '  ok   to half a degree  1 event fed, 1 sent',
      '  ok   two at once       5 events fed, 2 sent',
      '',
      '2 tests: 2 passed, 0 failed; 6 events fed, 3 sent',
    ],
  });
  t.match(run(['good.yaml'], true).lines[1]!, /✓.* to half a degree/);
  t.end();
});

await t.test('tests that fail: what was expected, where, and what was sent', (t) => {
  const run = world(t, { 'bad.yaml': BAD });
  const { code, lines } = run(['bad.yaml']);
  t.equal(code, 1);
  const pseudonym = /by hall\/climate: (96,10,6,0,,0,02:52:[0-9A-F:]{41},\S+)$/.exec(
    lines[5] ?? '',
  );
  t.ok(pseudonym, 'the event as a line, with a pseudonym');
  t.strictSame(
    lines.map((line) => line.replace(/96,10,6,.*/, 'EVENT')),
    [
      'bad.yaml (hall, revision 3)',
      '  FAIL to half a degree  1 event fed, 1 sent',
      'bad.yaml:15:47: value: expected 21.4, sent 21.5',
      `  15 | ${BAD.split('\n')[14]!}`,
      '     |                                               ^',
      '     sent to public by hall/climate: EVENT',
      '  FAIL two at once       5 events fed, 2 sent',
      'bad.yaml:18:13: withheld rate: expected 2, counted 3',
      `  18 | ${BAD.split('\n')[17]!}`,
      '     |             ^',
      '     permitted and not sent: 3 withheld.rate',
      '     sent to public by hall/climate: EVENT',
      '     sent to public by hall/climate: EVENT',
      '',
      '2 tests: 0 passed, 2 failed; 6 events fed, 3 sent',
    ],
  );
  t.match(run(['bad.yaml'], true).lines[1]!, /✗.* to half a degree/);
  t.end();
});

await t.test('many events sent: the last ones are shown', (t) => {
  const many = GOOD.replace('    limits: { rate: 2/s, burst: 2 }\n', '')
    .replace('repeat: 5', 'repeat: 500')
    .replace('emitted: 2, withheld: { rate: 3 }', 'emitted: 2');
  const { lines } = world(t, { 'many.yaml': many })(['many.yaml']);
  t.ok(lines.includes('     sent 500 events, the last 8:'));
  t.equal(lines.filter((line) => line.startsWith('     sent to ')).length, 8);
  t.end();
});

await t.test('a test that touches no rule fails', (t) => {
  const text = GOOD.replace(
    'class: 10, type: 6, value: 21.37',
    'class: 20, type: 6, data: [1], value: 1',
  )
    .replace(', value: 1, unit: celsius', '')
    .replace(/expect: \{ rule: climate.*/, 'expect: { rule: none }');
  const { code, lines } = world(t, { 'p.yaml': text })(['p.yaml']);
  t.equal(code, 1);
  t.ok(
    lines.includes(
      'p.yaml:13:5: no rule matches any event of this test, so it shows nothing of the policy: feed one that a rule matches as well',
    ),
  );
  t.end();
});

const URGENT = `schema: tidegate-policy/v1
policy: { id: hall, revision: 3, expires: 2027-03-31 }
rules:
  - { name: alarms, effect: permit, to: [public, brigade], urgent: true, match: { class: 1 } }
  - { name: levels, effect: permit, to: public, match: { class: 10 } }
tests:
  - name: an alarm
    feed: { event: { class: 1, type: 1, priority: 7 } }
    expect: { emitted: 2, urgent: true }
  - name: a level
    feed: { event: { class: 10, type: 6, value: 21, unit: celsius } }
    expect: { urgent: false }
  - name: a level of the highest priority
    feed: { event: { class: 10, type: 6, priority: 0, value: 21, unit: celsius } }
    expect: { urgent: true }
  - name: both
    feed:
      - { event: { class: 1, type: 1 } }
      - { event: { class: 10, type: 6, value: 21, unit: celsius } }
    expect: { channel: brigade, urgent: true }
`;

await t.test('urgent: of each event that is sent, on the channel that is named', (t) => {
  const run = world(t, { 'good.yaml': URGENT, 'bad.yaml': withOthers(URGENT) });
  t.equal(run(['good.yaml', '--coverage']).code, 0);
  const { code, lines } = run(['bad.yaml']);
  t.equal(code, 1);
  t.strictSame(
    lines.filter((line) => line.startsWith('bad.yaml:')),
    [
      'bad.yaml:9:13: urgent: expected false, 2 of 2 sent as urgent',
      'bad.yaml:12:13: urgent: expected true, 1 of 1 sent as routine',
      'bad.yaml:15:13: urgent: expected false, 1 of 1 sent as urgent',
      'bad.yaml:20:13: urgent: expected true, 1 of 3 sent as routine',
    ],
  );
  const sent = lines.filter((line) => line.startsWith('     sent to'));
  t.match(sent[0], /^ {5}sent to public by hall\/alarms, urgent: 224,1,1,/);
  t.match(sent[2], /^ {5}sent to public by hall\/levels: 96,10,6,/);
  const json = run(['bad.yaml', '--json']).lines.join('\n');
  t.match(JSON.parse(json), { policies: [{ tests: [{ events: [{ urgent: true }] }] }] });
  const none = URGENT.replace('class: 1, type: 1, priority: 7', 'class: 3, type: 1');
  t.match(
    world(t, { 'none.yaml': none })(['none.yaml']).lines.join('\n'),
    /urgent: expected true, sent nothing/,
  );
  t.end();
});

/** What is urgent is expected not to be, and the other way round; of both channels. */
function withOthers(text: string): string {
  return text
    .replace('emitted: 2, urgent: true', 'urgent: not')
    .replace('{ urgent: true', '{ urgent: not')
    .replace('urgent: false', 'urgent: true')
    .replaceAll('urgent: not', 'urgent: false')
    .replace('channel: brigade, ', '');
}

await t.test('--coverage counts, and a gap fails', (t) => {
  const run = world(t, { 'gap.yaml': GOOD, 'full.yaml': GOOD + MISS });
  t.equal(run(['gap.yaml']).code, 0, 'without --coverage it passes');
  const gap = run(['gap.yaml', '--coverage']);
  t.equal(gap.code, 1);
  t.strictSame(gap.lines.slice(3), [
    '  coverage: events that each rule matched, and did not',
    '    hall/climate  2 hits  0 misses',
    "gap.yaml:4:5: no test has an event that 'hall/climate' does not match",
    '   4 |   - name: climate',
    '     |     ^',
    '',
    '2 tests: 2 passed, 0 failed, 1 gap; 6 events fed, 3 sent',
  ]);
  const full = run(['full.yaml', '--coverage']);
  t.equal(full.code, 0);
  t.ok(full.lines.includes('    hall/climate  3 hits  1 misses'));
  t.end();
});

await t.test('files in error fail; each file is tested alone', (t) => {
  const run = world(t, {
    'good.yaml': GOOD,
    'again.yaml': GOOD,
    'wrong.yaml': GOOD.replace('emitted: 1,', 'emited: 1,'),
    'old.yaml': GOOD.replace('2027-03-31', '2026-05-31'),
    'untested.yaml': GOOD.slice(0, GOOD.indexOf('tests:')),
    'back.yaml': GOOD.replace(
      'feed: { event',
      'at: "2026-01-01T00:00:00Z"\n    feed: { at: "2025-01-01T00:00:00Z", event',
    ),
  });
  t.equal(run(['good.yaml', 'again.yaml']).code, 0, 'one id twice is no matter here');
  const wrong = run(['wrong.yaml', 'good.yaml']);
  t.equal(wrong.code, 1);
  t.match(
    wrong.lines[1]!,
    /^wrong\.yaml:15:30: error: unknown key 'emited'; did you mean 'emitted'/,
  );
  t.equal(wrong.lines.at(-1), '2 tests: 2 passed, 0 failed, 1 error; 6 events fed, 3 sent');
  t.match(run(['old.yaml']), { code: 1, lines: [/old/, /policy 'hall' expired/] });
  const back = run(['back.yaml']);
  t.equal(back.code, 1);
  t.match(back.lines[2], /^back\.yaml:15:11: 'at' is before the test's clock/);
  t.match(run(['none.yaml']), { code: 1, lines: [/none/, /there is no such file/] });
  t.match(run(['untested.yaml']), { code: 0, lines: [/untested/, /it has no tests/] });
  t.match(run(['untested.yaml', '--coverage']).code, 1);
  t.throws(() => run([]), { message: /name the policy files/ });
  t.throws(() => run(['--covrage']), { message: /did you mean '--coverage'/ });
  t.match(run(['--help']), { code: 0, lines: [/tidegate-policy-test-key/] });
  t.end();
});

await t.test('--json: one object', (t) => {
  const run = world(t, { 'bad.yaml': BAD });
  const { code, lines } = run(['bad.yaml', '--json', '--coverage']);
  t.equal(code, 1);
  const { policies, ...counts } = JSON.parse(lines.join('\n')) as {
    policies: { tests: { name: string; events: { event: string }[] }[] }[];
  };
  t.strictSame(counts, {
    files: 1,
    tests: 2,
    passed: 0,
    failed: 2,
    fed: 6,
    sent: 3,
    gaps: 1,
    errors: 0,
  });
  t.match(policies, [
    {
      file: 'bad.yaml',
      policy: 'hall',
      errors: [],
      rules: [{ rule: 'hall/climate', hits: 2, misses: 0 }],
      gaps: [{ line: 4, column: 5 }],
      tests: [
        {
          name: 'to half a degree',
          line: 13,
          column: 5,
          passed: false,
          fed: 1,
          sent: 1,
          complaints: [{ line: 15, column: 47, message: 'value: expected 21.4, sent 21.5' }],
          events: [{ channel: 'public', rule: 'hall/climate', at: '2026-01-05T12:00:00.000Z' }],
        },
        { passed: false },
      ],
    },
  ]);
  t.end();
});
