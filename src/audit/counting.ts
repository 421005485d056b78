/** The numbers of sources and channels: their sums hold, none goes back, and leaves bear them out. */
import { Group } from '../journal/balance.js';
import type { Findings } from './findings.js';
import type { Leaf } from './leaf.js';
import type { Scene } from './scene.js';
import type { Sequences } from './sequences.js';

/** Those that only grow; others belong to a connection, or say how many there are now. */
const GROWING = new RegExp(
  '^(?:in|permitted|denied|emitted|connections|interruptions|alive|bytes)$|' +
    '^(?:malformed|lost|absorbed|withheld)\\.',
);
/** Where what was permitted ends when its batch could not be kept. */
const GIVEN_UP = ['lost.journal', 'lost.audit'];

/** What the sums are made of: of a source, and of a channel. */
const LINES = ['permitted', 'denied', 'malformed', 'lost'];
const EVENTS = ['emitted', 'open', 'absorbed', 'withheld'];

type Vectors = readonly (readonly number[])[];

/** What a gate has said since its start. */
interface Run {
  readonly sources: Group;
  readonly channels: Group;
  readonly first: { readonly counts: Vectors; readonly sums: Vectors };
  counts: Vectors;
  sums: Vectors;
  /** As the last batch has them: the next one says what has changed since. */
  readonly batch: { readonly counts: number[][]; readonly sums: number[][] };
  /** By source: denials in leaves; and by source and reason: losses. */
  readonly denied: number[];
  readonly lost: Map<string, number>;
  /** By channel: emitted beyond the records; undefined: not known, as records were taken back. */
  beyond: number[] | undefined;
}

export class Counting {
  readonly #findings: Findings;
  readonly #sequences: Sequences;
  #run: Run | undefined;

  constructor(findings: Findings, sequences: Sequences) {
    this.#findings = findings;
    this.#sequences = sequences;
  }

  /** The newest numbers, in the names of the newest start. */
  get newest(): Readonly<Pick<Run, 'counts' | 'sums'>> | undefined {
    return this.#run;
  }

  take(leaf: Leaf, { start }: Scene): void {
    const run = this.#run;
    switch (leaf.kind) {
      case 'start':
        this.#begin(leaf.index, start);
        return;
      case 'heartbeat':
      case 'stop':
        if (run) this.#look(run, leaf.index, leaf.counts, leaf.sums, leaf.kind === 'stop');
        return;
      case 'denials':
        for (const { source, count } of leaf.denied) if (run) run.denied[source]! += count;
        return;
      case 'loss': {
        const key = `${leaf.source} lost.${leaf.reason}`;
        if (start.counters.includes(`lost.${leaf.reason}`)) {
          run?.lost.set(key, (run.lost.get(key) ?? 0) + leaf.count);
        } else {
          this.#findings.add('loss', 'no counter has the reason of the loss', leaf.index);
        }
        return;
      }
      case 'batch':
        if (!run || !leaf.last) return;
        for (const [i, k, value] of leaf.counts) run.batch.counts[i]![k] = value;
        for (const [i, k, value] of leaf.sums) run.batch.sums[i]![k] = value;
        this.#look(run, leaf.index, copy(run.batch.counts), copy(run.batch.sums));
        this.#compareEmitted(run, leaf.index);
        return;
      default:
    }
  }

