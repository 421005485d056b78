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

/** Classes of a match; those that came by a family need not have every type of the match. */
export interface Classes {
  readonly numbers: readonly number[];
  readonly byFamily: ReadonlySet<number>;
  /** The classes of each family. */
  readonly families: readonly (readonly number[])[];
}

/**
 * Class numbers of `class: CLASS1.MEASUREMENT`, `class: [10, "@SECURITY"]`.
 *
 * @throws DocumentError with the nearest known token
 */
export function parseClasses(field: Field): Classes {
  const classes = new Set<number>();
  const named = new Set<number>();
  const families: (readonly number[])[] = [];
  for (const item of field.oneOrMore()) {
    if (!item.isText) {
      const number = item.integer(0, 65535);
      classes.add(number);
      named.add(number);
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
      if (!token.startsWith('@')) named.add(number);
    }
    if (token.startsWith('@')) families.push(familyOf(token)!);
  }
  const numbers = [...classes];
  const byFamily = new Set(numbers.filter((number) => !named.has(number)));
  return { numbers, byFamily, families };
}

/** One class, by number or token. */
export function parseClass(field: Field): number {
  if (field.isText && field.text().startsWith('@')) {
    throw field.error(`${field.path} is one class, not a family`);
  }
  if (field.isList) throw field.error(`${field.path} is one class, not a list`);
  return parseClasses(field).numbers[0]!;
}

/** One type, by number or by its token in one of the classes, where it must mean the same. */
export function parseType(field: Field, classes: readonly number[] | undefined): number {
  if (field.isList) throw field.error(`${field.path} is one type, not a list`);
  if (!field.isText) return field.integer(0, 65535);
  if (!classes) throw field.error('a type token means something only within a class: name it');
  const [first, ...rest] = new Set(classes.map((vscpClass) => typeOf(field, vscpClass)));
  if (rest.length > 0) throw field.error('the token means different types: write the number');
  return first!;
}

/**
 * Type numbers, each with the classes that they hold in: a token means a number only within a class.
 *
 * @param classes the classes of the same match, undefined for all
 * @throws DocumentError with the nearest known token
 */
export function parseTypes(
  field: Field,
  classes: Classes | undefined,
): [ReadonlySet<number>, readonly number[] | undefined][] {
  const items = field.oneOrMore();
  if (items.every((item) => !item.isText)) {
    return [[new Set(items.map((item) => item.integer(0, 65535))), classes?.numbers]];
  }
  if (!classes) throw field.error('a type token means something only within a class: add class');
  const types = new Map(
    classes.numbers.map((vscpClass) => [vscpClass, typesWithin(items, vscpClass, classes)]),
  );
  for (const family of classes.families) {
    // Else a forbid would forbid nothing of a family that it names.
    if (family.some((vscpClass) => types.get(vscpClass)!.size > 0)) continue;
    const names = family.map(className).join(', ');
    throw field.error(`none of these is a type of ${names}: write a rule of its own`);
  }
  return [...types]
    .filter(([, found]) => found.size > 0)
    .map(([vscpClass, found]) => [found, [vscpClass]]);
}

/** A class that came by its family is passed over by a token that is no type of it. */
function typesWithin(items: readonly Field[], vscpClass: number, classes: Classes): Set<number> {
  const types = new Set<number>();
  for (const item of items) {
    if (!item.isText) types.add(item.integer(0, 65535));
    else if (knows(vscpClass, item.text()) || !isPassedOver(item.text(), vscpClass, classes)) {
      types.add(typeOf(item, vscpClass));
    }
  }
  return types;
}

function isPassedOver(token: string, vscpClass: number, { numbers, byFamily }: Classes): boolean {
  return byFamily.has(vscpClass) && numbers.some((other) => knows(other, token));
}

function knows(vscpClass: number, token: string): boolean {
  return typeNames(vscpClass).has(token) || (typeTokens.has(token) && isTypeOf(token, vscpClass));
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
