/** What becomes of an event that is permitted: sent, kept for a window, or neither. */
import { formatEvent } from '../event/event.js';
import { carries } from '../event/carries.js';
import { formatGuid } from '../event/guid.js';
import { GUID, HEAD, priorityOf, readU16 } from '../event/layout.js';
import { secondsOf } from '../event/time.js';
import { capacityOf, Converter } from '../policy/emission.js';
import { EMIT_ALL, type KeyPart, type Rule } from '../policy/policy.js';
import type { Facts } from './matching.js';
import { placeOf, placeText } from './place.js';
import { provenanceOf, type SentField } from './provenance.js';
import type { Sent } from './rehearsal.js';
import {
  anyOf,
  classText,
  countText,
  durationText,
  instantText,
  typeText,
  unitText,
} from './words.js';

/** The window that an event joins: half-open, aligned to 1970. */
export interface WindowPlace {
  readonly from: string;
  readonly to: string;
  /** What tells its stream from others: class, type and what `per` names. */
  readonly key: Readonly<Record<string, string>>;
  readonly minSamples: number;
  /** How many of this event stand behind what `fields` say. */
  readonly samples: number;
}

export interface Sending {
  readonly rule: string;
  /** One of OUTCOMES. */
  readonly outcome: string;
  /** Whether it goes by the urgent lane; null: nothing is sent. */
  readonly urgent: boolean | null;
  /** Sentences on what else decides: window, deadband, rate, urgency, or why nothing is sent. */
  readonly notes: readonly string[];
  readonly window: WindowPlace | null;
  /** What is sent, or what the window sends when it ends; null: nothing. */
  readonly line: string | null;
  readonly fields: readonly SentField[];
}

/**
 * @param sent what the engine sends; undefined: nothing
 * @param samples of the event that a window held for it
 */
export function sendingOf(
  rule: Rule,
  facts: Facts,
  outcome: string,
  sent: Pick<Sent, 'body' | 'urgent'> | undefined,
  samples: number,
): Sending {
  const body = sent?.body;
  const window = windowOf(rule, facts, samples);
  const from = windowBegin(rule, facts.now);
  return {
    rule: rule.name,
    outcome,
    urgent: sent?.urgent ?? null,
    notes: [
      ...(rule.emit === EMIT_ALL ? ['the rule has no emit: fields are sent as they came'] : []),
      ...(window ? windowNotes(rule, window, body !== undefined) : []),
      ...deadbandNotes(rule),
      ...rateNotes(rule),
      ...urgencyNotes(rule, sent),
      ...withheldNotes(rule, facts, outcome),
    ],
    window,
    line: body ? formatEvent(body) : null,
    fields: body ? provenanceOf(rule, facts, body, window ? { samples, from } : undefined) : [],
  };
}

export function windowBegin({ emit: { window } }: Rule, now: number): number {
  return window ? Math.floor(now / window.every) * window.every : now;
}

function windowOf(rule: Rule, facts: Facts, samples: number): WindowPlace | null {
  const { window } = rule.emit;
  if (!window) return null;
  const from = windowBegin(rule, facts.now);
  return {
    from: instantText(from),
    to: instantText(from + window.every),
    key: {
      ...(rule.emit.class === undefined ? { class: classText(facts.vscpClass) } : {}),
      type: typeText(facts.vscpClass, facts.type),
      ...Object.fromEntries(window.per.map((part) => [part, keyText(part, facts)])),
    },
    minSamples: window.minSamples,
    samples,
  };
}

function keyText(part: KeyPart, { body, source, fields }: Facts): string {
  if (part === 'guid') return formatGuid(body, GUID);
  if (part === 'source') return source;
  const byte = fields[part === 'sensor' ? 'index' : part];
  return byte < 0 ? 'none' : String(byte);
}

function at(rule: Rule, key: string): string {
  const field = rule.places.get(key);
  return field ? ` (${key}, ${placeText(placeOf(field))})` : '';
}

