/** A canonical text of a part of a rule: equal texts do the same. */
import { Field } from '../document/document.js';
import { keyPath, type Name } from './policy.js';

/** @param part of a rule: plain values, sets, maps, bytes, names of key files */
export function signatureOf(part: unknown): string {
  return JSON.stringify(part, (key, value: unknown) => {
    // Where it stands in a file is no part of what it does; which key it names is.
    if (value instanceof Field) return undefined;
    if (key === 'keyFile') return keyPath(value as Name);
    if (value instanceof Set) return [...(value as Set<number>)].sort(inOrder);
    if (value instanceof Map) return [...(value as Map<number, unknown>)].sort(inOrder);
    if (ArrayBuffer.isView(value)) return [...(value as Uint8Array)];
    // JSON has no infinity.
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  });
}

function inOrder(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1;
}
