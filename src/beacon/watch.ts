/**
 * What a receiver knows of a relay by its beacons: whether it is silent or cut off, and how many events
 * are missing.
 */
import type { Beacon, BeaconPart } from './beacon.js';
import { Assembly, type Whole } from './parts.js';

/** What the beacons up to one say, and what came. */
export interface Account {
  readonly beacon: Beacon;
  /** The relay's gate has begun anew since the one before. */
  readonly restarted: boolean;
  /** Events that should have come since the first beacon, and that did. */
  readonly expected: number;
  readonly received: number;
  /**
   * Events that never came. Urgent ones that overtook the first beacon count as missing; those that
   * overtake the newest are not missed before the next.
   */
  readonly missing: number;
}

/** Boots that are remembered. */
const PAST = 16;

export class BeaconWatch {
  /** By the newest whole beacon. */
  account: Account | undefined;
  readonly #assembly = new Assembly();
  #expected = 0;
  #received = 0;
  #before: Whole | undefined;
  /** Boots before the one that lasts: what still comes of them came before. */
  #past: readonly string[] = [];

  /** An event came that is no beacon, and that had not come before. */
  take(): void {
    if (this.#before) this.#received++;
  }

  /**
   * A part of a beacon came.
   *
   * @returns what it says, when it is whole; undefined before that, and for one that came again
   */
  note(part: BeaconPart): Account | undefined {
    const whole = this.#assembly.take(part);
    return whole && this.noteWhole(whole);
  }

  /** As `note`, of a beacon that is whole. */
  noteWhole(whole: Whole): Account | undefined {
    const { beacon } = whole;
    const before = this.#before;
    if (this.#past.includes(beacon.boot)) return undefined;
    const restarted = before !== undefined && before.beacon.boot !== beacon.boot;
    if (restarted) this.#past = [...this.#past, before.beacon.boot].slice(-PAST);
    if (before && beacon.routine > before.beacon.routine) {
      this.#expected += beacon.routine - before.beacon.routine - before.parts;
      this.#expected += Math.max(0, beacon.urgent - before.beacon.urgent);
    } else if (before) {
      if (!restarted) return undefined;
      // Its journal is another one, or one that a power cut has set back.
      this.#expected = this.#received + this.account!.missing;
    }
    this.#before = whole;
    const [expected, received] = [this.#expected, this.#received];
    const missing = Math.max(0, expected - received);
    this.account = { beacon, restarted, expected, received, missing };
    return this.account;
  }
}
