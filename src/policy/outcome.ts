/** What became of an event that was permitted for a channel, and the counters of a channel. */

/** Numbers in a channel's vector: permitted = emitted + absorbed + open + withheld. */
export const OUTCOMES = [
  'permitted',
  'emitted',
  'absorbed.window',
  'absorbed.deadband',
  /** Samples in windows that have not ended. */
  'open',
  'withheld.rate',
  'withheld.size',
  'withheld.conversion',
  'withheld.overflow',
  'withheld.interrupted',
  /** The relay's own events: journalled = emitted + beacons. */
  'beacons',
] as const;

export const CHANNEL_PERMITTED = 0;
export const EMITTED = 1;
export const ABSORBED_WINDOW = 2;
export const ABSORBED_DEADBAND = 3;
export const OPEN = 4;
export const WITHHELD_RATE = 5;
export const WITHHELD_SIZE = 6;
export const WITHHELD_CONVERSION = 7;
export const WITHHELD_OVERFLOW = 8;
export const WITHHELD_INTERRUPTED = 9;
export const BEACONS = 10;

/** What is sent goes here. */
export interface Sink {
  /** Where the next event of the channel is written: MAX_BODY bytes of room. */
  readonly buffer: Uint8Array;
  readonly at: number;
  /** Turns to a channel: sets `buffer` and `at`. False while it takes no more. */
  open(channel: number): boolean;
  /**
   * Takes what stands at `at`.
   *
   * @param urgent it may overtake: its rule says so, or it is sent with priority 0
   */
  append(length: number, source: number, rule: number, fromWindow: boolean, urgent: boolean): void;
  count(channel: number, outcome: number, events: number): void;
}
