/** Parses the tests of a policy file: events to feed, a virtual clock, and what is expected. */
import { readInstant } from '../document/date.js';
import type { Field } from '../document/document.js';
import { parseDuration } from '../document/quantity.js';
import { parseBody } from '../event/event.js';
import { carries } from '../event/carries.js';
import { encodeFields, Fields } from '../event/fields.js';
import {
  CLASS,
  DATA,
  GUID,
  HEAD,
  MAX_BODY,
  MAX_DATA,
  readU16,
  SIZE,
  TYPE,
  writeU16,
} from '../event/layout.js';
import { writeSeconds } from '../event/time.js';
import { parseClass, parseType } from './classes.js';
import { guidOf, parsePattern } from './guids.js';
import { unitNamed } from './parse-match.js';
import type { Expectation, Expected, TestCase, TestStep } from './policy.js';
import { className } from './tokens.js';
import { unitsOf } from './units.js';

const MAX_REPEAT = 100_000;
/** Where the clock of a test begins that does not say: a monday at noon. */
const NOON = Date.parse('2026-01-05T12:00:00Z');
/** Events that the tests of a file feed, all in all. */
export const MAX_FED = 1_000_000;

/**
 * Parses one test.
 *
 * @param policy the id in front of rule names
 * @param rules the full names of this file's rules
 * @throws DocumentError
 */
export function parseTest(field: Field, policy: string, rules: ReadonlySet<string>): TestCase {
  const keys = field.record(['name', 'at', 'feed', 'advance', 'expect']);
  return {
    name: field.need(keys.name, 'name').text(),
    at: keys.at ? parseInstant(keys.at) : NOON,
    feed: field
      .need(keys.feed, 'feed')
      .oneOrMore()
      .map((step) => parseStep(step)),
    advance: keys.advance ? parseDuration(keys.advance, 1) : 0,
    expect: parseExpectation(field.need(keys.expect, 'expect'), policy, rules),
    field,
  };
}

function parseInstant(field: Field): number {
  const time = readInstant(field.text());
  if (Number.isNaN(time)) {
    throw field.error(`${field.path} must be a time as "2026-06-01T12:00:07Z"`);
  }
  return time;
}

function parseStep(field: Field): TestStep {
  const keys = field.record(['source', 'repeat', 'every', 'at', 'event', 'line']);
  if (keys.event && keys.line) throw keys.line.keyError("'event' or 'line', not both");
  if (keys.every && !keys.repeat) throw keys.every.keyError("'every' goes with 'repeat'");
  return {
    source: keys.source?.name(),
    repeat: keys.repeat?.integer(1, MAX_REPEAT) ?? 1,
    every: keys.every ? parseDuration(keys.every, 1) : 0,
    at: keys.at && parseInstant(keys.at),
    body: keys.line ? parseLine(keys.line) : parseEvent(field.need(keys.event, 'event')),
    field,
  };
}

function parseLine(field: Field): Uint8Array {
  try {
    return parseBody(field.text(4096));
  } catch (error) {
    throw field.error((error as Error).message);
  }
}

/** The binary form of an event that is described field by field; a value as its class has it. */
function parseEvent(field: Field): Uint8Array {
  const keys = field.record([...EVENT_KEYS, 'guid', 'time']);
  const body = new Uint8Array(MAX_BODY);
  const vscpClass = parseClass(field.need(keys.class, 'class'));
  const type = parseType(field.need(keys.type, 'type'), [vscpClass]);
  writeU16(body, HEAD, (keys.priority?.integer(0, 7) ?? 3) << 5);
  writeU16(body, CLASS, vscpClass);
  writeU16(body, TYPE, type);
  if (keys.guid) body.set(guidOf(keys.guid), GUID);
  if (keys.time) writeSeconds(body, 0, Math.floor(parseInstant(keys.time) / 1000));
  if (keys.data) {
    if (keys.value) throw keys.value.keyError("'data' or 'value', not both");
    const bytes = keys.data.isList ? keys.data.list().map((item) => item.integer(0, 255)) : [];
    if (!keys.data.isList || bytes.length > MAX_DATA) {
      throw keys.data.error(`${keys.data.path} is a list of at most ${MAX_DATA} bytes`);
    }
    body.set(bytes, DATA);
    writeU16(body, SIZE, bytes.length);
  } else if (keys.value) {
    writeValue(field, keys, vscpClass, type, body);
  }
  for (const key of ['unit', 'sensor', 'zone', 'subzone'] as const) {
    if (keys[key] && !keys.value) throw keys[key].keyError(`'${key}' goes with 'value'`);
  }
  return body.slice(0, DATA + readU16(body, SIZE));
}

