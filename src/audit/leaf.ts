/**
 * Leaves of the audit log: what each kind says, and how it is read; README.md of this folder is the format.
 *
 * Every leaf: u8 kind, u8 clock, varints index, time, start, policies, then its own part, then a
 * CRC-32 of all before it, u32. Rare kinds have JSON as their own part, batches and denials numbers.
 */
import { crc32 } from '../journal/crc.js';
import { readU32 } from '../event/layout.js';
import { HASH_BYTES } from './merkle.js';
import { checkPlain } from './shape.js';
import { VarintReader } from './varint.js';

export const KINDS = [
  'start',
  'stop',
  'policies',
  'refused',
  'batch',
  'denials',
  'loss',
  'heartbeat',
  'clock',
  'key',
  'void',
  'state',
] as const;
export type Kind = (typeof KINDS)[number];

/** steady: as the clock that is never set has it; behind: set back behind what was logged before. */
export const CLOCKS = ['steady', 'behind'] as const;
export type Clock = (typeof CLOCKS)[number];

export interface Head {
  /** Its place in the log, from 0 on. */
  readonly index: number;
  /** The gate's clock, ms since 1970; never less than the leaf's before, unless a clock leaf says so. */
  readonly time: number;
  readonly clock: Clock;
  /** Index of the leaf of this gate's start, whose names the numbers refer to. */
  readonly start: number;
  /** Index of the newest leaf of policies that were put in force; undefined: none were ever. */
  readonly policies: number | undefined;
}

/** A gate has begun: it names what the numbers of other leaves refer to. */
export interface Start {
  readonly kind: 'start';
  /** Of this run of the gate: 16 hexadecimal digits, by chance. */
  readonly boot: string;
  /** The run before; undefined: the log begins here. */
  readonly previous?: { readonly boot: string; readonly start: number; readonly ended: boolean };
  readonly relay: string;
  /** The log's public key, as a line (C2SP signed-note). */
  readonly key: string;
  readonly sources: readonly string[];
  readonly channels: readonly string[];
  /** Of each lane of each channel. */
  readonly journals: readonly string[];
  /** Names of the numbers of a source, and of a channel. */
  readonly counters: readonly string[];
  readonly outcomes: readonly string[];
  /** By source, and by channel: what they were. */
  readonly counts: readonly (readonly number[])[];
  readonly sums: readonly (readonly number[])[];
  /** By journal: the last sequence. */
  readonly sequences: readonly number[];
  /** Whose signatures policies need; absent: nobody's. */
  readonly signers?: { readonly keys: readonly string[]; readonly threshold: number };
}

/** An orderly end. */
export interface Stop {
  readonly kind: 'stop';
  readonly counts: readonly (readonly number[])[];
  readonly sums: readonly (readonly number[])[];
}

/** Policies are in force from here on. */
export interface Activation {
  readonly kind: 'policies';
  /** Of all texts, as the status has it. */
  readonly digest: string;
  /** In the order of the configuration; `sha256` of the file's bytes, in hexadecimal digits. */
  readonly files: readonly {
    readonly id: string;
    readonly revision: number;
    readonly expires?: string;
    readonly sha256: string;
  }[];
  /** Names that rule numbers stand for; beyond some 32 KiB of names, the first of them. */
  readonly rules: readonly string[];
  readonly signers: readonly { readonly name: string; readonly id: string }[];
  /** The note that was signed. */
  readonly manifest?: string;
}

/** Policies were handed on, and not put in force. */
export interface Refused {
  readonly kind: 'refused';
  readonly digest: string;
  readonly reason: string;
}

/** Records of one journal, one after the other. */
export interface Range {
  /** Number of the journal. */
  readonly journal: number;
  readonly first: number;
  readonly count: number;
  /** See src/journal/commitment.ts. */
  readonly commitment: Uint8Array;
  /** By record: index into the decisions. */
  readonly of: Uint16Array;
}

/** What was decided: numbers of the rule and the source, and what went out. */
export interface Decision {
  readonly rule: number;
  readonly source: number;
  readonly vscpClass: number;
  readonly type: number;
}

/** Forwarded events. A batch has one leaf, or several when it is large. */
export interface Batch {
  readonly kind: 'batch';
  readonly batch: number;
  readonly part: number;
  readonly last: boolean;
  readonly ranges: readonly Range[];
  readonly decisions: readonly Decision[];
  /** In the last part: the numbers that are others than in the batch before, as source, counter, value. */
  readonly counts: readonly (readonly [source: number, counter: number, value: number])[];
  readonly sums: readonly (readonly [channel: number, outcome: number, value: number])[];
  /** In the last part: by journal, the last sequence. */
  readonly sequences: readonly number[];
}

/** What was denied within a second, or a little more. */
export interface Denials {
  readonly kind: 'denials';
  /** From the last one, or the gate's start, on: ms. */
  readonly since: number;
  /** rule undefined: nothing permits it. */
  readonly denied: readonly {
    readonly source: number;
    readonly rule: number | undefined;
    readonly count: number;
  }[];
}

/** Events of a source that were lost. */
export interface Loss {
  readonly kind: 'loss';
  readonly source: number;
  readonly reason: string;
  readonly count: number;
}

/** Once a minute, whatever happens. */
export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly counts: readonly (readonly number[])[];
  readonly sums: readonly (readonly number[])[];
  readonly sequences: readonly number[];
  readonly forwarding: boolean;
}