  #begin(index: number, { sources, channels, counters, outcomes, counts, sums }: Scene['start']) {
    const run: Run = {
      sources: new Group('source', sources, counters, 'in', LINES, GROWING),
      channels: new Group('channel', channels, outcomes, 'permitted', EVENTS, GROWING),
      first: { counts, sums },
      counts,
      sums,
      batch: { counts: copy(counts), sums: copy(sums) },
      denied: sources.map(() => 0),
      lost: new Map(),
      beyond: undefined,
    };
    run.beyond = emittedOf(run);
    this.#run = run;
    this.#balance(run, index);
  }

  #balance({ sources, channels, counts, sums }: Run, leaf: number): void {
    for (const message of [...sources.unbalanced(counts), ...channels.unbalanced(sums)]) {
      this.#findings.add('counters', message, leaf);
    }
  }

  /** New numbers of all; an orderly end has all that they count in leaves. */
  #look(run: Run, leaf: number, counts: Vectors, sums: Vectors, stop = false): void {
    const free = this.#sequences.voided;
    const { sources, channels } = run;
    const given = GIVEN_UP.map((name) => sources.names.indexOf(name)).filter((place) => place >= 0);
    const givenUp = sources.owners.map((_, i) =>
      given.reduce((sum, k) => sum + counts[i]![k]! - run.counts[i]![k]!, 0),
    );
    this.#fallen(leaf, sources, run.counts, counts, (i, name) =>
      name === 'permitted' ? givenUp[i]! : free && name.startsWith('lost.') ? Infinity : 0,
    );
    // Windows of a batch that was given up count as withheld.
    const all = givenUp.reduce((sum, each) => sum + each, 0);
    const withheld = channels.names.indexOf('withheld.interrupted');
    this.#fallen(leaf, channels, run.sums, sums, (i, name) => {
      if (name !== 'permitted' && name !== 'emitted') return 0;
      if (free) return Infinity;
      return all + (withheld < 0 ? 0 : sums[i]![withheld]! - run.sums[i]![withheld]!);
    });
    run.counts = counts;
    run.sums = sums;
    this.#balance(run, leaf);
    this.#compareLeaves(run, leaf, stop);
  }

  #fallen(
    leaf: number,
    group: Group,
    before: Vectors,
    now: Vectors,
    allowed: (owner: number, name: string) => number,
  ): void {
    group.owners.forEach((owner, i) => {
      for (const k of group.growing) {
        const [was, is, name] = [before[i]![k]!, now[i]![k]!, group.names[k]!];
        if (is >= was || was - is <= allowed(i, name)) continue;
        const message = `${group.what} '${owner}': ${name} went down from ${was} to ${is}`;
        this.#findings.add('counters', message, leaf);
      }
    });
  }

  /** What leaves say one by one is in the counters; at a stop, it is all that they count. */
  #compareLeaves({ sources, first, counts, denied, lost }: Run, leaf: number, stop: boolean): void {
    sources.names.forEach((name, k) => {
      const isLoss = name.startsWith('lost.');
      if (!isLoss && name !== 'denied') return;
      sources.owners.forEach((owner, i) => {
        const key = `${i} ${name}`;
        const grown = counts[i]![k]! - first.counts[i]![k]!;
        const named = isLoss ? (lost.get(key) ?? 0) : denied[i]!;
        if (named === grown || (named < grown && !stop)) return;
        const said = `leaves name ${named} ${name} since the start`;
        const message = `source '${owner}': ${said}, and ${grown} are counted`;
        this.#findings.add(isLoss ? 'loss' : 'denials', message, leaf);
        if (isLoss) lost.set(key, grown);
        else denied[i] = grown;
      });
    });
  }

  #compareEmitted(run: Run, leaf: number): void {
    const emitted = emittedOf(run);
    if (!emitted) return;
    const beyond = emitted.map((count, i) => count - (this.#sequences.records[i] ?? 0));
    // Whether the start has counted what is void since is not known.
    if (!this.#sequences.voided && run.beyond) {
      run.channels.owners.forEach((owner, i) => {
        const more = beyond[i]! - run.beyond![i]!;
        if (more === 0) return;
        const than = `${Math.abs(more)} ${more > 0 ? 'more' : 'fewer'}`;
        const message = `channel '${owner}': emitted counts ${than} than leaves name records`;
        this.#findings.add('emitted', message, leaf);
      });
    }
    run.beyond = beyond;
    this.#sequences.voided = false;
  }
}

const copy = (vectors: Vectors): number[][] => vectors.map((vector) => [...vector]);

function emittedOf({ channels, sums }: Pick<Run, 'channels' | 'sums'>): number[] | undefined {
  const place = channels.names.indexOf('emitted');
  return place < 0 ? undefined : sums.map((vector) => vector[place]!);
}
