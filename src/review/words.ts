/** Words for what events and rules hold: classes, units, patterns, durations, times. */
import type { Field } from '../document/document.js';
import type { VscpEvent } from '../event/event.js';
import { formatGuid } from '../event/guid.js';
import type { GuidCube } from '../policy/match.js';
import { className, typeName } from '../policy/tokens.js';
import { unitOf } from '../policy/units.js';

/** Of a longer list only the first are said. */
const MOST = 6;

/** `a, b or c`; of many, the first and how many there are. */
export function anyOf(items: readonly string[]): string {
  if (items.length > MOST) {
    return `one of ${items.length}: ${items.slice(0, MOST - 1).join(', ')}, ...`;
  }
  const last = items.at(-1) ?? 'nothing';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} or ${last}`;
}

/** `CLASS1.MEASUREMENT (10)` */
export function classText(vscpClass: number): string {
  const name = className(vscpClass);
  return name === String(vscpClass) ? name : `${name} (${vscpClass})`;
}

/** `TEMPERATURE (6)` */
export function typeText(vscpClass: number, type: number): string {
  const name = typeName(vscpClass, type);
  return name === String(type) ? name : `${name} (${type})`;
}

/** The name of a unit; a code that the type does not have stays a code. */
export function unitText(vscpClass: number, type: number, code: number): string {
  return unitOf(vscpClass, type, code)?.name ?? `unit code ${code}`;
}

/** Values as a file has them, token by token; a number by its own words. */
export function itemsOf(field: Field, number: (value: number) => string = String): string[] {
  return field.oneOrMore().map((item) => {
    const value = item.scalar();
    return typeof value === 'number' ? number(value) : String(value);
  });
}

/** A GUID, a prefix as `FF:FF:10/24`, or a value under a mask. */
export function patternText({ value, mask }: GuidCube): string {
  const bits = [...mask].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const ones = bits.indexOf('0');
  if (ones < 0) return formatGuid(value);
  if (!bits.includes('1')) return 'any GUID';
  if (bits.includes('1', ones)) return `${formatGuid(value)} under mask ${formatGuid(mask)}`;
  return prefixText(value, ones);
}

/** `02:52:4C:59/32` */
export function prefixText(value: Uint8Array, bits: number): string {
  return `${formatGuid(value).slice(0, 3 * Math.ceil(bits / 8) - 1)}/${bits}`;
}

const DURATIONS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** ms as a file would say them: `15m`. */
export function durationText(duration: number): string {
  const [unit, length] = DURATIONS.find(([, each]) => duration % each === 0) ?? ['ms', 1];
  return `${duration / length}${unit}`;
}

/** ms since 1970, in UTC. */
export function instantText(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

export function dateText(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The time that an event has; undefined: none. A datetime stands beside relative microseconds. */
export function timeText({ datetime, timestamp }: VscpEvent): string | undefined {
  if (datetime !== '') return timestamp === 0n ? datetime : `${datetime} + ${timestamp} us`;
  if (timestamp === 0n) return undefined;
  // What fits 32 bits is no time of day in nanoseconds.
  if (timestamp < 1n << 32n) return `${timestamp} us`;
  return `${instantText(Number(timestamp / 1_000_000n))} (${timestamp} ns)`;
}

export function bytesText(data: Uint8Array): string {
  return data.length === 0 ? 'none' : [...data].join(' ');
}

/** `3 samples` */
export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
