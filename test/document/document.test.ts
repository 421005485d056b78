import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import {
  DocumentError,
  Field,
  MAX_DEPTH,
  MAX_TEXT,
  parseDocument,
} from '../../src/document/document.js';
import { runs } from '../arbitrary/runs.js';

/** `line:column: message` of the complaint, or 'fine'. */
function complaint(text: string, use: (root: Field) => unknown = () => undefined): string {
  try {
    use(parseDocument(text, 'f'));
    return 'fine';
  } catch (error) {
    assert.ok(error instanceof DocumentError, `${String(error)} for ${JSON.stringify(text)}`);
    assert.ok(error.line >= 1 && error.column >= 1);
    assert.equal(error.file, 'f');
    assert.ok(error.message.startsWith(`f:${error.line}:${error.column}: `));
    return error.message.slice(2);
  }
}

/** The text without its mark ^ and the place where that stood. */
function unmark(marked: string): [text: string, place: string] {
  const lines = marked.slice(0, marked.indexOf('^')).split('\n');
  return [marked.replace('^', ''), `${lines.length}:${lines.at(-1)!.length + 1}`];
}

await t.test('what makes a document say something else is refused at its place', (t) => {
  const cases: [string, RegExp][] = [
    ['a: ^&x 1\nb: 2', /^anchors and aliases are not allowed: write the value out$/],
    ['b: 2\na: ^*x', /^anchors and aliases/],
    ['^&x a: 1', /^anchors and aliases/],
    ['a: [1, ^&x 2]', /^anchors and aliases/],
    ['a: ^&x [b]\nc: *x', /^anchors and aliases/],
    ['a: ^!!str 1', /^tags are not allowed$/],
    ['a: ^! 1', /^tags/],
    ['a:\n  - ^!foo 1', /^tags/],
    ['a: ^!<tag:yaml.org,2002:str> 1', /^tags/],
    ['{a: "x", b: ^!!binary aGk=}', /^tags/],
    ['^%YAML 1.2\n---\na: 1', /^directives are not allowed$/],
    ['^%TAG ! tag:x,2000:\n---\na: 1', /^directives/],
    ['^%FOO\n---\na: 1', /^directives/],
    ['a: 1\n...\n^%YAML 1.1\n---\nb: 1', /^directives/],
    ['a: 1\n^---\nb: 2', /^only one document a file$/],
    ['---\na: 1\n^---\n', /^only one document a file$/],
    ['a: 1\nb: 2\n^a: 3', /^a second key 'a'$/],
    ['1: a\n^"1": b', /^a second key '1'$/],
    ['a: { b: 1, ^b: 2 }', /^a second key 'b'$/],
    ['- x: 1\n- y: 1\n  ^y: 2', /^a second key 'y'$/],
    ['__proto__: 1\n^__proto__: 2', /^a second key '__proto__'$/],
    ['a:\n^\tb: 1', /^Tabs are not allowed as indentation$/],
    ['a: [1\n^', /sequence/],
    ['a: ^b: c', /^Nested mappings are not allowed/],
    ['a: ^@b', /reserved character @/],
    ['a: "^\\q"', /^Invalid escape sequence/],
    ['? ^[a]\n: 1', /keys must be strings/],
    ['{^{a: 1}: 2}', /keys must be strings/],
    ['a: ^\u0001', /^control characters are not allowed$/],
    ['a: b\n"^\u001f": 1', /^control characters/],
    ['[^\u001f !!str x]', /^control characters/],
    ['a: "^\u001b[31m"', /^control characters/],
    ['a: x^\u0085y', /^control characters/],
    ['a: ^\ud800', /^control characters/],
    ['a: 1 # ^\u202e', /^control characters/],
    ['a: ^\u0000', /^control characters/],
    ['b: 1\n^"a\\e[0m": 1', /^a key must not hold control characters$/],
    ['b: 1\n^"a\\nc": 1', /^a key must not hold control characters$/],
    ['^"\\u202e": 1', /^a key must not hold control characters$/],
  ];
  for (const [marked, words] of cases) {
    const [text, place] = unmark(marked);
    const found = complaint(text);
    const [where, message] = /^(\d+:\d+): (.*)$/s.exec(found)?.slice(1) ?? [found, found];
    t.equal(where, place, `${JSON.stringify(text)}: ${message}`);
    t.match(message, words, JSON.stringify(text));
  }
  t.end();
});

await t.test('an empty file is refused', (t) => {
  for (const text of ['', ' ', '\n\n', '# nothing\n', '\ufeff']) {
    t.equal(complaint(text), '1:1: the file is empty', JSON.stringify(text));
  }
  t.match(
    complaint('---\n', (root) => root.record(['a'])),
    /the file must be a map$/,
  );
  t.end();
});

