/** Two lower servers, two upper servers, and a relay between them that may be started again and again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GateStatus, UpperStatus } from '../../src/wire/status.js';
import { type LogLine, PATIENCE, RunningRelay, writeRelay } from '../scenario/relay.js';
import { CHANNELS, Plan, policyText, SOURCES, UPPERS } from './plan.js';
import { Sink } from './sink.js';
import { Source } from './source.js';

export interface WorldOptions {
  readonly seed: number;
  /** Holds configuration and state. */
  readonly directory: string;
  /** The retention of every channel, as YAML. */
  readonly retain?: string;
  readonly window?: number;
  /** The supervisor's entry file, if not that beside the tests. */
  readonly supervisor?: string;
  /** Put before the supervisor's command line. */
  readonly prefix?: readonly string[];
  /** Hears every line of the log as well. */
  readonly hear?: (line: LogLine) => void;
}

const TICK = 50;
const MARK_EVERY = 3000;
const KEPT = 40;

export class World {
  readonly plan: Plan;
  readonly sources: readonly Source[];
  readonly sinks: readonly Sink[];
  /** The last lines of the log that are no routine. */
  readonly log: LogLine[] = [];
  /** Lines of level fatal. */
  fatal: LogLine[] = [];
  /** How often the relay was started. */
  starts = 0;
  /** Power cuts; and by channel, the records that they took back from its journal. */
  cuts = 0;
  readonly taken: number[] = CHANNELS.map(() => 0);
  readonly options: WorldOptions;
  #relay: RunningRelay | undefined;
  #config = '';

  constructor(options: WorldOptions) {
    this.options = options;
    this.plan = new Plan(options.seed);
    this.sources = SOURCES.map((_, index) => new Source(index, this.plan));
    this.sinks = CHANNELS.map((_, index) => new Sink(index, this.plan, this.sources));
  }

  get relay(): RunningRelay {
    return this.#relay!;
  }

  get state(): string {
    return join(this.options.directory, 'state');
  }

  get policy(): string {
    return join(this.options.directory, 'policy.yaml');
  }

  /** Starts the servers, writes the configuration, starts the relay, and waits for its links. */
  async begin(): Promise<void> {
    await Promise.all([...this.sources, ...this.sinks].map((server) => server.listen()));
    const { directory, retain, window = 100 } = this.options;
    this.#config = await writeRelay(directory, {
      lowers: this.sources.map(({ port, index }) => ({ name: SOURCES[index]!, port })),
      uppers: this.sinks.map(({ port, channel }) => ({
        name: UPPERS[channel]!,
        port,
        channel: CHANNELS[channel]!,
        window,
      })),
      policy: policyText(1),
      ...(retain === undefined ? {} : { retain }),
    });
    this.start();
    await this.until(() => this.well, 'the links come up');
    for (const sink of this.sinks) sink.arrivals.lanes = existsSync(this.journal(sink.channel, 1));
  }

  /** Starts the relay on its directory. */
  start(): void {
    this.starts++;
    const { supervisor, prefix } = this.options;
    this.#relay = new RunningRelay(this.options.directory, this.#config, {
      ...(supervisor === undefined ? {} : { supervisor }),
      ...(prefix === undefined ? {} : { prefix }),
      take: (line) => this.#take(line),
    });
  }

  /** The directory of one lane of a channel's journal. */
  journal(channel: number, lane: number): string {
    const directory = join(this.state, 'journal', CHANNELS[channel]!);
    return lane === 0 ? directory : join(directory, 'urgent');
  }

  /** Whether everything that is to run runs and reads. */
  get well(): boolean {
    const status = this.relay.supervisor();
    const running = (role: string): number =>
      status?.processes.filter(({ process }) => process === role).length ?? 0;
    return (
      Date.now() - (status?.time ?? 0) < 2000 &&
      running('gate') === 1 &&
      running('valve') === SOURCES.length &&
      this.sources.every(({ watched }) => watched) &&
      UPPERS.every((name) => this.relay.upper(name)?.state === 'up')
    );
  }

  async until(condition: () => boolean, what: string, patience = PATIENCE): Promise<void> {
    const deadline = Date.now() + patience;
    while (!condition()) {
      if (this.relay.over || Date.now() > deadline) {
        const why = this.relay.over ? 'the relay ended' : `not within ${patience} ms`;
        const upto = [...UPPERS.map((name) => this.relay.upper(name)), this.relay.gate()];
        throw new Error(
          [`${what}: ${why}`, ...this.log, ...upto].map((part) => JSON.stringify(part)).join('\n'),
        );
      }
      await sleep(TICK);
    }
  }

  /** Waits until everything that was sent has been decided, journalled and answered. */
  async drain(): Promise<void> {
    for (const source of this.sources) source.rate = 0;
    await this.until(() => this.well, 'all is up again');
    const marks = this.sources.map(() => [0]);
    let marked = -Infinity;
    // What is written to a connection that ends just now does not arrive: another follows.
    const arrived = (): boolean => {
      if (Date.now() - marked > MARK_EVERY) {
        marked = Date.now();
        this.sources.forEach((source, i) => marks[i]!.push(source.mark()));
      }
      return this.sources.every((_, i) =>
        this.sinks.every(({ arrivals }) => marks[i]!.includes(arrivals.last[i]!)),
      );
    };
    await this.until(arrived, 'the last event arrives');
    let quiet = Date.now();
    let before = '';
    const still = (): boolean => {
      const now = JSON.stringify([this.relay.gate()?.sources, this.relay.gate()?.channels]);
      if (now !== before || !this.#settled) quiet = Date.now();
      before = now;
      return this.well && Date.now() - quiet > 1000;
    };
    await this.until(still, 'all is answered, and the counters stand still');
  }

  get #settled(): boolean {
    const gate = this.relay.gate();
    return CHANNELS.every((_, channel) => {
      const upper = this.relay.upper(UPPERS[channel]!);
      if (!gate || !upper) return false;
      return balance(channel, gate, upper).unsettled === 0;
    });
  }

  async end(): Promise<number | null> {
    const code = await this.#relay?.stop();
    for (const server of [...this.sources, ...this.sinks]) server.close();
    return code ?? null;
  }

  #take(line: LogLine): void {
    this.options.hear?.(line);
    if (line.event === 'resending') {
      const sink = this.sinks.find(({ channel }) => line.from === `upper ${UPPERS[channel]!}`);
      const urgent = line['lane'] === 'urgent';
      sink?.arrivals.name(urgent, Number(line['first']), Number(line['last']));
      return;
    }
    if (line.level === 'info' && line.event !== undefined) return;
    // A gate cannot begin on a full disk, and is tried again.
    const full = line.event === 'failure' && line.msg.startsWith('ENOSPC');
    if (line.level === 'fatal' && !full) this.fatal = [...this.fatal, line].slice(-KEPT);
    this.log.push(line);
    if (this.log.length > KEPT) this.log.shift();
  }
}

/** What is journalled for an upper and not settled. */
export function balance(
  channel: number,
  gate: GateStatus,
  upper: UpperStatus,
): { journalled: number; rewound: number; unsettled: number } {
  const known = gate.channels.find((each) => each.channel === CHANNELS[channel]);
  const journalled = known?.journalled ?? 0;
  const { answered, refused, expired, rewound } = upper;
  const unsettled = journalled + rewound - answered - refused - expired;
  return { journalled, rewound, unsettled };
}
