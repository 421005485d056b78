/** A policy file as a frozen value: rules that permit or forbid, and what a permit sends. */
import type { Field } from '../document/document.js';
import type { Arm } from './match.js';

/** Which fields of the matched event a permit sends; what it does not send is zero. */
export interface Emit {
  readonly priority: boolean;
  readonly guid: boolean;
  readonly time: boolean;
  readonly data: boolean;
}

/** A permit without `emit` sends priority, class, type, GUID, time and data as they were. */
export const EMIT_ALL: Emit = { priority: true, guid: true, time: true, data: true };

export interface Rule {
  /** policy/rule */
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  /** Channels; undefined: a forbid of all. */
  readonly to: readonly string[] | undefined;
  readonly arms: readonly Arm[];
  readonly emit: Emit;
  /** Where it stands, for errors that only show when files come together. */
  readonly field: Field;
  /** Where its sources and channels are named. */
  readonly toField: Field | undefined;
  readonly sourceField: Field | undefined;
}

export interface Policy {
  readonly id: string;
  readonly revision: number;
  readonly owner: string | undefined;
  /** First instant at which it is no longer valid, ms since 1970; Infinity if it never expires. */
  readonly expires: number;
  readonly rules: readonly Rule[];
  readonly field: Field;
}
