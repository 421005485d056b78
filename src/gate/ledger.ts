/**
 * Commits batches in the order that leaves one truth after a kill at any moment: records, audit
 * leaf, marks. Records and leaf are made durable at the same time, and both before the first mark: of
 * what a power cut leaves in the log alone, nobody has seen anything.
 */
import type { Pending } from '../audit/encode.js';
import { AuditError, type AuditLog } from '../audit/log.js';
import type { Past, Standing } from '../audit/past.js';
import { commitmentOf, openingOf } from '../journal/commitment.js';
import {
  type Lane,
  LANES,
  laneOf,
  type Mark,
  MAX_BEHIND,
  type SegmentHeader,
} from '../journal/format.js';
import type { Mended } from '../journal/recovery.js';
import { JournalWriter } from '../journal/writer.js';
import type { GateSettings } from '../wire/settings.js';
import { BEACONS, EMITTED, OUTCOMES, WITHHELD_INTERRUPTED } from '../policy/outcome.js';
import type { ChannelStatus } from '../wire/status.js';
import { adoptCounters, COUNTERS, IN } from './counters.js';
import { adoptOutcomes, describeOutcomes } from './outflow.js';
import { type Account, Reserve } from './reserve.js';

const SEGMENT_BYTES = 16 * 2 ** 20;
/** Of what a channel may retain, a lane's own part; what the other does not use comes on top. */
const SHARE: Readonly<Record<Lane, number>> = { routine: 3 / 4, urgent: 1 / 4 };
/** Segments of a lane's own part, at least. */
const SEGMENTS = 8;
/** Marks without records, so that the counters of record follow, ms. */
const COUNTER_MARK_EVERY = 200;

/** A mark that the disk refuses after another one stands is tried again after this many ms. */
const MARK_RETRY = 100;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/**
 * After a batch that failed the next one is tried after 10 ms, after n of them after 5 * 2^n, up to
 * this: each try may cost the audit log a leaf and its withdrawal, and a disk must not fill it.
 */
const MAX_PAUSE = 500;

/** The last batch waits for the audit log for this many ms. */
const LAST_PATIENCE = 3000;

/** Of a batch. */
export type Outcome = 'stands' | 'abandoned' | 'waiting';

/** What a ledger asks of the audit log. */
export type Audit = Pick<
  AuditLog,
  'append' | 'flush' | 'probe' | 'settle' | 'trouble' | 'withdraw'
>;

/** Is told of what goes on all the same. */
export interface Notices {
  /** A mark is tried again. */
  readonly stalled: (error: Error, tries: number) => void;
  /** What is beyond its retention stays, as it cannot be deleted: once of each segment. */
  readonly undeleted: (error: Error, path: string) => void;
}

/** A journal of each lane of a channel. */
export type Lanes = Readonly<Record<Lane, JournalWriter>>;

interface Place {
  readonly channel: number;
  readonly lane: Lane;
  readonly name: string;
  readonly directory: string;
}

export class Ledger {
  /** By channel. */
  readonly lanes: readonly Lanes[] = [];
  /** One vector per source, continued from the last mark. */
  readonly counters: readonly Float64Array[];
  /** The counters of record: as the last mark has them, or the reserve behind it. */
  readonly recorded: readonly Float64Array[];
  readonly recordedOutcomes: readonly Float64Array[];
  /** One vector per channel, continued from the last mark. */
  readonly outcomes: readonly Float64Array[];
  /** The gate's clock at the last mark that was found, ms since 1970; 0 if there was none. */
  readonly lastTime: number;
  /** What was done at the start: bytes cut, records given their mark, and those that were not there. */
  readonly mended: {
    readonly cut: number;
    readonly adopted: number;
    /** That a mark commits, and that the audit log alone names. */
    readonly missing: number;
    readonly unshown: number;
  };
  /** By channel: records that are not there any more. */
  readonly gone: readonly number[];
  /** Why the last commit failed; undefined while all is well. */
  failure: string | undefined;
  /** What failed last. */
  blame: 'journal' | 'audit' = 'journal';
  /** Before a batch is shown, it is in there; undefined: only journals are written. */
  audit: Audit | undefined;
  /** In the order of the numbers that the audit log has for them. */
  readonly names: readonly string[];
  readonly #channels: readonly string[];
  /** Urgent ones first, so that what is urgent is seen first, in the order of the channels. */
  readonly #journals: readonly JournalWriter[];
  readonly #sequences: Float64Array;
  readonly #sources: readonly string[];
  readonly #reserve: Reserve;
  #reserved = 0;
  #standing = 0;
  /** Batches that failed, one after the other, and when the last one did. */
  #failed = 0;
  #failedAt = 0;
  /** The batch that is flushed, while it is not known whether the audit log has it. */
  #waiting: readonly JournalWriter[] | undefined;
  readonly #notices: Partial<Notices>;
  #batch: number;
  #lastMark = 0;
  #probed = 0;
  #preparing = false;
  /** Of the latest mark: a clock that is set back is not forgotten by the next gate. */
  #time: number;

