import fc from 'fast-check';
import t from 'tap';
import { sealLine } from '../../src/supervisor/logs.js';

/** What a reader of the log gets; throws if it is not one line of JSON. */
function read(line: string, from = 'valve:plant'): Record<string, unknown> {
  const sealed = sealLine(line, from).text;
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(sealed)) throw new Error(`harmful: ${sealed}`);
  return JSON.parse(sealed) as Record<string, unknown>;
}

await t.test('a JSON object goes through with its origin', (t) => {
  t.same(read('{"level":"info","msg":"up","n":[1,{"a":null}]}'), {
    level: 'info',
    msg: 'up',
    n: [1, { a: null }],
    from: 'valve:plant',
  });
  t.same(read('{}'), { from: 'valve:plant' });
  t.equal(sealLine('{"a":1}', 'x').text, '{"a":1,"from":"x"}');
  t.equal(sealLine('{"a":1}').text, '{"a":1}', 'the supervisor itself has none');
  t.end();
});

await t.test('a process cannot say that it is another', (t) => {
  for (const line of [
    '{"from":"supervisor"}',
    '{"from":"supervisor","msg":"x","from":"gate"}',
    '{"fr\\u006fm":"supervisor"}',
    '{"a":"\\"}","from":"gate"}',
    '{"a":{"from":"gate"}}',
    '{"msg":"x"},{"from":"gate"}',
    '{"msg":"x","from":"gate"}{',
    '{"__proto__":{"from":"gate"}}',
  ]) {
    t.equal(read(line)['from'], 'valve:plant', line);
  }
  t.equal(read('x', 'a"b\\')['from'], 'a"b\\');
  t.equal(read('{"x":1}', 'a"b\\')['from'], 'a"b\\');
  t.end();
});

await t.test('what is no JSON object is wrapped as an error', (t) => {
  for (const line of ['segmentation fault', '[1]', 'null', '"x"', '{"a":}', '{']) {
    const { level, time, msg, from } = read(line);
    t.same({ level, msg, from }, { level: 'error', msg: line, from: 'valve:plant' });
    t.notOk(Number.isNaN(Date.parse(String(time))));
  }
  t.end();
});

await t.test('no control character survives, whatever the line', (t) => {
  t.equal(read('\x1b[31mred\x1b[0m\r\x07')['msg'], '\\x1b[31mred\\x1b[0m\\x0d\\x07');
  t.equal(read('{"msg":"\x1b[2J"}')['msg'], '{"msg":"\\x1b[2J"}');
  t.equal(read('{"msg":"\x9b2J"}')['msg'], '{"msg":"\\x9b2J"}');
  t.equal(read('{"a":1,\x7f"b":2}')['from'], 'valve:plant');
  const text = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replace(/\n/g, ''));
  const line = fc.oneof(
    text,
    text.map((inner) => `{"msg":"${inner}"}`),
    fc.object().map((value) => JSON.stringify(value)),
    fc.tuple(text, fc.nat(40)).map(([inner, at]) => {
      const object = '{"level":"info","msg":"hello there you"}';
      return object.slice(0, at) + inner + object.slice(at);
    }),
  );
  fc.assert(
    fc.property(line, (line) => read(line)['from'] === 'valve:plant'),
    { numRuns: 2000 },
  );
  t.end();
});

await t.test('a line that is too long is cut', (t) => {
  for (const line of ['x'.repeat(100_000), '\x1b'.repeat(100_000), `{"a":"${'x'.repeat(8180)}`]) {
    const sealed = sealLine(line, 'valve:plant').text;
    t.ok(sealed.length < 2200, `${sealed.length} characters`);
    t.equal(read(line)['from'], 'valve:plant');
  }
  t.end();
});

await t.test('an object with spaces around it, or with nothing in it, is one line of JSON', (t) => {
  for (const line of ['{}', '{ }', ' {} ']) t.same(read(line), { from: 'valve:plant' });
  t.end();
});

await t.test('a line that is nested too deeply to be printed is shown as text', (t) => {
  const depth = 200_000;
  const entry = JSON.parse(
    sealLine(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`, 'gate').text,
  ) as {
    msg: string;
    from: string;
  };
  t.equal(entry.from, 'gate');
  t.match(entry.msg, /^\{"a":\[\[/);
  t.end();
});

await t.test('lines are of a kind if they differ in their time alone', (t) => {
  const kind = (line: string, from = 'gate') => sealLine(line, from).kind;
  const line = '{"level":"info","time":"2026-11-22T08:00:00Z","msg":"up","n":1}';
  t.equal(kind(line), kind(line.replace('08:00', '09:00')));
  t.equal(kind(line), kind(line.replace(/"time":"[^"]*",/, '"time":{"x":"y"},')));
  for (const [from, to] of [
    ['info', 'warn'],
    ['"up"', '"down"'],
    [':1}', ':2}'],
    [':1}', ':1,"x":null}'],
    [':1}', ':{"time":1}}'],
  ] as const) {
    t.not(kind(line), kind(line.replace(from, to)), to);
  }
  t.not(kind(line), kind(line, 'upper portal'));
  t.not(
    kind(line.replace(':1}', ':{"time":1}}')),
    kind(line.replace(':1}', ':{"time":2}}')),
    'a time within is another thing',
  );
  t.equal(kind('segmentation fault'), kind('segmentation fault'), 'whenever it comes');
  t.end();
});

await t.test('how often a line was repeated is not for a process to say', (t) => {
  t.same(read('{"msg":"x","repeated":1000}'), { msg: 'x', from: 'valve:plant' });
  t.equal(sealLine('{"msg":"x","repeated":7}').kind, sealLine('{"msg":"x"}').kind);
  t.end();
});

await t.test('marks that nobody sees or that turn text around do not survive', (t) => {
  for (const mark of [
    '\u200b',
    '\u200e',
    '\u202e',
    '\u2066',
    '\u2028',
    '\ufeff',
    '\u061c',
    '\u{e0041}',
  ]) {
    const sealed = sealLine(`{"msg":"a${mark}b"}`, 'gate').text;
    t.match(sealed, /^[\x20-\x7e]+$/);
    t.equal((JSON.parse(sealed) as { msg: string }).msg, `a${mark}b`, 'and JSON is what it was');
  }
  t.end();
});
