/** Whether what a leaf of a rare kind says in JSON has the shape that its kind has. */
import type { Plain } from './leaf.js';

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const whole: Check = (value) => Number.isSafeInteger(value);
const hex =
  (digits: number): Check =>
  (value) =>
    typeof value === 'string' && value.length === digits && /^[0-9a-f]*$/.test(value);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([field, check]) =>
      check(Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined),
    );
/** Each name once. */
const names: Check = (value) =>
  list(text)(value) && new Set(value as string[]).size === (value as string[]).length;

const vectors = list(list(count));

type Fields<K> = Readonly<Record<Exclude<keyof Extract<Plain, { kind: K }>, 'kind'>, Check>>;

const SHAPES: { readonly [K in Plain['kind']]: Fields<K> } = {
  start: {
    boot: hex(16),
    previous: maybe(object({ boot: hex(16), start: count, ended: flag })),
    relay: text,
    key: text,
    sources: names,
    channels: names,
    journals: names,
    counters: names,
    outcomes: names,
    counts: vectors,
    sums: vectors,
    sequences: list(count),
    signers: maybe(object({ keys: list(text), threshold: count })),
  },
  stop: { counts: vectors, sums: vectors },
  policies: {
    digest: text,
    files: list(object({ id: text, revision: count, expires: maybe(text), sha256: hex(64) })),
    rules: list(text),
    signers: list(object({ name: text, id: text })),
    manifest: maybe(text),
  },
  refused: { digest: text, reason: text },
  loss: { source: count, reason: text, count },
  heartbeat: { counts: vectors, sums: vectors, sequences: list(count), forwarding: flag },
  clock: { by: whole },
  key: { before: text, key: text, endorsement: maybe(text) },
  void: { journal: count, first: count, reason: text },
  state: { forwarding: flag, reason: maybe(text) },
};

/**
 * A leaf's own part, and nothing but what its kind has; what else stands in it is left out.
 *
 * @throws RangeError if a field is missing, or is not what it should be
 */
export function checkPlain(kind: Plain['kind'], value: unknown): Plain {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RangeError('it is no object');
  }
  const own: Record<string, unknown> = { kind };
  for (const [field, check] of Object.entries<Check>(SHAPES[kind])) {
    const each = Object.hasOwn(value, field)
      ? (value as Record<string, unknown>)[field]
      : undefined;
    if (!check(each)) throw new RangeError(`its '${field}' is missing or wrong`);
    if (each !== undefined) own[field] = each;
  }
  return own as unknown as Plain;
}
