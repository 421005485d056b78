/** What the thread that writes does with its database: adds, keeps aggregates, forgets, keeps its bound. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSyncInstance, StatementSyncInstance } from '@photostructure/sqlite';
import { type Batch, NUMBER } from './batch.js';
import { DAY, GREATEST_TIME, HOUR } from './time.js';
import { Forgetting } from './forgetting.js';
import { divide } from './room.js';
import { FILE, isDamage, isFull, limitAside, moveAside, openToWrite, Unusable } from './schema.js';
import { Sensors } from './sensors.js';
import { Transactions } from './transactions.js';

export interface StoreLimits {
  /** ms that raw readings and aggregates are kept: no finer one longer than a coarser one. */
  readonly keep: { readonly raw: number; readonly hour: number; readonly day: number };
  /** Rows of the event log. */
  readonly events: number;
  /** Bytes on disk at most. */
  readonly size: number;
}

/** What became of events: `kept + dropped` are all of them. */
export interface Sums {
  /** Written into the event log. */
  kept: number;
  /** Not written: the disk is full, or does not answer. */
  dropped: number;
  /** Of those that are kept: new readings. */
  readings: number;
  /** Of those that are kept: readings of a sensor and a time that were there already. */
  duplicates: number;
  /** Of those that are kept: readings older than anything that is kept of a sensor. */
  late: number;
  /** Of those that are kept: readings without a time or value, or of a sensor beyond the most. */
  refused: number;
}

export const noSums = (): Sums => ({
  kept: 0,
  dropped: 0,
  readings: 0,
  duplicates: 0,
  late: 0,
  refused: 0,
});

export function addSums(to: Sums, sums: Sums): void {
  for (const key of Object.keys(to) as (keyof Sums)[]) to[key] += sums[key];
}

/** So large that no sum of them overflows. */
const GREATEST_VALUE = 1e290;

/** Pages that a change touches at most, as a rule: the leaves, and now and then a split of one. */
const PAGES_OF_GROUP = 10;
const PAGES_OF_READING = 2;
const PAGES_OF_EVENT = 0.5;

/** Readings of a sensor in an hour or a day that one transaction adds. */
interface Group {
  /** Its number in the tables. */
  readonly sensor: number;
  readonly time: number;
  count: number;
  sum: number;
  min: number;
  max: number;
}

const UPSERT = `VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sensor, time) DO UPDATE SET
  count = count + excluded.count, sum = sum + excluded.sum,
  min = min(min, excluded.min), max = max(max, excluded.max)`;

export class Store {
  /** Why the database before was moved aside. */
  readonly begunAnew: string | undefined;
  readonly #database: DatabaseSyncInstance;
  readonly #path: string;
  /** Of its file. */
  readonly #inode: number | undefined;
  readonly #limits: StoreLimits;
  readonly #transactions: Transactions;
  readonly #sensors: Sensors;
  readonly #forgetting: Forgetting;
  readonly #insertRaw: StatementSyncInstance;
  readonly #insertEvent: StatementSyncInstance;
  readonly #addHour: StatementSyncInstance;
  readonly #addDay: StatementSyncInstance;
  #lastEvent: number;

