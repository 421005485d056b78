/** A view that is drawn anew in its place. */

export interface Canvas {
  readonly rows?: number;
  write(text: string): unknown;
}

/** Switch autowrap off, hide the cursor, clear; the alternate screen leaves what stood there. */
const OPEN = '\x1b[?25l\x1b[?7l\x1b[2J';
const CLOSE = '\x1b[?7h\x1b[?25h';
const ALTERNATE = { open: '\x1b[?1049h', close: '\x1b[?1049l' };

export class LiveView {
  readonly #canvas: Canvas;
  readonly #alternate: boolean;
  #drawn = false;

  /** @param alternate on a screen of its own, of which nothing stays */
  constructor(canvas: Canvas, alternate: boolean) {
    this.#canvas = canvas;
    this.#alternate = alternate;
  }

  /** Draws the lines that there is room for; a line that is too long ends at the edge. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, (this.#canvas.rows ?? 24) - 1);
    const open = this.#drawn ? '' : (this.#alternate ? ALTERNATE.open : '') + OPEN;
    const text = shown.map((line) => `${line}\x1b[K`).join('\n');
    this.#canvas.write(`${open}\x1b[H${text}\x1b[J`);
    this.#drawn = true;
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (!this.#drawn) return;
    this.#canvas.write(CLOSE + (this.#alternate ? ALTERNATE.close : '\n\n'));
    this.#drawn = false;
  }
}
