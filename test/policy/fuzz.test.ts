/** Whatever a policy file holds, it is a policy or a DocumentError at a place inside the file. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { DocumentError, MAX_TEXT } from '../../src/document/document.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { runs } from '../arbitrary/runs.js';

function yamlOf(folder: string): string[] {
  const path = fileURLToPath(new URL(folder, import.meta.url));
  return readdirSync(path)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(`${path}/${name}`, 'utf8'));
}

const FILES = [...yamlOf('../../policies/'), ...yamlOf('../fixtures/policies/good/')];
const ALARMS = FILES.find((text) => text.includes('id: alarms'))!;
const SMALL = FILES.filter((text) => text.length < 1500);

const PROTOTYPES = [Object, Array, String, Number, Boolean, Map, Set, RegExp, Uint8Array].map(
  (each): object => each.prototype as object,
);
const fingerprint = (): string =>
  JSON.stringify(PROTOTYPES.map((each) => Reflect.ownKeys(each).map(String)));
const CLEAN = fingerprint();

/** @returns the message; undefined: it is a policy */
function refusal(text: string): string | undefined {
  try {
    parsePolicy(text, 'f');
    return undefined;
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    checkPlace(error, text);
    return error.message;
  }
}

function checkPlace({ line, column, message, file }: DocumentError, text: string): void {
  const lines = text.split('\n');
  const at = `${message} (${JSON.stringify(text.slice(0, 200))})`;
  if (file !== 'f' || !message.startsWith(`f:${line}:${column}: `)) throw new Error(`file: ${at}`);
  if (!(line >= 1 && line <= lines.length)) throw new Error(`line beyond the file: ${at}`);
  if (!(column >= 1 && column <= lines[line - 1]!.length + 1)) {
    throw new Error(`column beyond the line: ${at}`);
  }
  // It goes to terminals and logs: one line, nothing that hides or turns it.
  if (/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(message)) {
    throw new Error(`controls in a message: ${JSON.stringify(message)}`);
  }
  if (message.length > 8192) throw new Error(`a message of ${message.length} characters`);
}

/** What means something to YAML, to JavaScript or to the language. */
const TOKENS = [
  ...['&a ', '*a', '!!js/function ', '!<x> ', '<<: ', '? ', ': ', '- ', '{', '}', '[', ']', ','],
  ...['---\n', '...\n', '%YAML 1.1\n', '#', '|\n', '>-\n', "'", '"', '`', '@', '\\', '\t', '\r'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', '~', 'true'],
  ...['.nan', '.inf', '-.inf', '1e999', '-1e999', '0x', '0o7', '1_000', '9007199254740993', '-0'],
  ...['\u0000', '\u001b[2J', '\u0007', '\u007f', '\u0085', '\u2028', '\u202e', '\u2066', '\ufeff'],
  ...['\ud800', '\udfff', '\u{1f600}', 'é', '\\u0000', '\\x1b', '\\U0010FFFF', '\\uD800', '$', '/'],
  ...['class', 'value', 'unit', 'emit', 'window', 'raw', 'any: true', 'in: $x', '@SECURITY'],
  ...['FF:FF/9', '::1', '-', '1d', '20/s', '65536', '-1', '0.5', '2026-02-30', '24:00-24:00'],
];

const token = fc.constantFrom(...TOKENS);
const file = fc.constantFrom(...FILES);
const small = fc.constantFrom(...SMALL);
const where = fc.nat();

function splice(text: string, at: number, removed: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + removed);
}

await t.test('any text', (t) => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
    fc
      .array(fc.oneof(token, fc.constantFrom('\n', ' ', '  ', 'a')), { maxLength: 60 })
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (text) => typeof refusal(text) === 'string'),
    { numRuns: runs(1000) },
  );
  t.end();
});

