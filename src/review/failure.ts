/** The predicate for which a rule does not match an event: what the event has, what it wants. */
import { carries } from '../event/carries.js';
import { formatGuid } from '../event/guid.js';
import { GUID } from '../event/layout.js';
import { parseClasses } from '../policy/classes.js';
import { contains } from '../policy/match.js';
import type { Rule } from '../policy/policy.js';
import type { Facts, Predicate } from './matching.js';
import { type Place, placeOf } from './place.js';
import {
  anyOf,
  classText,
  countText,
  dateText,
  itemsOf,
  patternText,
  typeText,
  unitText,
} from './words.js';
import { scheduleWords } from './schedule-words.js';
import { valueWords } from './value-words.js';

export interface Failure {
  readonly predicate: Predicate;
  /** A clause: `the event has none`. */
  readonly has: string;
  /** A clause: `the rule wants 3 or 4`. */
  readonly wants: string;
  readonly place: Place;
}

/** What the event has, and what the rule wants. */
export type Words = readonly [has: string, wants: string];

/** Says of a predicate, as `failureOf` gave it, why it fails. */
export function explainFailure(rule: Rule, facts: Facts, failed: Predicate): Failure {
  const predicate = failed === 'class' ? narrowedBy(rule, facts) : failed;
  const field = rule.places.get(predicate === 'expires' ? predicate : `match.${predicate}`);
  const [has, wants] = WORDS[predicate](rule, facts);
  return { predicate, has, wants, place: placeOf(field ?? rule.field) };
}

/**
 * Which predicate took a class away: `sensor` and its like leave only classes that carry one, a
 * type's token leaves only classes that have it.
 */
function narrowedBy(rule: Rule, { vscpClass }: Facts): Predicate {
  const field = rule.places.get('match.class');
  if (field && !parseClasses(field).numbers.includes(vscpClass)) return 'class';
  const can = carries(vscpClass);
  if (rule.effect === 'permit') {
    for (const key of ['sensor', 'zone', 'subzone'] as const) {
      const carried = key === 'sensor' ? can?.index : can?.zone;
      if (rule.places.has(`match.${key}`) && carried !== true) return key;
    }
    // What is left of this kind: an index that three bits do not hold.
    if (rule.places.has('match.sensor') && can?.value === true && !can.zone) return 'sensor';
  }
  return rule.places.has('match.type') ? 'type' : 'class';
}

const WORDS: Readonly<Record<Predicate, (rule: Rule, facts: Facts) => Words>> = {
  expires: ({ expires }, { now }) => [
    `it is ${dateText(now)}`,
    `the rule's last day was ${dateText(expires - 1)}`,
  ],
  source: ({ sources = [] }, { source }) => [
    `the event came by ${source}`,
    `the rule wants ${anyOf(sources.map(({ text }) => text))}`,
  ],
  class: (rule, { vscpClass }) => [
    `the event has ${classText(vscpClass)}`,
    `the rule wants ${written(rule, 'class', classText)}`,
  ],
  type: (rule, { vscpClass, type }) => [
    `the event has ${typeText(vscpClass, type)} of ${classText(vscpClass)}`,
    `the rule wants ${written(rule, 'type', (number) => typeText(vscpClass, number))}`,
  ],
  priority: (rule, { priority }) => [
    `the event has ${priority}`,
    `the rule wants ${written(rule, 'priority')}`,
  ],
  raw: rawWords,
  guid: guidWords,
  sensor: (rule, facts) => byteWords(rule, facts, 'sensor', facts.fields.index),
  zone: (rule, facts) => byteWords(rule, facts, 'zone', facts.fields.zone),
  subzone: (rule, facts) => byteWords(rule, facts, 'subzone', facts.fields.subzone),
  unit: (rule, { vscpClass, type, fields: { unit } }) => [
    `the event has ${unit < 0 ? 'none' : unitText(vscpClass, type, unit)}`,
    `the rule wants ${written(rule, 'unit')}`,
  ],
  value: valueWords,
  size: (rule, { size }) => [
    `the event has ${countText(size, 'data byte')}`,
    `the rule wants ${range(rule, 'size')}`,
  ],
  time: scheduleWords,
};

/** What a rule asks for, in the words of its file. */
function written(rule: Rule, key: string, number: (value: number) => string = String): string {
  const field = rule.places.get(`match.${key}`);
  return field ? anyOf(itemsOf(field, number)) : 'another';
}

/** `3 or 4`, `2 to 5`, `at least 2` */
function range(rule: Rule, key: string): string {
  const field = rule.places.get(`match.${key}`);
  if (!field?.isMap) return written(rule, key);
  const { ge, le } = field.record(['ge', 'le']);
  if (!ge || !le) return ge ? `at least ${String(ge.scalar())}` : `at most ${String(le?.scalar())}`;
  return `${String(ge.scalar())} to ${String(le.scalar())}`;
}

function byteWords(
  rule: Rule,
  { vscpClass }: Facts,
  key: 'sensor' | 'zone' | 'subzone',
  value: number,
): Words {
  const can = carries(vscpClass);
  const carried = key === 'sensor' ? can?.index : can?.zone;
  const none = carried === true ? 'none' : `none: ${classText(vscpClass)} carries no ${key}`;
  return [`the event has ${value < 0 ? none : value}`, `the rule wants ${range(rule, key)}`];
}

function guidWords(rule: Rule, { body }: Facts): Words {
  const patterns = anyOf((rule.arms[0]?.guids ?? []).map(patternText));
  const field = rule.places.get('match.guid');
  const list = field?.isMap === true && field.record(['in', 'value', 'mask']).in;
  const named = list && list.isText ? `${list.text()}: ` : '';
  return [`the event has ${formatGuid(body, GUID)}`, `the rule wants ${named}${patterns}`];
}

/** A filter and mask are one predicate: which of their four fields differs is said. */
function rawWords(rule: Rule, { body, priority, vscpClass, type }: Facts): Words {
  const { filter, mask } = rule.places.get('match.raw')?.record(['filter', 'mask']) ?? {};
  const wants = `the rule wants ${filter?.text() ?? ''} under mask ${mask?.text() ?? ''}`;
  const [arm] = rule.arms;
  if (!arm) return ['the event differs', wants];
  const differs = [
    contains(arm.classes, vscpClass) ? [] : [`class ${classText(vscpClass)}`],
    contains(arm.types, type) ? [] : [`type ${typeText(vscpClass, type)}`],
    (arm.priorities & (1 << priority)) === 0 ? [`priority ${priority}`] : [],
  ].flat();
  const last = differs.length === 0 ? [`GUID ${formatGuid(body, GUID)}`] : differs;
  return [`the event has ${last.join(', ')}`, wants];
}
