/** HMAC-SHA-256 under a key, for pseudonyms. */
import { createHmac } from 'node:crypto';

/** @returns what makes 32 bytes of any bytes (RFC 2104) */
export function hmacOf(key: string): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => createHmac('sha256', key).update(bytes).digest();
}
