/** Takes over a value of unknown origin: what is not of its shape is refused, text is made safe. */
import { cut } from './excerpt.js';

/**
 * Makes a value of what was found at a place.
 *
 * @throws ShapeError
 */
export type Check<T> = (value: unknown, place: string) => T;

/** A message holds nothing of the value. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** Most ms since 1970 that a date may have (ECMA-262, "Time Values"); no count comes near it. */
const MOST = 8.64e15;

export const measure: Check<number> = (value, place) => {
  if (typeof value === 'number' && value >= 0 && value <= MOST) return value;
  throw new ShapeError(`${place} is no number from 0 on`);
};

export const quantity: Check<number> = (value, place) => {
  if (Number.isInteger(value)) return measure(value, place);
  throw new ShapeError(`${place} is no whole number`);
};

export const truth: Check<boolean> = (value, place) => {
  if (typeof value === 'boolean') return value;
  throw new ShapeError(`${place} is neither true nor false`);
};

export function oneOf<const T extends string>(...words: readonly T[]): Check<T> {
  return (value, place) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw new ShapeError(`${place} is not ${words.join(' or ')}`);
    return found;
  };
}

export function matching(pattern: RegExp): Check<string> {
  return (value, place) => {
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw new ShapeError(`${place} is not as it must be`);
  };
}

/** One line, of `room` columns at most; a longer one is cut. */
export function line(room: number): Check<string> {
  return (value, place) => {
    if (typeof value !== 'string') throw new ShapeError(`${place} is no text`);
    return cut(value, room);
  };
}

/** Some lines of `room` columns. */
export function lines(most: number, room: number): Check<string> {
  return (value, place) => {
    if (typeof value !== 'string') throw new ShapeError(`${place} is no text`);
    const all = value.split('\n', most);
    return all.map((each) => cut(each, room)).join('\n');
  };
}

export function list<T>(check: Check<T>, most: number): Check<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) throw new ShapeError(`${place} is no list`);
    if (value.length > most) throw new ShapeError(`${place} has more than ${most} entries`);
    return value.map((each, i) => check(each, `${place}[${i}]`));
  };
}

function entriesOf(value: unknown, place: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ShapeError(`${place} is no object`);
  }
  return Object.entries(value);
}

/** An object without a prototype: no key is there that was not found. */
function bare<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.setPrototypeOf(Object.fromEntries(entries), null) as Record<string, T>;
}

export function record<T>(
  key: RegExp,
  check: Check<T>,
  most: number,
): Check<Readonly<Record<string, T>>> {
  return (value, place) => {
    const entries = entriesOf(value, place);
    if (entries.length > most) throw new ShapeError(`${place} has more than ${most} entries`);
    if (entries.some(([name]) => !key.test(name)))
      throw new ShapeError(`${place} has a strange key`);
    return bare(entries.map(([name, each]) => [name, check(each, `${place}.${name}`)] as const));
  };
}

type Optional<T> = Check<T> & { readonly optional: true };

export function optional<T>(check: Check<T>): Optional<T> {
  const copy: Check<T> = (value, place) => check(value, place);
  return Object.assign(copy, { optional: true as const });
}

/** The named fields; others are left out. */
export function shape<T extends object>(fields: {
  readonly [K in keyof T]-?: undefined extends T[K]
    ? Optional<Exclude<T[K], undefined>>
    : Check<T[K]>;
}): Check<T> {
  const checks = Object.entries<Check<unknown>>(fields);
  return (value, place) => {
    const found = new Map(entriesOf(value, place));
    const taken: [string, unknown][] = [];
    for (const [name, check] of checks) {
      const where = place === '' ? name : `${place}.${name}`;
      const missing = found.get(name) === undefined;
      if (missing && 'optional' in check) continue;
      if (missing) throw new ShapeError(`${where} is missing`);
      taken.push([name, check(found.get(name), where)]);
    }
    return bare(taken) as T;
  };
}
