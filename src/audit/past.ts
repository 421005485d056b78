/** What a log says of the gate that ran before: where it stood, and what may lack its marks. */
import type { Activation, Batch, Head, Leaf, Range, Start } from './leaf.js';
import type { Found } from './tail.js';

/** Leaves that are looked at from the end, and their age, ms: marks are at most some hundred ms behind. */
const REACH = 4096;
const REACH_AGE = 10_000;

/** How far a log had come, in the names of its last start. */
export interface Standing {
  readonly batch: number;
  readonly time: number;
  readonly start: Start;
  /** By journal of that start: the last sequence. */
  readonly sequences: readonly number[];
  /** What the batches say that is others than before: the newest of each. */
  readonly counts: Batch['counts'];
  readonly sums: Batch['sums'];
}

export class Past {
  /** Of the gate before; undefined: the log is empty. */
  readonly start: (Head & Start) | undefined;
  /** The policies that were in force last, and their place in the log. */
  readonly policies: number | undefined;
  readonly activation: Activation | undefined;
  /** Whether that gate ended in order. */
  readonly ended: boolean;
  /** Of the newest leaf. */
  readonly time: number;
  /** Records of a batch of which only a part is in the log. */
  readonly unfinished: readonly Range[];
  readonly #leaves: readonly Leaf[];

  /** @throws LogMismatch */
  constructor(found: Found) {
    const { size } = found;
    const leaf = (index: number): Leaf => found.leaf(index);
    const last = size > 0 ? leaf(size - 1) : undefined;
    const start = last && leaf(last.start);
    const policies = last?.policies === undefined ? undefined : leaf(last.policies);
    this.policies = last?.policies;
    this.start = start?.kind === 'start' ? start : undefined;
    this.activation = policies?.kind === 'policies' ? policies : undefined;
    this.ended = last?.kind === 'stop';
    this.time = last?.time ?? 0;
    const leaves: Leaf[] = [];
    const from = Math.max(last?.start ?? 0, size - REACH);
    for (let index = size - 1; index >= from; index--) {
      const each = leaf(index);
      if (each.time < this.time - REACH_AGE) break;
      leaves.push(each);
    }
    leaves.reverse();
    this.unfinished = unfinished(leaves);
    // What they say of records is not asked for again.
    this.#leaves = leaves.map((each) =>
      each.kind === 'batch' ? { ...each, ranges: [], decisions: [] } : each,
    );
  }

  /** Revisions of the policies that were in force last, by their ids. */
  get revisions(): ReadonlyMap<string, number> {
    return new Map(this.activation?.files.map(({ id, revision }) => [id, revision]));
  }

  /** What the log knows beyond a batch; undefined: nothing. */
  beyond(batch: number): Standing | undefined {
    let standing: Standing | undefined;
    for (const leaf of this.#leaves) {
      if (leaf.kind === 'void' && standing) {
        const { journal, first } = leaf;
        const sequences = standing.sequences.with(
          journal,
          Math.min(standing.sequences[journal]!, first - 1),
        );
        standing = { ...standing, sequences };
      }
      if (leaf.kind !== 'batch' || !leaf.last || leaf.batch <= batch || !this.start) continue;
      const { time, sequences } = leaf;
      standing = {
        batch: leaf.batch,
        time,
        start: this.start,
        sequences,
        counts: [...(standing?.counts ?? []), ...leaf.counts],
        sums: [...(standing?.sums ?? []), ...leaf.sums],
      };
    }
    return standing;
  }
}

function unfinished(leaves: readonly Leaf[]): Range[] {
  const at = leaves.findLastIndex(({ kind }) => kind === 'batch');
  const last = leaves[at];
  // A void leaf behind it says that it is known.
  const known = leaves.slice(at + 1).some(({ kind }) => kind === 'void' || kind === 'start');
  if (last?.kind !== 'batch' || last.last || known) return [];
  const parts = leaves.filter((leaf) => leaf.kind === 'batch' && leaf.batch === last.batch);
  return parts.flatMap((leaf) => (leaf.kind === 'batch' ? leaf.ranges : []));
}