  /**
   * @param past of the audit log: records that it names and that lack their marks get them
   * @throws Error of the file system
   */
  constructor(
    settings: Omit<GateSettings, 'audit'>,
    rules: readonly string[],
    past?: Pick<Past, 'beyond'>,
    notices: Partial<Notices> = {},
  ) {
    this.#notices = notices;
    this.#channels = settings.channels.map(({ name }) => name);
    this.#sources = settings.sources;
    this.#reserve = new Reserve(settings.directory);
    const places = placesOf(settings);
    const names = places.map(({ name }) => name);
    const found = places.map(({ directory }) => JournalWriter.inspect(directory));
    const newest = found
      .map((each) => each.newest)
      .reduce((best, scan) =>
        (scan?.mark?.batch ?? -1) > (best?.mark?.batch ?? -1) ? scan : best,
      );
    const header = newest?.header;
    const standing = newest?.mark && past?.beyond(newest.mark.batch);
    const mark = standing ? raise(newest.mark, header!, standing) : newest?.mark;
    this.names = names;
    this.#journals = places.map(({ channel, lane, name, directory }, i) => {
      const { size, age } = settings.channels[channel]!.retain;
      const own = size * SHARE[lane];
      const others = (): number => {
        const lanes = this.lanes[channel];
        return lanes ? lanes[lane === 'routine' ? 'urgent' : 'routine'].bytes : 0;
      };
      const sequence = mark?.sequences[header?.journals?.indexOf(name) ?? -1];
      return JournalWriter.open(
        directory,
        {
          channel: this.#channels[channel]!,
          lane,
          sources: settings.sources,
          rules,
          counters: COUNTERS,
          channels: this.#channels,
          outcomes: OUTCOMES,
          journals: names,
          segmentBytes: Math.min(SEGMENT_BYTES, Math.floor(own / SEGMENTS)),
          retain: { size: () => Math.max(own, size - others()), age },
          ...(notices.undeleted && { undeleted: notices.undeleted }),
          begun: (now) => {
            for (const each of Object.values(this.lanes[channel] ?? {})) {
              each.deleteExpired(now);
            }
          },
        },
        found[i],
        mark && sequence !== undefined ? { mark, sequence } : undefined,
      );
    });
    const journal = (name: string): JournalWriter => this.#journals[names.indexOf(name)]!;
    this.lanes = this.#channels.map((channel) => ({
      routine: journal(laneOf(channel, 'routine')),
      urgent: journal(laneOf(channel, 'urgent')),
    }));
    this.#sequences = new Float64Array(this.#journals.length);
    const mended = this.#journals.map((each) => each.mended);
    const total = (of: (each: Mended, i: number) => number): number =>
      mended.reduce((sum, each, i) => sum + of(each, i), 0);
    const unshown = total(({ missing }, i) => {
      const at = header?.journals?.indexOf(names[i]!) ?? -1;
      return Math.min(missing, (mark?.sequences[at] ?? 0) - (newest?.mark?.sequences[at] ?? 0));
    });
    this.mended = {
      cut: total(({ cut }) => cut),
      adopted: total(({ adopted }) => adopted),
      missing: total(({ missing }) => missing) - unshown,
      unshown,
    };
    this.gone = this.#channels.map((_, channel) =>
      total(({ missing }, i) => (places[i]!.channel === channel ? missing : 0)),
    );
    this.#batch = mark?.batch ?? 0;
    const marked = accountOf(mark, header);
    const reserved = this.#reserve.found.find((each) => mark && isBeyond(each, marked));
    const account = reserved ?? marked;
    this.counters = settings.sources.map((source) => {
      const vector = account.counts[account.sources.indexOf(source)];
      return vector
        ? adoptCounters(account.counters, Float64Array.from(vector))
        : new Float64Array(COUNTERS.length);
    });
    this.outcomes = this.#channels.map((channel) => {
      const vector = account.sums[account.channels.indexOf(channel)] ?? [];
      const known = vector.length > 0 ? account.outcomes : [];
      return adoptOutcomes(known, Float64Array.from(vector));
    });
    this.recorded = this.counters.map((vector) => vector.slice());
    this.recordedOutcomes = this.outcomes.map((vector) => vector.slice());
    this.gone.forEach((records, channel) => takeBack(this.outcomes[channel]!, records));
    this.lastTime = Math.max(
      0,
      mark?.time ?? 0,
      ...found.map((each) => each.newest?.mark?.time ?? 0),
    );
    const now = Date.now();
    this.#time = this.lastTime - now < MAX_BEHIND ? this.lastTime : 0;
    this.#reserve.keep(reserved);
    this.#write(now, this.#journals);
    // Before the log has a start leaf: batch numbers would go back behind it.
    for (const journal of this.#journals) journal.syncStart();
  }

  /**
   * Records to come refer to other rules. Nothing may be pending.
   *
   * @throws RangeError if their names are too long; then nothing has changed
   */
  setRules(rules: readonly string[]): void {
    for (const journal of this.#journals) journal.checkRules(rules);
    for (const journal of this.#journals) journal.setRules(rules);
  }

  /**
   * Commits the batch; or, if it cannot be made durable, forgets it and says so in `failure`.
   *
   * @param last of this gate: then every journal gets a mark, for the counters' sake
   * @returns what has become of it: `waiting` for the audit log, nothing more can be appended
   */
  commit(now: number, last = false): Outcome {
    try {
      if (this.#waiting && !this.#settle(now, last)) return 'waiting';
      const filled = this.#journals.filter(({ pending }) => pending > 0);
      if (filled.length > 0 && !last && this.#pauses(now)) {
        this.#rollbackAll();
        return 'abandoned';
      }
      const due = last || now - this.#lastMark >= COUNTER_MARK_EVERY || now < this.#lastMark;
      const marked = due ? this.#journals : filled;
      if (marked.length === 0) return 'stands';
      if (!this.#write(now, marked)) return 'waiting';
      if (filled.length > 0) this.#failed = 0;
      // A mark that is written over, or a lane that has room of its own, says nothing of the rest.
      const probed = now - this.#probed;
      const again = probed >= COUNTER_MARK_EVERY || probed < 0;
      if (this.failure !== undefined && again) this.#probe(now);
      return 'stands';
    } catch (error) {
      this.#failed++;
      this.#failedAt = now;
      this.#fail(error);
      this.#rollbackAll();
      return 'abandoned';
    }
  }

  /** Whether it is too soon after a failure to try the disk with another batch. */
  #pauses(now: number): boolean {
    const passed = now - this.#failedAt;
    return this.#failed > 0 && passed >= 0 && passed < Math.min(MAX_PAUSE, 5 * 2 ** this.#failed);
  }

  /** Whether the batch that was flushed is in the audit log: then it is shown. */
  #settle(now: number, last: boolean): boolean {
    const marked = this.#waiting!;
    try {
      if (!this.audit!.settle(last ? LAST_PATIENCE : 0)) return false;
    } catch (error) {
      this.#waiting = undefined;
      throw error;
    }
    this.#waiting = undefined;
    this.#show(now, marked);
    return true;
  }

  /**
   * Keeps the counters where the journals took no mark: after a failed commit, and what has become of
   * its batch; or while it waits, without it, and with it: its leaf may be found by the next gate.
   * Saved now and then; what cannot be saved either is told by the next mark.
   *
   * @param without does something while the counters are as if that batch were not there
   * @param last of this gate: saved in any case
   */
  reserve(now: number, without: (work: () => void) => void, last = false): void {
    const passed = now - this.#reserved;
    if (!last && passed >= 0 && passed < COUNTER_MARK_EVERY) return;
    this.#reserved = now;
    const accounts: Account[] = [];
    if (this.#waiting) accounts.push({ ...this.#account(this.#batch), waiting: true });
    without(() => {
      accounts.push(this.#account(this.#standing));
      try {
        this.#reserve.save(accounts);
        this.#record();
      } catch {
        // The failure of the journals says it.
      }
    });
  }

  #account(batch: number): Account {
    return {
      batch,
      sources: this.#sources,
      counters: COUNTERS,
      counts: this.counters.map((vector) => [...vector]),
      channels: this.#channels,
      outcomes: OUTCOMES,
      sums: this.outcomes.map((vector) => [...vector]),
    };
  }

  /** Deletes what is beyond the retained size or age. @throws Error of the first that fails */
  expire(now: number): void {
    const failures: unknown[] = [];
    for (const journal of this.#journals) {
      try {
        journal.expire(now);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Whether it is not known what becomes of the batch. */
  get waiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** The newest batch that stands. */
  get standing(): number {
    return this.#standing;
  }

  /** By journal: the last sequence that stands. */
  sequences(): number[] {
    return this.#journals.map(({ sequence, pending }) => sequence - pending);
  }

  /** Puts what has been noted into the audit log. */
  log(now: number): void {
    if (!this.audit || this.#waiting) return;
    try {
      this.audit.flush(now);
    } catch (error) {
      this.#fail(error);
    }
    // The reason that batches are refused for, and no other by turns with it.
    const { trouble } = this.audit;
    if (trouble !== undefined) this.#fail(new AuditError(trouble));
  }

  /** Between batches: makes durable what is seen, and takes room ahead for what is to come. */
  tend(now: number): void {
    for (const journal of this.#journals) journal.syncMark();
    if (!this.#preparing) void this.#prepare(now);
  }

  /** One after the other: each looks at what the one before has left of the disk. */
  async #prepare(now: number): Promise<void> {
    this.#preparing = true;
    for (const journal of this.#journals) await journal.prepare(now);
    this.#preparing = false;
  }

  close(): void {
    for (const journal of this.#journals) journal.close();
    this.#reserve.close();
  }

  describe(): ChannelStatus[] {
    return this.lanes.map(({ routine, urgent }, i) => ({
      channel: this.#channels[i]!,
      journalled: routine.sequence - routine.pending + urgent.sequence - urgent.pending,
      urgent: urgent.sequence - urgent.pending,
      oldest: { routine: routine.oldest, urgent: urgent.oldest },
      ...describeOutcomes(this.recordedOutcomes[i]!),
    }));
  }

  /** @returns false while it is not known whether the audit log has the batch */
  #write(now: number, marked: readonly JournalWriter[]): boolean {
    this.#time = Math.max(this.#time, now);
    for (const journal of marked) {
      if (this.audit) journal.writeOut();
      else journal.flush();
    }
    this.#batch++;
    this.#journals.forEach(({ sequence }, i) => (this.#sequences[i] = sequence));
    if (this.audit) {
      const { counters: counts, outcomes: sums } = this;
      const pending = this.#pending();
      const batch = { batch: this.#batch, counts, sums, sequences: this.#sequences, pending };
      const sync = (): void => {
        for (const journal of marked) journal.sync();
      };
      if (!this.audit.append(now, batch, sync)) {
        this.#waiting = marked;
        this.#fail(new AuditError('the disk does not answer'));
        return false;
      }
    }
    this.#show(now, marked);
    return true;
  }

  /** The batch's records, as the audit log names them. */
  #pending(): Pending[] {
    return this.#journals.flatMap((each, journal) => {
      const { pending: count, sequence, buffer, salt } = each;
      if (count === 0) return [];
      const commit: Pending['commit'] = (first, start, end) =>
        commitmentOf(openingOf(salt, first), buffer, start, end);
      return [{ journal, first: sequence - count + 1, count, bytes: buffer, commit }];
    });
  }

  #show(now: number, marked: readonly JournalWriter[]): void {
    marked.forEach((journal, i) => {
      // Where one mark stands the batch stands: the others are tried until they stand too.
      for (let tries = 0; ; tries++) {
        try {
          journal.commit(this.#batch, this.#time, this.counters, this.outcomes, this.#sequences);
          return;
        } catch (error) {
          if (i === 0) {
            this.audit?.withdraw(this.#pending(), 'the journal took no mark');
            throw error;
          }
          this.#notices.stalled?.(error as Error, tries);
          Atomics.wait(PAUSE, 0, 0, MARK_RETRY);
        }
      }
    });
    this.#standing = this.#batch;
    this.#record();
    if (marked === this.#journals) this.#lastMark = now;
  }

  #record(): void {
    this.counters.forEach((vector, i) => this.recorded[i]!.set(vector));
    this.outcomes.forEach((vector, i) => this.recordedOutcomes[i]!.set(vector));
  }

  /** After a failure: events go out again when all journals take them again. */
  #probe(now: number): void {
    this.#probed = now;
    try {
      for (const journal of this.#journals) journal.probe();
      this.audit?.probe(now);
      this.failure = undefined;
      this.#failed = 0;
    } catch (error) {
      this.#fail(error);
      this.#rollbackAll();
    }
  }

  #rollbackAll(): void {
    for (const journal of this.#journals) this.#rollback(journal);
  }

  #rollback(journal: JournalWriter): void {
    try {
      journal.rollback();
    } catch (error) {
      // A disk that refuses even to shorten a file: the next commit tries again.
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.blame = error instanceof AuditError ? 'audit' : 'journal';
    const { code, message } = error as NodeJS.ErrnoException;
    this.failure = this.blame === 'audit' ? `audit: ${message}` : (code ?? String(error));
  }
}

/** Records that are not there any more: of events, as far as there were any, and the relay's own. */
function takeBack(outcomes: Float64Array, records: number): void {
  const events = Math.min(records, outcomes[EMITTED]!);
  outcomes[EMITTED]! -= events;
  outcomes[WITHHELD_INTERRUPTED]! += events;
  outcomes[BEACONS]! -= Math.min(records - events, outcomes[BEACONS]!);
}

/** A mark with what the audit log knows beyond it, in the mark's own order of names. */
function raise(mark: Mark, header: SegmentHeader, standing: Standing): Mark {
  const { start, batch, time } = standing;
  const sequences = mark.sequences.map((sequence, i) => {
    const own = start.journals.indexOf(header.journals?.[i] ?? '');
    return standing.sequences[own] ?? sequence;
  });
  const change = (
    vectors: readonly Float64Array[],
    changes: Standing['counts'],
    [rows, columns]: readonly [readonly string[], readonly string[]],
    [owners, names]: readonly [readonly string[], readonly string[]],
  ): Float64Array[] => {
    const raised = vectors.map((vector) => vector.slice());
    for (const [owner, name, value] of changes) {
      const vector = raised[rows.indexOf(owners[owner] ?? '')];
      const column = columns.indexOf(names[name] ?? '');
      if (vector && column >= 0) vector[column] = value;
    }
    return raised;
  };
  const { sources, channels = [], outcomes = [] } = header;
  const { counts, sums } = standing;
  const of = [start.sources, start.counters] as const;
  return {
    ...mark,
    batch,
    time: Math.max(mark.time, time),
    sequences,
    counters: change(mark.counters, counts, [sources, header.counters], of),
    outcomes: change(mark.outcomes, sums, [channels, outcomes], [start.channels, start.outcomes]),
  };
}

function accountOf(mark: Mark | undefined, header: SegmentHeader | undefined): Account {
  const vectors = (from: readonly Float64Array[] = []): number[][] => from.map((each) => [...each]);
  return {
    batch: mark?.batch ?? 0,
    sources: header?.sources ?? [],
    counters: header?.counters ?? [],
    counts: vectors(mark?.counters),
    channels: header?.channels ?? [],
    outcomes: header?.outcomes ?? [],
    sums: vectors(mark?.outcomes),
  };
}

/** Whether it is of the mark's batch, and newer than the mark. */
function isBeyond(account: Account, marked: Account): boolean {
  if (account.batch !== marked.batch) return false;
  return account.waiting !== true || totalOf(account) > totalOf(marked);
}

/** Events that have come, of all sources. */
function totalOf({ counts, counters }: Account): number {
  const column = counters.indexOf(COUNTERS[IN]!);
  return counts.reduce((sum, vector) => sum + (vector[column] ?? 0), 0);
}

function placesOf({ channels }: Pick<GateSettings, 'channels'>): Place[] {
  return LANES.toReversed().flatMap((lane) =>
    channels.map(({ name, directory }, channel) => ({
      channel,
      lane,
      name: laneOf(name, lane),
      directory: laneOf(directory, lane),
    })),
  );
}
