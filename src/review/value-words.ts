/** Why a value is not within a rule's bounds, in the event's own unit and in the rule's. */
import type { Rule } from '../policy/policy.js';
import { convert, unitOf, unitsOf } from '../policy/units.js';
import type { Facts } from './matching.js';
import { unitText } from './words.js';

const BOUNDS = [
  ['ge', 'at least'],
  ['gt', 'more than'],
  ['le', 'at most'],
  ['lt', 'less than'],
] as const;

const KEYS = ['unit', 'ge', 'gt', 'le', 'lt'] as const;

/** `the event has 345.65 kelvin (72.5 celsius)`, `the rule wants at most 60 celsius` */
export function valueWords(rule: Rule, facts: Facts): readonly [has: string, wants: string] {
  const keys = rule.places.get('match.value')?.record(KEYS) ?? {};
  const wanted = keys.unit?.text() ?? '';
  const bounds = BOUNDS.flatMap(([key, words]) =>
    keys[key] ? [`${words} ${String(keys[key].scalar())}`] : [],
  );
  return [
    `the event has ${valueIn(facts, wanted)}`,
    `the rule wants ${bounds.join(' and ')} ${wanted}`,
  ];
}

function valueIn({ vscpClass, type, fields: { value, unit } }: Facts, wanted: string): string {
  if (Number.isNaN(value)) return 'none';
  const own = unitOf(vscpClass, type, unit);
  const target = unitsOf(vscpClass, type).find(({ name }) => name === wanted);
  const said = `${value} ${unitText(vscpClass, type, unit)}`;
  if (!own || own.base !== target?.base) {
    return `${said}, which does not convert into ${wanted}`;
  }
  return own === target ? said : `${said} (${convert(value, own, target)} ${wanted})`;
}
