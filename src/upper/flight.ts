/** The records that have gone out and are not settled, oldest first: at most a window of them. */
import type { Lane } from './lane.js';

export class Flight {
  readonly #lanes: Lane[];
  readonly #indices: Int32Array;
  #start = 0;
  #length = 0;

  constructor(window: number) {
    this.#lanes = new Array<Lane>(window);
    this.#indices = new Int32Array(window);
  }

  get length(): number {
    return this.#length;
  }

  /** @param index of the record in its lane's chunk */
  push(lane: Lane, index: number): void {
    const at = this.#place(this.#length++);
    this.#lanes[at] = lane;
    this.#indices[at] = index;
  }

  shift(): void {
    this.#start = this.#place(1);
    this.#length--;
  }

  /** @param at from the oldest, which is 0 */
  laneOf(at: number): Lane {
    return this.#lanes[this.#place(at)]!;
  }

  indexOf(at: number): number {
    return this.#indices[this.#place(at)]!;
  }

  #place(at: number): number {
    const place = this.#start + at;
    return place >= this.#indices.length ? place - this.#indices.length : place;
  }
}
