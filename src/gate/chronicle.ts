/** What the audit log says between batches: denials, losses, signs of life, policies, the clock. */
import type { AuditLog } from '../audit/log.js';
import { LOST, LOST_REASONS } from './counters.js';
import type { PolicyStatus } from '../wire/status.js';
import type { DenialCounts } from './denials.js';
import type { Ledger } from './ledger.js';
import type { Activation } from './policies.js';

/** Denials and losses are summed up for this many ms. */
const SUM_EVERY = 1000;
/** A sign of life, ms: a checkpoint at least every minute follows from it, with some to spare. */
const HEARTBEAT_EVERY = 30_000;
/** Of a reason, and of the names of rules: a leaf takes 64 KiB. */
const MAX_REASON = 1000;
const MAX_NAMES = 32 * 1024;

type Refused = NonNullable<PolicyStatus['refused']>;

export class Chronicle {
  readonly #audit: AuditLog;
  readonly #ledger: Ledger;
  readonly #denials: DenialCounts;
  readonly #lost: readonly Float64Array[];
  #summed: number;
  #since: number;
  #beat: number;
  #forwarding = true;

  /** @param now of performance.now(); `time` of the gate's clock */
  constructor(audit: AuditLog, ledger: Ledger, denials: DenialCounts, now: number, time: number) {
    this.#audit = audit;
    this.#ledger = ledger;
    this.#denials = denials;
    this.#lost = ledger.counters.map(lostOf);
    this.#summed = this.#beat = now;
    this.#since = time;
  }

  /** Notes what is due. @param now of performance.now(); `time` of the gate's clock */
  tick(now: number, time: number): void {
    if (now - this.#summed >= SUM_EVERY) this.sumUp(now, time);
    // A leaf behind that of a batch may not say where the journals stand without it.
    if (now - this.#beat < HEARTBEAT_EVERY || this.#ledger.waiting) return;
    const sequences = this.#ledger.sequences();
    const beat = { ...this.#numbers(), sequences, forwarding: this.#forwarding };
    if (this.#audit.note({ kind: 'heartbeat', ...beat })) this.#beat = now;
  }

  /** Notes what was denied and lost until now; whether there was room for all of it. */
  sumUp(now: number, time: number): boolean {
    this.#summed = now;
    let all = this.#denials.drain(this.#since, (denials) => this.#audit.note(denials));
    this.#since = time;
    this.#ledger.counters.forEach((vector, source) => {
      const before = this.#lost[source]!;
      lostOf(vector).forEach((count, i) => {
        const more = count - before[i]!;
        const reason = LOST_REASONS[i]!;
        if (more <= 0) return;
        if (this.#audit.note({ kind: 'loss', source, reason, count: more })) before[i] = count;
        else all = false;
      });
    });
    return all;
  }

  /** Policies are in force for all that follows; rules have their numbers: `sumUp` goes before that. */
  activate({ status, ruleNames, files, ...signed }: Activation): void {
    const described = files.map(({ expires, ...file }) => ({
      ...file,
      ...(Number.isFinite(expires) ? { expires: new Date(expires).toISOString() } : {}),
    }));
    const rules = fitting(ruleNames);
    const { digest } = status;
    this.#audit.note({ kind: 'policies', digest, files: described, rules, ...signed });
  }

  refuse({ digest, reason }: Refused): void {
    this.#audit.note({ kind: 'refused', digest, reason: reason.slice(0, MAX_REASON) });
  }

  /** @param reason why nothing goes out; undefined: events go out */
  state(reason: string | undefined): void {
    this.#forwarding = reason === undefined;
    const why = reason === undefined ? {} : { reason: reason.slice(0, MAX_REASON) };
    this.#audit.note({ kind: 'state', forwarding: this.#forwarding, ...why });
  }

  /** An orderly end: leaves name all that was denied and lost, or it is none. */
  stop(now: number, time: number): void {
    if (this.sumUp(now, time)) this.#audit.note({ kind: 'stop', ...this.#numbers() });
  }

  #numbers() {
    const vectors = (from: readonly Float64Array[]): number[][] => from.map((each) => [...each]);
    return { counts: vectors(this.#ledger.counters), sums: vectors(this.#ledger.outcomes) };
  }
}

function lostOf(vector: Float64Array): Float64Array {
  return vector.slice(LOST, LOST + LOST_REASONS.length);
}

/** The names of the first rules, as many as a leaf takes; others are known by their numbers. */
function fitting(names: readonly string[]): readonly string[] {
  let bytes = 0;
  const end = names.findIndex((name) => (bytes += Buffer.byteLength(name) + 3) > MAX_NAMES);
  return end < 0 ? names : names.slice(0, end);
}