const EVENT_KEYS = [
  'class',
  'type',
  'priority',
  'value',
  'unit',
  'sensor',
  'zone',
  'subzone',
  'data',
] as const;

type EventKeys = Partial<Record<(typeof EVENT_KEYS)[number], Field>>;

function writeValue(
  field: Field,
  keys: EventKeys,
  vscpClass: number,
  type: number,
  body: Uint8Array,
): void {
  const value = keys.value!;
  if (carries(vscpClass)?.value !== true) {
    throw value.error(`class ${className(vscpClass)} carries no value: write 'data'`);
  }
  const unit = unitNamed(field.need(keys.unit, 'unit'), unitsOf(vscpClass, type), vscpClass, type);
  const fields = new Fields();
  fields.value = value.number();
  fields.unit = unit.code;
  fields.index = keys.sensor?.integer(0, 255) ?? 0;
  fields.zone = keys.zone?.integer(0, 255) ?? 0;
  fields.subzone = keys.subzone?.integer(0, 255) ?? 0;
  if (encodeFields(body, 0, fields) < 0) {
    throw value.error(`class ${className(vscpClass)} cannot carry this value, unit and sensor`);
  }
}

const WITHHELD = ['rate', 'size', 'conversion', 'overflow', 'interrupted'] as const;

function parseCounts(
  field: Field | undefined,
  names: readonly string[],
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const keys = field?.record(names) ?? {};
  for (const name of names) {
    const count = keys[name]?.integer(0, MAX_FED);
    if (count !== undefined) counts[name] = count;
  }
  return counts;
}

function parseExpectation(field: Field, policy: string, rules: ReadonlySet<string>): Expectation {
  const keys = field.record([
    'rule',
    'channel',
    'emitted',
    'urgent',
    'out',
    'absorbed',
    'withheld',
  ]);
  if (Object.keys(keys).length === 0)
    throw field.error('an empty expect: a test must expect something');
  const expectation = {
    rule: keys.rule && parseRuleName(keys.rule, policy, rules),
    channel: keys.channel?.name(),
    emitted: keys.emitted?.integer(0, MAX_FED),
    urgent: keys.urgent?.boolean(),
    out: keys.out && {
      all: keys.out.isList,
      events: keys.out.oneOrMore().map((item) => parseExpected(item)),
    },
    absorbed: parseCounts(keys.absorbed, ['window', 'deadband']),
    withheld: parseCounts(keys.withheld, WITHHELD),
    field,
  };
  if (keys.channel && Object.keys(keys).length === 1) {
    throw field.error("'channel' says where to look: add what is expected there");
  }
  return expectation;
}

function parseRuleName(field: Field, policy: string, rules: ReadonlySet<string>): string | null {
  const name = field.name();
  if (rules.has(`${policy}/${name}`)) return `${policy}/${name}`;
  if (name === 'none') return null;
  throw field.error(`this file has no rule '${name}'`);
}

function parseExpected(field: Field): Expected {
  const keys = field.record([...EVENT_KEYS, 'guid', 'time']);
  if (Object.keys(keys).length === 0) throw field.error('an empty out: name a field');
  const vscpClass = keys.class && parseClass(keys.class);
  if (keys.type?.isText && vscpClass === undefined) {
    throw keys.type.error('a type token means something only within a class: add class');
  }
  return {
    class: vscpClass,
    type: keys.type && parseType(keys.type, vscpClass === undefined ? undefined : [vscpClass]),
    priority: keys.priority?.integer(0, 7),
    guid: keys.guid && parsePattern(keys.guid),
    value: keys.value?.number(),
    unit: keys.unit?.text(),
    sensor: keys.sensor?.integer(0, 255),
    zone: keys.zone?.integer(0, 255),
    subzone: keys.subzone?.integer(0, 255),
    data: keys.data && Uint8Array.from(bytesOf(keys.data)),
    time: keys.time && expectedTime(keys.time),
    field,
  };
}

function bytesOf(field: Field): number[] {
  if (!field.isList) {
    field.choice(['empty']);
    return [];
  }
  return field.list().map((item) => item.integer(0, 255));
}

function expectedTime(field: Field): string {
  if (field.text() === 'zero') return '';
  return new Date(parseInstant(field)).toISOString().replace(/\.\d+Z$/, 'Z');
}
