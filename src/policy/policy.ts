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

/** A name of something outside of the file, with the place to complain about. */
export interface Name {
  readonly text: string;
  readonly field: Field;
}

export interface Rule {
  /** policy/rule */
  readonly name: string;
  readonly effect: 'permit' | 'forbid';
  /** Channels; undefined: a forbid of all. */
  readonly to: readonly Name[] | undefined;
  /** Names of lower links, as its arms hold them; undefined: all. */
  readonly sources: readonly Name[] | undefined;
  readonly arms: readonly Arm[];
  readonly emit: Emit;
  /** Where it stands, for errors that only show when files come together. */
  readonly field: Field;
}

export interface Policy {
  readonly id: string;
  readonly revision: number;
  readonly owner: string | undefined;
  /** First instant at which it is no longer valid, ms since 1970; Infinity if it never expires. */
  readonly expires: number;
  readonly rules: readonly Rule[];
  readonly idField: Field;
  readonly expiresField: Field | undefined;
}
