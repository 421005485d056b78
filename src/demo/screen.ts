/** Where the demo shows itself: a live view on a terminal, plain lines elsewhere. */
import { drawLine, drawPicture, type Picture } from './view.js';

const FRAME_EVERY = 200;
const LINE_EVERY = 1000;

export class Screen {
  readonly #live: boolean;
  readonly #colours: boolean;
  readonly #stream: NodeJS.WriteStream;
  #shown = 0;
  #drawn = false;

  /** @param json standard output belongs to the report: words go to standard error */
  constructor(json: boolean) {
    this.#stream = json ? process.stderr : process.stdout;
    this.#live = process.stdout.isTTY && !json;
    this.#colours = this.#live && process.env['NO_COLOR'] === undefined;
  }

  /** Calls back when nobody takes the words any more: `npm start | head`. */
  onClosed(closed: () => void): void {
    for (const stream of [process.stdout, process.stderr]) stream.on('error', closed);
  }

  say(line: string): void {
    this.#stream.write(`${line}\n`);
  }

  /** Shows the picture if it is time for another. */
  show(look: () => Picture): void {
    const now = performance.now();
    if (now - this.#shown < (this.#live ? FRAME_EVERY : LINE_EVERY)) return;
    this.#shown = now;
    if (!this.#live) {
      this.say(drawLine(look()));
      return;
    }
    const lines = drawPicture(look(), this.#colours).slice(0, process.stdout.rows - 1);
    const start = this.#drawn ? '\x1b[H' : '\x1b[?25l\x1b[2J\x1b[H';
    this.#stream.write(`${start}${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    this.#drawn = true;
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (this.#drawn) this.#stream.write('\x1b[?25h\n\n');
    this.#drawn = false;
  }
}
