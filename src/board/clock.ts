/**
 * The time by which what is kept grows old: it never goes back, and follows the machine's clock at a
 * bounded pace, so that one that is set, or is wrong when the board starts, deletes little.
 */

/** While it is behind: what a wrong clock costs is as much as this pace is faster than time. */
const PACE = 2;
/** A step of less than this, ms, is no step. */
const STEP = 1000;

export class Clock {
  #wall: number;
  #steady: number;
  #reached: number;
  readonly #ahead: number;

  /**
   * @param wall ms since 1970, by the machine's clock
   * @param steady ms, of a clock that is never set
   * @param saved `save()` of the board before; if it is none, the machine's clock is believed
   */
  constructor(wall: number, steady: number, saved: string) {
    this.#wall = wall;
    this.#steady = steady;
    this.#reached = /^\d{1,15}$/.test(saved) ? Number(saved) : wall;
    this.#ahead = this.time - steady;
  }

  /** ms since 1970; what is older than an age by this may go. */
  get time(): number {
    return Math.min(this.#wall, this.#reached);
  }

  /** For a board that starts. */
  save(): string {
    return String(Math.floor(this.#reached));
  }

  /** ms since 1970 where the board began, and from then on by what has passed: for what grows old soon. */
  steady(steady: number): number {
    return this.#ahead + steady;
  }

  /** @returns ms by which the machine's clock was set since the last tick; 0: it was not */
  tick(wall: number, steady: number): number {
    const passed = Math.max(0, steady - this.#steady);
    const by = Math.round(wall - this.#wall - passed);
    const next = Math.min(wall, this.#reached + PACE * passed);
    this.#reached = Math.max(this.#reached, next);
    this.#wall = wall;
    this.#steady = steady;
    return Math.abs(by) < STEP ? 0 : by;
  }
}
