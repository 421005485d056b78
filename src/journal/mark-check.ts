/** Checks the marks of a lane against those before them: they go forward, and their sums hold. */
import { type Mark, MAX_BEHIND, type SegmentHeader } from './format.js';
import { Sums } from './sums.js';

export class MarkCheck {
  /** Of the last mark. */
  batch = -1;
  time: number | undefined;
  readonly #sums = new Sums();

  /**
   * Takes the next mark.
   *
   * @param renewed whether it is the first of its epoch
   * @param note is told what is strange, and right
   * @returns what is wrong with it
   */
  take(
    mark: Mark,
    header: SegmentHeader,
    renewed: boolean,
    note: (message: string) => void,
  ): string[] {
    const { batch, time } = mark;
    const wrong = this.#sums.check(header, mark, renewed);
    if (batch <= this.batch) wrong.push(`comes after that of batch ${this.batch}`);
    if (!Number.isFinite(time)) wrong.push('has no time');
    const back = (this.time ?? time) - time;
    if (renewed && back >= MAX_BEHIND) note(`the clock was set back ${Math.round(back / 1000)} s`);
    else if (back > 0) wrong.push(`is ${back} ms earlier than the one before`);
    this.batch = Math.max(this.batch, batch);
    this.time = time;
    return wrong;
  }
}
