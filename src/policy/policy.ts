/** A policy file as a frozen value: rules that permit or forbid, what a permit sends, and its tests. */
import type { Field } from '../document/document.js';
import type { Arm } from './match.js';

/** A name of something outside of the file, with the place to complain about. */
export interface Name {
  readonly text: string;
  readonly field: Field;
}

/** The key under which GUIDs are replaced, and the public prefix that the replacements share. */
export interface Pseudonym {
  /** As the file says it: relative to the file, or `credential:NAME`. */
  readonly keyFile: Name;
  /** 16 bytes; what lies beyond `bits` is zero. */
  readonly prefix: Uint8Array;
  readonly bits: number;
}

/** Where a key stands: beside the policy's file, if it says no more. */
export function keyPath({ text, field }: Name): string {
  if (text.startsWith('/') || text.startsWith('credential:')) return text;
  return field.file.replace(/[^/]*$/, '') + text;
}

export type WindowFunction = 'mean' | 'min' | 'max' | 'last';

/** A value that is sent: converted into a unit, then `fn`, clamp, round. */
export interface ValueEmit {
  /** undefined: the unit that the event has. */
  readonly unit: string | undefined;
  /** Step to whose multiples it is rounded, half away from zero. */
  readonly round: number | undefined;
  readonly clamp: { readonly ge: number; readonly le: number } | undefined;
  readonly fn: WindowFunction | undefined;
}

/** What tells the streams of one rule apart, beside class and type. */
export type KeyPart = 'guid' | 'sensor' | 'zone' | 'subzone' | 'source';

export interface WindowEmit {
  /** ms; windows begin at its multiples since 1970. */
  readonly every: number;
  readonly per: readonly KeyPart[];
  readonly minSamples: number;
}

export interface Deadband {
  /** Least difference to the last value sent, in `unit`. */
  readonly change: number;
  readonly unit: string;
  readonly per: readonly KeyPart[];
  /** ms after which a value is sent though it has not changed; Infinity: never. */
  readonly refresh: number;
}

export type TimeEmit =
  'keep' | 'zero' | 'relay' | { readonly floor: number; readonly of: 'event' | 'relay' };

/** What a permit sends, field by field; what it does not name is zero. */
export interface Emit {
  readonly priority: 'keep' | number;
  /** undefined: as matched. */
  readonly class: number | undefined;
  readonly type: number | undefined;
  readonly guid: 'keep' | Uint8Array | Pseudonym;
  readonly time: TimeEmit;
  readonly data: 'keep' | Uint8Array;
  readonly value: ValueEmit | undefined;
  readonly sensor: 'keep' | number;
  readonly zone: 'keep' | number;
  readonly subzone: 'keep' | number;
  readonly window: WindowEmit | undefined;
  readonly deadband: Deadband | undefined;
}

/** A permit without `emit` sends priority, class, type, GUID, time and data as they were. */
export const EMIT_ALL: Emit = {
  priority: 'keep',
  class: undefined,
  type: undefined,
  guid: 'keep',
  time: 'keep',
  data: 'keep',
  value: undefined,
  sensor: 0,
  zone: 0,
  subzone: 0,
  window: undefined,
  deadband: undefined,
};

export interface Limits {
  /** Thousandths of an event in every `period` ms, and how many events at once. */
  readonly rate:
    { readonly thousandths: number; readonly period: number; readonly burst: number } | undefined;
  /** Most data bytes of an event that is sent. */
  readonly size: number | undefined;
}

export interface Rule {
  /** policy/rule */
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  /** Channels; undefined: a forbid of all. */
  readonly to: readonly Name[] | undefined;
  /** Names of lower links, as its arms hold them; undefined: all. */
  readonly sources: readonly Name[] | undefined;
  /** Whether all that a permit sends may overtake the rest; what has priority 0 does anyhow. */
  readonly urgent: boolean;
  readonly reason: string | undefined;
  /** First instant at which it is no longer valid, ms since 1970; Infinity if it never expires. */
  readonly expires: number;
  readonly arms: readonly Arm[];
  readonly emit: Emit;
  readonly limits: Limits;
  /** Where it stands, for errors that only show when files come together. */
  readonly field: Field;
  /** Where each part of it stands: `match.value`, `emit.guid`, `limits`. */
  readonly places: ReadonlyMap<string, Field>;
}

export interface Policy {
  readonly id: string;
  readonly revision: number;
  readonly owner: string | undefined;
  /** First instant at which it is no longer valid, ms since 1970; Infinity if it never expires. */
  readonly expires: number;
  readonly rules: readonly Rule[];
  readonly tests: readonly TestCase[];
  readonly idField: Field;
  readonly expiresField: Field | undefined;
  /** Named lists, with the place of each, and whether a rule uses it. */
  readonly lists: readonly {
    readonly name: string;
    readonly field: Field;
    readonly used: boolean;
  }[];
}

/** The files of keys that its rules name, each as often as they do. */
export function keyFilesOf({ rules }: Pick<Policy, 'rules'>): Name[] {
  return rules.flatMap(({ emit: { guid } }) =>
    typeof guid === 'object' && !(guid instanceof Uint8Array) ? [guid.keyFile] : [],
  );
}

/** Events that a test feeds: one binary form, some times. */
export interface TestStep {
  readonly source: string | undefined;
  readonly repeat: number;
  /** ms that the clock advances before each repetition but the first. */
  readonly every: number;
  /** ms since 1970 to which the clock advances first. */
  readonly at: number | undefined;
  /** The event's binary form. */
  readonly body: Uint8Array;
  readonly field: Field;
}

/** Fields of an event sent, as a test expects them; undefined: not compared. */
export interface Expected {
  readonly class: number | undefined;
  readonly type: number | undefined;
  readonly priority: number | undefined;
  /** A prefix counts as a pattern. */
  readonly guid: { readonly value: Uint8Array; readonly mask: Uint8Array } | undefined;
  readonly value: number | undefined;
  readonly unit: string | undefined;
  readonly sensor: number | undefined;
  readonly zone: number | undefined;
  readonly subzone: number | undefined;
  readonly data: Uint8Array | undefined;
  /** `YYYY-MM-DDTHH:MM:SSZ`, or empty. */
  readonly time: string | undefined;
  readonly field: Field;
}

export interface Expectation {
  /** Full name of the rule that decided the last event; null: default deny; undefined: not compared. */
  readonly rule: string | null | undefined;
  readonly channel: string | undefined;
  readonly emitted: number | undefined;
  /** Whether each event sent is urgent. */
  readonly urgent: boolean | undefined;
  /** The last event sent, or all of them. */
  readonly out: { readonly all: boolean; readonly events: readonly Expected[] } | undefined;
  readonly absorbed: Readonly<Record<string, number>>;
  readonly withheld: Readonly<Record<string, number>>;
  readonly field: Field;
}

export interface TestCase {
  readonly name: string;
  /** The relay's clock at its beginning, ms since 1970. */
  readonly at: number;
  readonly feed: readonly TestStep[];
  /** ms that the clock advances after the feed. */
  readonly advance: number;
  readonly expect: Expectation;
  readonly field: Field;
}
