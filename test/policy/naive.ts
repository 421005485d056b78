/** A second policy evaluator, slow and plain, that works from what a file says. */
import { eventPriority, type VscpEvent } from '../../src/event/event.js';

/** A GUID pattern with its meaning beside its spelling. */
export interface Pattern {
  readonly text: string;
  readonly value: bigint;
  readonly mask: bigint;
}

export interface Match {
  readonly sources?: readonly string[];
  /** Words of CLASS_WORDS, or numbers. */
  readonly classes?: readonly (string | number)[];
  /** Words of TYPE_WORDS, or numbers. */
  readonly types?: readonly (string | number)[];
  readonly priorities?: readonly number[];
  readonly guid?: {
    readonly form: 'one' | 'many' | 'in' | 'list' | 'mask';
    readonly patterns: readonly Pattern[];
  };
  readonly raw?: { readonly filter: Quad; readonly mask: Quad };
}

export interface Quad {
  readonly priority: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly guid: bigint;
}

export type Word = 'keep' | 'zero';

export interface EmitWords {
  readonly priority?: Word;
  readonly guid?: Word;
  readonly time?: Word;
  readonly data?: Word;
}

export interface NaiveRule {
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  readonly to?: readonly string[];
  readonly match: Match;
  readonly emit?: EmitWords;
}

/** Class tokens and families, from the specification by hand. */
export const CLASS_WORDS: Readonly<Record<string, readonly number[]>> = {
  '@SECURITY': [2, 514, 1034],
  '@PROTOCOL': [0, 512, 1024],
  '@ALARM': [1, 513],
  'CLASS1.SECURITY': [2],
  'CLASS1.MEASUREMENT': [10],
  VSCP_CLASS1_MEASUREMENT: [10],
  'CLASS1.MEASUREMENT64': [60],
  'CLASS1.MEASUREZONE': [65],
  'CLASS2.LEVEL1.MEASUREMENT': [522],
  VSCP_CLASS2_MEASUREMENT_STR: [1040],
  'CLASS2.MEASUREMENT_FLOAT': [1060],
};

/** Type tokens: the number, and the classes of this test's small world that have it. */
export const TYPE_WORDS: Readonly<Record<string, readonly [number, readonly number[]]>> = {
  TEMPERATURE: [6, [10, 60, 65, 522, 1040, 1060]],
  VSCP_TYPE_MEASUREMENT_TEMPERATURE: [6, [10, 60, 65, 522, 1040, 1060]],
  COUNT: [1, [10, 60, 65, 522, 1040, 1060]],
  MOTION: [1, [2, 514]],
  VSCP2_TYPE_SECURITY_SETKEY: [1, [1034]],
};

export function classesOf(words: readonly (string | number)[]): number[] {
  return words.flatMap((word) => (typeof word === 'number' ? [word] : CLASS_WORDS[word]!));
}

