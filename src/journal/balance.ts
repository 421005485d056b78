/** The counters of sources or of channels, by their names: whether their sums hold, and which only grow. */

/** The vectors of one kind, each with the same names. */
export class Group {
  readonly what: 'source' | 'channel';
  readonly owners: readonly string[];
  readonly names: readonly string[];
  /** Places in a vector: of the whole, of its parts; none where there is no such name. */
  readonly #whole: number;
  readonly #parts: readonly number[];
  readonly #sum: string;
  readonly growing: readonly number[];

  /**
   * @param whole that is the sum of `parts`, each with all that has its name and a dot before it
   * @param growing tells the names of those that only grow
   */
  constructor(
    what: 'source' | 'channel',
    owners: readonly string[],
    names: readonly string[],
    whole: string | undefined,
    parts: readonly string[],
    growing: RegExp,
  ) {
    this.what = what;
    this.owners = owners;
    this.names = names;
    this.#whole = whole === undefined ? -1 : names.indexOf(whole);
    this.#sum = parts.join(' + ');
    const indices = [...names.keys()];
    this.#parts = indices.filter((i) =>
      parts.some((part) => names[i] === part || names[i]!.startsWith(`${part}.`)),
    );
    this.growing = indices.filter((i) => growing.test(names[i]!));
  }

  /** What is wrong with the sums. */
  unbalanced(vectors: readonly ArrayLike<number>[]): string[] {
    if (this.#whole < 0) return [];
    return this.owners.flatMap((owner, i) => {
      const vector = vectors[i]!;
      const whole = vector[this.#whole]!;
      let sum = 0;
      for (const part of this.#parts) sum += vector[part]!;
      if (whole === sum) return [];
      const name = this.names[this.#whole]!;
      return [`${this.what} '${owner}': ${name} is ${whole}, but ${this.#sum} is ${sum}`];
    });
  }
}