await t.test('what only looks forbidden is taken', (t) => {
  const text = `--- # a comment with & and * and ! and %
a: "&x *y !z %w"
b: x & y
c: |-
  &a !b *c
d: 'it''s'
e: [1, 0x10, 0o17, 1e3, -1, .nan, true, null, ~, yes, 2026-01-01]
f: {g: 1,}
"<<": 1
...
`;
  const root = parseDocument(text, 'f');
  const entries = new Map(root.entries());
  t.equal(entries.get('a')!.text(), '&x *y !z %w');
  t.equal(entries.get('b')!.text(), 'x & y');
  t.equal(entries.get('c')!.text(), '&a !b *c');
  t.equal(entries.get('d')!.text(), "it's");
  t.same(
    entries
      .get('e')!
      .list()
      .map((item) => item.scalar()),
    [1, 16, 15, 1000, -1, NaN, true, null, null, 'yes', '2026-01-01'],
  );
  t.ok(entries.get('f')!.isMap);
  t.equal(entries.get('<<')!.scalar(), 1, 'a merge key is a key like any other');
  t.end();
});

await t.test('lines and columns are right with either line ending and wide characters', (t) => {
  for (const end of ['\n', '\r\n']) {
    const text = ['# ü', 'a: 1', 'b:', '  - x', '  - { ü: 1, c: 7 }', ''].join(end);
    const error = complaint(text, (root) => {
      const { b } = root.record(['a', 'b']);
      b!.list()[1]!.entries()[1]![1].text();
    });
    t.equal(error, '5:16: b[1].c must be text: put it in quotes', JSON.stringify(end));
  }
  t.end();
});

await t.test('a value that is missing is reported at its key', (t) => {
  const use = (root: Field): unknown => root.record(['a', 'b']).b!.text();
  t.equal(complaint('{a: 1, b}', use), '1:8: b must be a single value');
  t.match(complaint('a: 1\nb:\n', use), /^2:3: b must be text, not empty$/);
  t.match(complaint('a: 1\nb: ""\n', use), /^2:4: b must be text, not empty$/);
  t.end();
});

await t.test('each kind of value is checked', (t) => {
  const text = `a: { k: 1 }
b: [x]
c: word
d: 7
e: true
f: []
g: "x\\ty"
h: "${'h'.repeat(1025)}"
i: "\\u2028"
j: "\\ud800"
`;
  const cases: [string, (field: Field) => unknown, string][] = [
    ['a', (f) => f.list(), '1:4: a must be a list'],
    ['a', (f) => f.text(), '1:4: a must be a single value'],
    ['a', (f) => f.record(['j']), "1:6: unknown key 'k'; did you mean 'j'?"],
    ['a', (f) => f.record(['something']), "1:6: unknown key 'k'; known: something"],
    ['a', (f) => f.need(undefined, 'x'), "1:4: a needs 'x'"],
    ['b', (f) => f.entries(), '2:4: b must be a map'],
    ['b', (f) => f.list()[0]!.integer(0, 1), '2:5: b[0] must be a whole number'],
    ['c', (f) => f.list(), '3:4: c must be a list'],
    ['c', (f) => f.choice(['one', 'two']), "3:4: c must be one or two, not 'word'"],
    ['c', (f) => f.boolean(), '3:4: c must be true or false'],
    ['c', (f) => f.text(3), '3:4: c is longer than 3 characters'],
    ['d', (f) => f.integer(8, 9), '4:4: d must be 8 to 9, not 7'],
    ['d', (f) => f.integer(0, 6), '4:4: d must be 0 to 6, not 7'],
    ['d', (f) => f.name(), '4:4: d must be text: put it in quotes'],
    ['d', (f) => f.boolean(), '4:4: d must be true or false'],
    ['d', (f) => assert.fail(f.keyError('x')), '4:1: x'],
    ['e', (f) => f.integer(0, 1), '5:4: e must be a whole number'],
    ['f', (f) => f.oneOrMore(), '6:4: f must not be empty'],
    ['g', (f) => f.text(), '7:4: g must not hold control characters'],
    ['h', (f) => f.text(), '8:4: h is longer than 1024 characters'],
    ['i', (f) => f.text(), '9:4: i must not hold control characters'],
    ['j', (f) => f.text(), '10:4: j must not hold control characters'],
  ];
  for (const [key, use, expected] of cases) {
    t.equal(
      complaint(text, (root) => use(new Map(root.entries()).get(key)!)),
      expected,
    );
  }
  const fields = new Map(parseDocument(text, 'f').entries());
  t.equal(fields.get('d')!.integer(7, 7), 7);
  t.equal(fields.get('c')!.choice(['word']), 'word');
  t.equal(fields.get('c')!.name(), 'word');
  t.equal(fields.get('e')!.boolean(), true);
  t.same(
    fields
      .get('c')!
      .oneOrMore()
      .map((f) => f.text()),
    ['word'],
  );
  t.equal(fields.get('h')!.text(1025).length, 1025);
  t.end();
});

