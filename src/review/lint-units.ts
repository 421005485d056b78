/** Lints of values: averages of what has no average, and bounds that no measurement meets. */
import type { Rule } from '../policy/policy.js';
import { pairsOf } from '../policy/parse-emit.js';
import { typeName } from '../policy/tokens.js';
import { convert, type Unit, unitsOf } from '../policy/units.js';
import { type Finding, warn } from './finding.js';
import { placeOf } from './lint-classes.js';

/** By base of the unit: why its mean says nothing, and what does. */
const NO_MEAN: Readonly<Record<string, readonly [why: string, fix: string]>> = {
  angle: ['an angle turns over: the mean of 359 and 1 degrees is 180', 'send fn: last'],
  decibel: [
    'a decibel is a logarithm: the mean of 40 and 80 dB is no loudness',
    'send fn: max, or fn: last',
  ],
  count: ['a counter grows: its mean is neither a reading nor an increase', 'send fn: last'],
  energy: ['a meter grows: its mean is neither a reading nor a consumption', 'send fn: last'],
  'kilovar-hour': [
    'a meter grows: its mean is neither a reading nor a consumption',
    'send fn: last',
  ],
  longitude: ['a position has no mean: longitude turns over at 180 degrees', 'send fn: last'],
};

/** Kelvin; a bound below it, written in kelvin, is a number of degrees celsius. */
const COLD = 100;

/** Findings about windows and value bounds. */
export function lintUnits(rule: Rule): Finding[] {
  return [...lintMean(rule), ...lintBounds(rule)];
}

function lintMean(rule: Rule): Finding[] {
  const { window, value, class: outClass, type: outType } = rule.emit;
  if (!window || value?.fn !== 'mean') return [];
  for (const [vscpClass, type] of pairsOf(rule.arms) ?? []) {
    const units = unitsOf(outClass ?? vscpClass, outType ?? type);
    const unit = units.find(({ name }) => name === value.unit);
    const reason = unit && Object.hasOwn(NO_MEAN, unit.base) ? NO_MEAN[unit.base] : undefined;
    if (!reason) continue;
    const [why, fix] = reason;
    const message = `permit '${rule.name}' sends the mean of ${typeName(vscpClass, type)}: ${why}`;
    return [warn(placeOf(rule, 'emit.value'), 'window-unit', message, fix)];
  }
  return [];
}

function lintBounds(rule: Rule): Finding[] {
  const field = rule.places.get('match.value');
  if (!field) return [];
  const keys = field.record(['unit', 'ge', 'gt', 'le', 'lt']);
  const name = keys.unit!.text();
  const bounds = [keys.ge, keys.gt, keys.le, keys.lt].flatMap((key) => key?.number() ?? []);
  for (const [vscpClass, type] of pairsOf(rule.arms) ?? []) {
    const units = unitsOf(vscpClass, type);
    const unit = units.find((each) => each.name === name);
    const doubt = unit && doubtOf(unit, units, bounds, typeName(vscpClass, type));
    if (!doubt) continue;
    const [why, fix] = doubt;
    return [warn(field, 'value-unit', `${rule.effect} '${rule.name}': ${why}`, fix)];
  }
  return [];
}

function doubtOf(
  unit: Unit,
  units: readonly Unit[],
  bounds: readonly number[],
  type: string,
): readonly [string, string] | undefined {
  if (unit.base === 'temperature') {
    const kelvin = units.find(({ name }) => name === 'kelvin')!;
    const low = bounds.find((bound) => convert(bound, unit, kelvin) < 0);
    if (low !== undefined)
      return [`${low} ${unit.name} is below absolute zero`, 'correct the unit'];
    const cold = bounds.find((bound) => unit === kelvin && bound < COLD);
    if (cold !== undefined) {
      const celsius = Math.round(
        convert(
          cold,
          kelvin,
          units.find((u) => u.name === 'celsius')!,
        ),
      );
      return [
        `${cold} kelvin is ${celsius} celsius: no building is so cold, so the bound is none`,
        `write unit: celsius; if ${celsius} is meant, say so in celsius`,
      ];
    }
  }
  if (type === 'HUMIDITY' && unit.name === 'percent') {
    const beyond = bounds.find((bound) => bound < 0 || bound > 100);
    if (beyond !== undefined) return [`${beyond} percent is no humidity`, 'write 0 to 100'];
    if (bounds.every((bound) => bound <= 1) && bounds.some((bound) => bound > 0)) {
      return ['at most 1 percent is no humidity of a room', 'write percent: 0.5 as 50'];
    }
  }
  return undefined;
}
