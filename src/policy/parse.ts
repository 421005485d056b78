/** Parses a policy file, strictly: what is not understood is an error with file:line:column. */
import { readDate } from '../document/date.js';
import { DocumentError, type Field, parseDocument } from '../document/document.js';
import { type GuidList, type Lists, parseGuids } from './guids.js';
import { parseEmit, parseLimits } from './parse-emit.js';
import { parseMatch, parseNames } from './parse-match.js';
import { MAX_FED, parseTest } from './parse-test.js';
import { EMIT_ALL, type Policy, type Rule, type TestCase } from './policy.js';

export const MAX_RULES = 4096;
export const MAX_TESTS = 4096;
const DAY = 86_400_000;

/** Collects what is wrong; without it, the first thing that is wrong is thrown. */
type Problems = DocumentError[] | undefined;

/**
 * Parses one policy file.
 *
 * @param file the name that errors carry
 * @param problems collects what is wrong in single rules and tests, which are then left out
 * @throws DocumentError
 */
export function parsePolicy(text: string, file: string, problems?: DocumentError[]): Policy {
  const root = parseDocument(text, file);
  const keys = root.record(['schema', 'policy', 'lists', 'rules', 'assert', 'tests']);
  root.need(keys.schema, 'schema').choice(['tidegate-policy/v1']);
  const about = root.need(keys.policy, 'policy');
  const head = about.record(['id', 'revision', 'owner', 'expires']);
  const idField = about.need(head.id, 'id');
  const id = idField.name();
  const lists = parseLists(keys.lists);
  const fields = root.need(keys.rules, 'rules').list();
  const excess = fields[MAX_RULES];
  if (excess) throw excess.error(`more than ${MAX_RULES} rules: spread them over several files`);
  const rules = each(fields, problems, (field) => parseRule(field, id, lists));
  refuseTwins(rules, (rule) => rule.name, 'rule', problems);
  if (keys.assert) attempt(problems, () => refuseAssert(keys.assert!, lists));
  // A rule that is wrong has a name all the same: its tests need not be told so again.
  const names = new Set(fields.map((field) => `${id}/${nameOf(field)}`));
  return {
    id,
    revision: about.need(head.revision, 'revision').integer(0, Number.MAX_SAFE_INTEGER),
    owner: head.owner?.text(),
    expires: head.expires ? parseExpiry(head.expires) : Infinity,
    rules,
    tests: keys.tests ? parseTests(keys.tests, id, names, problems) : [],
    idField,
    expiresField: head.expires,
    lists: [...lists].map(([name, { field, used }]) => ({ name, field, used })),
  };
}

function attempt<T>(problems: Problems, work: () => T): T[] {
  try {
    return [work()];
  } catch (error) {
    if (!problems || !(error instanceof DocumentError)) throw error;
    problems.push(error);
    return [];
  }
}

function each<T>(fields: readonly Field[], problems: Problems, parse: (field: Field) => T): T[] {
  return fields.flatMap((field) => attempt(problems, () => parse(field)));
}

function refuseTwins<T extends { readonly field: Field }>(
  items: readonly T[],
  nameOf: (item: T) => string,
  what: string,
  problems: Problems,
): void {
  const seen = new Set<string>();
  for (const item of items) {
    const name = nameOf(item);
    attempt(problems, () => {
      if (seen.has(name)) throw item.field.error(`a second ${what} named '${name}'`);
    });
    seen.add(name);
  }
}

function nameOf(rule: Field): string {
  const name = rule.isMap ? rule.entries().find(([key]) => key === 'name')?.[1] : undefined;
  return name?.isText === true ? String(name.scalar()) : '';
}

/** `2027-03-31`: the last day, UTC, on which it is valid. */
function parseExpiry(field: Field): number {
  const time = readDate(field.text());
  if (Number.isNaN(time)) {
    throw field.error(`${field.path} must be a date as 2027-03-31, the last day it is valid, UTC`);
  }
  return time + DAY;
}

function parseLists(field: Field | undefined): Lists {
  const lists = new Map<string, GuidList>();
  for (const [name, list] of field?.entries() ?? []) {
    if (!/^[A-Za-z]\w{0,63}$/.test(name)) {
      throw list.keyError(`'${name.slice(0, 64)}' is no list name: letters, digits and _`);
    }
    lists.set(name, { field: list, cubes: parseGuids(list, new Map()), used: false });
  }
  return lists;
}

function parseRule(field: Field, policy: string, lists: Lists): Rule {
  const keys = field.record([
    'name',
    'effect',
    'to',
    'urgent',
    'reason',
    'expires',
    'match',
    'emit',
    'limits',
  ]);
  const name = `${policy}/${field.need(keys.name, 'name').name()}`;
  const effect = field.need(keys.effect, 'effect').choice(['permit', 'forbid']);
  if (effect === 'permit') field.need(keys.to, 'to');
  else if (keys.emit) throw keys.emit.error('a forbid sends nothing: it has no emit');
  else if (keys.limits) throw keys.limits.error('a forbid sends nothing: it has no limits');
  else if (keys.urgent) throw keys.urgent.error('a forbid sends nothing: nothing of it is urgent');
  const match = parseMatch(field.need(keys.match, 'match'), effect, lists);
  const [emit, emitKeys] = keys.emit ? parseEmit(keys.emit, match.arms) : [EMIT_ALL, {}];
  return {
    name,
    effect,
    to: keys.to && parseNames(keys.to),
    sources: match.sources,
    urgent: keys.urgent?.boolean() ?? false,
    reason: keys.reason?.text(),
    expires: keys.expires ? parseExpiry(keys.expires) : Infinity,
    arms: match.arms,
    emit,
    limits: keys.limits ? parseLimits(keys.limits) : { rate: undefined, size: undefined },
    field,
    places: placesOf({ '': keys, 'match.': match.keys, 'emit.': emitKeys }),
  };
}

function placesOf(
  groups: Readonly<Record<string, Readonly<Partial<Record<string, Field>>>>>,
): ReadonlyMap<string, Field> {
  const places = new Map<string, Field>();
  for (const [prefix, keys] of Object.entries(groups)) {
    for (const [key, field] of Object.entries(keys)) if (field) places.set(prefix + key, field);
  }
  return places;
}

const CLAIMS = ['never', 'only', 'output'] as const;

/** Claims over all events are proved or refused, never sampled; until they can be proved, refused. */
function refuseAssert(field: Field, lists: Lists): never {
  for (const claim of field.list()) {
    const keys = claim.record(CLAIMS);
    if (Object.keys(keys).length !== 1) {
      throw claim.error(`a claim is one of ${CLAIMS.join(', ')}`);
    }
    for (const body of Object.values(keys)) parseMatch(body, 'permit', lists);
  }
  throw field.keyError('assert is not yet provable: tidegate does not load what it cannot prove');
}

function parseTests(
  field: Field,
  policy: string,
  rules: ReadonlySet<string>,
  problems: Problems,
): TestCase[] {
  const fields = field.list();
  const excess = fields[MAX_TESTS];
  if (excess) throw excess.error(`more than ${MAX_TESTS} tests: spread them over several files`);
  const tests = each(fields, problems, (test) => parseTest(test, policy, rules));
  refuseTwins(tests, (test) => test.name, 'test', problems);
  const fed = tests.reduce((sum, { feed }) => sum + feed.reduce((n, s) => n + s.repeat, 0), 0);
  if (fed > MAX_FED) throw field.error(`the tests feed ${fed} events; at most ${MAX_FED}`);
  return tests;
}
