/** Why a rule's times are closed: the clock on the wall of its zone, and when it would hold. */
import type { Rule } from '../policy/policy.js';
import type { Facts } from './matching.js';
import { anyOf } from './words.js';

/** `it is mon 2026-06-01 03:12 in Europe/Berlin`, `the rule wants 05:00-22:00 on mon or tue` */
export function scheduleWords(rule: Rule, { now }: Facts): readonly [has: string, wants: string] {
  const field = rule.places.get('match.time');
  const { zone, daily, days, dates } = field?.record(['zone', 'daily', 'days', 'dates']) ?? {};
  const name = zone?.text() ?? 'UTC';
  const said = (key: typeof daily): string => anyOf((key?.list() ?? []).map((item) => item.text()));
  const wants = [
    ...(daily ? [said(daily)] : []),
    ...(days ? [`on ${said(days)}`] : []),
    ...(dates ? [`in ${said(dates)}`] : []),
  ];
  return [`it is ${wallClock(now, name)} in ${name}`, `the rule wants ${wants.join(' ')}`];
}

function wallClock(now: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? '';
  const date = `${part('year')}-${part('month')}-${part('day')}`;
  return `${part('weekday').toLowerCase()} ${date} ${part('hour')}:${part('minute')}`;
}