/** The machine's clock was set. */
export interface ClockStep {
  readonly kind: 'clock';
  /** ms; negative: back. */
  readonly by: number;
}

/** From the next checkpoint on, another key signs. */
export interface KeyRotation {
  readonly kind: 'key';
  readonly before: string;
  readonly key: string;
  /** A note of the new key's line by the one before; absent: that one did not consent. */
  readonly endorsement?: string;
}

/** Records that leaves before name do not exist: their sequences are used again. */
export interface Void {
  readonly kind: 'void';
  readonly journal: number;
  /** This one, and all that follow. */
  readonly first: number;
  readonly reason: string;
}

/** Nothing goes out any more, or events go out again. */
export interface State {
  readonly kind: 'state';
  readonly forwarding: boolean;
  readonly reason?: string;
}

/** Kinds whose own part is JSON. */
export type Plain =
  Start | Stop | Activation | Refused | Loss | Heartbeat | ClockStep | KeyRotation | Void | State;
export type Leaf = Head & (Plain | Batch | Denials);

/** A leaf that is none, with the reason. */
export class LeafError extends Error {
  override readonly name = 'LeafError';
}

/** Records in one leaf, at most. */
export const MAX_RECORDS = 32_768;

const CRC_BYTES = 4;

/** What a leaf begins with, and where its own part is. @throws LeafError */
function readHead(bytes: Uint8Array): { kind: Kind; head: Head; own: VarintReader } {
  const end = bytes.length - CRC_BYTES;
  if (end < 6 || readU32(bytes, end) !== crc32(bytes, 0, end)) {
    throw new LeafError('the leaf does not fit its checksum');
  }
  const kind = KINDS[bytes[0]!];
  const clock = CLOCKS[bytes[1]!];
  if (kind === undefined || clock === undefined) {
    throw new LeafError(`a leaf of kind ${bytes[0]!}, clock ${bytes[1]!} is not known`);
  }
  try {
    const own = new VarintReader(bytes, 2, end);
    const [index, time, start] = [own.next(), own.next(), own.next()];
    const policies = own.next();
    const head = { index, time, clock, start, policies: policies === 0 ? undefined : policies - 1 };
    return { kind, head, own };
  } catch (error) {
    throw new LeafError(`the ${kind} leaf cannot be read: ${(error as Error).message}`);
  }
}

/** The place of a leaf that is whole, whatever it says. @throws LeafError */
export function placeOf(bytes: Uint8Array): number {
  return readHead(bytes).head.index;
}

/** Reads a leaf. @throws LeafError */
export function decodeLeaf(bytes: Uint8Array): Leaf {
  const { kind, head, own } = readHead(bytes);
  try {
    if (kind === 'batch') return { ...head, ...readBatch(own) };
    if (kind === 'denials') return { ...head, ...readDenials(own) };
    const text = Buffer.from(own.take(own.left)).toString('utf8');
    return { ...checkPlain(kind, JSON.parse(text)), ...head };
  } catch (error) {
    throw new LeafError(`the ${kind} leaf cannot be read: ${(error as Error).message}`);
  }
}

function list<T>(numbers: VarintReader, read: () => T): T[] {
  const count = numbers.next();
  // Each takes a byte at least: no length makes a reader take memory for nothing.
  if (count > numbers.left) throw new RangeError('a list is longer than the leaf');
  return Array.from({ length: count }, read);
}

function readBatch(numbers: VarintReader): Batch {
  const next = (): number => numbers.next();
  const batch = next();
  const part = next();
  const end = next();
  if (end > 1) throw new RangeError('a part is the last one, or not');
  const last = end === 1;
  const decisions = list(numbers, () => ({
    rule: next(),
    source: next(),
    vscpClass: next(),
    type: next(),
  }));
  const places = list(numbers, () => ({
    journal: next(),
    first: next(),
    count: next(),
    commitment: numbers.take(HASH_BYTES),
  }));
  // Of one decision there are no indices: no length makes a reader take memory for nothing.
  const records = places.reduce((sum, { count }) => sum + count, 0);
  if (records > MAX_RECORDS) throw new RangeError('there are too many records in one leaf');
  const ranges = places.map((place) => ({
    ...place,
    of: readIndices(numbers, place.count, decisions.length),
  }));
  const counts = list(numbers, () => [next(), next(), next()] as const);
  const sums = list(numbers, () => [next(), next(), next()] as const);
  const sequences = list(numbers, next);
  if (numbers.left > 0) throw new RangeError('there is more than the batch');
  return { kind: 'batch', batch, part, last, ranges, decisions, counts, sums, sequences };
}

function readIndices(numbers: VarintReader, count: number, decisions: number): Uint16Array {
  if (decisions === 1) return new Uint16Array(count);
  return Uint16Array.from({ length: count }, () => {
    const index = numbers.next();
    if (index >= decisions) throw new RangeError('a record has no decision');
    return index;
  });
}

function readDenials(numbers: VarintReader): Denials {
  const next = (): number => numbers.next();
  const since = next();
  const denied = list(numbers, () => {
    const [source, rule, count] = [next(), next(), next()];
    return { source, rule: rule === 0 ? undefined : rule - 1, count };
  });
  if (numbers.left > 0) throw new RangeError('there is more than the denials');
  return { kind: 'denials', since, denied };
}