await t.test('good files with bytes that are others', (t) => {
  const flips = fc.array(fc.tuple(where, fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(file, flips, fc.boolean(), (text, flips, utf8) => {
      const bytes = Buffer.from(text);
      for (const [at, byte] of flips) bytes[at % bytes.length] = byte;
      refusal(bytes.toString(utf8 ? 'utf8' : 'latin1'));
    }),
    { numRuns: runs(500) },
  );
  t.end();
});

await t.test('a good file that ends at any byte', (t) => {
  const step = Math.max(1, Math.round(7 / runs(1)));
  for (let end = 0; end < ALARMS.length; end += step) refusal(ALARMS.slice(0, end));
  for (const text of SMALL)
    for (let from = 0; from < text.length; from += step) refusal(text.slice(from));
  t.end();
});

await t.test('good files with lines that are gone, twice, or elsewhere', (t) => {
  fc.assert(
    fc.property(file, where, where, fc.nat(2), (text, a, b, how) => {
      const lines = text.split('\n');
      const [line = ''] = lines.slice(a % lines.length);
      if (how !== 1) lines.splice(a % lines.length, 1);
      if (how !== 0) lines.splice(b % (lines.length + 1), 0, line);
      refusal(lines.join('\n'));
    }),
    { numRuns: runs(500) },
  );
  t.end();
});

await t.test('good files with tokens put in anywhere', (t) => {
  const splices = fc.array(fc.tuple(where, fc.nat(6), token), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(file, splices, (text, splices) => {
      let changed = text;
      for (const [at, removed, added] of splices) {
        changed = splice(changed, at % (changed.length + 1), removed, added);
      }
      refusal(changed);
    }),
    { numRuns: runs(800) },
  );
  t.end();
});

await t.test('good files with parts of each other', (t) => {
  fc.assert(
    fc.property(small, small, where, where, fc.nat(200), (a, b, at, from, length) => {
      const start = from % b.length;
      refusal(splice(a, at % a.length, length % 40, b.slice(start, start + length)));
    }),
    { numRuns: runs(700) },
  );
  t.end();
});

/** A file around a value, at places of every kind. */
const PLACES: readonly ((value: string) => string)[] = [
  (value) => value,
  (value) => `schema: ${value}`,
  (value) => withRule('', `\nlists: ${value}`),
  (value) => withRule('', `\nlists: { a: ${value} }`),
  (value) => withRule('', `\ntests: ${value}`),
  (value) => withRule('', `\ntests: [{ name: t, feed: ${value}, expect: { emitted: 1 } }]`),
  (value) => withRule('', `\ntests: [{ name: t, feed: { event: ${value} }, expect: { rule: r } }]`),
  (value) =>
    withRule('', `\ntests: [{ name: t, feed: { line: ${value} }, expect: { emitted: 0 } }]`),
  (value) =>
    withRule(
      '',
      `\ntests: [{ name: t, feed: { event: { class: 1, type: 1 } }, expect: ${value} }]`,
    ),
  ...['name', 'to', 'reason', 'expires', 'match', 'emit', 'limits'].map(
    (key) => (value: string) => withRule(`, ${key}: ${value}`).replace(DEFAULTS[key] ?? /$^/, ''),
  ),
  ...[
    ...['any', 'source', 'priority', 'class', 'raw', 'guid', 'sensor', 'zone', 'size', 'time'],
    ...['time: { zone: UTC, days: [mon], daily', 'time: { days: [mon], zone', 'guid: { in'],
    ...['class: 10, type', 'class: 10, type: 6, unit', 'class: 10, type: 6, value'],
    ...['class: 10, type: 6, value: { unit: kelvin, ge', 'raw: { mask: "1,1,1,-", filter'],
  ].map((key) => (value: string) => withRule().replace('any: true', closed(key, value))),
  ...[
    ...['priority', 'class', 'type', 'guid', 'time', 'data', 'value', 'deadband', 'window'],
    ...['time: { floor', 'value: { unit: kelvin, round', 'value: { unit: kelvin, clamp'],
    ...['guid: { pseudonym: { key_file: k, prefix', 'guid: { pseudonym: { prefix: 02/8, key_file'],
  ].map(
    (key) => (value: string) =>
      withRule(`, emit: { ${closed(key, value)} }`).replace('any: true', 'class: 10, type: 6'),
  ),
];

const DEFAULTS: Readonly<Record<string, RegExp>> = {
  name: /name: r, /,
  to: /to: public, /,
  match: /match: \{ any: true \}, /,
};

function withRule(more = '', after = ''): string {
  return `schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
  - { name: r, to: public, match: { any: true }, effect: permit${more} }${after}`;
}

/** `key: value` with as many braces behind it as `key` opens. */
function closed(key: string, value: string): string {
  return `${key}: ${value}${' }'.repeat(key.split('{').length - 1)}`;
}

/** At every place, or at some; how many are taken. */
function everywhere(value: string, places = PLACES): number {
  return places.filter((place) => refusal(place(value)) === undefined).length;
}

await t.test('a sane value is taken somewhere, so that the places are places', (t) => {
  const values = [
    'x',
    '3',
    '{ ge: 1, le: 2 }',
    '[1, 2]',
    "'::1'",
    'keep',
    '1m',
    "'02/8'",
    'kelvin',
  ];
  for (const value of values) t.ok(everywhere(value) > 0, value);
  t.end();
});

await t.test('keys and values that mean something to JavaScript', (t) => {
  const names = [
    '__proto__',
    'constructor',
    'prototype',
    '__defineGetter__',
    'toString',
    'valueOf',
  ];
  for (const name of names) {
    for (const value of [
      name,
      `{ ${name}: { polluted: true } }`,
      `{ "${name}": [1] }`,
      `[${name}]`,
      '{ constructor: { prototype: { polluted: true } } }',
      '{ "\\u005f\\u005fproto\\u005f\\u005f": { polluted: true } }',
      `$${name}`,
      `"@${name}"`,
      `${name}/s`,
      `1${name}`,
    ]) {
      everywhere(value);
    }
    t.type(refusal(`${name}: 1\n${withRule()}`), 'string');
    t.type(refusal(withRule(`, ${name}: 1`)), 'string');
  }
  // A list may have such a name: it is a key of a Map.
  t.equal(
    refusal(
      withRule('', "\nlists: { constructor: 'FF/8' }").replace(
        'any: true',
        'guid: { in: $constructor }',
      ),
    ),
    undefined,
  );
  t.type(refusal(withRule().replace('any: true', 'guid: { in: $constructor }')), 'string');
  t.end();
});

await t.test('numbers that are none', (t) => {
  for (const value of [
    ...['.nan', '.NaN', '.inf', '-.Inf', '+.inf', '1e999', '-1e999', '1e308', '5e-324', '-0', '0x'],
    ...[
      '0b1',
      '0o777',
      '1_0',
      '01',
      '1.',
      '.5',
      '+1',
      '1e',
      '9007199254740993',
      '1e21',
      '0.1e-400',
    ],
    ...['-1', '65536', '4294967296', '18446744073709551616', '9'.repeat(400), '0x1p3', '٣'],
  ]) {
    everywhere(value);
    everywhere(`[${value}]`);
    everywhere(`{ ge: ${value} }`);
    everywhere(`"${value}"`);
  }
  t.end();
});

await t.test('characters that hide, turn or end a line', (t) => {
  for (const [from, to] of [
    [0, 0x20],
    [0x7f, 0xa0],
    [0x2028, 0x202f],
    [0x2066, 0x206a],
    [0xd800, 0xd802],
    [0xfeff, 0xff00],
  ] as const) {
    for (let code = from; code < to; code++) {
      const character = String.fromCharCode(code);
      const hex = code.toString(16).padStart(4, '0');
      for (const value of [character, `a${character}b`, `"a${character}b"`, `"a\\u${hex}b"`]) {
        everywhere(value);
        everywhere(`{ ${value}: 1 }`);
      }
    }
  }
  t.end();
});

await t.test('anchors, aliases, merge keys, tags, directives, further documents', (t) => {
  const good = withRule();
  t.equal(refusal(good), undefined);
  for (const bad of [
    good.replace('{ any: true }', '&a { any: true }'),
    good.replace('{ any: true }', '*a'),
    good.replace('{ any: true }', '!!map { any: true }'),
    good.replace('{ any: true }', '!x { any: true }'),
    good.replace('{ any: true }', '{ any: !!bool "true" }'),
    good.replace('{ any: true }', '{ <<: { any: true } }'),
    good.replace('any: true', '? any : true, ? [a] : b'),
    `%YAML 1.2\n---\n${good}`,
    `%TAG ! tag:x,2026:\n---\n${good}`,
    `${good}\n---\n${good}`,
    `${good}\n...\n${good}`,
    `--- !x\n${good}`,
    `--- &a\n${good}`,
  ]) {
    t.type(refusal(bad), 'string', bad.slice(0, 80));
  }
  let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
  for (let i = 1; i < 30; i++) bomb += `a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}*a${i - 1}]\n`;
  t.match(refusal(bomb), /anchors and aliases are not allowed/);
  t.match(refusal('&a [*a, *a]'), /anchors/);
  t.match(refusal(`${good}\nlists: &a { b: *a }`), /anchors/);
  t.end();
});

await t.test('nesting without end', (t) => {
  for (const unit of [
    ...['[', '{', '[{', '{a: ', '{"a": [', '- ', '? ', 'a: ', '- - ? ', '>', '|', '- a:\n', '!a ['],
    ...['&a [', ' - ', ': ', '"', "'", '[[],', '{a,', '? - ', '-\t', '*'],
  ]) {
    for (const count of [1, 31, 32, 33, 129, 5000, 100_000]) {
      const value = unit.repeat(count).slice(0, MAX_TEXT);
      refusal(value);
      // Each unit comes to other places.
      if (count < 200)
        everywhere(
          value,
          PLACES.filter((_, i) => (i + unit.length) % 3 === 0),
        );
      else refusal(withRule(`, reason: ${value}`));
    }
  }
  const stairs = Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
  t.type(refusal(stairs), 'string');
  t.type(refusal(stairs.replaceAll('a:', '- ')), 'string');
  t.end();
});

await t.test('scalars and lists without end', (t) => {
  // Reading takes seconds a megabyte where it is one error after the other: a part will do.
  const near = (MAX_TEXT / 32) * Math.min(runs(1), 4);
  for (const value of [
    'a'.repeat(near),
    '9'.repeat(near),
    `"${'\\n'.repeat(near / 2)}"`,
    `'${"''".repeat(near / 2)}'`,
    'FF:'.repeat(near / 3),
    `FF/${'1'.repeat(near)}`,
    `0.${'0'.repeat(near)}1`,
    `${'1'.repeat(near)}ms`,
    'a '.repeat(near / 2),
    `"${' '.repeat(near)}"`,
    '-'.repeat(near),
    `{${'0,'.repeat(near / 2)}}`,
    `|\n${'  a\n'.repeat(near / 4)}`,
  ]) {
    for (const place of PLACES.filter((_, i) => i % 9 === 0)) refusal(place(value));
  }
  t.match(refusal(`${withRule()}${' '.repeat(MAX_TEXT)}`), /larger than 1 MiB/);
  t.end();
});

await t.test('after all that no prototype has been touched', (t) => {
  t.equal(fingerprint(), CLEAN);
  t.equal(({} as Record<string, unknown>)['polluted'], undefined);
  t.end();
});
