/** Transactions of the one writer, each so small that the write-ahead log keeps its bound. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSyncInstance } from '@photostructure/sqlite';
import { FRAME, type Room } from './room.js';
import { LOG, pragma } from './schema.js';

/** Times that the log is tried to be emptied while somebody reads from it, 250 ms each. */
const PATIENCE = 40;

/** Readers hold the log: it cannot be emptied, and must not grow. */
export class Held extends Error {}

export class Transactions {
  readonly #database: DatabaseSyncInstance;
  readonly #log: string;
  readonly #most: number;
  /** Pages that the transaction may still change. */
  #left = 0;

  constructor(database: DatabaseSyncInstance, directory: string, { log }: Room) {
    this.#database = database;
    this.#log = join(directory, LOG);
    this.#most = log;
  }

  /** @throws Held */
  begin(): void {
    this.#makeRoom();
    this.#database.exec('BEGIN IMMEDIATE');
  }

  /** @returns whether a change of so many pages fits into the transaction; it is taken off if so */
  spend(pages: number): boolean {
    if (pages > this.#left) return false;
    this.#left -= pages;
    return true;
  }

  commit(): void {
    this.#database.exec('COMMIT');
  }

  /** What a failed statement may have done already by itself. */
  rollBack(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  /** Moves all of the log into the database. @returns whether it is empty now */
  empty(): boolean {
    // Most of the work waits for nobody, and holds nobody up.
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    return pragma(this.#database, 'wal_checkpoint(TRUNCATE)') === 0;
  }

  #makeRoom(): void {
    for (let tries = 0; this.#logSize() > this.#most / 2 && !this.empty(); tries++) {
      if (tries === PATIENCE) throw new Held('a reader holds its write-ahead log');
    }
    // By half, for what an estimate cannot know.
    this.#left = Math.floor((this.#most - this.#logSize()) / FRAME / 2);
  }

  #logSize(): number {
    return statSync(this.#log, { throwIfNoEntry: false })?.size ?? 0;
  }
}