function windowNotes(rule: Rule, window: WindowPlace, sends: boolean): string[] {
  const { from, to, key, minSamples, samples } = window;
  const stream = Object.entries(key).map(([name, value]) => `${name} ${value}`);
  const joins =
    `it joins the window [${from}, ${to})${at(rule, 'emit.window')} ` + `of ${stream.join(', ')}`;
  const enough = countText(samples, 'such sample');
  const ends = sends
    ? `with ${enough} the window sends this when it ends, at ${to}`
    : `with ${enough} the window sends nothing when it ends`;
  if (minSamples === 1) return [joins, ends];
  return [
    joins,
    `alone it sends nothing: min_samples asks ${minSamples}, ${minSamples - 1} more`,
    ends,
  ];
}

function deadbandNotes(rule: Rule): string[] {
  const { deadband } = rule.emit;
  if (!deadband) return [];
  const { change, unit, per, refresh } = deadband;
  const again = refresh === Infinity ? '' : `, or after ${durationText(refresh)}`;
  const first = `the first of its stream (${per.join(', ')})`;
  return [
    `deadband${at(rule, 'emit.deadband')}: this is taken for ${first}, ` +
      `which is sent; the next is when it differs by ${change} ${unit}${again}`,
  ];
}

function rateNotes(rule: Rule): string[] {
  const { rate } = rule.limits;
  if (!rate) return [];
  const text = rule.places.get('limits')?.record(['rate', 'burst', 'size']).rate?.text() ?? '';
  return [
    `rate ${text}, burst ${rate.burst}${at(rule, 'limits')}: this is taken for the first event, ` +
      'which is never too many',
  ];
}

function urgencyNotes(rule: Rule, sent: Pick<Sent, 'body' | 'urgent'> | undefined): string[] {
  if (!sent?.urgent) return [];
  const reasons = [
    ...(rule.urgent ? [`the rule is urgent${at(rule, 'urgent')}`] : []),
    ...(priorityOf(readU16(sent.body, HEAD)) === 0 ? ['it is sent with priority 0'] : []),
  ];
  return [`it goes by the urgent lane: ${reasons.join(', and ')}`];
}

function withheldNotes(rule: Rule, facts: Facts, outcome: string): string[] {
  if (!outcome.startsWith('withheld.')) return [];
  const { size, vscpClass } = facts;
  switch (outcome) {
    case 'withheld.size': {
      const most = Math.min(rule.limits.size ?? Infinity, capacityOf(rule.emit.class));
      const what =
        rule.emit.data === 'keep' && !rule.emit.value ? `${size} data bytes` : 'its data';
      const why =
        rule.limits.size === most
          ? at(rule, 'limits')
          : ` (${classText(rule.emit.class ?? vscpClass)})`;
      return [`nothing is sent: ${what} would be more than ${most} bytes${why}`];
    }
    case 'withheld.conversion':
      return [`nothing is sent: ${conversionFailure(rule, facts)}`];
    default:
      return [`nothing is sent: ${outcome}`];
  }
}

function conversionFailure(rule: Rule, facts: Facts): string {
  const { vscpClass, type, fields, body } = facts;
  const { value, deadband, time, class: outClass = vscpClass } = rule.emit;
  for (const [key, unit] of [
    ['emit.value', value?.unit],
    ['emit.deadband', deadband?.unit],
  ] as const) {
    const emit = key === 'emit.value' ? rule.emit : EMIT_ALL;
    const asked = key === 'emit.value' ? value : deadband;
    if (!asked || !Number.isNaN(new Converter(unit, emit).value(vscpClass, type, fields))) continue;
    if (Number.isNaN(fields.value)) return `the event has no value${at(rule, key)}`;
    const own = unitText(vscpClass, type, fields.unit);
    return `${fields.value} ${own} does not convert into ${unit ?? own}${at(rule, key)}`;
  }
  if (typeof time === 'object' && time.of === 'event' && Number.isNaN(secondsOf(body, 0))) {
    return `the event has no time to floor${at(rule, 'emit.time')}`;
  }
  if (!value) return `its time cannot be said${at(rule, 'emit.time')}`;
  const kept = (['sensor', 'zone', 'subzone'] as const).filter((key) => rule.emit[key] !== 0);
  const what = kept.length > 0 ? ` with ${anyOf(kept)}` : '';
  const can = carries(outClass)?.value === true ? 'cannot carry this value' : 'carries no value';
  return `class ${classText(outClass)} ${can}${what}${at(rule, 'emit.value')}`;
}
