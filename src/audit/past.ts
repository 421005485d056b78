/** What a log says of the gate that ran before: where it stood, and what may lack its marks. */
import type { Activation, Batch, Head, Leaf, Start } from './leaf.js';
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
  /** The last revisions that were in force, by policy, however long ago. */
  readonly revisions: ReadonlyMap<string, number>;
  /** Whether that gate ended in order. */
  readonly ended: boolean;
  /** Of the newest leaf. */
  readonly time: number;
  /** By the name of a journal: the last record that the log names, and that it does not say is void. */
  readonly named: ReadonlyMap<string, number>;
  /** Since the start. */
  readonly #leaves: readonly Leaf[];

  /** @throws LogMismatch */
  constructor(found: Pick<Found, 'size' | 'leaf'>) {
    const { size } = found;
    const leaf = (index: number): Leaf => found.leaf(index);
    const last = size > 0 ? leaf(size - 1) : undefined;
    const start = last && leaf(last.start);
    const policies = last?.policies === undefined ? undefined : leaf(last.policies);
    this.policies = last?.policies;
    this.start = start?.kind === 'start' ? start : undefined;
    this.activation = policies?.kind === 'policies' ? policies : undefined;
    this.revisions = revisionsBefore(leaf, last?.policies);
    this.ended = last?.kind === 'stop';
    this.time = last?.time ?? 0;
    const leaves: Leaf[] = [];
    const from = Math.max(0, size - REACH);
    // Of each gate by its own time, and that of its clock: it may have been down for long.
    let until: number | undefined;
    for (let index = size - 1; index >= from; index--) {
      const each = leaf(index);
      until ??= each.time;
      if (each.time < until - REACH_AGE) break;
      leaves.push(each);
      if (each.kind === 'start' || each.kind === 'clock') until = undefined;
    }
    leaves.reverse();
    const first = leaves[0] && leaf(leaves[0].start);
    this.named = namesIn(leaves, first?.kind === 'start' ? first : undefined);
    // What they say of records is not asked for again.
    this.#leaves = leaves
      .filter(({ index }) => index >= last!.start)
      .map((each) => (each.kind === 'batch' ? { ...each, ranges: [], decisions: [] } : each));
  }

  /** What the log knows beyond a batch; undefined: nothing. */
  beyond(batch: number): Standing | undefined {
    interface Stand {
      readonly leaf: Batch & Head;
      readonly counts: number;
      readonly sums: number;
    }
    let standing: Stand | undefined;
    let before: Stand | undefined;
    const counts: Batch['counts'][number][] = [];
    const sums: Batch['sums'][number][] = [];
    for (const leaf of this.#leaves) {
      // A batch is void as a whole: the gate has gone back to what stood before it.
      if (leaf.kind === 'void' && leaf.first <= (standing?.leaf.sequences[leaf.journal] ?? 0)) {
        standing = before;
      }
      if (leaf.kind !== 'batch' || !leaf.last || leaf.batch <= batch) continue;
      before = standing;
      // What a void batch has said is not said again by the next.
      counts.push(...leaf.counts);
      sums.push(...leaf.sums);
      standing = { leaf, counts: counts.length, sums: sums.length };
    }
    if (!standing || !this.start) return undefined;
    const { batch: newest, time, sequences } = standing.leaf;
    return {
      ...{ batch: newest, time, start: this.start, sequences },
      counts: counts.slice(0, standing.counts),
      sums: sums.slice(0, standing.sums),
    };
  }
}

function revisionsBefore(
  leaf: (index: number) => Leaf,
  newest: number | undefined,
): Map<string, number> {
  const revisions = new Map<string, number>();
  let at = newest;
  while (at !== undefined) {
    const found = leaf(at);
    for (const { id, revision } of found.kind === 'policies' ? found.files : []) {
      if (!revisions.has(id)) revisions.set(id, revision);
    }
    const before = at > 0 ? leaf(at - 1).policies : undefined;
    at = before !== undefined && before < at ? before : undefined;
  }
  return revisions;
}

/**
 * What some leaves name, those of several gates too: one that was killed at once may not have said what
 * is void.
 *
 * @param start that the first of them refers to
 */
function namesIn(leaves: readonly Leaf[], start: Start | undefined): Map<string, number> {
  const named = new Map<string, number>();
  let names = start?.journals ?? [];
  const raise = (sequences: readonly number[]): void => {
    sequences.forEach((sequence, i) => {
      named.set(names[i]!, Math.max(sequence, named.get(names[i]!) ?? 0));
    });
  };
  raise(start?.sequences ?? []);
  for (const leaf of leaves) {
    if (leaf.kind === 'start') names = leaf.journals;
    if (leaf.kind === 'start' || leaf.kind === 'heartbeat') raise(leaf.sequences);
    else if (leaf.kind === 'void') named.set(names[leaf.journal]!, leaf.first - 1);
    else if (leaf.kind === 'batch') {
      for (const { journal, first, count } of leaf.ranges) {
        named.set(names[journal]!, first + count - 1);
      }
      raise(leaf.sequences);
    }
  }
  return named;
}
