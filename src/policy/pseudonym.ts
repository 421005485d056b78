/** Replaces GUIDs by keyed pseudonyms under a public prefix; the last ones are remembered. */
import { GUID, readWord } from '../event/layout.js';
import { keyPath, type Pseudonym } from './policy.js';
import { mix } from './streams.js';

/** HMAC-SHA-256 (RFC 2104) of 16 bytes under one key: 32 bytes. */
export type Hmac = (guid: Uint8Array) => Uint8Array;

/** Gives the keys of pseudonyms, by the paths of their files. */
export type Keyring = (path: string) => Hmac;

/** No GUID: it has another length. */
const FINGERPRINT = Uint8Array.from('fingerprint of a key', (each) => each.charCodeAt(0));

/** GUIDs remembered by each pseudonym, in sets by hash: others cost an HMAC again. */
const REMEMBERED = 16_384;
const WAYS = 4;
const SETS = REMEMBERED / WAYS;

/** One for all rules that have its key and prefix. */
export class Pseudonyms {
  /** Tells keys apart without giving them away. */
  readonly fingerprint: string;
  readonly #hmac: Hmac;
  readonly #pseudonym: Pseudonym;
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  #known = new Uint8Array(0);
  /** By set: which of its places is taken next. */
  #next = new Uint8Array(0);
  /** By place: sixteen bytes each. */
  #guids = new Uint8Array(0);
  #names = new Uint8Array(0);

  constructor(pseudonym: Pseudonym, hmac: Hmac) {
    this.#pseudonym = pseudonym;
    this.#hmac = hmac;
    this.fingerprint = hmac(FINGERPRINT).join();
  }

  /** Writes the pseudonym of the GUID of the event at `at` over that of the event at `to`. */
  write(body: Uint8Array, at: number, out: Uint8Array, to: number): void {
    const from = at + GUID;
    if (this.#known.length === 0) this.#begin();
    const place = this.#find(body, from) << 4;
    const names = this.#names;
    for (let i = 0; i < 16; i++) out[to + GUID + i] = names[place + i]!;
  }

  #begin(): void {
    this.#known = new Uint8Array(REMEMBERED);
    this.#next = new Uint8Array(SETS);
    this.#guids = new Uint8Array(16 * REMEMBERED);
    this.#names = new Uint8Array(16 * REMEMBERED);
  }

  #find(body: Uint8Array, from: number): number {
    const set = this.#setOf(body, from);
    const first = set * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (this.#known[place] === 1 && this.#holds(place << 4, body, from)) return place;
    }
    const place = first + this.#next[set]!;
    this.#next[set] = (this.#next[set]! + 1) % WAYS;
    const guid = body.subarray(from, from + 16);
    this.#guids.set(guid, place << 4);
    this.#names.set(pseudonymOf(this.#hmac(guid), this.#pseudonym), place << 4);
    this.#known[place] = 1;
    return place;
  }

  #setOf(body: Uint8Array, from: number): number {
    let hash = this.#seed;
    for (let i = from; i < from + 16; i += 4) {
      hash = mix(hash ^ readWord(body, i));
    }
    return hash & (SETS - 1);
  }

  #holds(at: number, body: Uint8Array, from: number): boolean {
    const guids = this.#guids;
    for (let i = 0; i < 16; i++) if (guids[at + i] !== body[from + i]) return false;
    return true;
  }
}

/** The pseudonyms of all rules of an engine. */
export class Shared {
  readonly #keyring: Keyring;
  readonly #known = new Map<string, Pseudonyms>();

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  /** @throws Error of the keyring */
  of(pseudonym: Pseudonym): Pseudonyms {
    const path = keyPath(pseudonym.keyFile);
    const name = JSON.stringify([path, pseudonym.bits, [...pseudonym.prefix]]);
    let known = this.#known.get(name);
    if (!known) {
      known = new Pseudonyms(pseudonym, this.#keyring(path));
      this.#known.set(name, known);
    }
    return known;
  }
}

/** The prefix's bits, then the first bits of the HMAC. */
export function pseudonymOf(
  hmac: Uint8Array,
  { prefix, bits }: Pick<Pseudonym, 'prefix' | 'bits'>,
): Uint8Array {
  const whole = bits >>> 3;
  const rest = bits & 7;
  return Uint8Array.from({ length: 16 }, (_, i) => {
    if (i < whole) return prefix[i]!;
    const high = hmac[i - whole]!;
    if (rest === 0) return high;
    if (i === whole) return prefix[i]! | (high >>> rest);
    return ((hmac[i - whole - 1]! << (8 - rest)) | (high >>> rest)) & 0xff;
  });
}
