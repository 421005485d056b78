/** Names of sensors, and the numbers by which the tables know them. */
import type { DatabaseSyncInstance, StatementSyncInstance } from '@photostructure/sqlite';

/** Beyond these, no new one is taken. */
export const MOST_SENSORS = 20_000;
/** Ids are made of these; whatever else is not stored as it is. */
const NAME = /^[!-~]{1,200}$/;

export class Sensors {
  readonly #ids = new Map<string, number>();
  readonly #insert: StatementSyncInstance;
  readonly #remove: StatementSyncInstance;
  /** Of the transaction that goes on. */
  #new: string[] = [];

  constructor(database: DatabaseSyncInstance) {
    this.#insert = database.prepare('INSERT INTO sensor (name) VALUES (?)');
    this.#remove = database.prepare('DELETE FROM sensor WHERE id = ?');
    const rows = database.prepare('SELECT id, name FROM sensor ORDER BY id').all();
    for (const { id, name } of rows as { id: number; name: string }[]) this.#ids.set(name, id);
  }

  /** @returns null if there are too many, or it is no name */
  idOf(name: string): number | null {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    if (this.#ids.size >= MOST_SENSORS || !NAME.test(name)) return null;
    const id = Number(this.#insert.run(name).lastInsertRowid);
    this.#ids.set(name, id);
    this.#new.push(name);
    return id;
  }

  /** The transaction is made durable. */
  keepNew(): void {
    this.#new = [];
  }

  /** The transaction is undone. */
  forgetNew(): void {
    for (const name of this.#new) this.#ids.delete(name);
    this.#new = [];
  }

  all(): [name: string, id: number][] {
    return [...this.#ids];
  }

  /** Of which nothing is kept any more. */
  remove(name: string, id: number): void {
    this.#remove.run(id);
    this.#ids.delete(name);
  }
}
