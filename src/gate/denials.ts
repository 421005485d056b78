/** Denials by rule and source, counted for the audit log, and taken from here once a second. */
import { MAX_DENIALS } from '../audit/encode.js';
import type { Denials } from '../audit/leaf.js';

export class DenialCounts {
  #width = 1;
  #counts: Float64Array;
  readonly #sources: number;
  #some = false;

  constructor(sources: number) {
    this.#sources = sources;
    this.#counts = new Float64Array(sources);
  }

  /** Rules have other numbers from now on; what was counted by the ones before is gone. */
  setRules(count: number): void {
    this.#width = count + 1;
    this.#counts = new Float64Array(this.#sources * this.#width);
    this.#some = false;
  }

  /** @param rule -1: nothing permits the event */
  add(source: number, rule: number): void {
    this.#counts[source * this.#width + rule + 1]!++;
    this.#some = true;
  }

  /**
   * Gives what was denied to the log, a leaf's worth at a time.
   *
   * @param take whether the log takes it; what it does not take is counted on
   * @returns whether it has taken all
   */
  drain(since: number, take: (denials: Denials) => boolean): boolean {
    if (!this.#some) return true;
    const places = [...this.#counts.keys()].filter((place) => this.#counts[place]! > 0);
    for (let at = 0; at < places.length; at += MAX_DENIALS) {
      const some = places.slice(at, at + MAX_DENIALS);
      const denied = some.map((place) => {
        const rule = place % this.#width;
        return {
          source: Math.floor(place / this.#width),
          rule: rule === 0 ? undefined : rule - 1,
          count: this.#counts[place]!,
        };
      });
      if (!take({ kind: 'denials', since, denied })) return false;
      for (const place of some) this.#counts[place] = 0;
    }
    this.#some = false;
    return true;
  }
}
