/** Classes, types and GUID ranges whose events are dangerous to let out, and why. */
import { isMeasurement } from '../event/carries.js';
import type { GuidCube, NumberSet } from '../policy/match.js';
import { classTokens, familyNames, familyOf, typeName, typeNames } from '../policy/tokens.js';

/** Events that no permit should let out by accident. */
export interface Hazard {
  readonly code: string;
  readonly classes: readonly number[];
  readonly types: NumberSet | undefined;
  /** What the classes do. */
  readonly what: string;
  /** A match that stops them. */
  readonly forbid: string;
  /** It lies in the data: without the data, nothing of it gets out. */
  readonly inData: boolean;
}

const SETVALUEZONE = [85, 86, 87, 88, 89, 597, 598, 599, 600, 601];
/** Specification, CLASS2.SECURITY: its data is an encryption key. */
const SETKEY: NumberSet = { values: new Set([1]) };

/** Specification, "Level I over Level II": class 512 + n is class n behind an interface's GUID. */
export const MIRRORS: readonly number[] = Array.from({ length: 512 }, (_, n) => 512 + n);

export const HAZARDS: readonly Hazard[] = [
  {
    code: 'permits-key',
    classes: [1034],
    types: SETKEY,
    what: 'SETKEY carries an encryption key in its data',
    forbid: '{ class: CLASS2.SECURITY, type: SETKEY }',
    inData: true,
  },
  {
    code: 'permits-protocol',
    classes: familyOf('@PROTOCOL')!,
    types: undefined,
    what: 'it reads and writes registers and loads firmware',
    forbid: '{ class: "@PROTOCOL" }',
    inData: false,
  },
  {
    code: 'permits-control',
    classes: familyOf('@CONTROL')!,
    types: undefined,
    what: 'it commands devices, and sets PINs, passwords and tokens',
    forbid: '{ class: "@CONTROL" }',
    inData: false,
  },
  {
    code: 'permits-setvaluezone',
    classes: SETVALUEZONE,
    types: undefined,
    what: 'it commands a value, though it looks like a measurement',
    forbid: `{ class: [${SETVALUEZONE.join(', ')}] }`,
    inData: false,
  },
  {
    code: 'permits-daemon',
    classes: [65535],
    types: undefined,
    what: "it is the daemon's own business: it starts, pauses and configures drivers",
    forbid: '{ class: 65535 }',
    inData: false,
  },
];

/** Classes and types that carry a position on Earth. */
export const POSITIONS: readonly { readonly classes: readonly number[]; readonly type: number }[] =
  positions();

function positions(): { classes: number[]; type: number }[] {
  const gnss = familyOf('@GNSS')!;
  const byType = new Map<number, number[]>();
  for (const vscpClass of new Set([...classTokens.values()])) {
    const type = typeNames(vscpClass).get('POSITION');
    if (type === undefined || !(gnss.includes(vscpClass) || isMeasurement(vscpClass))) continue;
    byType.set(type, [...(byType.get(type) ?? []), vscpClass]);
  }
  return [...byType].map(([type, classes]) => ({ type, classes }));
}

export interface GuidRange {
  readonly cube: GuidCube;
  readonly name: string;
}

/** Specification, "GUID": FF:FF:FF:FF:FF:FF:FF:xx ranges, and the laboratory's twelve zeros. */
export const GUID_RANGES: readonly GuidRange[] = [
  { cube: allocated(0xfe), name: 'a MAC address (..:FE:*)' },
  { cube: allocated(0xfd), name: 'an IPv4 address (..:FD:*)' },
  { cube: allocated(0xfc), name: 'a private number (..:FC:*)' },
  { cube: allocated(0xf8), name: 'a Bluetooth address (..:F8:*)' },
  { cube: allocated(0xf7), name: 'an EUI-64 (..:F7:*)' },
  { cube: cube(new Array<number>(12).fill(0)), name: "a laboratory's number (00:..:00:*)" },
];

function allocated(last: number): GuidCube {
  return cube([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, last]);
}

function cube(prefix: readonly number[]): GuidCube {
  return {
    value: Uint8Array.from({ length: 16 }, (_, i) => prefix[i] ?? 0),
    mask: Uint8Array.from({ length: 16 }, (_, i) => (i < prefix.length ? 0xff : 0)),
  };
}

const FAMILIES = new Map<number, string>();
for (const name of familyNames) {
  for (const vscpClass of familyOf(name)!) {
    if (!FAMILIES.has(vscpClass)) FAMILIES.set(vscpClass, name);
  }
}

/** The family of a class, as `@SECURITY`. */
export function familyWith(vscpClass: number): string | undefined {
  return FAMILIES.get(vscpClass);
}

/**
 * Other classes under which the events of a class travel, each with the types that mean the same.
 *
 * @param types of the class
 */
export function aliasesOf(
  vscpClass: number,
  types: NumberSet,
): readonly (readonly [alias: number, types: NumberSet])[] {
  const mirror = vscpClass < 1024 ? vscpClass ^ 512 : undefined;
  const family = FAMILIES.get(vscpClass);
  const others = new Set(family === undefined ? [] : familyOf(family));
  if (mirror !== undefined) others.add(mirror);
  others.delete(vscpClass);
  return [...others].flatMap((alias) => {
    const everything = 'mask' in types && types.mask === 0;
    if (alias === mirror || everything) return [[alias, types] as const];
    const shared = 'values' in types ? [...types.values] : [];
    const same = shared.filter((type) => {
      const name = typeName(vscpClass, type);
      return name !== String(type) && name === typeName(alias, type);
    });
    return same.length === 0 ? [] : [[alias, { values: new Set(same) }] as const];
  });
}
