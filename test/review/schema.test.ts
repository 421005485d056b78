/** The schema says what the parser does: over the policies, a corpus, and files made at random. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import t from 'tap';
import { parse } from 'yaml';
import { policySchema as command, POLICY_SCHEMA_HELP } from '../../src/cli/policy-schema.js';
import { DocumentError } from '../../src/document/document.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { policySchema } from '../../src/review/schema.js';
import { type Json, policy } from './arbitrary.js';
import { mutated } from './mutation.js';
import { runs } from '../arbitrary/runs.js';

const POLICIES = fileURLToPath(new URL('../../policies/', import.meta.url));
const CORPUS = fileURLToPath(new URL('../fixtures/policies/', import.meta.url));
const FILE = `${POLICIES}tidegate-policy.schema.json`;

/** Strict: a keyword that is no keyword of draft-07 would be an error. */
const valid = new Ajv({ strict: true, strictTypes: false, strictRequired: false }).compile(
  policySchema(),
);

function isGood(text: string): boolean {
  return valid(parse(text, { uniqueKeys: false }));
}

/** What is wrong; undefined if nothing is. */
function refusal(text: string, file = 'f'): string | undefined {
  try {
    parsePolicy(text, file);
    return undefined;
  } catch (error) {
    if (error instanceof DocumentError) return error.message;
    throw error;
  }
}

function yamlOf(folder: string): readonly (readonly [name: string, text: string])[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]);
}

function run(...args: readonly string[]): { code: number; out: string; err: string } {
  const lines = { out: [] as string[], err: [] as string[] };
  const code = command(args, {
    out: (line) => lines.out.push(line),
    err: (line) => lines.err.push(line),
  });
  return { code, out: lines.out.join('\n'), err: lines.err.join('\n') };
}

await t.test('the schema is a draft-07 schema with tokens as enumerations', (t) => {
  const schema = policySchema() as Readonly<Record<string, unknown>>;
  t.equal(schema['$schema'], 'http://json-schema.org/draft-07/schema#');
  t.ok(new Ajv().validateSchema(schema));
  const text = JSON.stringify(schema);
  t.ok(text.length < 2 ** 20 / 2, `${text.length} bytes`);
  for (const token of ['"@SECURITY"', '"CLASS1.MEASUREMENT"', '"VSCP_CLASS1_ALARM"']) {
    t.ok(text.includes(token), token);
  }
  for (const token of ['"TEMPERATURE"', '"VSCP_TYPE_MEASUREMENT_TEMPERATURE"', '"kelvin"']) {
    t.ok(text.includes(token), token);
  }
  for (const example of schema['examples'] as readonly Json[]) {
    t.ok(valid(example));
    t.equal(refusal(JSON.stringify(example)), undefined);
  }
  t.end();
});

await t.test('every map is closed, and every key is explained', (t) => {
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const map = node as Readonly<Record<string, unknown>>;
    if (map['type'] === 'object' && map['properties'] !== undefined) {
      t.equal(map['additionalProperties'], false, path);
      t.type(map['description'], 'string', path);
    }
    for (const [key, inner] of Object.entries(map)) visit(inner, `${path}/${key}`);
  };
  visit(policySchema(), '#');
  t.end();
});

await t.test('the file beside the policies is what the command prints', (t) => {
  const { code, out, err } = run();
  t.equal(code, 0);
  t.equal(err, '');
  t.ok(
    `${out}\n` === readFileSync(FILE, 'utf8'),
    'else: tidegate policy schema -o policies/tidegate-policy.schema.json',
  );
  t.end();
});

await t.test('the command writes a file, and replaces nothing but a schema', (t) => {
  const folder = t.testdir({ 'mine.yaml': 'precious' });
  const file = `${folder}/s.json`;
  t.same(run('-o', file), { code: 0, out: '', err: '' });
  t.same(run('--out', file), { code: 0, out: '', err: '' }, 'again');
  t.ok(readFileSync(file, 'utf8') === readFileSync(FILE, 'utf8'));
  t.match(run('-o', `${folder}/mine.yaml`), { code: 1, err: /mine\.yaml is no schema/ });
  t.equal(readFileSync(`${folder}/mine.yaml`, 'utf8'), 'precious');
  t.match(run('-o', `${folder}/no/s.json`), { code: 1, err: /ENOENT/ });
  t.same(run('--help'), { code: 0, out: POLICY_SCHEMA_HELP, err: '' });
  t.match(run('--output'), { code: 2, err: /unknown option.*did you mean '--out'/ });
  t.match(run('extra'), { code: 2, err: /unexpected argument/ });
  t.end();
});

await t.test('every policy of the repository is valid, and names the schema', (t) => {
  for (const [name, text] of yamlOf(POLICIES)) {
    t.ok(isGood(text), `${name}: ${JSON.stringify(valid.errors?.[0])}`);
    const [first] = text.split('\n');
    t.equal(first, '# yaml-language-server: $schema=./tidegate-policy.schema.json', name);
  }
  t.end();
});

await t.test('schema and parser agree on good files', (t) => {
  const files = yamlOf(`${CORPUS}good`);
  t.ok(files.length >= 15);
  for (const [name, text] of files) {
    t.equal(refusal(text, name), undefined, name);
    t.ok(isGood(text), `${name}: ${JSON.stringify(valid.errors?.[0])}`);
  }
  t.end();
});

await t.test('and on bad ones, but for what only the parser can know', (t) => {
  const files = yamlOf(`${CORPUS}bad`);
  t.ok(files.length >= 40);
  for (const [name, text] of files) {
    t.type(refusal(text, name), 'string', name);
    const [why = ''] = text.split('\n');
    t.match(why, /^# \w/, `${name} says what is wrong`);
    t.equal(isGood(text), why.endsWith('# parser-only'), `${name}: ${why}`);
  }
  t.end();
});

await t.test('what the schema refuses, the parser refuses: files made at random', (t) => {
  const seen = { good: 0, both: 0, parserOnly: 0 };
  const agree = (value: Json): void => {
    const text = JSON.stringify(value);
    const wrong = refusal(text);
    const good = valid(value);
    if (wrong === undefined && !good) {
      throw new Error(`stricter than the parser: ${JSON.stringify(valid.errors)}\n${text}`);
    }
    seen[good ? (wrong === undefined ? 'good' : 'parserOnly') : 'both']++;
  };
  fc.assert(fc.property(policy, agree), { numRuns: runs(200) });
  t.ok(seen.good > 0.9 * runs(200), `most are good: ${JSON.stringify(seen)}`);
  t.equal(seen.both, 0, 'the generator knows the schema');
  fc.assert(fc.property(mutated, agree), { numRuns: runs(700) });
  t.ok(seen.both > 200, `the schema refuses most of what is wrong: ${JSON.stringify(seen)}`);
  t.ok(seen.parserOnly < seen.both / 2, JSON.stringify(seen));
  t.end();
});
