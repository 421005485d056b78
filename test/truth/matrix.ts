/** The kill matrix: a world under load, faults by a seed, and the sums at the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { seededRandom } from '../../src/demo/random.js';
import { Chance, Faults } from './faults.js';
import { describeJudgement, judge, type Judgement } from './judge.js';
import { judgeLog } from './log.js';
import { World } from './world.js';

/** Resident memory that no process of a relay may exceed, bytes. */
const MAX_MEMORY = 256 * 2 ** 20;
const LOOK_EVERY = 500;

export interface Stage {
  readonly world: World;
  readonly faults: Faults;
  readonly chance: Chance;
}

/** The seed that TIDEGATE_SEED repeats, or the test's own. */
export function readSeed(own: number): number {
  const asked = process.env['TIDEGATE_SEED'];
  return asked === undefined ? own : Number(asked);
}

/** The test's share of the kills that TIDEGATE_KILLS asks for, or its usual number. */
export function readKills(usual: number, share: number): number {
  const asked = process.env['TIDEGATE_KILLS'];
  return asked === undefined ? usual : Math.ceil(Number(asked) * share);
}

/** Sets a stage for one test, at `rate` events a second and source. */
export async function setStage(t: Test, seed: number, rate: number): Promise<Stage> {
  const chance = new Chance(seededRandom(seed));
  const world = new World({ seed, directory: t.testdir({}) });
  t.teardown(() => world.end());
  await world.begin();
  for (const source of world.sources) source.rate = rate;
  return { world, faults: new Faults(world, chance), chance };
}

/** Waits until it is quiet, judges, and says everything that is needed to see what was. */
export async function conclude(
  t: Test,
  { world, faults }: Stage,
  seed: number,
  memory: Memory,
): Promise<Judgement> {
  await world.drain();
  memory.look();
  memory.stop();
  const judgement = judge(world);
  for (const line of describeJudgement(judgement)) t.comment(line);
  const kinds = [...faults.counts].map(([kind, count]) => `${kind} ${count}`).sort();
  t.comment(`seed ${seed}: ${kinds.join(', ')}`);
  t.comment(`largest, MiB: ${memory.describe()}`);
  t.strictSame(judgement.faults, [], `TIDEGATE_SEED=${seed} repeats it`);
  t.strictSame(memory.beyond(MAX_MEMORY), [], 'no process has grown');
  t.equal(await world.end(), 0);
  t.strictSame(judgeLog(world.state), [], 'the audit log is whole, and fits the journals');
  return judgement;
}

/** The largest resident memory of each role so far. */
export class Memory {
  readonly largest = new Map<string, number>();
  readonly #world: World;
  readonly #timer: NodeJS.Timeout;

  constructor(t: Test, world: World) {
    this.#world = world;
    t.teardown(() => this.stop());
    this.#timer = setInterval(() => this.look(), LOOK_EVERY);
  }

  look(): void {
    for (const { process: role, memory = 0 } of this.#world.relay.supervisor()?.processes ?? []) {
      this.largest.set(role, Math.max(memory, this.largest.get(role) ?? 0));
    }
  }

  beyond(bound: number): string[] {
    return [...this.largest].filter(([, bytes]) => bytes > bound).map(([role]) => role);
  }

  describe(): string {
    const entries = [...this.largest].sort(([a], [b]) => a.localeCompare(b));
    return entries.map(([role, bytes]) => `${role} ${Math.round(bytes / 2 ** 20)}`).join(', ');
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Kills at random moments until there were `kills` of them. */
export async function rage(
  stage: Stage,
  kills: number,
  act: (stage: Stage) => void | Promise<void>,
) {
  const { faults, chance } = stage;
  while (faults.kills < kills) {
    await act(stage);
    await sleep(chance.between(0, 350));
  }
}

/** Waits until all runs again, as a rule: some kills come before. */
export async function breathe({ world, chance }: Stage): Promise<void> {
  const deadline = performance.now() + (chance.once(4) ? chance.between(0, 1000) : 10_000);
  while (!world.well && !world.relay.over && performance.now() < deadline) await sleep(20);
}
