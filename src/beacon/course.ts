/** Follows one relay's beacons as they came, and says what no honest relay would send. */
import type { Beacon, BeaconPart } from './beacon.js';
import { Assembly } from './parts.js';
import { type Account, BeaconWatch } from './watch.js';

/** Beacons that are remembered: an upper link that broke brings some again. */
const REMEMBERED = 10_000;
/** Runs of the gate that are remembered. */
const MAX_BOOTS = 10_000;

export interface Step {
  readonly beacon: Beacon;
  /** By all beacons until now. */
  readonly account: Account | undefined;
  readonly restarted: boolean;
  /** What is wrong with it beside the ones before. */
  readonly faults: readonly string[];
}

export class BeaconCourse {
  readonly #assembly = new Assembly();
  readonly #watch = new BeaconWatch();
  /** By run and sequence: what it said. */
  readonly #seen = new Map<string, string>();
  /** Runs that another one has followed. */
  readonly #over = new Set<string>();
  #last: Beacon | undefined;
  #largest: Beacon | undefined;

  /** By the newest beacon. */
  get account(): Account | undefined {
    return this.#watch.account;
  }

  /** An event came that is no beacon of this relay. */
  take(): void {
    this.#watch.take();
  }

  /** @returns undefined if there is more to come of this beacon, or if it came again */
  note(part: BeaconPart): Step | undefined {
    const whole = this.#assembly.take(part);
    if (!whole) return undefined;
    const { beacon } = whole;
    const name = `${beacon.boot} ${beacon.routine}`;
    const text = textOf(beacon);
    const known = this.#seen.get(name);
    if (known === text) return undefined;
    if (known === undefined) this.#remember(name, text);
    const faults = this.#faultsOf(beacon);
    if (known !== undefined) faults.push('another beacon had its sequence');
    const before = this.#last;
    const restarted = before !== undefined && before.boot !== beacon.boot;
    if (restarted && this.#over.size < MAX_BOOTS) this.#over.add(before.boot);
    this.#last = beacon;
    if (beacon.size >= (this.#largest?.size ?? 0)) this.#largest = beacon;
    this.#watch.noteWhole(whole);
    return { beacon, account: this.#watch.account, restarted, faults };
  }

  #remember(name: string, text: string): void {
    if (this.#seen.size >= REMEMBERED) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(name, text);
  }

  #faultsOf(beacon: Beacon): string[] {
    const faults: string[] = [];
    const [before, largest] = [this.#last, this.#largest];
    if (before?.boot === beacon.boot && beacon.routine < before.routine) {
      faults.push(`its sequence went back from ${before.routine} to ${beacon.routine}`);
    }
    if (this.#over.has(beacon.boot)) faults.push('another start of the gate had followed its own');
    if (largest && beacon.size < largest.size) {
      faults.push(`its log has ${beacon.size} leaves, and had ${largest.size}`);
    }
    if (largest?.size === beacon.size && textOfRoot(largest) !== textOfRoot(beacon)) {
      faults.push(`its log of ${beacon.size} leaves had another root`);
    }
    return faults;
  }
}

function textOfRoot({ root }: Beacon): string {
  return root.join(' ');
}

/** All that it says. */
function textOf({ root, signature, ...rest }: Beacon): string {
  return JSON.stringify({ ...rest, root: [...root], signature: [...signature] });
}
