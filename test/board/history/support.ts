/** Stores in a directory, batches, and what is in a database by its own rows. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';
import { type AddedEvent, Gathering } from '../../../src/board/history/batch.js';
import { DAY, HOUR } from '../../../src/board/history/time.js';
import {
  noSums,
  type Store,
  type StoreLimits,
  type Sums,
} from '../../../src/board/history/store.js';

type Module = typeof import('../../../src/board/history/history.js');

/** Of dist: its threads are started from files beside it. */
export const BUILT = fileURLToPath(
  new URL('../../../dist/board/history/history.js', import.meta.url),
);
export const { History } = (await import(BUILT)) as Module;
export type History = Module['History']['prototype'];

export const FOR_EVER = { raw: 1e13, hour: 1e13, day: 1e13 };
export const WIDE: StoreLimits = { keep: FOR_EVER, events: 1e6, size: 2 ** 30 };
export const NOW = Date.UTC(2026, 5, 1, 12);

export function reading(sensor: string, time: number, value: number): AddedEvent {
  return { received: NOW, event: `${sensor} ${time} ${value}`, reading: { sensor, time, value } };
}

/** Adds them as one batch. */
export function add(store: Store, events: readonly AddedEvent[], now = NOW): Sums {
  const gathering = new Gathering();
  for (const event of events) gathering.add(event);
  const sums = noSums();
  store.add(gathering.take(), now, sums);
  return sums;
}

/** Of all files in a directory. */
export function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => {
    return sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

/** Rows of a statement, as arrays. */
export function rowsOf(directory: string, sql: string): unknown[][] {
  const database = new DatabaseSync(join(directory, 'history.db'), { readOnly: true });
  try {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return statement.all() as unknown[][];
  } finally {
    database.close();
  }
}

/** Aggregates by the raw rows, and as they are kept: the same as long as nothing is forgotten. */
export function aggregatesOf(directory: string): { byRows: unknown[][]; kept: unknown[][] } {
  const all = (table: string, ms: number): [unknown[][], unknown[][]] => [
    rowsOf(
      directory,
      `SELECT sensor, time - time % ${ms} AS begin, count(*), sum(value), min(value), max(value)
       FROM raw GROUP BY sensor, begin ORDER BY sensor, begin`,
    ),
    rowsOf(directory, `SELECT * FROM ${table} ORDER BY sensor, time`),
  ];
  const [hours, keptHours] = all('hour', HOUR);
  const [days, keptDays] = all('day', DAY);
  return { byRows: [...hours, ...days], kept: [...keptHours, ...keptDays] };
}
