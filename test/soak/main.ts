/** The soak: a relay under load with faults injected at random, for hours, and its sums in the end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../src/demo/random.js';
import { mountSmallDisk } from '../journal/small-disk.js';
import { Chance, Faults } from '../truth/faults.js';
import { describeJudgement, judge } from '../truth/judge.js';
import { CHANNELS, UPPERS } from '../truth/plan.js';
import { World } from '../truth/world.js';
import { readOptions } from './options.js';
import { Storm } from './storm.js';
import { Vitals } from './vitals.js';

const SUPERVISOR = fileURLToPath(new URL('../../../dist/supervisor/main.js', import.meta.url));
const PROGRESS_EVERY = 30_000;
/** Of the disk, KiB; and what the channels keep of it. */
const DISK = 320 * 1024;
const RETAIN = '{ size: 48MiB, age: 1d }';
/** Resident memory that no process may exceed, bytes. */
const MAX_MEMORY = 256 * 2 ** 20;
/** Between two faults, ms. */
const PAUSE = [200, 3500] as const;

const { duration, seed, rate } = readOptions(process.argv.slice(2));
const ends: (() => void)[] = [];
const disk = mountSmallDisk(
  { plan: () => undefined, teardown: (end: () => void) => void ends.push(end) },
  DISK,
);
const directory = disk?.directory ?? mkdtempSync(join(tmpdir(), 'tidegate-soak-'));
// In a session of its own: Ctrl-C ends the soak, and the soak ends the relay.
const prefix = ['/usr/bin/setsid'];
const world = new World({ seed, directory, retain: RETAIN, supervisor: SUPERVISOR, prefix });
const chance = new Chance(seededRandom(seed));
const faults = new Faults(world, chance);
const storm = new Storm(world, faults, chance, disk);
const begun = performance.now();
const stopping = new AbortController();
process.on('SIGINT', () => {
  if (stopping.signal.aborted) process.exit(130);
  stopping.abort();
  console.log('stopping: a second Ctrl-C ends without the sums');
});
process.on('SIGTERM', () => stopping.abort());

function clock(): string {
  const seconds = Math.round((performance.now() - begun) / 1000);
  const part = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${part(seconds / 3600)}:${part((seconds / 60) % 60)}:${part(seconds % 60)}`;
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function backlog(): number {
  return total(
    CHANNELS.map((channel, i) => {
      const known = world.relay.gate()?.channels.find((each) => each.channel === channel);
      const { answered = 0, refused = 0, expired = 0 } = world.relay.upper(UPPERS[i]!) ?? {};
      return Math.max(0, (known?.journalled ?? 0) - answered - refused - expired);
    }),
  );
}

function describeFaults(): string {
  const kinds = new Map<string, number>();
  for (const [kind, count] of faults.counts) {
    const first = kind.split(' ')[0]!;
    kinds.set(first, (kinds.get(first) ?? 0) + count);
  }
  return [...kinds].map(([kind, count]) => `${kind} ${count}`).join(' ');
}

/** One line; what is wrong already is said at once. */
function report(vitals: Vitals): void {
  for (const { arrivals } of world.sinks) arrivals.settle(false);
  const sent = total(world.sources.map(({ n }) => n));
  const came = total(world.sinks.map(({ arrivals }) => arrivals.total));
  const wrong = total(world.sinks.map(({ wrong }) => wrong));
  const odd = total(world.sinks.map(({ arrivals }) => arrivals.disordered));
  const bad = wrong + odd + storm.ends;
  console.log(
    `${clock()}  sent ${sent} came ${came} backlog ${backlog()}  faults: ${describeFaults()}  ` +
      `MiB now/most: ${vitals.describe()}${bad > 0 ? `  NOT WELL: ${wrong} wrong, ${odd} out of order, ${storm.ends} ends` : ''}`,
  );
}

async function rage(vitals: Vitals): Promise<void> {
  const end = begun + duration * 1000;
  const timer = setInterval(() => report(vitals), PROGRESS_EVERY);
  while (performance.now() < end && !stopping.signal.aborted) {
    await sleep(chance.between(...PAUSE), undefined, { signal: stopping.signal }).catch(
      () => undefined,
    );
    await storm.strike();
  }
  clearInterval(timer);
  storm.calm();
}

/** Prints the sums; whether they hold. */
function conclude(vitals: Vitals): boolean {
  const judgement = judge(world);
  const problems = [...judgement.faults];
  if (storm.ends > 0) problems.push(`the supervisor ended by itself ${storm.ends} times`);
  for (const role of vitals.beyond(MAX_MEMORY)) problems.push(`${role} has grown`);
  console.log(`\nafter ${clock()}, seed ${seed}`);
  for (const line of describeJudgement(judgement)) console.log(line);
  console.log(`\n${'fault'.padEnd(20)}times`);
  for (const [kind, count] of [...faults.counts].sort())
    console.log(kind.padEnd(20) + String(count));
  console.log(`\n${'MiB'.padEnd(14)}first  last  most`);
  for (const [role, ...figures] of vitals.rows()) {
    console.log(role!.padEnd(12) + figures.map((figure) => figure.padStart(6)).join(''));
  }
  console.log(problems.length === 0 ? '\nall sums hold' : '\nNOT WELL:');
  for (const problem of problems) console.log(`- ${problem}`);
  if (problems.length > 0) for (const line of world.log) console.log(JSON.stringify(line));
  return problems.length === 0;
}

process.on('exit', () => {
  for (const end of ends) end();
  if (!disk) rmSync(directory, { recursive: true, force: true });
});
let well = false;
try {
  console.log(`seed ${seed}, ${rate} events/s of each of two lower servers, in ${directory}`);
  if (!disk) console.log('no disk of its own can be mounted: it is never full');
  await world.begin();
  const vitals = new Vitals(world);
  for (const source of world.sources) source.rate = rate;
  await rage(vitals);
  report(vitals);
  console.log(`${clock()}  draining`);
  await world.drain();
  vitals.stop();
  well = conclude(vitals);
} catch (error) {
  console.log(`NOT WELL, seed ${seed}: ${(error as Error).message}`);
} finally {
  await world.end();
}
process.exit(well ? 0 : 1);
