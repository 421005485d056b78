/** Parses GUID prefixes, masks and VSCP's own filter/mask pairs into ternary patterns. */
import type { Field } from '../document/document.js';
import { parseGuid } from '../event/guid.js';
import type { GuidCube, NumberSet } from './match.js';

/** A named list of a file, and whether something names it. */
export interface GuidList {
  readonly field: Field;
  readonly cubes: GuidCube[];
  used: boolean;
}

export type Lists = ReadonlyMap<string, GuidList>;

/**
 * GUID patterns: `"FF:FF:..:10/96"`, a whole GUID, a list of them, `{ in: $list }`, or
 * `{ value: GUID, mask: GUID }`.
 *
 * @param lists the file's named lists
 * @throws DocumentError
 */
export function parseGuids(field: Field, lists: Lists): GuidCube[] {
  if (!field.isMap) return field.oneOrMore().map((item) => parsePattern(item));
  const keys = field.record(['in', 'value', 'mask']);
  if (keys.in) {
    if (keys.value ?? keys.mask) throw field.error("'in', or 'value' with 'mask', not both");
    if (keys.in.isText && keys.in.text().startsWith('$')) {
      const name = keys.in.text().slice(1);
      const list = lists.get(name);
      if (!list) throw keys.in.error(`no list is named '${name}'; lists: ${names(lists)}`);
      list.used = true;
      return list.cubes;
    }
    return keys.in.oneOrMore().map((item) => parsePattern(item));
  }
  const mask = guidOf(field.need(keys.mask, 'mask'));
  if (mask.every((byte) => byte === 0)) {
    throw field.error("a mask of zero matches every GUID: leave 'guid' out");
  }
  const value = guidOf(field.need(keys.value, 'value'));
  return [{ value: value.map((byte, i) => byte & mask[i]!), mask }];
}

/** Names in an error message. */
const SHOWN = 8;

function names(lists: Lists): string {
  const all = [...lists.keys()];
  const more = all.length > SHOWN ? ', ...' : '';
  return all.length === 0 ? 'none' : all.slice(0, SHOWN).join(', ') + more;
}

/** A whole GUID. */
export function guidOf(field: Field): Uint8Array {
  try {
    return parseGuid(field.text());
  } catch (error) {
    throw field.error((error as Error).message);
  }
}

/** A GUID, or a prefix of GUIDs as `FF:FF:10/24`. */
export function parsePattern(field: Field): GuidCube {
  const text = field.text();
  if (text.startsWith('$')) throw field.error(`a list is named as { in: ${text} }`);
  const slash = text.indexOf('/');
  if (slash < 0) return { value: guidOf(field), mask: new Uint8Array(16).fill(255) };
  const bits = Number(text.slice(slash + 1));
  if (!/^\d{1,3}$/.test(text.slice(slash + 1)) || bits < 1 || bits > 128) {
    throw field.error(`'${text}': a prefix has 1 to 128 bits`);
  }
  const groups = text.slice(0, slash).split(':');
  if (groups.length > 16 || !groups.every((group) => /^[0-9a-fA-F]{1,2}$/.test(group))) {
    throw field.error(`'${text}': a prefix is hex bytes joined by colons, then /bits`);
  }
  if (groups.length * 8 < bits) {
    throw field.error(`'${text}': ${bits} bits need ${Math.ceil(bits / 8)} bytes before the /`);
  }
  const value = new Uint8Array(16);
  groups.forEach((group, i) => (value[i] = Number.parseInt(group, 16)));
  const mask = Uint8Array.from({ length: 16 }, (_, i) => {
    const left = Math.min(8, Math.max(0, bits - 8 * i));
    return (0xff00 >>> left) & 0xff;
  });
  if (value.some((byte, i) => (byte & ~mask[i]!) !== 0)) {
    throw field.error(`'${text}': there are bits beyond the first ${bits}`);
  }
  return { value, mask };
}

interface RawMatch {
  readonly priorities: number;
  readonly classes: NumberSet;
  readonly types: NumberSet;
  readonly guids: readonly GuidCube[];
}

/**
 * `{ filter: "0,10,6,FF:..", mask: "0,0xFFFF,0xFFFF,FF:.." }` as VSCP users write them: an event
 * matches when `(event ^ filter) & mask == 0` in every field.
 *
 * @throws DocumentError
 */
export function parseRaw(field: Field): RawMatch {
  const keys = field.record(['filter', 'mask']);
  const filter = parseQuad(field.need(keys.filter, 'filter'));
  const mask = parseQuad(field.need(keys.mask, 'mask'));
  if (mask.numbers.every((n) => n === 0) && mask.guid.every((byte) => byte === 0)) {
    throw field.error("a zero mask matches every event: to mean that, write 'any: true'");
  }
  let priorities = 0;
  for (let p = 0; p < 8; p++) {
    if (((p ^ filter.numbers[0]) & mask.numbers[0]) === 0) priorities |= 1 << p;
  }
  const ternary = (i: 1 | 2): NumberSet => ({
    value: filter.numbers[i] & mask.numbers[i],
    mask: mask.numbers[i],
  });
  const value = filter.guid.map((byte, i) => byte & mask.guid[i]!);
  return {
    priorities,
    classes: ternary(1),
    types: ternary(2),
    guids: [{ value, mask: mask.guid }],
  };
}

export interface Quad {
  readonly numbers: readonly [priority: number, vscpClass: number, type: number];
  readonly guid: Uint8Array;
}

const QUAD_LIMITS = [7, 65535, 65535] as const;

/**
 * `priority,class,type,GUID` of SFLT and SMSK (specification, "VSCP over tcp/ip").
 *
 * @throws DocumentError
 */
export function parseQuad(field: Field): Quad {
  const parts = field
    .text()
    .split(',')
    .map((part) => part.trim());
  if (parts.length < 4) throw field.error(`${field.path} must be "priority,class,type,GUID"`);
  const numbers = QUAD_LIMITS.map((limit, i) => {
    const part = parts[i]!;
    const number = /^(?:\d{1,10}|0[xX][0-9a-fA-F]{1,8})$/.test(part) ? Number(part) : NaN;
    if (!(number <= limit)) throw field.error(`'${part}' must be a number of 0 to ${limit}`);
    return number;
  });
  try {
    const guid = parseGuid(parts.slice(3).join(','));
    return { numbers: numbers as unknown as Quad['numbers'], guid };
  } catch (error) {
    throw field.error((error as Error).message);
  }
}
