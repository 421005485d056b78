/** What is asked of a history, over a connection that can only read: no question needs a full scan. */
import type { DatabaseSyncInstance, StatementSyncInstance } from '@photostructure/sqlite';
import type { Resolution } from '../../sensor/view.js';
import { DAY, GREATEST_TIME, HOUR, SPARK, SPARK_EVERY } from './time.js';

/** Bounds of an answer, whatever is asked for. */
export const MOST = { points: 20_000, readings: 100_000, events: 10_000 } as const;

/** UTF-16 units of the texts of a page of events, behind which it ends. */
const MOST_TEXT = 2 ** 20;

/** Time, mean, least and greatest value of one point after the other. */
export interface Points {
  readonly resolution: Resolution;
  readonly numbers: Float64Array<ArrayBuffer>;
}

export interface Rows {
  /** Id, when it came, value (NaN: none) of one event after the other. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly texts: readonly string[];
  /** Empty: none. */
  readonly sensors: readonly string[];
  readonly next: number;
  readonly gap: boolean;
}

export interface Newest {
  readonly sensor: string;
  /** Time and value of one reading after the other, oldest first. */
  readonly numbers: Float64Array<ArrayBuffer>;
}

/** The statements over one table, each by the key of sensor and time. */
interface Table {
  readonly resolution: Resolution;
  /** ms of a row. */
  readonly length: number;
  readonly points: StatementSyncInstance;
  readonly bucket: StatementSyncInstance;
  readonly oldest: StatementSyncInstance;
  readonly newest: StatementSyncInstance;
}

type Row = readonly number[];
type EventRow = readonly [
  id: number,
  received: number,
  value: number | null,
  text: string,
  name: string | null,
];

const SQL = {
  raw: {
    point: 'time, value, value, value',
    bucket: 'count(*), min(time), sum(value), min(value), max(value)',
  },
  aggregate: {
    // Rounding can put a mean a little beside what it is the mean of.
    point: 'time, min(max(sum / count, min), max), min, max',
    bucket: 'sum(count), min(time), sum(sum), min(min), max(max)',
  },
} as const;

const RANGE = 'sensor = ? AND time BETWEEN ? AND ?';

/** Every statement by its name: a test looks at how each is carried out. */
export const STATEMENTS: Readonly<Record<string, string>> = Object.fromEntries([
  ...(['raw', 'hour', 'day'] as const).flatMap((name) => {
    const { point, bucket } = name === 'raw' ? SQL.raw : SQL.aggregate;
    return [
      [`${name} points`, `SELECT ${point} FROM ${name} WHERE ${RANGE} ORDER BY time LIMIT ?`],
      [`${name} bucket`, `SELECT ${bucket} FROM ${name} WHERE ${RANGE}`],
      [`${name} oldest`, `SELECT min(time) FROM ${name} WHERE ${RANGE}`],
      [`${name} newest`, `SELECT max(time) FROM ${name} WHERE ${RANGE}`],
    ];
  }),
  ['sensor', 'SELECT id FROM sensor WHERE name = ?'],
  ['readings', `SELECT time, value FROM raw WHERE ${RANGE} ORDER BY time LIMIT ?`],
  ['last', `SELECT time, value FROM raw WHERE ${RANGE} ORDER BY time DESC LIMIT 1`],
  ['first event', 'SELECT min(id) FROM event'],
  ['last event', 'SELECT max(id) FROM event'],
  [
    'events',
    `SELECT event.id, received, value, text, name FROM event
     LEFT JOIN sensor ON sensor.id = event.sensor WHERE event.id > ? ORDER BY event.id LIMIT ?`,
  ],
]) as Record<string, string>;

/** Whole, and within bounds. */
function bounded(number: number, least: number, greatest: number, what: string): number {
  if (Number.isNaN(number)) throw new RangeError(`${what} is no number`);
  return Math.min(Math.max(Math.floor(number), least), greatest);
}

export class Queries {
  readonly #database: DatabaseSyncInstance;
  readonly #ms: number;
  readonly #statements = new Map<string, StatementSyncInstance>();
  readonly #tables: readonly [Table, Table, Table];
  #until = 0;

  /** @param ms that a question may take; it throws then */
  constructor(database: DatabaseSyncInstance, ms: number) {
    this.#database = database;
    this.#ms = ms;
    for (const [name, sql] of Object.entries(STATEMENTS)) {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      this.#statements.set(name, statement);
    }
    const table = (resolution: Resolution, length: number): Table => ({
      resolution,
      length,
      points: this.#statement(`${resolution} points`),
      bucket: this.#statement(`${resolution} bucket`),
      oldest: this.#statement(`${resolution} oldest`),
      newest: this.#statement(`${resolution} newest`),
    });
    this.#tables = [table('raw', 1), table('hour', HOUR), table('day', DAY)];
  }

