/** How fast a number that only grows has grown in the last seconds. */

/** Seconds that are looked back on, and one sample for each. */
const SPAN = 10;

export class Rate {
  readonly #times: number[] = [];
  readonly #totals: number[] = [];

  /**
   * Notes what the number is.
   *
   * @param now ms, of a clock that does not go back
   * @returns how much it has grown a second, over ten seconds or what there is of them
   */
  note(now: number, total: number): number {
    const times = this.#times;
    const totals = this.#totals;
    if (times.length === 0 || now - times.at(-1)! >= 1000) {
      times.push(now);
      totals.push(total);
      if (times.length > SPAN + 1) {
        times.shift();
        totals.shift();
      }
    }
    const elapsed = now - times[0]!;
    return elapsed < 1000 ? 0 : Math.max(0, ((total - totals[0]!) * 1000) / elapsed);
  }
}
