/** What a permit sends, field by field, and where each field came from. */
import { eventPriority, unpackEvent, type VscpEvent } from '../event/event.js';
import { decodeFields, Fields } from '../event/fields.js';
import { formatGuid } from '../event/guid.js';
import { EMIT_ALL, type Rule } from '../policy/policy.js';
import type { Facts } from './matching.js';
import { type Place, placeOf } from './place.js';
import { valueOrigin } from './value-origin.js';
import {
  bytesText,
  classText,
  durationText,
  instantText,
  prefixText,
  timeText,
  typeText,
  unitText,
} from './words.js';

/** One field of an event that is sent. */
export interface SentField {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
  /** The key of the rule that says so, and where it stands; null: nothing in the file does. */
  readonly key: string | null;
  readonly place: Place | null;
}

/** A permit's event: the one that came, and the one that is sent for it. */
interface Passage {
  readonly rule: Rule;
  readonly facts: Facts;
  readonly came: VscpEvent;
  readonly sent: VscpEvent;
  readonly sentFields: Fields;
  /** How many of the event the window held, and when it began, ms since 1970. */
  readonly window: { readonly samples: number; readonly from: number } | undefined;
}

/**
 * @param body what is sent
 * @param window that it came out of, if its rule has one
 */
export function provenanceOf(
  rule: Rule,
  facts: Facts,
  body: Uint8Array,
  window: Passage['window'],
): SentField[] {
  const sentFields = new Fields();
  decodeFields(body, 0, sentFields);
  const came = unpackEvent(facts.body);
  const passage = { rule, facts, came, sent: unpackEvent(body), sentFields, window };
  return [...headerRows(passage), ...dataRows(passage)];
}

const CAME = 'as it came';
const ZERO = 'zero: emit does not name it';

/** A row; where emit does not name the key, `unnamed` says what then holds. */
function row(
  { rule }: Passage,
  name: string,
  value: string,
  origin: string,
  unnamed: string,
): SentField {
  const field = rule.places.get(`emit.${name}`);
  if (field) return { name, value, origin, key: `emit.${name}`, place: placeOf(field) };
  return { name, value, origin: rule.emit === EMIT_ALL ? CAME : unnamed, key: null, place: null };
}

const DEFAULT_KEPT = 'as it came: emit does not name it';

function headerRows(passage: Passage): SentField[] {
  const { rule, sent, came, window } = passage;
  const { emit } = rule;
  const last = window && window.samples > 1 ? 'as the last sample came' : CAME;
  const kept = emit.priority === 'keep' ? last : 'said by the rule';
  const { vscpClass, type } = sent;
  const said = (changed: boolean): string =>
    changed ? 'said by the rule' : 'the same, said again';
  return [
    row(passage, 'priority', String(eventPriority(sent)), kept, DEFAULT_KEPT),
    row(passage, 'class', classText(vscpClass), said(vscpClass !== came.vscpClass), DEFAULT_KEPT),
    row(passage, 'type', typeText(vscpClass, type), said(type !== came.type), DEFAULT_KEPT),
    { name: 'obid', value: '0', origin: 'zero: never sent on', key: null, place: null },
    row(passage, 'guid', formatGuid(sent.guid), guidOrigin(passage), ZERO),
    row(passage, 'time', timeText(sent) ?? 'none', timeOrigin(passage), ZERO),
  ];
}

function guidOrigin({ rule: { emit } }: Passage): string {
  const { guid } = emit;
  if (guid === 'keep') return CAME;
  if (guid instanceof Uint8Array) {
    return guid.every((byte) => byte === 0) ? 'zero' : 'said by the rule';
  }
  const prefix = prefixText(guid.prefix, guid.bits);
  return `pseudonym under prefix ${prefix}, here with the published test key`;
}

function timeOrigin({ rule, facts, came, window }: Passage): string {
  const { time } = rule.emit;
  if (time === 'zero') return 'zero';
  if (time === 'keep') return timeText(came) === undefined ? `${CAME}: it has none` : CAME;
  if (time === 'relay') return `the relay's clock${window ? ' when the window ends' : ''}`;
  const floor = `floor ${durationText(time.floor)} of`;
  if (window) return `${floor} the window's begin, ${instantText(window.from)}`;
  if (time.of === 'relay') return `${floor} the relay's clock, ${instantText(facts.now)}`;
  return `${floor} the event's time, ${timeText(came) ?? 'none'}`;
}

function dataRows(passage: Passage): SentField[] {
  const { rule, sent, sentFields, facts, window } = passage;
  const { emit } = rule;
  const data = bytesText(sent.data);
  if (!emit.value) {
    const origin =
      emit.data === 'keep' ? CAME : emit.data.length === 0 ? 'zero: empty' : 'said by the rule';
    const carried = carriedRows(passage, 'carried by the data');
    return [row(passage, 'data', data, origin, 'empty: emit does not name it'), ...carried];
  }
  const value = String(sentFields.value);
  const unit = unitText(sent.vscpClass, sent.type, sentFields.unit);
  const wanted = emit.value.unit;
  const ofValue = (name: string, text: string, origin: string): SentField => ({
    ...row(passage, 'value', text, origin, ''),
    name,
  });
  return [
    ofValue('value', value, valueOrigin(rule, facts, sentFields, window?.samples ?? 0)),
    ofValue('unit', unit, wanted === undefined ? `${CAME} with the value` : 'said by the rule'),
    ...placeRows(passage),
    { name: 'data', value: data, origin: 'the coding of these', key: null, place: null },
  ];
}

const PLACES = [
  ['sensor', 'index'],
  ['zone', 'zone'],
  ['subzone', 'subzone'],
] as const;

/** Sensor, zone and subzone beside a value; none that the class sent does not carry. */
function placeRows(passage: Passage): SentField[] {
  const { rule, sentFields, facts } = passage;
  return PLACES.flatMap(([name, key]) => {
    if (sentFields[key] < 0) return [];
    const wanted = rule.emit[name];
    const missing = facts.fields[key] < 0 ? `zero: the event has no ${name} to keep` : CAME;
    const origin = wanted === 'keep' ? missing : wanted === 0 ? 'zero' : 'said by the rule';
    return [row(passage, name, String(sentFields[key]), origin, ZERO)];
  });
}

/** What data that is sent byte by byte lets the other side read. */
function carriedRows({ sent, sentFields }: Passage, origin: string): SentField[] {
  const { value, unit } = sentFields;
  const of = (name: string, text: string): SentField => ({
    name,
    value: text,
    origin,
    key: null,
    place: null,
  });
  return [
    ...(Number.isNaN(value) ? [] : [of('value', String(value))]),
    ...(unit < 0 ? [] : [of('unit', unitText(sent.vscpClass, sent.type, unit))]),
    ...PLACES.flatMap(([name, key]) =>
      sentFields[key] < 0 ? [] : [of(name, String(sentFields[key]))],
    ),
  ];
}
