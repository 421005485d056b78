/** Which of a relay's events came before: a relay sends again, on a new connection, what was not answered. */

/** Events that are remembered, twice: more than may be unanswered with usual windows. */
const REMEMBERED = 32_768;

export class Arrived {
  /** Of this connection. */
  #now = new Set<string>();
  #earlier = new Set<string>();
  /** Of those before it: each comes again once at most. */
  #before: Set<string>[] = [];

  /** A new connection: what has come so far may come again. */
  connected(): void {
    this.#before = [this.#now, this.#earlier];
    [this.#now, this.#earlier] = [new Set(), new Set()];
  }

  /** Takes an event; whether it came before. Two that are equal, on one connection, are two. */
  again(event: string): boolean {
    if (this.#before.some((set) => set.delete(event))) return true;
    if (this.#now.size >= REMEMBERED) [this.#earlier, this.#now] = [this.#now, new Set()];
    this.#now.add(event);
    return false;
  }
}
