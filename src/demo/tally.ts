/** The sums of one run: what the relay counted, less what it had counted before. */
import { type GateStatus, type SourceStatus, sum } from '../wire/status.js';

export interface Tally {
  readonly in: number;
  readonly permitted: number;
  readonly denied: number;
  readonly malformed: number;
  readonly lost: number;
}

function total(sources: Readonly<Record<string, SourceStatus>>): Tally {
  const all = Object.values(sources);
  const add = (pick: (source: SourceStatus) => number): number =>
    all.reduce((whole, source) => whole + pick(source), 0);
  return {
    in: add((source) => source.in),
    permitted: add((source) => source.permitted),
    denied: add((source) => source.denied),
    malformed: add((source) => sum(source.malformed)),
    lost: add((source) => sum(source.lost)),
  };
}

/** @param before the counters that were continued when the run began */
export function tally(gate: GateStatus | undefined, before: GateStatus['continued']): Tally {
  const now = total(gate?.sources ?? {});
  const then = total(before);
  return {
    in: now.in - then.in,
    permitted: now.permitted - then.permitted,
    denied: now.denied - then.denied,
    malformed: now.malformed - then.malformed,
    lost: now.lost - then.lost,
  };
}
