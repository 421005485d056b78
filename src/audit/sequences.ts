/** Sequences of each journal go on without gap or repetition, batches are whole, and voids are said. */
import { laneOf, RELAY } from '../journal/format.js';
import type { Findings } from './findings.js';
import { type Batch, type Head, type Leaf, type Start } from './leaf.js';

/** Records of the relay's own are remembered as far back as a void may reach. */
const REACH = 4096;

interface Journal {
  /** The next sequence. */
  next: number;
  /** Newest sequences that are the relay's own. */
  own: number[];
}

/** A batch of which parts are in the log. */
interface Unfinished {
  readonly batch: number;
  parts: number;
  /** First sequences by journal. */
  readonly firsts: Map<string, number>;
}

export class Sequences {
  readonly #findings: Findings;
  readonly #journals = new Map<string, Journal>();
  #names: readonly string[] = [];
  #channels: readonly string[] = [];
  #batch = -1;
  #open: Unfinished | undefined;
  /** By journal: what must be void before another batch. */
  readonly #due = new Map<string, { readonly first: number; readonly why: string }>();
  /** By channel: events in the log since the start, less those that are void. */
  records: number[] = [];
  /** Whether a leaf has taken records back since this was set to false. */
  voided = false;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  take(leaf: Leaf): void {
    if (this.#open && !(leaf.kind === 'batch' && leaf.part > 0)) this.#breakOff();
    switch (leaf.kind) {
      case 'start':
        this.#begin(leaf);
        return;
      case 'batch':
        this.#add(leaf);
        return;
      case 'void':
        this.#takeBack(leaf.index, this.#names[leaf.journal]!, leaf.first);
        return;
      case 'heartbeat':
        this.#compare(leaf.index, leaf.sequences);
        return;
      default:
    }
  }

  #say(what: 'sequence' | 'batch', leaf: number, message: string): void {
    this.#findings.add(what, message, leaf);
  }

  #begin({ index, journals, channels, sequences }: Head & Start): void {
    this.#names = journals;
    this.#channels = channels;
    this.records = channels.map(() => 0);
    this.voided = false;
    journals.forEach((name, i) => {
      const stands = sequences[i]!;
      const known = this.#journals.get(name);
      if (!known) {
        this.#journals.set(name, { next: stands + 1, own: [] });
      } else if (stands >= known.next) {
        this.#say(
          'sequence',
          index,
          `${name} stands at ${stands}, and the log names records up to ${known.next - 1} only`,
        );
        known.next = stands + 1;
      } else if (stands < known.next - 1) {
        const last = known.next - 1;
        const why = `${name} stands at ${stands}, and the log names records up to ${last}`;
        this.#due.set(name, { first: stands + 1, why });
      }
    });
  }

  /** A batch lacks its end: what is in the log of it must be said to be void. */
  #breakOff(): void {
    const { batch, firsts } = this.#open!;
    for (const [name, first] of firsts) {
      this.#due.set(name, { first, why: `batch ${batch} is not whole in the log` });
    }
    this.#open = undefined;
  }

  #add(leaf: Head & Batch): void {
    const { index, batch, part, last, ranges, decisions } = leaf;
    for (const [name, { why }] of this.#due) {
      this.#say('sequence', index, `${why}, and no leaf says that those of ${name} are void`);
    }
    this.#due.clear();
    if (part === 0) {
      if (batch <= this.#batch) {
        this.#say('batch', index, `batch ${batch} comes after batch ${this.#batch}`);
      }
      this.#open = { batch, parts: 0, firsts: new Map() };
    } else if (this.#open?.batch !== batch || this.#open.parts !== part) {
      this.#say('batch', index, `part ${part} of batch ${batch} does not follow the one before`);
      this.#open ??= { batch, parts: part, firsts: new Map() };
    }
    this.#batch = batch;
    this.#open.parts = part + 1;
    for (const { journal, first, count, of } of ranges) {
      const name = this.#names[journal]!;
      const { firsts } = this.#open;
      if (!firsts.has(name)) firsts.set(name, first);
      const own: number[] = [];
      of.forEach((decision, i) => {
        if (decisions[decision]!.rule === RELAY) own.push(first + i);
      });
      this.#extend(index, name, first, count, own);
      const channel = this.#channelOf(name);
      if (channel >= 0) this.records[channel]! += count - own.length;
    }
    if (!last) return;
    this.#open = undefined;
    this.#compare(index, leaf.sequences);
  }

  #extend(leaf: number, name: string, first: number, count: number, own: readonly number[]): void {
    const journal = this.#journals.get(name) ?? { next: first, own: [] };
    this.#journals.set(name, journal);
    if (first > journal.next) {
      const missing = `${journal.next} to ${first - 1}`;
      this.#say('sequence', leaf, `${name}: records ${missing} are in no leaf`);
    } else if (first < journal.next) {
      this.#say(
        'sequence',
        leaf,
        `${name}: record ${first} is there again, after ${journal.next - 1}`,
      );
    }
    journal.next = first + count;
    if (own.length > 0) journal.own = [...journal.own, ...own].slice(-REACH);
  }

  #takeBack(leaf: number, name: string, first: number): void {
    const journal = this.#journals.get(name);
    this.voided = true;
    const due = this.#due.get(name);
    if (due && first <= due.first) this.#due.delete(name);
    if (!journal) return;
    if (first > journal.next) {
      this.#say('sequence', leaf, `${name}: ${first} is said to be void, and was never there`);
      return;
    }
    const own = journal.own.filter((sequence) => sequence >= first).length;
    const channel = this.#channelOf(name);
    if (channel >= 0) this.records[channel]! -= journal.next - first - own;
    journal.own = journal.own.filter((sequence) => sequence < first);
    journal.next = first;
  }

  #compare(leaf: number, sequences: readonly number[]): void {
    this.#names.forEach((name, i) => {
      const journal = this.#journals.get(name)!;
      if (sequences[i] === journal.next - 1 || this.#due.has(name)) return;
      this.#say(
        'sequence',
        leaf,
        `${name} is said to stand at ${sequences[i]!}, and the log names records up to ` +
          `${journal.next - 1}`,
      );
      journal.next = sequences[i]! + 1;
    });
  }

  #channelOf(journal: string): number {
    return this.#channels.findIndex(
      (name) => journal === laneOf(name, 'routine') || journal === laneOf(name, 'urgent'),
    );
  }
}
