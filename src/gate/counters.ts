/** The counters of one source, as one vector of numbers that the commit marks carry. */
import type { SourceStatus } from '../wire/status.js';
import { MALFORMED_KINDS } from '../event/malformed.js';

/** Why a line was lost. */
export const LOST_REASONS = [
  /** The valve's bound: the pipe was full. */
  'overflow',
  /** A frame was torn by a kill. */
  'torn',
  /** Read by the valve while no gate was there, or not committed by the gate that read it. */
  'restart',
  /** A last line without its ending, when the connection broke. */
  'interrupted',
  /** The journal could not be written. */
  'journal',
  /** The audit log could not be written. */
  'audit',
] as const;

/** What a counter vector holds, in this order. */
export const COUNTERS = [
  'generation',
  'valve.read',
  'valve.empty',
  'valve.overlong',
  'valve.truncated',
  'valve.overflow',
  'valve.alive',
  'valve.bytes',
  /** 1: this generation's valve has said its last words. */
  'valve.ended',
  'in',
  'permitted',
  'denied',
  ...MALFORMED_KINDS.map((kind) => `malformed.${kind}` as const),
  ...LOST_REASONS.map((reason) => `lost.${reason}` as const),
  'connections',
  /** Generations whose valve ended without its last words. */
  'interruptions',
  'alive',
  'bytes',
] as const;

export type Counter = (typeof COUNTERS)[number];

function indexOf(name: Counter): number {
  return COUNTERS.indexOf(name);
}

export const GENERATION = indexOf('generation');
export const VALVE_READ = indexOf('valve.read');
export const VALVE_EMPTY = indexOf('valve.empty');
export const VALVE_OVERLONG = indexOf('valve.overlong');
export const VALVE_TRUNCATED = indexOf('valve.truncated');
export const VALVE_OVERFLOW = indexOf('valve.overflow');
export const VALVE_ALIVE = indexOf('valve.alive');
export const VALVE_BYTES = indexOf('valve.bytes');
export const VALVE_ENDED = indexOf('valve.ended');
export const VALVE_LAST = VALVE_ENDED;
export const IN = indexOf('in');
export const PERMITTED = indexOf('permitted');
export const DENIED = indexOf('denied');
export const MALFORMED = indexOf('malformed.empty');
export const TOO_LONG = indexOf('malformed.too-long');
export const LOST = indexOf('lost.overflow');
export const LOST_TORN = indexOf('lost.torn');
export const LOST_RESTART = indexOf('lost.restart');
export const LOST_INTERRUPTED = indexOf('lost.interrupted');
export const LOST_JOURNAL = indexOf('lost.journal');
export const LOST_AUDIT = indexOf('lost.audit');
export const CONNECTIONS = indexOf('connections');
export const INTERRUPTIONS = indexOf('interruptions');
export const ALIVE = indexOf('alive');
export const BYTES = indexOf('bytes');

function nonZero(vector: Float64Array, from: number, names: readonly string[]) {
  const entries = names.map((name, i) => [name, vector[from + i]!] as const);
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}

export function describeCounters(vector: Float64Array): SourceStatus {
  return {
    in: vector[IN]!,
    permitted: vector[PERMITTED]!,
    denied: vector[DENIED]!,
    malformed: nonZero(vector, MALFORMED, MALFORMED_KINDS),
    lost: nonZero(vector, LOST, LOST_REASONS),
    connections: vector[CONNECTIONS]!,
    interruptions: vector[INTERRUPTIONS]!,
    alive: vector[ALIVE]!,
    bytes: vector[BYTES]!,
  };
}

/** Takes over a vector that was written with other names than `own`, or in another order. */
export function adoptVector(
  own: readonly string[],
  names: readonly string[],
  vector: Float64Array,
): Float64Array {
  return Float64Array.from(own, (name) => vector[names.indexOf(name)] ?? 0);
}

export function adoptCounters(names: readonly string[], vector: Float64Array): Float64Array {
  return adoptVector(COUNTERS, names, vector);
}
