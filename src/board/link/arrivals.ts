/** How many connections an address has, and how fast new ones come: a handshake costs much. */
import type { LinkLimits } from './limits.js';

/** Addresses that are remembered; beyond, the one that came longest ago is forgotten. */
const MOST_ADDRESSES = 4096;

interface Address {
  open: number;
  /** Connections that may still come at once. */
  tokens: number;
  /** When that was, ms. */
  at: number;
}

export class Arrivals {
  readonly #limits: LinkLimits;
  readonly #addresses = new Map<string, Address>();

  constructor(limits: LinkLimits) {
    this.#limits = limits;
  }

  /**
   * A connection comes.
   *
   * @param address as `groupOf` says it
   * @param now ms, of a clock that does not go back
   * @param makeRoom is asked where the address has all that it may have; another one has left if true
   * @returns whether it may stay; then `leave` is to be called when it has gone
   */
  enter(address: string, now: number, makeRoom = (): boolean => false): boolean {
    const { perAddress, arrivals, burst } = this.#limits;
    const known = this.#addresses.get(address) ?? { open: 0, tokens: burst, at: now };
    known.tokens = Math.min(burst, known.tokens + ((now - known.at) * arrivals) / 1000);
    known.at = now;
    this.#addresses.delete(address);
    this.#addresses.set(address, known);
    if (this.#addresses.size > MOST_ADDRESSES) this.#forget();
    if (known.tokens < 1 || (known.open >= perAddress && !makeRoom())) return false;
    known.tokens--;
    known.open++;
    return true;
  }

  leave(address: string): void {
    const known = this.#addresses.get(address);
    if (known) known.open--;
  }

  /** Those with connections are few, and are kept. */
  #forget(): void {
    for (const [address, { open }] of this.#addresses) {
      if (open > 0) continue;
      this.#addresses.delete(address);
      return;
    }
  }
}

/** One peer can have any address of its /64: IPv6 is looked at so. */
export function groupOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [front = '', back] = address.split('%')[0]!.split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back === undefined || back === '' ? [] : back.split(':');
  const zeros = back === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...new Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':') + '::/64';
}
