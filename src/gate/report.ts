/** What the gate says of itself: counters of record, rates, what was lost last, why nothing goes out. */
import { Rate } from '../wire/rate.js';
import type { Logger } from '../wire/log.js';
import {
  type ChannelStatus,
  type GateStatus,
  type Loss,
  openStatus,
  type PolicyStatus,
  type SourceStatus,
  StatusFile,
} from '../wire/status.js';
import { describeCounters } from './counters.js';
import type { Intake } from './intake.js';
import type { Ledger } from './ledger.js';

interface SourceHistory {
  readonly name: string;
  readonly in: Rate;
  readonly permitted: Rate;
  lost: Readonly<Record<string, number>>;
}

export class Report {
  readonly #log: Logger;
  readonly #changed: (reason: string | undefined) => void;
  readonly #ledger: Ledger;
  readonly #intake: Intake;
  readonly #started = Date.now();
  readonly #sources: readonly SourceHistory[];
  readonly #channels: readonly Rate[];
  /** The counters of record that this gate continues. */
  readonly #continued: Readonly<Record<string, SourceStatus>>;
  readonly #losses: Record<string, Loss> = {};
  /** Of channels: what a power cut took before this start. */
  readonly #gone: Readonly<Record<string, Loss>>;
  readonly #directory: string;
  #file: StatusFile | undefined;
  #failing: string | undefined;
  #since = this.#started;
  #unwritten = false;

  /**
   * @param directory of the status file, which is there
   * @param changed is told why nothing goes out, or that events go out, whenever that changes
   */
  constructor(
    directory: string,
    sources: readonly string[],
    ledger: Ledger,
    intake: Intake,
    log: Logger,
    changed: (reason: string | undefined) => void,
  ) {
    this.#changed = changed;
    this.#directory = directory;
    this.#log = log;
    this.#ledger = ledger;
    this.#intake = intake;
    this.#continued = this.#describe(sources);
    this.#sources = sources.map((name) => ({
      name,
      in: new Rate(),
      permitted: new Rate(),
      lost: this.#continued[name]!.lost,
    }));
    this.#channels = ledger.lanes.map(() => new Rate());
    this.#gone = Object.fromEntries(
      ledger.describe().flatMap(({ channel }, i) => {
        const count = ledger.gone[i]!;
        return count === 0
          ? []
          : [[channel, { time: this.#started, reason: 'interrupted', count }]];
      }),
    );
  }

  /** Notes why nothing goes out; undefined: it does. One line in the log per change. */
  note(reason: string | undefined): void {
    if (reason === this.#failing) return;
    this.#failing = reason;
    this.#since = Date.now();
    this.#changed(reason);
    if (reason === undefined) this.#log.info({ event: 'forwarding' }, 'events go out again');
    else this.#log.error({ event: 'not-forwarding', reason }, 'nothing goes out');
  }

  update(policy: PolicyStatus, audit: GateStatus['audit']): void {
    const { permitted, denied, engine } = this.#intake;
    const sources = this.#describe(this.#sources.map(({ name }) => name));
    const channels = this.#ledger.describe();
    const now = Date.now();
    this.#noteLosses(sources, now);
    const reason = this.#failing === undefined ? {} : { reason: this.#failing, since: this.#since };
    try {
      this.#file ??= new StatusFile(openStatus(this.#directory));
      this.#file.save({
        process: 'gate',
        started: this.#started,
        time: now,
        forwarding: this.#failing === undefined,
        ...reason,
        rates: this.#rates(sources, channels),
        losses: this.#losses,
        gone: this.#gone,
        sources,
        continued: this.#continued,
        channels,
        policy,
        audit,
        recent: { permitted: permitted.describe(engine), denied: denied.describe(engine) },
      });
      this.#unwritten = false;
    } catch (error) {
      if (!this.#unwritten)
        this.#log.error({ event: 'status', err: error }, 'cannot write the status');
      this.#unwritten = true;
    }
  }

  #describe(names: readonly string[]): Record<string, SourceStatus> {
    const { recorded: counters } = this.#ledger;
    return Object.fromEntries(names.map((name, i) => [name, describeCounters(counters[i]!)]));
  }

  #noteLosses(sources: Readonly<Record<string, SourceStatus>>, time: number): void {
    for (const history of this.#sources) {
      const { lost } = sources[history.name]!;
      for (const [reason, count] of Object.entries(lost)) {
        const more = count - (history.lost[reason] ?? 0);
        if (more > 0) this.#losses[history.name] = { time, reason, count: more };
      }
      history.lost = lost;
    }
  }

  #rates(
    sources: Readonly<Record<string, SourceStatus>>,
    channels: readonly ChannelStatus[],
  ): object {
    const now = performance.now();
    return {
      sources: Object.fromEntries(
        this.#sources.map((history) => {
          const { in: read, permitted } = sources[history.name]!;
          const rate = {
            in: history.in.note(now, read),
            permitted: history.permitted.note(now, permitted),
          };
          return [history.name, rate];
        }),
      ),
      channels: Object.fromEntries(
        channels.map(({ channel, journalled }, i) => [
          channel,
          this.#channels[i]!.note(now, journalled),
        ]),
      ),
    };
  }
}
