/**
 * Beacons: a relay's own events, by which whoever receives its events knows what it should have.
 *
 * Class CLASS2.CUSTOM (1029), type 21575 (0x5447, "TG"), Level II data, big-endian; with more sources
 * than fit, several parts, one event each:
 *
 *     u8 version (2), u8 part, u8 parts, u8 bytes of the relay's name, the name
 *     8 bytes: this run of the gate, by chance       u64 the relay's clock, ms since 1970
 *     u64 the channel's records up to this event     u64 those of its urgent lane
 *     u64 leaves that the audit log's newest checkpoint signs     32 bytes: their root
 *     4 bytes: id of the key     64 bytes: its Ed25519 signature of that checkpoint
 *     u8 number of the first source in this part     u8 sources in this part, then of each:
 *       u64 in, u64 permitted, u64 denied, u64 malformed, u64 lost, u32 seconds since it was heard
 *     64 bytes: the same key's Ed25519 signature of `tidegate beacon`, a zero byte, and all before it
 *
 * The zero byte is in no signed note: neither signature can stand in for the other.
 * Sources have numbers in the order of the configuration: their names stay inside.
 */

export const BEACON_CLASS = 1029;
export const BEACON_TYPE = 0x5447;

const VERSION = 2;
const CONTEXT = new TextEncoder().encode('tidegate beacon\0');
const HASH_BYTES = 32;
const ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
const BOOT_BYTES = 8;
const SOURCE_BYTES = 5 * 8 + 4;
/** VSCP specification, "Level II specifics". */
const MAX_DATA = 512;
export const MAX_NAME = 63;
/** ms since 1970 (ECMA-262, "Time Values"). */
const MAX_TIME = 8.64e15;

export interface BeaconSource {
  readonly number: number;
  readonly in: number;
  readonly permitted: number;
  readonly denied: number;
  readonly malformed: number;
  readonly lost: number;
  /** Seconds since a byte came from it. */
  readonly silence: number;
}

export interface Beacon {
  readonly relay: string;
  /** 16 hexadecimal digits. */
  readonly boot: string;
  /** ms since 1970. */
  readonly time: number;
  /** Sequence of this beacon's record, of its first part if there are several. */
  readonly routine: number;
  /** Last sequence of the urgent lane. */
  readonly urgent: number;
  readonly size: number;
  readonly root: Uint8Array;
  /** 8 hexadecimal digits. */
  readonly keyId: string;
  readonly signature: Uint8Array;
  readonly sources: readonly BeaconSource[];
}

/** A part of a beacon, which has some of its sources. */
export interface BeaconPart extends Beacon {
  readonly part: number;
  readonly parts: number;
  /** What its own signature signs, and that signature; not verified. */
  readonly message: Uint8Array;
  readonly own: Uint8Array;
}

/** Bytes before the sources. */
const headLength = (name: number): number =>
  4 + name + BOOT_BYTES + 4 * 8 + HASH_BYTES + ID_BYTES + SIGNATURE_BYTES + 2;

/**
 * The data of each of a beacon's events.
 *
 * @param sign the Ed25519 signature of a message, 64 bytes, by the key of the beacon
 */
export function encodeBeacon(
  beacon: Beacon,
  sign: (message: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const name = new TextEncoder().encode(beacon.relay).subarray(0, MAX_NAME);
  const head = headLength(name.length);
  const most = Math.floor((MAX_DATA - head - SIGNATURE_BYTES) / SOURCE_BYTES);
  const parts = Math.max(1, Math.ceil(beacon.sources.length / most));
  return Array.from({ length: parts }, (_, part) => {
    const sources = beacon.sources.slice(part * most, (part + 1) * most);
    const data = new Writer(head + sources.length * SOURCE_BYTES + SIGNATURE_BYTES);
    data.bytes(Uint8Array.of(VERSION, part, parts, name.length));
    data.bytes(name);
    data.bytes(fromHex(beacon.boot));
    data.u64(beacon.time);
    data.u64(beacon.routine);
    data.u64(beacon.urgent);
    data.u64(beacon.size);
    data.bytes(beacon.root);
    data.bytes(fromHex(beacon.keyId));
    data.bytes(beacon.signature);
    data.bytes(Uint8Array.of(part * most, sources.length));
    for (const source of sources) {
      data.u64(source.in);
      data.u64(source.permitted);
      data.u64(source.denied);
      data.u64(source.malformed);
      data.u64(source.lost);
      data.u32(source.silence);
    }
    data.bytes(sign(messageOf(data.whole)));
    return data.whole;
  });
}

function messageOf(data: Uint8Array): Uint8Array {
  const signed = data.subarray(0, -SIGNATURE_BYTES);
  const message = new Uint8Array(CONTEXT.length + signed.length);
  message.set(CONTEXT);
  message.set(signed, CONTEXT.length);
  return message;
}

/** Reads the data of an event of that class and type; undefined if it is no beacon. */
export function decodeBeacon(data: Uint8Array): BeaconPart | undefined {
  const [version, part = 0, parts = 0, length = 0] = data;
  const head = headLength(length);
  if (version !== VERSION || part >= parts || length > MAX_NAME || data.length < head) {
    return undefined;
  }
  const from = new Reader(data, 4);
  const relay = new TextDecoder().decode(from.bytes(length));
  const fixed = {
    relay,
    boot: toHex(from.bytes(BOOT_BYTES)),
    time: from.u64(),
    routine: from.u64(),
    urgent: from.u64(),
    size: from.u64(),
    root: from.bytes(HASH_BYTES),
    keyId: toHex(from.bytes(ID_BYTES)),
    signature: from.bytes(SIGNATURE_BYTES),
  };
  const [first = 0, count = 0] = from.bytes(2);
  if (data.length !== head + count * SOURCE_BYTES + SIGNATURE_BYTES) return undefined;
  const sources = Array.from({ length: count }, (_, i) => ({
    number: first + i,
    in: from.u64(),
    permitted: from.u64(),
    denied: from.u64(),
    malformed: from.u64(),
    lost: from.u64(),
    silence: from.u32(),
  }));
  // Whoever believes a number that no relay can have believes nothing after it.
  const numbers = [fixed.routine, fixed.urgent, fixed.size, ...sources.flatMap(countsOf)];
  if (fixed.time > MAX_TIME || !numbers.every(Number.isSafeInteger)) return undefined;
  const own = from.bytes(SIGNATURE_BYTES);
  return { ...fixed, sources, part, parts, message: messageOf(data), own };
}

const countsOf = (source: BeaconSource): number[] => [
  source.in,
  source.permitted,
  source.denied,
  source.malformed,
  source.lost,
];

class Writer {
  readonly whole: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(length: number) {
    this.whole = new Uint8Array(length);
    this.#view = new DataView(this.whole.buffer);
  }

  bytes(bytes: Uint8Array): void {
    this.whole.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  u64(value: number): void {
    this.#view.setBigUint64(this.#at, BigInt(Math.max(0, Math.floor(value))));
    this.#at += 8;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, Math.min(Math.max(0, Math.floor(value)), 0xffff_ffff));
    this.#at += 4;
  }
}

class Reader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(data: Uint8Array, at: number) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#at = at;
  }

  bytes(count: number): Uint8Array {
    this.#at += count;
    return this.#data.slice(this.#at - count, this.#at);
  }

  u64(): number {
    this.#at += 8;
    return Number(this.#view.getBigUint64(this.#at - 8));
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
