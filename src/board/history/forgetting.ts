/** What is too old, or too much, goes: a few thousand rows at a time, so that events do not wait. */
import type { DatabaseSyncInstance, StatementSyncInstance } from '@photostructure/sqlite';
import { PAGE } from './room.js';
import { pragma } from './schema.js';
import type { Sensors } from './sensors.js';
import { DAY, HOUR } from './time.js';
import type { Transactions } from './transactions.js';

export interface Bounds {
  readonly keep: { readonly raw: number; readonly hour: number; readonly day: number };
  /** Rows of the event log. */
  readonly events: number;
  /** Of the database. */
  readonly pages: number;
}

/** Rows that go at once, at most. */
const STEP = 5000;
/** ms between two looks at how old a sensor's readings are. */
const LOOK_EVERY = 10_000;
/** Shares of the pages: from the first on readings go, until it is less than the second. */
const HIGH = 0.92;
const LOW = 0.9;
/** Above it, a full database is full by its own bound. */
const OWN = 0.75;
/** Share of the pages that the event log may have when there is not enough for all. */
const SHARE_OF_EVENTS = 0.5;
/** Bytes of an event's row without its text. */
const EVENT_ROW = 24;
/** Rows of the log of which the size is looked at, to know that of all. */
const SAMPLE = 200;
/** Pages that are given back to the disk at once: others take their places, and are changed for it. */
const GIVEN_BACK = 32;
/** Pages that are changed to delete rows of one sensor that lie together: the ends, and a merge. */
const PAGES_OF_CUT = 8;
/** Rows of a page, at least: each of them may be changed before it is free. */
const ROWS_OF_PAGE = 40;

type Name = 'raw' | 'hour' | 'day';

/** A table that has rows by sensor and time. */
class Table {
  readonly #oldest: StatementSyncInstance;
  readonly #bound: StatementSyncInstance;
  readonly #cut: StatementSyncInstance;
  /** ms of which readings go at once. */
  span: number;

  constructor(database: DatabaseSyncInstance, name: Name, span: number) {
    this.#oldest = database.prepare(`SELECT min(time) AS time FROM ${name} WHERE sensor = ?`);
    this.#bound = database.prepare(
      `SELECT time FROM ${name} WHERE sensor = ? AND time < ? ORDER BY time LIMIT 1 OFFSET ${STEP}`,
    );
    this.#cut = database.prepare(`DELETE FROM ${name} WHERE sensor = ? AND time < ?`);
    this.span = span;
  }

  /** Of a sensor; Infinity: it has none. */
  oldest(sensor: number): number {
    const { time } = this.#oldest.get(sensor) as { time: number | null };
    return time ?? Infinity;
  }

  /** Deletes the oldest rows of a sensor that are older. @returns how many */
  cut(sensor: number, before: number): number {
    const bound = this.#bound.get(sensor, before) as { time: number } | undefined;
    return this.#cut.run(sensor, bound?.time ?? before).changes;
  }
}

export class Forgetting {
  readonly #database: DatabaseSyncInstance;
  readonly #transactions: Transactions;
  readonly #sensors: Sensors;
  readonly #bounds: Bounds;
  readonly #keep: readonly (readonly [Table, number])[];
  readonly #raw: Table;
  readonly #hour: Table;
  readonly #day: Table;
  readonly #events: StatementSyncInstance;
  readonly #text: StatementSyncInstance;
  readonly #texts: StatementSyncInstance;
  readonly #cutEvents: StatementSyncInstance;
  /** Sensors that are still to be looked at in this round. */
  #round: [name: string, id: number][] = [];
  #begun = -Infinity;

  constructor(
    database: DatabaseSyncInstance,
    transactions: Transactions,
    sensors: Sensors,
    bounds: Bounds,
  ) {
    this.#database = database;
    this.#transactions = transactions;
    this.#sensors = sensors;
    this.#bounds = bounds;
    this.#raw = new Table(database, 'raw', HOUR);
    this.#hour = new Table(database, 'hour', 30 * DAY);
    this.#day = new Table(database, 'day', 365 * DAY);
    const { raw, hour, day } = bounds.keep;
    this.#keep = [
      [this.#raw, raw],
      [this.#hour, hour],
      [this.#day, day],
    ];
    this.#events = database.prepare(
      'SELECT (SELECT min(id) FROM event) AS first, (SELECT max(id) FROM event) AS last',
    );
    this.#text = database.prepare('SELECT octet_length(text) AS size FROM event WHERE id = ?');
    this.#texts = database.prepare(
      `SELECT octet_length(text) AS size FROM event ORDER BY id LIMIT ${STEP}`,
    );
    this.#cutEvents = database.prepare('DELETE FROM event WHERE id < ?');
  }

