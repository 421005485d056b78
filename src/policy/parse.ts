/** Parses a policy file, strictly: what is not understood is an error with file:line:column. */
import { type Field, parseDocument } from '../document/document.js';
import { parseClasses, parseTypes } from './classes.js';
import { parseGuids, parseRaw } from './guids.js';
import { type Arm, EVERY, type NumberSet } from './match.js';
import { EMIT_ALL, type Emit, type Name, type Policy, type Rule } from './policy.js';

export const MAX_RULES = 4096;
const DAY = 86_400_000;

/**
 * Parses one policy file.
 *
 * @param file the name that errors carry
 * @throws DocumentError
 */
export function parsePolicy(text: string, file: string): Policy {
  const root = parseDocument(text, file);
  const keys = root.record(['schema', 'policy', 'lists', 'rules']);
  root.need(keys.schema, 'schema').choice(['tidegate-policy/v1']);
  const about = root.need(keys.policy, 'policy');
  const head = about.record(['id', 'revision', 'owner', 'expires']);
  const idField = about.need(head.id, 'id');
  const id = idField.name();
  const lists = parseLists(keys.lists);
  const fields = root.need(keys.rules, 'rules').list();
  const excess = fields[MAX_RULES];
  if (excess) throw excess.error(`more than ${MAX_RULES} rules: spread them over several files`);
  const rules = fields.map((field) => parseRule(field, id, lists));
  const seen = new Set<string>();
  for (const rule of rules) {
    if (seen.has(rule.name)) throw rule.field.error(`a second rule named '${rule.name}'`);
    seen.add(rule.name);
  }
  return {
    id,
    revision: about.need(head.revision, 'revision').integer(0, Number.MAX_SAFE_INTEGER),
    owner: head.owner?.text(),
    expires: head.expires ? parseExpiry(head.expires) : Infinity,
    rules,
    idField,
    expiresField: head.expires,
  };
}

/** `2027-03-31`: the last day, UTC, on which it is valid. */
function parseExpiry(field: Field): number {
  const text = field.text();
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text) {
    throw field.error(`${field.path} must be a date as 2027-03-31, the last day it is valid, UTC`);
  }
  return time + DAY;
}

function parseLists(field: Field | undefined): ReadonlyMap<string, Field> {
  const lists = new Map<string, Field>();
  for (const [name, list] of field?.entries() ?? []) {
    if (!/^[A-Za-z]\w{0,63}$/.test(name)) {
      throw list.keyError(`'${name.slice(0, 64)}' is no list name: letters, digits and _`);
    }
    parseGuids(list, new Map());
    lists.set(name, list);
  }
  return lists;
}

function parseRule(field: Field, policy: string, lists: ReadonlyMap<string, Field>): Rule {
  const keys = field.record(['name', 'effect', 'to', 'reason', 'match', 'emit']);
  const name = `${policy}/${field.need(keys.name, 'name').name()}`;
  const effect = field.need(keys.effect, 'effect').choice(['permit', 'forbid']);
  keys.reason?.text();
  if (effect === 'permit') field.need(keys.to, 'to');
  else if (keys.emit) throw keys.emit.error('a forbid sends nothing: it has no emit');
  const match = field.need(keys.match, 'match');
  const { source } = match.record(MATCH_KEYS);
  const sources = source && parseNames(source);
  return {
    name,
    effect,
    to: keys.to && parseNames(keys.to),
    sources,
    arms: parseMatch(match, sources, lists),
    emit: keys.emit ? parseEmit(keys.emit) : EMIT_ALL,
    field,
  };
}

function parseNames(field: Field): Name[] {
  return field.oneOrMore().map((item) => ({ text: item.name(), field: item }));
}

const MATCH_KEYS = ['any', 'source', 'priority', 'class', 'type', 'guid', 'raw'] as const;

function parseMatch(
  field: Field,
  sources: readonly Name[] | undefined,
  lists: ReadonlyMap<string, Field>,
): Arm[] {
  const keys = field.record(MATCH_KEYS);
  const given = Object.keys(keys).length;
  if (keys.any) {
    if (!keys.any.boolean()) throw keys.any.error(`leave '${keys.any.path}' out, or write true`);
    if (given > 1) throw keys.any.error("'any: true' stands alone");
  } else if (given === 0) {
    throw field.error("an empty match: to match every event, write 'any: true'");
  }
  if (keys.raw && (keys.class ?? keys.type ?? keys.guid ?? keys.priority)) {
    throw keys.raw.error("'raw' says priority, class, type and guid: name it or them");
  }
  const common = { sources: sources && new Set(sources.map(({ text }) => text)) };
  if (keys.raw) return [{ ...common, ...parseRaw(keys.raw) }];
  const priorities = keys.priority ? parsePriorities(keys.priority) : 0xff;
  const guids = keys.guid && parseGuids(keys.guid, lists);
  const classes = keys.class && parseClasses(keys.class);
  const rest = { ...common, priorities, guids };
  if (!keys.type) return [{ ...rest, classes: asSet(classes), types: EVERY }];
  const arms: Arm[] = [];
  for (const [types, scope] of parseTypes(keys.type, classes)) {
    arms.push({ ...rest, classes: asSet(scope), types: { values: types } });
  }
  return arms;
}

function asSet(classes: readonly number[] | undefined): NumberSet {
  return classes ? { values: new Set(classes) } : EVERY;
}

function parsePriorities(field: Field): number {
  return field.oneOrMore().reduce((bits, item) => bits | (1 << item.integer(0, 7)), 0);
}

function parseEmit(field: Field): Emit {
  const keys = field.record(['priority', 'guid', 'time', 'data']);
  if (Object.keys(keys).length === 0) throw field.error('an empty emit: name what is kept');
  const keeps = (part: Field | undefined): boolean => part?.choice(['keep', 'zero']) === 'keep';
  return {
    // Zero is the highest priority, not the absence of one: it must be asked for by name.
    priority: keys.priority === undefined || keeps(keys.priority),
    guid: keeps(keys.guid),
    time: keeps(keys.time),
    data: keeps(keys.data),
  };
}
