/** What is wrong with a log, up to a bound: a log may be wrong at every leaf. */

/** What was looked at when it was found. */
export const FINDINGS = [
  'checkpoint',
  'signature',
  'root',
  'missing',
  'bundle',
  'tile',
  'leaf',
  'index',
  'time',
  'gap',
  'boot',
  'names',
  'sequence',
  'batch',
  'counters',
  'denials',
  'loss',
  'emitted',
  'key',
  'policy',
  'since',
  'witness',
  'opening',
] as const;

export interface Finding {
  readonly what: (typeof FINDINGS)[number];
  /** Index of the leaf, where it is about one. */
  readonly leaf?: number;
  readonly message: string;
}

/** Findings that are kept; others are counted. */
export const MAX_FINDINGS = 200;

export class Findings {
  readonly list: Finding[] = [];
  count = 0;
  /** Leaves before this one are not spoken of. */
  from = 0;

  add(what: Finding['what'], message: string, leaf?: number): void {
    if (leaf !== undefined && leaf < this.from) return;
    this.count++;
    if (this.list.length >= MAX_FINDINGS) return;
    this.list.push({ what, message, ...(leaf !== undefined && { leaf }) });
  }
}
