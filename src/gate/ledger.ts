/**
 * Commits batches in the order that leaves one truth after a kill at any moment: records, audit
 * leaf, marks.
 */
import { type AuditLog, NO_AUDIT } from '../audit/audit.js';
import { JournalWriter } from '../journal/writer.js';
import type { GateSettings } from '../wire/settings.js';
import { OUTCOMES } from '../policy/outcome.js';
import type { ChannelStatus } from '../wire/status.js';
import { adoptCounters, COUNTERS } from './counters.js';
import { adoptOutcomes, describeOutcomes } from './outflow.js';

/** A last mark that is further ahead than this, ms, was made by a clock that was wrong. */
export const MAX_BEHIND = 86_400_000;

const SEGMENT_BYTES = 16 * 2 ** 20;
/** Marks without records, so that the counters of record follow, ms. */
const COUNTER_MARK_EVERY = 1000;

/** A mark that the disk refuses after another one stands is tried again after this many ms. */
const MARK_RETRY = 100;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

export class Ledger {
  readonly journals: readonly JournalWriter[];
  /** One vector per source, continued from the last mark. */
  readonly counters: readonly Float64Array[];
  /** One vector per channel, continued from the last mark. */
  readonly outcomes: readonly Float64Array[];
  /** The gate's clock at the last mark that was found, ms since 1970; 0 if there was none. */
  readonly lastTime: number;
  /** Bytes after the last marks that were cut away at the start. */
  readonly cut: number;
  /** Why the last commit failed; undefined while all is well. */
  failure: string | undefined;
  readonly #channels: readonly string[];
  readonly #audit: AuditLog;
  readonly #stalled: (error: Error) => void;
  #batch: number;
  #lastMark = 0;
  /** Of the latest mark: a clock that is set back is not forgotten by the next gate. */
  #time: number;

  /** @throws Error of the file system */
  constructor(
    settings: GateSettings,
    rules: readonly string[],
    audit: AuditLog = NO_AUDIT,
    stalled: (error: Error) => void = () => undefined,
  ) {
    this.#audit = audit;
    this.#stalled = stalled;
    this.#channels = settings.channels.map(({ name }) => name);
    this.journals = settings.channels.map(({ name, directory, retain }) =>
      JournalWriter.open(directory, {
        channel: name,
        sources: settings.sources,
        rules,
        counters: COUNTERS,
        channels: this.#channels,
        outcomes: OUTCOMES,
        segmentBytes: Math.min(SEGMENT_BYTES, Math.floor(retain.size / 4)),
        retain,
      }),
    );
    const recoveries = this.journals.map(({ recovery }) => recovery);
    this.cut = recoveries.reduce((sum, { cut }) => sum + cut, 0);
    const newest = recoveries.reduce((best, candidate) =>
      (candidate.mark?.batch ?? -1) > (best.mark?.batch ?? -1) ? candidate : best,
    );
    this.#batch = newest.mark?.batch ?? 0;
    this.counters = settings.sources.map((source) => {
      const vector = newest.mark?.counters[newest.sources.indexOf(source)];
      return vector ? adoptCounters(newest.counters, vector) : new Float64Array(COUNTERS.length);
    });
    this.outcomes = this.#channels.map((channel) => {
      const vector = newest.mark?.outcomes[newest.channels.indexOf(channel)];
      return adoptOutcomes(newest.outcomes, vector ?? new Float64Array(newest.outcomes.length));
    });
    this.lastTime = Math.max(0, ...recoveries.map(({ mark }) => mark?.time ?? 0));
    const now = Date.now();
    this.#time = this.lastTime - now < MAX_BEHIND ? this.lastTime : 0;
    this.#write(now, this.journals);
  }

  /**
   * Records to come refer to other rules. Nothing may be pending.
   *
   * @throws RangeError if their names are too long; then nothing has changed
   */
  setRules(rules: readonly string[]): void {
    for (const journal of this.journals) journal.checkRules(rules);
    for (const journal of this.journals) journal.setRules(rules);
  }

  /**
   * Commits the batch; or, if it cannot be made durable, forgets it and says so in `failure`.
   *
   * @param last of this gate: then every journal gets a mark, for the counters' sake
   * @returns whether the batch stands
   */
  commit(now: number, last = false): boolean {
    const dirty = this.journals.filter((journal) => journal.pending > 0);
    const due = last || now - this.#lastMark >= COUNTER_MARK_EVERY || now < this.#lastMark;
    const marked = due ? this.journals : dirty;
    if (marked.length === 0) return true;
    try {
      this.#write(now, marked);
      this.failure = undefined;
      return true;
    } catch (error) {
      this.failure = (error as NodeJS.ErrnoException).code ?? String(error);
      for (const journal of this.journals) this.#rollback(journal);
      return false;
    }
  }

  /** Deletes what is beyond the retained size or age. */
  expire(now: number): void {
    for (const journal of this.journals) journal.expire(now);
  }

  describe(): ChannelStatus[] {
    return this.journals.map((journal, i) => ({
      channel: this.#channels[i]!,
      journalled: journal.sequence - journal.pending,
      ...describeOutcomes(this.outcomes[i]!),
    }));
  }

  #write(now: number, marked: readonly JournalWriter[]): void {
    this.#time = Math.max(this.#time, now);
    for (const journal of marked) journal.flush();
    this.#audit.append({
      batch: ++this.#batch,
      time: now,
      channels: this.journals.map(({ sequence, pending }) => ({
        first: sequence - pending + 1,
        count: pending,
      })),
    });
    marked.forEach((journal, i) => {
      // Where one mark stands the batch stands: the others are tried until they stand too.
      for (let tries = 0; ; tries++) {
        try {
          journal.commit(this.#batch, this.#time, this.counters, this.outcomes);
          return;
        } catch (error) {
          if (i === 0) throw error;
          if (tries === 0) this.#stalled(error as Error);
          Atomics.wait(PAUSE, 0, 0, MARK_RETRY);
        }
      }
    });
    if (marked === this.journals) this.#lastMark = now;
  }

  #rollback(journal: JournalWriter): void {
    try {
      journal.rollback();
    } catch (error) {
      // A disk that refuses even to shorten a file: the next commit tries again.
      this.failure = (error as NodeJS.ErrnoException).code ?? String(error);
    }
  }
}
