/** Where something stands in a file, as plain data. */
import type { Field } from '../document/document.js';

export interface Place {
  readonly file: string;
  /** From 1, as the column. */
  readonly line: number;
  readonly column: number;
}

/** Making an error to learn a place costs more than all the rest of an explanation. */
const known = new WeakMap<Field, Place>();

export function placeOf(field: Field): Place {
  let place = known.get(field);
  if (!place) {
    const { file, line, column } = field.error('');
    place = { file, line, column };
    known.set(field, place);
  }
  return place;
}

/** `policy.yaml:22:14` */
export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}
