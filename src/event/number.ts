/** Numbers as the data of events has them: integers, floats and decimals, without allocating. */

/** 10^22 is the largest power of ten that a double holds: scaling is then rounded but once. */
export const EXACT = 22;
export const POW10 = Float64Array.from({ length: EXACT + 1 }, (_, n) => Number(`1e${n}`));
/** 2^7, 2^15, ...: a two's complement number of n bytes is below the n-th. */
const BOUNDS = Float64Array.from({ length: 8 }, (_, n) => 2 ** (8 * n - 1));
const SCRATCH = new DataView(new ArrayBuffer(8));

export function readFloat(body: Uint8Array, at: number, size: 4 | 8): number {
  for (let i = 0; i < size; i++) SCRATCH.setUint8(i, body[at + i]!);
  return size === 4 ? SCRATCH.getFloat32(0) : SCRATCH.getFloat64(0);
}

export function writeFloat(body: Uint8Array, at: number, size: 4 | 8, value: number): void {
  if (size === 4) SCRATCH.setFloat32(0, value);
  else SCRATCH.setFloat64(0, value);
  for (let i = 0; i < size; i++) body[at + i] = SCRATCH.getUint8(i);
}

/** A big-endian two's complement integer of 1..7 bytes; beyond 2^53 the nearest double. */
export function readSigned(body: Uint8Array, start: number, end: number): number {
  let value = (body[start]! << 24) >> 24;
  for (let i = start + 1; i < end; i++) value = value * 256 + body[i]!;
  return value;
}

/** mantissa * 10^exponent as the nearest double; what sensors send takes no allocation. */
export function scaleDecimal(mantissa: number, exponent: number): number {
  if (exponent >= 0 && exponent <= EXACT) return mantissa * POW10[exponent]!;
  if (exponent < 0 && exponent >= -EXACT) return mantissa / POW10[-exponent]!;
  return Number(`${mantissa}e${exponent}`);
}

function skipDigits(body: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && body[i]! >= 0x30 && body[i]! <= 0x39) i++;
  return i;
}

/**
 * Reads `-?(D+(.D+)?|.D+)([eE][+-]?D+)?`, nothing before or behind it.
 *
 * @returns the nearest double, which may be infinite; NaN: it is no such number
 */
export function readDecimal(body: Uint8Array, start: number, end: number): number {
  let i = start;
  const negative = i < end && body[i] === 0x2d;
  if (negative) i++;
  const whole = i;
  let tail = (i = skipDigits(body, i, end));
  const wholeEnd = i;
  if (i < end && body[i] === 0x2e) {
    tail = skipDigits(body, i + 1, end);
    if (tail === i + 1) return NaN;
  } else if (i === whole) return NaN;
  let exponent = 0;
  i = tail;
  if (i < end && (body[i]! | 0x20) === 0x65) {
    i++;
    const minus = body[i] === 0x2d;
    if (i < end && (minus || body[i] === 0x2b)) i++;
    const first = i;
    i = skipDigits(body, i, end);
    if (i === first) return NaN;
    for (let k = first; k < i; k++) exponent = exponent * 10 + (body[k]! - 0x30);
    if (minus) exponent = -exponent;
  }
  if (i !== end) return NaN;
  let mantissa = 0;
  for (let k = whole; k < tail; k++) {
    if (body[k] !== 0x2e) mantissa = mantissa * 10 + (body[k]! - 0x30);
  }
  if (tail > wholeEnd) exponent -= tail - wholeEnd - 1;
  // Below 10^15 no step of the loop was rounded, whatever the number of digits.
  if (mantissa === 0) return 0;
  if (mantissa < 1e15 && Math.abs(exponent) <= EXACT) {
    return scaleDecimal(negative ? -mantissa : mantissa, exponent);
  }
  return Number(String.fromCharCode(...body.subarray(start, end)));
}

/** Whether an integer is a two's complement number of at most `size` bytes. */
export function fits(value: number, size: number): boolean {
  return value >= -BOUNDS[size]! && value < BOUNDS[size]!;
}

/** Writes an integer in as few bytes as it takes; returns the end. */
export function writeSigned(body: Uint8Array, at: number, value: number): number {
  let size = 1;
  while (!fits(value, size)) size++;
  let rest = value;
  for (let i = at + size - 1; i >= at; i--) {
    const next = Math.floor(rest / 256);
    body[i] = rest - next * 256;
    rest = next;
  }
  return at + size;
}
