/** The database's tables, and what is done with a file that does not have them. */
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';
import { PAGE, roomAside } from './room.js';

export const FILE = 'history.db';
export const LOG = `${FILE}-wal`;

/** `tidh`: SQLite file format, 1.3.14. */
const APPLICATION = 0x74_69_64_68;
const VERSION = 1;

/** Of a thread that reads or writes its own, KiB. */
const CACHE = 16_384;

const AGGREGATE = `(
  sensor INTEGER NOT NULL, time INTEGER NOT NULL, count INTEGER NOT NULL,
  sum REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL,
  PRIMARY KEY (sensor, time)
) WITHOUT ROWID`;

/** Times in ms since 1970; of an hour or a day its beginning, in UTC. */
const TABLES: readonly string[] = [
  // An id is never given twice: events name it.
  'CREATE TABLE sensor (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)',
  `CREATE TABLE raw (
  sensor INTEGER NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (sensor, time)
) WITHOUT ROWID`,
  `CREATE TABLE hour ${AGGREGATE}`,
  `CREATE TABLE day ${AGGREGATE}`,
  `CREATE TABLE event (
  id INTEGER PRIMARY KEY, received INTEGER NOT NULL, sensor INTEGER, value REAL,
  text TEXT NOT NULL
)`,
];

/** Instead of a database: a file that is none, or one of something else. */
export class Unusable extends Error {}

/** SQLITE_CORRUPT and SQLITE_NOTADB, SQLITE_FULL: not every error of the binding has its code. */
const DAMAGED = /database disk image is malformed|file is not a database/;
const FULL = 'database or disk is full';

/** Whether what is on the disk is damaged, by an error of SQLite. */
export function isDamage(error: unknown): boolean {
  return error instanceof Unusable || DAMAGED.test((error as Error).message);
}

/** Whether the disk, or the database by its bound, is full. */
export function isFull(error: unknown): boolean {
  return (error as Error).message.includes(FULL);
}

export function pragma(database: DatabaseSyncInstance, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number>;
  return Object.values(row)[0]!;
}

function tablesOf(database: DatabaseSyncInstance): string[] {
  const sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
  const rows = database.prepare(sql).all() as { sql: string }[];
  return rows.map(({ sql }) => sql).sort();
}

function prepare(database: DatabaseSyncInstance): void {
  database.exec('PRAGMA busy_timeout = 250');
  database.exec(`PRAGMA cache_size = -${CACHE}; PRAGMA temp_store = MEMORY`);
}

function createTables(database: DatabaseSyncInstance): void {
  database.exec('BEGIN IMMEDIATE');
  for (const table of TABLES) database.exec(table);
  database.exec(`PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${VERSION}`);
  database.exec('COMMIT');
}

function check(database: DatabaseSyncInstance): void {
  const tables = tablesOf(database);
  const fits =
    pragma(database, 'application_id') === APPLICATION &&
    pragma(database, 'user_version') === VERSION &&
    pragma(database, 'auto_vacuum') === 2 &&
    tables.join('\n') === [...TABLES].sort().join('\n');
  if (!fits) throw new Unusable('it has other tables than those of this version');
}

/**
 * Opens the database for its one writer, and makes it if there is none.
 *
 * @throws Unusable, or an error of which `isDamage` is true: it must be moved aside
 */
export function openToWrite(directory: string): DatabaseSyncInstance {
  const database = new DatabaseSync(join(directory, FILE), { defensive: true });
  try {
    prepare(database);
    const empty = tablesOf(database).length === 0 && pragma(database, 'application_id') === 0;
    // They count for a file that is not there yet, or when it is written anew.
    if (empty)
      database.exec(`PRAGMA page_size = ${PAGE}; PRAGMA auto_vacuum = INCREMENTAL; VACUUM`);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    // When is decided by the writer; a transaction's pages go into the log once, at its end.
    database.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA cache_spill = OFF');
    if (empty) createTables(database);
    check(database);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

export function openToRead(directory: string): DatabaseSyncInstance {
  const database = new DatabaseSync(join(directory, FILE), { readOnly: true, defensive: true });
  prepare(database);
  return database;
}

function asideIn(directory: string): { name: string; number: number; size: number }[] {
  return readdirSync(directory).flatMap((name) => {
    const [, number] = /^history\.db\.broken-(\d{1,9})(?:-wal)?$/.exec(name) ?? [];
    if (number === undefined) return [];
    return [{ name, number: Number(number), size: statSync(join(directory, name)).size }];
  });
}

/** Moves a database aside. @returns the name that it has now; undefined: it is gone */
export function moveAside(directory: string): string | undefined {
  const number = Math.max(0, ...asideIn(directory).map(({ number }) => number)) + 1;
  const name = `${FILE}.broken-${number}`;
  const there = moveIfThere(join(directory, FILE), join(directory, name));
  moveIfThere(join(directory, LOG), join(directory, `${name}-wal`));
  rmSync(join(directory, `${FILE}-shm`), { force: true });
  return there ? name : undefined;
}

function moveIfThere(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}

/**
 * Removes databases that were moved aside, the oldest first, until there is room for the others.
 *
 * @returns bytes of those that are left
 */
export function limitAside(directory: string, size: number): number {
  const files = asideIn(directory).sort((a, b) => a.number - b.number);
  let left = files.reduce((sum, file) => sum + file.size, 0);
  for (const file of files) {
    if (left <= roomAside(size)) break;
    rmSync(join(directory, file.name));
    left -= file.size;
  }
  return left;
}
