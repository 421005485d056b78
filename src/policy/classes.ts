/** Parses the classes and types of a match: tokens, families and numbers. */
import type { Field } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import {
  className,
  classTokens,
  familyNames,
  familyOf,
  isTypeOf,
  typeNames,
  typeTokens,
} from './tokens.js';

/**
 * Class numbers of `class: CLASS1.MEASUREMENT`, `class: [10, "@SECURITY"]`.
 *
 * @throws DocumentError with the nearest known token
 */
export function parseClasses(field: Field): number[] {
  const classes = new Set<number>();
  for (const item of field.oneOrMore()) {
    if (!item.isText) {
      classes.add(item.integer(0, 65535));
      continue;
    }
    const token = item.text();
    const numbers = token.startsWith('@') ? familyOf(token) : [classTokens.get(token)];
    for (const number of numbers ?? [undefined]) {
      if (number === undefined) {
        const known = token.startsWith('@') ? familyNames : classTokens.keys();
        throw item.error(`unknown class '${token}'${didYouMean(token, known)}`);
      }
      classes.add(number);
    }
  }
  return [...classes];
}

/**
 * Type numbers, each with the classes that they hold in: a token means a number only within a class.
 *
 * @param classes the classes of the same match, undefined for all
 * @throws DocumentError with the nearest known token
 */
export function parseTypes(
  field: Field,
  classes: readonly number[] | undefined,
): [ReadonlySet<number>, readonly number[] | undefined][] {
  const items = field.oneOrMore();
  if (items.every((item) => !item.isText)) {
    return [[new Set(items.map((item) => item.integer(0, 65535))), classes]];
  }
  if (!classes) throw field.error('a type token means something only within a class: add class');
  return classes.map((vscpClass) => [
    new Set(items.map((item) => (item.isText ? typeOf(item, vscpClass) : item.integer(0, 65535)))),
    [vscpClass],
  ]);
}

function typeOf(item: Field, vscpClass: number): number {
  const token = item.text();
  const full = typeTokens.get(token);
  if (full !== undefined) {
    if (isTypeOf(token, vscpClass)) return full;
    throw item.error(`'${token}' is no type of class ${className(vscpClass)}`);
  }
  const names = typeNames(vscpClass);
  const found = names.get(token);
  if (found !== undefined) return found;
  throw item.error(
    `class ${className(vscpClass)} has no type '${token}'${didYouMean(token, names.keys())}`,
  );
}
