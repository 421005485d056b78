/** Where the parts of a log stand (C2SP tlog-tiles): paths below its directory. */

/** Hashes in a full tile, leaves in a full bundle. */
export const WIDTH = 256;
/** Bytes of a leaf, at most: a bundle has two bytes for its length. */
export const MAX_LEAF = 65_535;

/** `x001/x234/067`: groups of three digits, all but the last with an x before it. */
function pathOf(index: number): string {
  const last = String(index % 1000).padStart(3, '0');
  const above = Math.floor(index / 1000);
  return above === 0 ? last : `${leading(above)}/${last}`;
}

function leading(number: number): string {
  const own = `x${String(number % 1000).padStart(3, '0')}`;
  const above = Math.floor(number / 1000);
  return above === 0 ? own : `${leading(above)}/${own}`;
}

function partOf(width: number): string {
  return width === WIDTH ? '' : `.p/${width}`;
}

/** The hashes of one level: 256 leaves a step from level to level. */
export function tilePath(level: number, index: number, width: number = WIDTH): string {
  return `tile/${level}/${pathOf(index)}${partOf(width)}`;
}

/** A bundle of leaves: each behind its length, u16. */
export function bundlePath(index: number, width: number = WIDTH): string {
  return `tile/entries/${pathOf(index)}${partOf(width)}`;
}

/** The bundle that is being filled, which the gate alone writes to; zeros behind its last leaf. */
export const LEAVES = 'leaves';
export const CHECKPOINT = 'checkpoint';
/** The log's public key. */
export const PUBLIC_KEY = 'key.pub';

/**
 * The leaves of a bundle.
 *
 * @returns them, and where they end: whole, or at the first that is not
 */
export function splitBundle(bytes: Uint8Array): { leaves: Uint8Array[]; end: number } {
  const leaves: Uint8Array[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    // No leaf is empty: zeros are room.
    if (length === 0 || at + 2 + length > bytes.length) break;
    leaves.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return { leaves, end: at };
}
