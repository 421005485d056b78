/** Readings as CSV (RFC 4180), a page of the history at a time, as fast as they are taken off. */
import type { ServerResponse } from 'node:http';
import type { HistoryReader, Reading, SensorState } from '../../sensor/view.js';
import type { HttpCounters } from './counters.js';
import type { HttpLimits } from './limits.js';
import { Tally } from './network.js';
import { Problem } from './problem.js';
import type { Questions } from './questions.js';
import type { Exchange, Replies } from './reply.js';
import { isoOf } from './shapes.js';

const PAGE = 5000;
const HEAD = 'time,value,unit,sensor,name,place\r\n';

export class Exports {
  readonly #history: HistoryReader;
  readonly #limits: HttpLimits;
  readonly #questions: Questions;
  readonly #replies: Replies;
  readonly #counters: HttpCounters;
  readonly #tally = new Tally();

  constructor(
    history: HistoryReader,
    limits: HttpLimits,
    questions: Questions,
    replies: Replies,
    counters: HttpCounters,
  ) {
    this.#history = history;
    this.#limits = limits;
    this.#questions = questions;
    this.#replies = replies;
    this.#counters = counters;
  }

  /** @throws Problem before the answer has begun; later the connection breaks off */
  async send(
    exchange: Exchange,
    sensor: SensorState,
    from: number,
    to: number,
    limit: number,
  ): Promise<void> {
    const { network, res, head } = exchange;
    const { exports, exportsPerAddress, exportTimeout } = this.#limits;
    if (head) {
      this.#begin(exchange, sensor);
      res.end();
      return;
    }
    if (this.#tally.of(network) >= exportsPerAddress) {
      const text = `your address has ${exportsPerAddress} exports: wait for one to end`;
      throw Problem.later('too_many_exports', text, 10_000);
    }
    if (this.#counters.exports >= exports) {
      throw Problem.later('busy', 'too many exports: try again later', 10_000);
    }
    this.#tally.add(network);
    this.#counters.exports++;
    const timer = setTimeout(() => res.destroy(), exportTimeout);
    try {
      await this.#pump(exchange, sensor, from, to, limit);
    } finally {
      clearTimeout(timer);
      this.#counters.exports--;
      this.#tally.remove(network);
    }
  }

  #begin(exchange: Exchange, sensor: SensorState): void {
    const file = sensor.id.replace(/[^A-Za-z0-9._-]/g, '_');
    this.#replies.begin(exchange, {
      'Content-Type': 'text/csv; charset=utf-8; header=present',
      'Content-Disposition': `attachment; filename="readings-${file}.csv"`,
      'Cache-Control': 'no-store',
    });
  }

  async #pump(
    exchange: Exchange,
    sensor: SensorState,
    from: number,
    to: number,
    limit: number,
  ): Promise<void> {
    const { res, network } = exchange;
    const row = rowsOf(sensor);
    let next = from;
    let left = limit;
    for (;;) {
      const size = Math.min(PAGE, left);
      const start = next;
      const found = await this.#questions
        .ask(network, () => this.#history.readings(sensor.id, start, to, size))
        .catch((error: unknown) => {
          if (!res.headersSent) throw error;
          // Its reader must not take the part for the whole.
          res.destroy();
        });
      if (!found || res.destroyed) return;
      const page = found.slice(0, size);
      if (!res.headersSent) {
        this.#begin(exchange, sensor);
        res.write(HEAD);
      }
      if (!res.write(page.map(row).join('')) && !(await drained(res))) return;
      left -= page.length;
      next = (page.at(-1)?.time ?? to) + 1;
      if (page.length < size || left <= 0 || next > to || next <= start) break;
    }
    res.end();
  }
}

function rowsOf({ id, name, place, unit }: SensorState): (reading: Reading) => string {
  const rest = [unit, id, name, place].map(formatCell).join(',');
  return ({ time, value }) => `${isoOf(time) ?? time},${value},${rest}\r\n`;
}

/**
 * A text cell. OWASP, "CSV injection": a spreadsheet takes for a formula what begins with one of
 * these, also behind white space and in full width; an apostrophe makes it text.
 */
export function formatCell(text: string): string {
  const safe = /^[\s"']*[=+\-@|%\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",;\r\n\t]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Whether there is room again: false if the connection has gone. */
function drained(res: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done).off('close', done);
      resolve(!res.destroyed);
    };
    res.on('drain', done).on('close', done);
  });
}
