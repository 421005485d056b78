/** Puts the parts of a beacon together. */
import type { Beacon, BeaconPart } from './beacon.js';

/** A whole beacon, and how many records it took. */
export interface Whole {
  readonly beacon: Beacon;
  readonly parts: number;
}

export class Assembly {
  /** Parts of the beacon that is coming. */
  #parts: BeaconPart[] = [];

  /** @returns the beacon, if this was its last part */
  take(part: BeaconPart): Whole | undefined {
    const [first] = this.#parts;
    if (part.part === 0) this.#parts = [part];
    else if (
      part.part === this.#parts.length &&
      first?.routine === part.routine &&
      first.boot === part.boot
    ) {
      this.#parts.push(part);
    } else return undefined;
    const { length } = this.#parts;
    if (length < part.parts) return undefined;
    const { relay, boot, time, routine, urgent, size, root, keyId, signature } = this.#parts[0]!;
    const beacon = {
      ...{ relay, boot, time, routine, urgent, size, root, keyId, signature },
      sources: this.#parts.flatMap(({ sources }) => sources),
    };
    this.#parts = [];
    return { beacon, parts: length };
  }
}
