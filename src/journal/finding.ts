/** What is found in journals, up to a bound: a file may be damaged at every byte. */

export interface Finding {
  /** damage: what was committed is not as it was written. note: what a kill or a copy explains. */
  readonly kind: 'damage' | 'note';
  /** Path. */
  readonly file: string;
  /** Bytes. */
  readonly offset?: number;
  readonly message: string;
}

/** Findings that are kept; others are counted. */
export const MAX_FINDINGS = 200;

export class Findings {
  readonly list: Finding[] = [];
  damage = 0;
  notes = 0;

  damaged(file: string, message: string, offset?: number): void {
    this.damage++;
    this.#keep({ kind: 'damage', file, message, ...(offset !== undefined && { offset }) });
  }

  note(file: string, message: string, offset?: number): void {
    this.notes++;
    this.#keep({ kind: 'note', file, message, ...(offset !== undefined && { offset }) });
  }

  #keep(finding: Finding): void {
    if (this.list.length < MAX_FINDINGS) this.list.push(finding);
  }
}

/** `record 7`, or `records 7 to 9`. */
export function records(first: number, last: number): string {
  return first === last ? `record ${first}` : `records ${first} to ${last}`;
}
