/** Who a client is to the limits: its IPv4 address, or the /64 that its IPv6 address is of. */

/** One who has a /64 can take any address of it: they are one client. */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.replace(/%.*/s, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** How many of something each network has at the moment. */
export class Tally {
  readonly #counts = new Map<string, number>();

  of(network: string): number {
    return this.#counts.get(network) ?? 0;
  }

  add(network: string): void {
    this.#counts.set(network, this.of(network) + 1);
  }

  remove(network: string): void {
    const left = this.of(network) - 1;
    if (left > 0) this.#counts.set(network, left);
    else this.#counts.delete(network);
  }
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Token buckets of the networks that were seen last. */
export class Buckets {
  readonly #rate: number;
  readonly #burst: number;
  readonly #most: number;
  /** Least lately seen first. */
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param rate tokens a second
   * @param burst tokens at most
   * @param most buckets at most
   */
  constructor(rate: number, burst: number, most: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#most = most;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes a token.
   *
   * @param now ms, of a clock that does not go back
   * @returns ms until there is one; 0: it was taken
   */
  take(network: string, now: number): number {
    const bucket = this.#buckets.get(network) ?? { tokens: this.#burst, at: now };
    this.#buckets.delete(network);
    this.#buckets.set(network, bucket);
    if (this.#buckets.size > this.#most) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    const saved = ((now - bucket.at) * this.#rate) / 1000;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + saved);
    bucket.at = now;
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 1000) / this.#rate);
    bucket.tokens--;
    return 0;
  }
}