  /** For some ms. @returns whether there is more to do */
  forget(now: number, ms: number): boolean {
    const until = performance.now() + ms;
    const more = (): boolean => performance.now() < until;
    while (this.#cutLog(this.#bounds.events) > 0) if (!more()) return true;
    if (this.#used() > HIGH * this.#bounds.pages) {
      while (this.#used() > LOW * this.#bounds.pages && this.#giveUpOldest()) {
        if (!more()) return true;
      }
    }
    while (this.#giveBack()) if (!more()) return true;
    return this.#look(now, more);
  }

  /** At once, for a transaction that found no page. @returns whether there is any use in another try */
  giveWay(): boolean {
    return this.#used() > OWN * this.#bounds.pages && this.#giveUpOldest();
  }

  /** Pages with something on them. */
  #used(): number {
    return pragma(this.#database, 'page_count') - pragma(this.#database, 'freelist_count');
  }

  /** Pages beyond the bound, because it was wider before. */
  #giveBack(): boolean {
    const count = pragma(this.#database, 'page_count');
    const free = pragma(this.#database, 'freelist_count');
    if (count <= this.#bounds.pages || free === 0) return false;
    const pages = Math.min(GIVEN_BACK, free, count - this.#bounds.pages);
    const vacuum = this.#database.prepare(`PRAGMA incremental_vacuum(${pages})`);
    this.#within(() => void vacuum.all());
    this.#database.exec(`PRAGMA max_page_count = ${this.#bounds.pages}`);
    const left = pragma(this.#database, 'page_count');
    // The file is cut when the log has been moved into it.
    if (left <= this.#bounds.pages) this.#transactions.empty();
    return left < count;
  }

  /** @returns whether anything went */
  #giveUpOldest(): boolean {
    const { first, last } = this.#logEnds();
    const rows = last - first;
    const pages = (rows * this.#rowOf(first, last)) / PAGE;
    const many = pages > SHARE_OF_EVENTS * this.#bounds.pages;
    if (many && this.#cutLog(Math.max(1, rows - STEP)) > 0) return true;
    return (
      this.#cutOldest(this.#raw) > 0 ||
      this.#cutOldest(this.#hour) > 0 ||
      this.#cutLog(Math.max(1, rows - STEP)) > 0 ||
      this.#cutOldest(this.#day) > 0
    );
  }

  #logEnds(): { first: number; last: number } {
    const { first, last } = this.#events.get() as { first: number | null; last: number | null };
    return { first: first ?? 1, last: last ?? 0 };
  }

  /** The newest one always stays: ids go on from it. @returns how many rows went */
  #cutLog(keep: number): number {
    const { first, last } = this.#logEnds();
    const before = Math.min(last - Math.max(1, keep) + 1, first + STEP);
    if (before <= first) return 0;
    return this.#within(() => {
      let end = first;
      for (const { size } of this.#texts.all() as { size: number }[]) {
        // A page of rows is changed once or twice before it is free, and so are those beside it.
        const fits = this.#transactions.spend((4 * (size + EVENT_ROW)) / PAGE);
        if (end >= before || !fits) break;
        end++;
      }
      return this.#cutEvents.run(end).changes;
    });
  }

  /** Bytes of a row of the log, by a sample. */
  #rowOf(first: number, last: number): number {
    const step = Math.max(1, (last - first) / SAMPLE);
    let bytes = 0;
    let rows = 0;
    for (let id = first; id <= last; id += step, rows++) {
      const row = this.#text.get(Math.floor(id)) as { size: number } | undefined;
      bytes += (row?.size ?? 0) + EVENT_ROW;
    }
    return rows === 0 ? 0 : bytes / rows;
  }

  /** Of all sensors. @returns how many rows went */
  #cutOldest(table: Table): number {
    const oldest = this.#sensors.all().map(([, id]) => [table.oldest(id), id] as const);
    const first = oldest.reduce((least, [time]) => Math.min(least, time), Infinity);
    if (first === Infinity) return 0;
    const before = first + table.span;
    let rows = 0;
    this.#within(() => {
      for (const [time, id] of oldest) {
        if (time >= before) continue;
        if (rows >= STEP || !this.#transactions.spend(PAGES_OF_CUT + STEP / ROWS_OF_PAGE)) break;
        const cut = table.cut(id, before);
        this.#transactions.spend((cut - STEP) / ROWS_OF_PAGE);
        rows += cut;
      }
    });
    if (rows < STEP / 10) table.span = Math.min(table.span * 2, 10_000 * DAY);
    else if (rows >= STEP) table.span = Math.max(table.span / 2, 1000);
    return rows;
  }

  /** One sensor after the other. @returns whether any is left to be looked at */
  #look(now: number, more: () => boolean): boolean {
    if (this.#round.length === 0) {
      if (performance.now() - this.#begun < LOOK_EVERY) return false;
      this.#begun = performance.now();
      this.#round = this.#sensors.all();
    }
    while (this.#round.length > 0 && more()) this.#within(() => this.#lookAtSome(now, more));
    return this.#round.length > 0;
  }

  #lookAtSome(now: number, more: () => boolean): void {
    for (let next; (next = this.#round.at(-1)) !== undefined && more(); this.#round.pop()) {
      const [name, id] = next;
      let kept = false;
      for (const [table, keep] of this.#keep) {
        let oldest = table.oldest(id);
        for (; oldest < now - keep; oldest = table.oldest(id)) {
          if (!more() || !this.#transactions.spend(PAGES_OF_CUT + STEP / ROWS_OF_PAGE)) return;
          const cut = table.cut(id, now - keep);
          this.#transactions.spend((cut - STEP) / ROWS_OF_PAGE);
        }
        kept ||= oldest !== Infinity;
      }
      if (!kept) {
        if (!this.#transactions.spend(PAGES_OF_CUT)) return;
        this.#sensors.remove(name, id);
      }
    }
  }

  #within<T>(change: () => T): T {
    this.#transactions.begin();
    try {
      const value = change();
      this.#transactions.commit();
      return value;
    } catch (error) {
      this.#transactions.rollBack();
      throw error;
    }
  }
}
