/** Turns the filter and mask of a row into predicates of a rule. */
import { formatGuid, parseGuid } from '../event/guid.js';
import { className, classTokens, typeName, typeNames } from '../policy/tokens.js';
import { checkAttributes, Hindrance, quoted, readNumber } from './hindrance.js';
import type { Element, Place, Row } from './matrix.js';

/** An event matches when `(event ^ filter) & mask` is zero in every field. */
export interface Filter {
  readonly numbers: readonly [priority: Bits, vscpClass: Bits, type: Bits];
  readonly guid: { readonly filter: Uint8Array; readonly mask: Uint8Array };
}

interface Bits {
  /** Zero where the mask is. */
  readonly filter: number;
  readonly mask: number;
}

const FULL = 0xffff;
const FIELDS = [
  ['priority', 255],
  ['class', FULL],
  ['type', FULL],
] as const;

/**
 * The filter of a row; without one, or without a mask, it matches everything.
 *
 * @throws Hindrance
 */
export function readFilter(row: Row, find: (name: string) => Element | undefined): Filter {
  const [filter, mask] = [find('filter'), find('mask')];
  for (const element of [filter, mask]) {
    if (element) checkAttributes(element, ['priority', 'class', 'type', 'guid']);
  }
  const numbers = FIELDS.map(([name, max]): Bits => {
    const bits = readNumber(attribute(mask, name) ?? '0', max, `the mask's ${name}`, mask ?? row);
    if (bits === 0) return { filter: 0, mask: 0 };
    const place = filter ?? row;
    const value = readNumber(attribute(filter, name) ?? '0', max, `the filter's ${name}`, place);
    if (name !== 'priority') return { filter: value & bits, mask: bits };
    if ((value & bits) > 7) {
      throw new Hindrance(place, `it never matches: no event has priority ${value}`);
    }
    return { filter: value & bits, mask: bits & 7 };
  });
  const guidMask = readGuid(attribute(mask, 'guid'), mask ?? row);
  const care = guidMask.some((byte) => byte !== 0);
  const guid = care ? readGuid(attribute(filter, 'guid'), filter ?? row) : guidMask;
  return {
    numbers: numbers as unknown as Filter['numbers'],
    guid: { filter: guid.map((byte, i) => byte & guidMask[i]!), mask: guidMask },
  };
}

function attribute(element: Element | undefined, name: string): string | undefined {
  return element?.attributes.get(name);
}

function readGuid(text: string | undefined, place: Place): Uint8Array {
  if (text === undefined || text === '') return new Uint8Array(16);
  try {
    return parseGuid(text);
  } catch (error) {
    throw new Hindrance(place, `GUID ${quoted(text)}: ${(error as Error).message}`);
  }
}

/** Whether some event matches both. */
export function filtersMeet(a: Filter, b: Filter): boolean {
  return (
    a.numbers.every((x, i) => {
      const y = b.numbers[i]!;
      return ((x.filter ^ y.filter) & x.mask & y.mask) === 0;
    }) &&
    a.guid.filter.every((byte, i) => {
      return ((byte ^ b.guid.filter[i]!) & a.guid.mask[i]! & b.guid.mask[i]!) === 0;
    })
  );
}

/** The class that a filter asks for, if it asks for one. */
export function classOf({ numbers: [, { filter, mask }] }: Filter): number | undefined {
  return mask === FULL ? filter : undefined;
}

/** Lines of `match`: none for a mask of zero. */
export function filterLines(filter: Filter): string[] {
  const [priority, vscpClass, type] = filter.numbers;
  const { mask } = filter.guid;
  if ([vscpClass, type].some((bits) => bits.mask !== 0 && bits.mask !== FULL)) {
    const quad = (part: 'filter' | 'mask'): string =>
      [...filter.numbers.map((bits) => bits[part]), formatGuid(filter.guid[part])].join(',');
    return ['raw:', `  filter: "${quad('filter')}"`, `  mask: "${quad('mask')}"`];
  }
  const lines: string[] = [];
  if (priority.mask !== 0) {
    const matching = [0, 1, 2, 3, 4, 5, 6, 7].filter(
      (p) => ((p ^ priority.filter) & priority.mask) === 0,
    );
    const [first] = matching;
    lines.push(`priority: ${matching.length === 1 ? first! : `[${matching.join(', ')}]`}`);
  }
  if (vscpClass.mask !== 0) lines.push(`class: ${classToken(vscpClass.filter)}`);
  if (type.mask !== 0) lines.push(`type: ${typeToken(classOf(filter), type.filter)}`);
  if (mask.some((byte) => byte !== 0)) lines.push(...guidLines(filter.guid));
  return lines;
}

function guidLines({ filter, mask }: Filter['guid']): string[] {
  const bits = mask.reduce((sum, byte) => sum + bitCount(byte), 0);
  const prefix = mask.every((byte, i) => byte === prefixByte(bits - i * 8));
  if (!prefix) {
    return ['guid:', `  value: "${formatGuid(filter)}"`, `  mask: "${formatGuid(mask)}"`];
  }
  const text = formatGuid(filter).slice(0, Math.ceil(bits / 8) * 3 - 1);
  return [`guid: "${text}${bits === 128 ? '' : `/${bits}`}"`];
}

function bitCount(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}

/** A byte of a mask of which `left` bits are still to come. */
function prefixByte(left: number): number {
  return 0xff & (0xff00 >> Math.max(0, Math.min(8, left)));
}

/** A class as a rule writes it: its token if it has one. */
export function classToken(vscpClass: number): string {
  const name = className(vscpClass);
  return classTokens.get(name) === vscpClass ? scalar(name) : String(vscpClass);
}

/** A type as a rule writes it: its token if its class is known and has one for it. */
export function typeToken(vscpClass: number | undefined, type: number): string {
  if (vscpClass === undefined) return String(type);
  const name = typeName(vscpClass, type);
  return typeNames(vscpClass).get(name) === type ? scalar(name) : String(type);
}

/** A token without quotes, where YAML does not take it for something else. */
function scalar(token: string): string {
  const safe = /^(?!(?:true|false|null)$)[a-z][\w.]*$/i.test(token);
  return safe ? token : JSON.stringify(token);
}
