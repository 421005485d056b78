/** Sizes and durations as people write them: `1GiB`, `7d`. */
import type { Field } from './document.js';

const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const TIMES: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function parseQuantity(
  field: Field,
  units: Readonly<Record<string, number>>,
  example: string,
): number {
  const match = /^(\d{1,12}(?:\.\d{1,3})?) ?([A-Za-z]+)$/.exec(String(field.scalar()));
  const unit = Object.hasOwn(units, match?.[2] ?? '') ? units[match?.[2] ?? ''] : undefined;
  if (!match || unit === undefined) {
    throw field.error(
      `${field.path} must be a number and a unit as ${example}; units: ${Object.keys(units).join(' ')}`,
    );
  }
  const quantity = Math.floor(Number(match[1]) * unit);
  if (!Number.isSafeInteger(quantity)) throw field.error(`${field.path} is too large`);
  return quantity;
}

/** A size in bytes of at least `min`. */
export function parseSize(field: Field, min: number): number {
  const size = parseQuantity(field, SIZES, '1GiB');
  if (size < min) throw field.error(`${field.path} must be at least ${min / 2 ** 20}MiB`);
  return size;
}

/** A duration in milliseconds of at least `min`. */
export function parseDuration(field: Field, min: number): number {
  const time = parseQuantity(field, TIMES, '7d');
  if (time < min) throw field.error(`${field.path} must be at least ${min / 1000}s`);
  return time;
}