await t.test('a name is fit for a file name, as a value and as a key', (t) => {
  for (const name of ['a', 'A-b_9', '0', 'x'.repeat(64)]) {
    const root = parseDocument(`n: "${name}"`, 'f');
    t.equal(root.record(['n']).n!.name(), name);
  }
  for (const name of ['-a', '_a', 'a.b', '..', 'a/b', 'a b', 'ä', '__proto__']) {
    t.match(
      complaint(`n:   "${name}"`, (root) => root.record(['n']).n!.name()),
      /^1:6: '.*' is no name: letters, digits, - and _/,
      name,
    );
    const key = complaint(`a: 1\n"${name}": x`, (root) => {
      for (const [key, value] of root.entries()) value.checkOwnName(key);
    });
    t.match(key, /^2:1: '.*' is no name/, `${name} as a key`);
  }
  t.end();
});

await t.test('no key reaches a prototype', (t) => {
  const root = parseDocument('__proto__: { polluted: 1 }\nconstructor: { x: 2 }\na: 1', 'f');
  t.same(
    root.entries().map(([name]) => name),
    ['__proto__', 'constructor', 'a'],
  );
  t.equal(({} as Record<string, unknown>)['polluted'], undefined);
  t.equal(
    complaint('__proto__: {a: 1}', (f) => f.record(['a'])).slice(0, 29),
    "1:1: unknown key '__proto__';",
  );
  t.equal(
    complaint('toString: 1', (f) => f.record(['a'])).slice(0, 27),
    "1:1: unknown key 'toString'",
  );
  t.end();
});

await t.test('nesting is bounded at the level that is one too many', (t) => {
  const nest = (open: string, close: string, n: number): string => open.repeat(n) + close.repeat(n);
  t.equal(complaint(nest('[', ']', MAX_DEPTH)), 'fine');
  t.equal(complaint(nest('[', ']', MAX_DEPTH + 1)), `1:${MAX_DEPTH + 1}: deeper than 32 levels`);
  const block = (n: number): string =>
    Array.from({ length: n }, (_, i) => `${' '.repeat(i)}a:\n`).join('');
  t.equal(complaint(block(MAX_DEPTH)), 'fine');
  t.equal(complaint(block(MAX_DEPTH + 1)), '33:33: deeper than 32 levels');
  t.equal(complaint('- '.repeat(MAX_DEPTH)), 'fine');
  t.equal(complaint('- '.repeat(MAX_DEPTH + 1)), '1:65: deeper than 32 levels');
  t.equal(complaint(`a:\n  b:\n    - ${nest('[', ']', 30)}`), `3:${7 + 29}: deeper than 32 levels`);
  t.equal(complaint(`a: ${'- '.repeat(33)}`), '1:66: deeper than 32 levels');
  t.equal(
    complaint(`${'] '.repeat(9)}${'["]",'.repeat(33)}`),
    `1:${18 + 161}: deeper than 32 levels`,
  );
  t.equal(complaint(`a: 1\n${' '.repeat(129)}- x`), '2:1: indented too deeply');
  t.end();
});

await t.test('wide is not deep', (t) => {
  const many = (n: number, line: (i: number) => string): string =>
    Array.from({ length: n }, (_, i) => line(i)).join('');
  t.equal(complaint(many(500, () => '- - a\n  - b: c\n')), 'fine');
  t.equal(complaint(many(500, () => '- |\n  text\n- >\n  text\n')), 'fine');
  t.equal(complaint(`[${many(500, () => '[], {a: [b]}, ')}]`), 'fine');
  t.equal(complaint(`{${many(500, (i) => `a${i}: {b: 1}, `)}}`), 'fine');
  t.equal(
    complaint(`a: "${'['.repeat(500)}"\n# ${'{'.repeat(500)}\nb: x${'['.repeat(99)}`),
    'fine',
  );
  t.end();
});

/** Each of these, repeated, once ended the process or overflowed the stack. */
const NESTING = [
  ...['["]",', "[']',", '[ #]\n', '[ ', '{', '{a: ', '[- ', '[? ', '[\n- ', '[:', '{? {', '[{a: '],
  ...[
    '- ',
    '? ',
    ': ',
    'a: ',
    '"a": ',
    '"a\n": ',
    "'a\n ': ",
    '- a: ',
    '- ? ',
    ': - ',
    '?\t',
    ' -',
  ],
  ...['] [', '[}', '[ ]', '[a]: ', '{a: b}: ', '[a]\n: ', '- "x\ny": ', '- |\n a\n', '---\n- '],
  ...['- - [', 'a: [', '- [', '[- a\n', '--- - ', '? a\n: - '],
];

