/**
 * Repeats of log lines: the first of a kind passes, those after it are counted, and the latest is
 * written with their number, less and less often. What differs in more than its time is no repeat.
 */

/** Repeats are written this many ms after the first line, then after GROWTH times as long. */
const FIRST = 1000;
const GROWTH = 4;
const SLOWEST = 600_000;
/** A kind that has not come for so many ms starts afresh: no link waits that long for its next try. */
const QUIET = 60_000;

/** One line, made harmless. */
export interface Sealed {
  /** A JSON object that has at least one field, and none named `repeated`. */
  readonly text: string;
  /** The same without its time. */
  readonly kind: string;
}

export interface RepeatsOptions {
  /** Kinds that are remembered; beyond, what has not come for longest is written and forgotten. */
  readonly kinds?: number;
  /** Characters of them. */
  readonly characters?: number;
  /** ms, never set back. */
  readonly now?: () => number;
}

interface Known {
  latest: string;
  /** Lines that have come and are not written. */
  count: number;
  interval: number;
  due: number;
  seen: number;
}

export class Repeats {
  /** What has not come for longest stands first. */
  readonly #known = new Map<string, Known>();
  readonly #write: (text: string) => void;
  readonly #kinds: number;
  readonly #most: number;
  readonly #now: () => number;
  #characters = 0;

  /** @param write takes a JSON object, without a line's end */
  constructor(
    write: (text: string) => void,
    { kinds = 64, characters = 128 * 1024, now = () => performance.now() }: RepeatsOptions = {},
  ) {
    this.#write = write;
    this.#kinds = kinds;
    this.#most = characters;
    this.#now = now;
  }

  /** Kinds that are remembered now. */
  get size(): number {
    return this.#known.size;
  }

  /** @param count lines that this one stands for */
  take({ text, kind }: Sealed, count = 1): void {
    const now = this.#now();
    let known = this.#known.get(kind);
    if (known && now - known.seen >= QUIET) {
      this.#forget(kind, known);
      known = undefined;
    }
    if (known) {
      this.#characters += text.length - known.latest.length;
      known.latest = text;
      known.count += count;
      known.seen = now;
      this.#known.delete(kind);
      this.#known.set(kind, known);
      if (now >= known.due) this.#say(known, now);
    } else {
      this.#write(mark(text, count));
      const first = { latest: text, count: 0, interval: FIRST, due: now + FIRST, seen: now };
      this.#known.set(kind, first);
      this.#characters += kind.length + text.length;
    }
    for (const [kind, known] of this.#known) {
      if (this.#known.size <= this.#kinds && this.#characters <= this.#most) break;
      this.#forget(kind, known);
    }
  }

  /** Writes what is due; to be called every now and then. */
  tick(): void {
    const now = this.#now();
    for (const [kind, known] of this.#known) {
      if (now - known.seen >= QUIET) this.#forget(kind, known);
      else if (known.count > 0 && now >= known.due) this.#say(known, now);
    }
  }

  /** Writes what was counted, and forgets all kinds. */
  flush(): void {
    for (const [kind, known] of this.#known) this.#forget(kind, known);
  }

  #say(known: Known, now: number): void {
    this.#write(mark(known.latest, known.count));
    known.count = 0;
    known.interval = Math.min(known.interval * GROWTH, SLOWEST);
    known.due = now + known.interval;
  }

  #forget(kind: string, known: Known): void {
    if (known.count > 0) this.#write(mark(known.latest, known.count));
    this.#known.delete(kind);
    this.#characters -= kind.length + known.latest.length;
  }
}

function mark(text: string, count: number): string {
  return count > 1 ? `${text.slice(0, -1)},"repeated":${count}}` : text;
}