  series(sensor: string, from: number, to: number, most: number, asked?: Resolution): Points {
    this.#until = performance.now() + this.#ms;
    const first = bounded(from, 0, GREATEST_TIME, 'from');
    const last = bounded(to, -1, GREATEST_TIME, 'to');
    const limit = bounded(most, 1, MOST.points, 'most');
    const id = this.#idOf(sensor);
    if (id === undefined || last < first) return asNumbers(asked ?? 'raw', []);
    const [raw, hour, day] = this.#tables;
    if (asked !== undefined) {
      const table = this.#tables.find(({ resolution }) => resolution === asked);
      if (!table) throw new RangeError(`there is no resolution ${asked}: raw, hour or day`);
      return this.#fit(table, id, first, last, limit) ?? this.#thin(table, id, first, last, limit);
    }
    const fine = this.#isWhole(raw, hour, id, first, last);
    const fitting =
      (fine ? this.#fit(raw, id, first, last, limit) : undefined) ??
      (this.#isWhole(hour, day, id, first, last)
        ? this.#fit(hour, id, first, last, limit)
        : undefined) ??
      this.#fit(day, id, first, last, limit);
    return fitting ?? this.#thin(day, id, first, last, limit);
  }

  readings(sensor: string, from: number, to: number, limit: number): Float64Array<ArrayBuffer> {
    const first = bounded(from, 0, GREATEST_TIME, 'from');
    const last = bounded(to, -1, GREATEST_TIME, 'to');
    const most = bounded(limit, 1, MOST.readings, 'limit');
    const id = this.#idOf(sensor);
    if (id === undefined) return new Float64Array(0);
    return Float64Array.from(this.#statement('readings').all(id, first, last, most).flat());
  }

  events(since: number, limit: number): Rows {
    const most = bounded(limit, 1, MOST.events, 'limit');
    const [[newest]] = this.#statement('last event').all() as [[number | null]];
    const [[oldest]] = this.#statement('first event').all() as [[number | null]];
    const asked = bounded(since, 0, Number.MAX_SAFE_INTEGER, 'since');
    // Of a history before this one, that was moved aside.
    const strange = asked > (newest ?? 0);
    const from = strange ? 0 : asked;
    const rows: EventRow[] = [];
    let length = 0;
    for (const row of this.#statement('events').iterate(from, most) as Iterable<EventRow>) {
      rows.push(row);
      length += row[3].length;
      if (length > MOST_TEXT) break;
    }
    return {
      numbers: Float64Array.from(rows.flatMap(([id, at, value]) => [id, at, value ?? NaN])),
      texts: rows.map(([, , , text]) => text),
      sensors: rows.map(([, , , , name]) => name ?? ''),
      next: rows.at(-1)?.[0] ?? from,
      gap: strange || (from > 0 && oldest !== null && from + 1 < oldest),
    };
  }

  /** What small lines begin with; when time is short, of further sensors the newest reading alone. */
  recent(): Newest[] {
    this.#until = performance.now() + this.#ms / 2;
    const sensors = this.#database.prepare('SELECT id, name FROM sensor ORDER BY id').all();
    return (sensors as { id: number; name: string }[]).flatMap(({ id, name }) => {
      const rows = this.#lastOf(id);
      return rows.length === 0 ? [] : [{ sensor: name, numbers: Float64Array.from(rows.flat()) }];
    });
  }

  /** The last reading in each bucket of a small line, oldest first. */
  #lastOf(id: number): Row[] {
    const last = this.#statement('last');
    const rows: Row[] = [];
    for (let before = GREATEST_TIME + 1; rows.length < SPARK;) {
      const row = last.get(id, 0, before - 1) as Row | undefined;
      if (!row) break;
      rows.push(row);
      if (performance.now() > this.#until) break;
      before = row[0]! - (row[0]! % SPARK_EVERY);
    }
    return rows.reverse();
  }

  close(): void {
    this.#database.close();
  }

  #statement(name: string): StatementSyncInstance {
    return this.#statements.get(name)!;
  }

  #idOf(name: string): number | undefined {
    const row = this.#statement('sensor').get(name) as [number] | undefined;
    return row?.[0];
  }

  /** Points of a table that lie in a range, or reach into it; undefined: they are more than `most`. */
  #fit(table: Table, id: number, from: number, to: number, most: number): Points | undefined {
    const rows = table.points.all(id, beginOf(from, table), to, most + 1) as Row[];
    return rows.length > most ? undefined : asNumbers(table.resolution, rows);
  }

  /** Whether nothing of a range is in the next coarser table alone, because it is too old. */
  #isWhole(table: Table, coarser: Table, id: number, from: number, to: number): boolean {
    const oldest = valueOf(table.oldest.get(id, 0, GREATEST_TIME)) ?? Infinity;
    const last = Math.min(to, oldest === Infinity ? to : beginOf(oldest, coarser) - 1);
    return valueOf(coarser.oldest.get(id, beginOf(from, coarser), last)) === undefined;
  }

  /** Points in as many parts of a range, each with the mean, least and greatest of all that is there. */
  #thin(table: Table, id: number, from: number, to: number, most: number): Points {
    const begin = beginOf(from, table);
    const oldest = valueOf(table.oldest.get(id, begin, to))!;
    const newest = valueOf(table.newest.get(id, begin, to))!;
    const width = (newest - oldest + 1) / most;
    const points: Row[] = [];
    for (let i = 0, at = oldest; i < most; i++) {
      const end = i === most - 1 ? newest + 1 : oldest + Math.ceil((i + 1) * width);
      const [count, time, sum, min, max] = table.bucket.get(id, at, end - 1) as Row;
      if (count) points.push([time!, Math.min(Math.max(sum! / count, min!), max!), min!, max!]);
      at = end;
      if (performance.now() > this.#until) throw new Error('the question takes too long');
    }
    return asNumbers(table.resolution, points);
  }
}

function beginOf(time: number, { length }: Table): number {
  return time - (time % length);
}

function valueOf(row: unknown): number | undefined {
  const [value] = row as readonly (number | null)[];
  return value ?? undefined;
}

function asNumbers(resolution: Resolution, points: readonly Row[]): Points {
  const numbers = new Float64Array(4 * points.length);
  points.forEach((point, i) => numbers.set(point, 4 * i));
  return { resolution, numbers };
}