await t.test('no nesting overflows the stack', (t) => {
  for (const unit of NESTING) {
    complaint(unit.repeat(8_000));
    complaint(`a: ${unit.repeat(2_000)}`);
    complaint(`- x\n- ${unit.repeat(2_000)}`);
  }
  const staircase = Array.from({ length: 1400 }, (_, i) => `${' '.repeat(i)}a:\n`).join('');
  t.match(complaint(staircase), /^130:1: indented too deeply/);
  t.match(complaint('["]",'.repeat(20_000)), /^1:161: deeper than 32 levels/);
  t.end();
});

await t.test('a bomb of aliases is refused at its first anchor', (t) => {
  const bomb = `a: &a [x, x]
b: &b [*a, *a]
c: &c [*b, *b]
`;
  t.match(complaint(bomb), /^1:4: anchors and aliases/);
  t.end();
});

await t.test('a file of 1 MiB is read, one character more is not', (t) => {
  const text = `a: ${'b'.repeat(MAX_TEXT - 3)}`;
  t.equal(text.length, 1024 * 1024);
  t.equal(complaint(text), 'fine');
  t.equal(complaint(`${text}b`), '1:1: the file is larger than 1 MiB');
  t.end();
});

await t.test('a map of thirty thousand keys is read', (t) => {
  const keys = Array.from({ length: 30_000 }, (_, i) => `k${i}: 1\n`).join('');
  t.equal(complaint(keys), 'fine');
  t.equal(complaint(`${keys}k7: 2`), "30001:1: a second key 'k7'");
  t.end();
});

/** Asks every field for everything: nothing but DocumentError may come of it. */
function exercise(field: Field, depth = 0): void {
  if (depth > MAX_DEPTH) throw new Error('deeper than the bound');
  if (field.isMap) for (const [, value] of field.entries()) exercise(value, depth + 1);
  if (field.isList && complaintOf(() => field.list()) === undefined) {
    for (const item of field.list()) exercise(item, depth + 1);
  }
  for (const ask of [
    () => field.text(),
    () => field.integer(0, 9),
    () => field.record(['a']),
    () => field.name(),
    () => field.keyError('x'),
  ]) {
    complaintOf(ask);
  }
}

function complaintOf(ask: () => unknown): DocumentError | undefined {
  try {
    ask();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof DocumentError, String(error));
    return error;
  }
}

const PIECES = [
  ...['a', 'b: ', '- ', '? ', ': ', ' ', '  ', '\n', '\r\n', '\r', '\t', ',', '[', ']', '{', '}'],
  ...[
    '"',
    "'",
    '#',
    ' #',
    '&a',
    '*a',
    '!!str ',
    '!',
    '%YAML 1.2\n',
    '---\n',
    '...\n',
    '|\n',
    '>-\n',
  ],
  ...['|2+\n', '@', '`', '<<: ', '=', '~', '.nan', '0x', '-', '\\', '\\u12', '\ufeff', '\u0085'],
  ...['\u2028', '\ud800', '\u001f', '\u0002', '\u0018', '\u0000', 'é', '😀', '__proto__: '],
];

await t.test('random text gives a document or a DocumentError, nothing else', (t) => {
  let good = 0;
  const text = fc.oneof(
    fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ maxLength: 60 }),
  );
  fc.assert(
    fc.property(text, (text) => {
      if (complaint(text, exercise) === 'fine') good++;
    }),
    { numRuns: runs(2500) },
  );
  t.ok(good > 40, `${good} of them are documents`);
  t.end();
});

const DEMO = readFileSync(new URL('../../policies/demo.yaml', import.meta.url), 'utf8');

await t.test('a good file with damage gives a document or a DocumentError', (t) => {
  t.equal(complaint(DEMO, exercise), 'fine');
  const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...PIECES, ''), fc.nat(3)), {
    minLength: 1,
    maxLength: 4,
  });
  let bad = 0;
  fc.assert(
    fc.property(damage, (edits) => {
      let text = DEMO;
      for (const [at, piece, cut] of edits) {
        const index = at % text.length;
        text = text.slice(0, index) + piece + text.slice(index + cut);
      }
      if (complaint(text, exercise) !== 'fine') bad++;
    }),
    { numRuns: runs(250) },
  );
  t.ok(bad > 50, `${bad} of them are refused`);
  t.end();
});
