/** Where the demo shows itself: a live view on a terminal, plain lines elsewhere. */
import { LiveView } from '../terminal/live.js';
import { wantsColours } from '../terminal/palette.js';
import { drawLine, drawPicture, type Picture } from './view.js';

const FRAME_EVERY = 200;
const LINE_EVERY = 1000;

export class Screen {
  readonly #live: boolean;
  readonly #colours: boolean;
  readonly #view: LiveView;
  readonly #stream: NodeJS.WriteStream;
  #shown = 0;

  /** @param json standard output belongs to the report: words go to standard error */
  constructor(json: boolean) {
    this.#stream = json ? process.stderr : process.stdout;
    this.#live = process.stdout.isTTY && !json;
    this.#colours = wantsColours(this.#live);
    this.#view = new LiveView(process.stdout, false);
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
    this.#view.draw(drawPicture(look(), this.#colours));
  }

  /** Gives the terminal back as it was. */
  close(): void {
    this.#view.close();
  }
}
