/** Answers that are made once for all who ask: as bytes, with their tag, and gzip'd once. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);
/** Smaller ones fit into one packet as they are. */
const WORTH_COMPRESSING = 1024;
const COMPRESSIBLE = /^(?:text\/|application\/(?:json|javascript|openmetrics-text)|image\/svg)/;

export class Kept {
  readonly type: string;
  readonly bytes: Buffer;
  /** Weak, as both encodings have it. */
  readonly etag: string;
  #compressed: Promise<Buffer | undefined> | undefined;

  /** @param same what is the same in equal answers: all of it, but for when it was made */
  constructor(type: string, content: string | Buffer, same = content) {
    this.type = type;
    this.bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const digest = createHash('sha256').update(same).digest('base64url');
    this.etag = `W/"${digest.slice(0, 22)}"`;
  }

  /** @param same as above */
  static json(value: unknown, same = value): Kept {
    const text = JSON.stringify(value);
    const type = 'application/json; charset=utf-8';
    return new Kept(type, text, same === value ? text : JSON.stringify(same));
  }

  /**
   * Ages are part of what is the same: without a script nobody renews them. A page's own time is not:
   * it is as old as those ages permit.
   */
  static page(text: string): Kept {
    return new Kept('text/html; charset=utf-8', text, text.replace(/ data-now="\d+"/, ''));
  }

  get compressible(): boolean {
    return this.bytes.length >= WORTH_COMPRESSING && COMPRESSIBLE.test(this.type);
  }

  /** Off the main thread; undefined if it does not get smaller. */
  compressed(): Promise<Buffer | undefined> {
    this.#compressed ??= compress(this.bytes).then(
      (bytes) => (bytes.length < this.bytes.length ? bytes : undefined),
      () => undefined,
    );
    return this.#compressed;
  }
}

interface Place {
  readonly kept: Promise<Kept>;
  /** Infinity while it is being made. */
  until: number;
  weight: number;
}

/** What was asked for lately, bounded in number and bytes; the same question is asked once. */
export class Shelf {
  readonly #most: number;
  readonly #mostBytes: number;
  /** Least lately asked for first. */
  readonly #places = new Map<string, Place>();
  #bytes = 0;

  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get size(): number {
    return this.#places.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param life ms that it is kept for; what could not be made is not kept
   * @throws what `make` throws
   */
  get(key: string, life: number, make: () => Kept | Promise<Kept>): Promise<Kept> {
    const found = this.#places.get(key);
    if (found && performance.now() < found.until) {
      this.#places.delete(key);
      this.#places.set(key, found);
      return found.kept;
    }
    this.#remove(key);
    // An executor that throws rejects.
    const kept = new Promise<Kept>((resolve) => resolve(make()));
    const place: Place = { kept, until: Infinity, weight: 0 };
    this.#places.set(key, place);
    this.#trim();
    kept.then(
      ({ bytes }) => {
        if (this.#places.get(key) !== place) return;
        place.until = performance.now() + life;
        // The compressed bytes, which may come later, are fewer.
        place.weight = 2 * bytes.length;
        this.#bytes += place.weight;
        this.#trim();
      },
      () => {
        if (this.#places.get(key) === place) this.#remove(key);
      },
    );
    return kept;
  }

  #trim(): void {
    while (this.#places.size > this.#most || this.#bytes > this.#mostBytes) {
      this.#remove(this.#places.keys().next().value!);
    }
  }

  #remove(key: string): void {
    this.#bytes -= this.#places.get(key)?.weight ?? 0;
    this.#places.delete(key);
  }
}
