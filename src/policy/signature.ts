/** A canonical text of a part of a rule: equal texts do the same. */
import { Field } from '../document/document.js';
import type { GuidCube } from './match.js';
import { keyPath, type Name } from './policy.js';
import { type Schedule, scheduleKey } from './schedule.js';
import { mix } from './streams.js';

/** @param part of a rule: plain values, sets, maps, bytes, names of key files */
export function signatureOf(part: unknown): string {
  return JSON.stringify(part, (key, value: unknown) => {
    // Where it stands in a file is no part of what it does; which key it names is.
    if (value instanceof Field) return undefined;
    if (key === 'keyFile') return keyPath(value as Name);
    if (key === 'schedule' && value) return scheduleKey(value as Schedule);
    if (key === 'guids' && Array.isArray(value)) return patternsKey(value as readonly GuidCube[]);
    if (value instanceof Set) return [...(value as Set<number>)].sort(inOrder);
    if (value instanceof Map) return [...(value as Map<number, unknown>)].sort(inOrder);
    if (ArrayBuffer.isView(value)) return [...(value as Uint8Array)];
    // JSON has no infinity.
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  });
}

/** Rules that share a list share its text. */
const KEYS = new WeakMap<readonly GuidCube[], string>();
/** Longer lists are told apart by their number and 64 bits. */
const SPELT_OUT = 16;

function patternsKey(cubes: readonly GuidCube[]): string {
  let key = KEYS.get(cubes);
  if (key === undefined) {
    key = cubes.length <= SPELT_OUT ? spell(cubes) : `${cubes.length} ${digest(cubes)}`;
    KEYS.set(cubes, key);
  }
  return key;
}

function spell(cubes: readonly GuidCube[]): string {
  return cubes.map(({ value, mask }) => `${value.join()}/${mask.join()}`).join(' ');
}

function digest(cubes: readonly GuidCube[]): string {
  let [high, low] = [1, 2];
  for (const { value, mask } of cubes) {
    for (let i = 0; i < 16; i++) {
      const pair = (value[i]! << 8) | mask[i]!;
      high = mix(high ^ pair);
      low = mix(Math.imul(low, 0x9e3779b1) + pair);
    }
  }
  return `${high} ${low}`;
}

function inOrder(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1;
}
