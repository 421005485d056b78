/** What keeps a row of a decision matrix from becoming a rule, at its place in the file. */
import type { Element, Place } from './matrix.js';

/** Says what it is, and what to do by hand. */
export class Hindrance extends Error {
  override readonly name = 'Hindrance';
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(message);
    this.place = place;
  }
}

const MAX_PLAIN = 200;

/** Foreign text on one line, without what could steer a terminal or end a comment. */
export function plain(text: string, max = MAX_PLAIN): string {
  const characters = Array.from(text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim());
  return characters.length <= max ? characters.join('') : `${characters.slice(0, max).join('')}...`;
}

export function quoted(text: string): string {
  return `'${plain(text, 40)}'`;
}

/**
 * A number in the spellings that the daemon reads: 10, 0x0a, 0o12, 0b1010. What the daemon cannot
 * read is zero to it, which in a mask would match everything: here it is an error.
 */
export function readNumber(text: string, max: number, what: string, place: Place): number {
  const known = /^(?:0x[0-9a-f]{1,8}|0o[0-7]{1,11}|0b[01]{1,32}|\d{1,10})$/i.test(text);
  const number = known ? Number(text) : NaN;
  if (number <= max) return number;
  throw new Hindrance(place, `${what} is ${quoted(text)}, not a number of 0 to ${max}: correct it`);
}

/** Refuses what could be a condition that is not known here. */
export function checkAttributes(element: Element, known: readonly string[]): void {
  const unknown = [...element.attributes.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const name = `<${plain(element.name, 40)}>`;
    throw new Hindrance(element, `${name} has an unknown attribute ${quoted(unknown)}`);
  }
  if (element.doubled !== undefined) {
    throw new Hindrance(element, `${quoted(element.doubled)} is there twice: keep one of them`);
  }
}
