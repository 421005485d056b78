/** A relay under an even load, for trouble that is no process's death: what it says, and its sums. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { sum } from '../../src/wire/status.js';
import { describeJudgement, judge, type Judgement } from '../truth/judge.js';
import { judgeLog } from '../truth/log.js';
import { SOURCES } from '../truth/plan.js';
import { World, type WorldOptions } from '../truth/world.js';
import { type LogLine, PATIENCE } from './relay.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Between two looks at the status, ms: each is a process. */
const STATUS_EVERY = 200;

export interface Verdict {
  readonly code: number | null;
  readonly verdict: 'well' | 'degraded' | 'down';
  readonly texts: readonly string[];
}

export interface SceneOptions extends Omit<WorldOptions, 'hear'> {
  /** The entry file of `tidegate`; the built one if not given. */
  readonly cli?: string;
}

export class Scene {
  readonly world: World;
  /** Every line of the log, of all relays. */
  readonly log: LogLine[] = [];
  readonly #t: Test;
  readonly #cli: string;

  constructor(t: Test, options: SceneOptions) {
    this.#t = t;
    this.#cli = options.cli ?? MAIN;
    this.world = new World({ ...options, hear: (line) => this.log.push(line) });
    t.teardown(() => this.world.end());
  }

  /** Starts everything, at `rate` events a second and source. */
  async begin(rate: number): Promise<void> {
    await this.world.begin();
    for (const source of this.world.sources) source.rate = rate;
    await this.untilFlow('the first events');
  }

  /** How often a line was logged; repeats are written by and by, all of them when the relay ends. */
  count(event: string): number {
    const found = this.log.filter((line) => line.event === event);
    return found.reduce((total, { repeated = 1 }) => total + repeated, 0);
  }

  journalled(): number {
    const channels = this.world.relay.gate()?.channels ?? [];
    return channels.reduce((total, { journalled }) => total + journalled, 0);
  }

  /** What the gate has counted as lost for a reason, over all sources. */
  lost(reason: string): number {
    const { sources } = this.world.relay.gate() ?? {};
    return SOURCES.reduce((total, name) => total + (sources?.[name]?.lost[reason] ?? 0), 0);
  }

  /** Waits until events that are sent from now on arrive above, on both channels. */
  async untilFlow(what: string): Promise<void> {
    const before = this.world.sources.map(({ n }) => n);
    const arrived = (): boolean =>
      this.world.sinks.every(({ arrivals }) =>
        before.every((n, source) => arrivals.last[source]! > n),
      );
    await this.world.until(arrived, `events flow: ${what}`, PATIENCE);
  }

  /** Waits until the gate says that nothing goes out, or that events do. */
  async untilForwarding(forwarding: boolean): Promise<void> {
    const what = forwarding ? 'events go out' : 'nothing goes out';
    await this.world.until(
      () => this.world.relay.gate()?.forwarding === forwarding,
      what,
      PATIENCE,
    );
  }

  /** What `tidegate status --json` says, in another process. */
  status(): Promise<Verdict> {
    const config = join(this.world.options.directory, 'tidegate.yaml');
    const child = spawn(process.execPath, [this.#cli, 'status', '-c', config, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    return new Promise((resolve, reject) =>
      child.on('close', (code) => {
        try {
          const { verdict, reasons } = JSON.parse(out) as {
            readonly verdict: Verdict['verdict'];
            readonly reasons: readonly { readonly text: string }[];
          };
          resolve({ code, verdict, texts: reasons.map(({ text }) => text) });
        } catch (error) {
          reject(new Error(`tidegate status said: ${out}`, { cause: error }));
        }
      }),
    );
  }

  /** Waits until one of its reasons fits. */
  async untilStatus(words: RegExp): Promise<Verdict> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const found = await this.status();
      if (found.texts.some((text) => words.test(text))) return found;
      if (Date.now() > deadline) throw new Error(`${words.source}: ${found.texts.join('; ')}`);
      await sleep(STATUS_EVERY);
    }
  }

  /** Waits until it is quiet, and judges; the relay ends with it. */
  async conclude(): Promise<Judgement> {
    const t = this.#t;
    await this.world.drain();
    const judgement = judge(this.world);
    for (const line of describeJudgement(judgement)) t.comment(line);
    t.strictSame(judgement.faults, [], 'the sums hold');
    for (const { name, status, gap } of judgement.sources) {
      const interrupted = status.interruptions > 0;
      t.ok(interrupted || gap === 0, `${name}: every line is counted, ${sum(status.lost)} lost`);
    }
    t.equal(await this.world.end(), 0);
    t.strictSame(judgeLog(this.world.state), [], 'the audit log is whole, and fits the journals');
    return judgement;
  }
}