  private constructor(directory: string, limits: StoreLimits, begunAnew: string | undefined) {
    const database = openToWrite(directory);
    this.#database = database;
    this.#path = join(directory, FILE);
    this.#inode = inodeOf(this.#path);
    this.#limits = limits;
    this.begunAnew = begunAnew;
    const room = divide(limits.size, limitAside(directory, limits.size));
    this.#transactions = new Transactions(database, directory, room);
    try {
      database.exec(`PRAGMA max_page_count = ${room.pages}`);
      this.#sensors = new Sensors(database);
      this.#insertRaw = database.prepare('INSERT OR IGNORE INTO raw VALUES (?, ?, ?)');
      this.#insertEvent = database.prepare('INSERT INTO event VALUES (?, ?, ?, ?, ?)');
      this.#addHour = database.prepare(`INSERT INTO hour ${UPSERT}`);
      this.#addDay = database.prepare(`INSERT INTO day ${UPSERT}`);
      const last = database.prepare('SELECT max(id) AS id FROM event').get() as { id: number };
      this.#lastEvent = last.id;
      const bounds = { ...limits, pages: room.pages };
      this.#forgetting = new Forgetting(database, this.#transactions, this.#sensors, bounds);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Opens the database of a directory; one that is damaged, or no such database, is moved aside.
   *
   * @throws Error if there can be none
   */
  static open(directory: string, limits: StoreLimits): Store {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    try {
      return new Store(directory, limits, undefined);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return Store.#beginAnew(directory, limits, error as Error);
    }
  }

  /** Instead of this one, which has shown to be damaged. */
  reopen(directory: string, why: Error): Store {
    this.#database.close();
    return Store.#beginAnew(directory, this.#limits, why);
  }

  static #beginAnew(directory: string, limits: StoreLimits, why: Error): Store {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const name = moveAside(directory);
    const moved = name === undefined ? 'it is' : `it is ${name} now, and`;
    return new Store(directory, limits, `${why.message}: ${moved} begun anew`);
  }

  /**
   * Adds a batch, in as few transactions as its bounds permit.
   *
   * @param sums what became of them; if it throws, what is missing there has been dropped
   */
  add(batch: Batch, now: number, sums: Sums): void {
    this.#checkFile();
    for (let at = 0; at < batch.texts.length;) {
      try {
        at = this.#addSome(batch, at, now, sums);
      } catch (error) {
        // By its own bound: what is oldest has to go at once.
        if (!isFull(error) || !this.#forgetting.giveWay()) throw error;
      }
    }
  }

  /**
   * Forgets what is too old or too much, for some ms.
   *
   * @returns whether there is more to do
   */
  tidy(now: number, ms: number): boolean {
    this.#checkFile();
    return this.#forgetting.forget(now, ms);
  }

  /** What nobody would find again is not written. @throws Unusable */
  #checkFile(): void {
    if (inodeOf(this.#path) !== this.#inode) throw new Unusable('its file has been taken away');
  }

  close(): void {
    this.#transactions.empty();
    this.#database.close();
  }

  /** One transaction. @returns the index of the first event that is not in it */
  #addSome(batch: Batch, from: number, now: number, sums: Sums): number {
    const { numbers, texts, sensors } = batch;
    const added = noSums();
    const hours = new Map<number, Group>();
    const days = new Map<number, Group>();
    const oldest = now - this.#limits.keep.day;
    const before = this.#lastEvent;
    let at = from;
    this.#transactions.begin();
    try {
      for (; at < texts.length; at++) {
        const text = texts[at]!;
        const first = at * NUMBER.count;
        const sensor = numbers[first + NUMBER.sensor]!;
        const time = numbers[first + NUMBER.time]!;
        const value = numbers[first + NUMBER.value]!;
        const groups = hours.size;
        let id: number | null = null;
        if (!this.#transactions.spend(PAGES_OF_EVENT + text.length / 1000)) break;
        if (sensor >= 0) {
          if (!this.#transactions.spend(PAGES_OF_READING + PAGES_OF_GROUP)) break;
          if (!isReading(time, value)) added.refused++;
          else if ((id = this.#sensors.idOf(sensors[sensor]!)) === null) added.refused++;
          else if (time < oldest) added.late++;
          else if (this.#insertRaw.run(id, time, value).changes === 0) added.duplicates++;
          else {
            added.readings++;
            gather(hours, sensor, id, time - (time % HOUR), value);
            gather(days, sensor, id, time - (time % DAY), value);
          }
          if (hours.size === groups) this.#transactions.spend(-PAGES_OF_GROUP);
        }
        const received = numbers[first + NUMBER.received]!;
        this.#insertEvent.run(++this.#lastEvent, received, id, id === null ? null : value, text);
        added.kept++;
      }
      for (const group of hours.values()) put(this.#addHour, group);
      for (const group of days.values()) put(this.#addDay, group);
      this.#transactions.commit();
    } catch (error) {
      this.#lastEvent = before;
      this.#sensors.forgetNew();
      this.#transactions.rollBack();
      throw error;
    }
    this.#sensors.keepNew();
    addSums(sums, added);
    return at;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function isReading(time: number, value: number): boolean {
  const inRange = time >= 0 && time <= GREATEST_TIME;
  return inRange && Number.isInteger(time) && Math.abs(value) <= GREATEST_VALUE;
}

function gather(
  groups: Map<number, Group>,
  index: number,
  sensor: number,
  time: number,
  value: number,
): void {
  // Below 2^53: an index has less than 21 bits, and an hour 32.
  const key = index * 2 ** 32 + time / HOUR;
  const group = groups.get(key);
  if (group) {
    group.count++;
    group.sum += value;
    group.min = Math.min(group.min, value);
    group.max = Math.max(group.max, value);
  } else groups.set(key, { sensor, time, count: 1, sum: value, min: value, max: value });
}

function put(statement: StatementSyncInstance, group: Group): void {
  const { sensor, time, count, sum, min, max } = group;
  statement.run(sensor, time, count, sum, min, max);
}
