/** The way of a value from the event that came to the one that is sent. */
import type { Fields } from '../event/fields.js';
import { roundTo, stepOf } from '../policy/emission.js';
import type { Rule } from '../policy/policy.js';
import { convert, unitOf, unitsOf } from '../policy/units.js';
import type { Facts } from './matching.js';
import { countText, unitText } from './words.js';

/**
 * `294.45 kelvin as it came, 21.3 celsius, mean of 1 sample, rounded to 0.5`
 *
 * @param sent what the event that is sent carries
 * @param samples of the event that the window held; 0: the rule has none
 */
export function valueOrigin(rule: Rule, facts: Facts, sent: Fields, samples: number): string {
  const { vscpClass, type, fields } = facts;
  const { unit, fn, clamp, round } = rule.emit.value!;
  const own = unitOf(vscpClass, type, fields.unit);
  const outClass = rule.emit.class ?? vscpClass;
  const target = unitsOf(outClass, rule.emit.type ?? type).find(({ name }) => name === unit);
  const steps = [`${fields.value} ${unitText(vscpClass, type, fields.unit)} as it came`];
  let value = fields.value;
  if (own && target && own.name !== target.name) {
    value = convert(value, own, target);
    steps.push(`${value} ${target.name}`);
  }
  if (fn && samples > 0) steps.push(`${fn} of ${countText(samples, 'such sample')}`);
  if (clamp) {
    const clamped = Math.min(Math.max(value, clamp.ge), clamp.le);
    const bounds = clampText(clamp.ge, clamp.le);
    steps.push(clamped === value ? `${bounds}: it is` : `${bounds}: clamped to ${clamped}`);
    value = clamped;
  }
  if (round !== undefined) {
    value = roundTo(value, stepOf(round));
    steps.push(`rounded to ${round}`);
  }
  // A mean of equal samples may be off by a bit: only what a coding does is worth saying.
  if (Math.fround(value) === sent.value && value !== sent.value) {
    steps.push('the nearest float32, which the class can carry');
  }
  return steps.join(', ');
}

function clampText(ge: number, le: number): string {
  if (ge === -Infinity) return `at most ${le}`;
  return le === Infinity ? `at least ${ge}` : `${ge} to ${le}`;
}