export function guidOf(event: VscpEvent): bigint {
  return event.guid.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

export function matchesClassAndType(match: Match, vscpClass: number, type: number): boolean {
  const { classes, types, raw } = match;
  if (classes && !classesOf(classes).includes(vscpClass)) return false;
  if (types) {
    const found = types.some((word) => {
      if (typeof word === 'number') return word === type;
      const [number, holders] = TYPE_WORDS[word]!;
      return number === type && holders.includes(vscpClass);
    });
    if (!found) return false;
  }
  if (!raw) return true;
  const { filter, mask } = raw;
  if (((vscpClass ^ filter.vscpClass) & mask.vscpClass) !== 0) return false;
  return ((type ^ filter.type) & mask.type) === 0;
}

export function matches(match: Match, event: VscpEvent, source: string): boolean {
  const { sources, priorities, guid, raw } = match;
  if (!matchesClassAndType(match, event.vscpClass, event.type)) return false;
  if (sources && !sources.includes(source)) return false;
  const priority = eventPriority(event);
  if (priorities && !priorities.includes(priority)) return false;
  const address = guidOf(event);
  if (guid && !guid.patterns.some(({ value, mask }) => (address & mask) === (value & mask))) {
    return false;
  }
  if (!raw) return true;
  const { filter, mask } = raw;
  if (((priority ^ filter.priority) & mask.priority) !== 0) return false;
  return ((address ^ filter.guid) & mask.guid) === 0n;
}

export interface Verdict {
  /** By channel that the event may go to: the rules that permit it. */
  readonly permits: ReadonlyMap<string, readonly NaiveRule[]>;
  /** Every forbid that matches, whatever channels it names. */
  readonly forbids: readonly NaiveRule[];
}

/** Default deny; forwarded to a channel if a permit names it and no forbid stands against it. */
export function decide(
  rules: readonly NaiveRule[],
  channels: readonly string[],
  event: VscpEvent,
  source: string,
): Verdict {
  const hits = rules.filter(({ match }) => matches(match, event, source));
  const forbids = hits.filter(({ effect }) => effect === 'forbid');
  const permits = new Map<string, readonly NaiveRule[]>();
  for (const channel of channels) {
    if (forbids.some(({ to }) => to === undefined || to.includes(channel))) continue;
    const by = hits.filter((rule) => rule.effect === 'permit' && rule.to!.includes(channel));
    if (by.length > 0) permits.set(channel, by);
  }
  return { permits, forbids };
}

/** What a permit sends: head is the priority alone, obid 0, and what it does not name is zero. */
export function emit(event: VscpEvent, words: EmitWords | undefined): VscpEvent {
  const kept = words ?? { priority: 'keep', guid: 'keep', time: 'keep', data: 'keep' };
  const time = kept.time === 'keep';
  return {
    head: kept.priority === 'zero' ? 0 : eventPriority(event) * 32,
    vscpClass: event.vscpClass,
    type: event.type,
    obid: 0,
    datetime: time ? event.datetime : '',
    timestamp: time ? event.timestamp : 0n,
    guid: kept.guid === 'keep' ? event.guid : new Uint8Array(16),
    data: kept.data === 'keep' ? event.data : new Uint8Array(0),
  };
}

function quadText({ priority, vscpClass, type, guid }: Quad): string {
  const digits = guid.toString(16).padStart(32, '0');
  return `${priority},${vscpClass},0x${type.toString(16)},${digits.match(/../g)!.join(':')}`;
}

/** The rules as a policy file; JSON is YAML 1.2. */
export function write(rules: readonly NaiveRule[], id = 'p'): string {
  const lists: Record<string, string[]> = {};
  const written = rules.map(({ name, effect, to, match, emit: words }, i) => {
    const { sources, classes, types, priorities, guid, raw } = match;
    const texts = guid?.patterns.map(({ text }) => text) ?? [];
    if (guid?.form === 'list') lists[`list${i}`] = texts;
    const guidForms = {
      one: texts[0],
      many: texts,
      in: { in: texts },
      list: { in: `$list${i}` },
      mask: guid && { value: quadGuid(guid.patterns[0]!.value), mask: maskOf(guid.patterns[0]!) },
    };
    const body = {
      source: sources?.length === 1 ? sources[0] : sources,
      class: classes?.length === 1 ? classes[0] : classes,
      type: types?.length === 1 ? types[0] : types,
      priority: priorities?.length === 1 ? priorities[0] : priorities,
      guid: guid && guidForms[guid.form],
      raw: raw && { filter: quadText(raw.filter), mask: quadText(raw.mask) },
    };
    const empty = Object.values(body).every((value) => value === undefined);
    return { name, effect, to, match: empty ? { any: true } : body, emit: words };
  });
  const used = Object.keys(lists).length > 0 ? lists : undefined;
  const schema = 'tidegate-policy/v1';
  return JSON.stringify({ schema, policy: { id, revision: 1 }, lists: used, rules: written });
}

function quadGuid(value: bigint): string {
  return value.toString(16).padStart(32, '0').match(/../g)!.join(':');
}

function maskOf({ mask }: Pattern): string {
  return quadGuid(mask);
}
