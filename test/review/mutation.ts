/** One thing that is changed in a policy file, and most often wrong then. */
import fc from 'fast-check';
import { type Json, policy } from './arbitrary.js';

type Path = readonly (string | number)[];

function pathsOf(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...inner.flatMap(([key, item]) => pathsOf(item as Json, [...path, key]))];
}

function changeAt(value: Json, path: Path, change: (old: Json) => Json | undefined): Json {
  const copy = structuredClone(value);
  if (path.length === 0) return change(copy) ?? null;
  const holder = path
    .slice(0, -1)
    .reduce((inner, key) => (inner as Record<string | number, Json>)[key]!, copy);
  const key = path.at(-1)!;
  const next = change((holder as Record<string | number, Json>)[key]!);
  if (next !== undefined) (holder as Record<string | number, Json>)[key] = next;
  else if (Array.isArray(holder)) holder.splice(key as number, 1);
  else Reflect.deleteProperty(holder as object, key);
  return copy;
}

const OTHERS: readonly Json[] = [
  ...[null, true, false, '', 'x', '@X', 'keep', 'zero', '1s', [], {}, [[]], [0], { ge: 1 }],
  ...[-1, 0, 1, 7, 8, 255, 256, 512, 513, 65535, 65536, 0.5, 1e300, 'a\u0007', '$list'],
];
const UNKNOWN = [
  'x',
  'class',
  'value',
  'unit',
  'emit',
  'urgent',
  '__proto__',
  'constructor',
  'ge',
  'any',
];

const mutation = fc.oneof(
  fc.constant((): Json | undefined => undefined),
  fc.constantFrom(...OTHERS).map((other) => (): Json => other),
  fc.constantFrom(...UNKNOWN, ...['raw', 'type', 'window']).map((key) => (old: Json): Json => {
    if (typeof old !== 'object' || old === null || Array.isArray(old)) return [old];
    return { ...(JSON.parse(`{"${key}": 1}`) as object), ...(old as object) };
  }),
  fc.constantFrom(-1e9, 1e9, 0.25, 65536, -0.5).map(
    (by) =>
      (old: Json): Json =>
        typeof old === 'number' ? old + by : `${JSON.stringify(old)} `,
  ),
);

/** A file with one thing changed: a key less, another type, an unknown key, a number out of range. */
export const mutated: fc.Arbitrary<Json> = fc
  .tuple(policy, fc.nat(), mutation)
  .map(([value, at, change]) => {
    const paths = pathsOf(value);
    return changeAt(value, paths[at % paths.length]!, change);
  });
