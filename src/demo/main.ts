/**
 * demo: a simulated plant, a real relay, and a portal and a public board above it, on one machine.
 *
 * HOLDS       the plant and the portal, which are no part of the relay, and their secrets
 * READS       the relay's status files
 * WRITES      the demo's directory; the terminal
 * NEVER       takes part in forwarding: the relay runs as its own processes
 * ON FAILURE  ends the relay, says why, exits 1
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readGateStatus, readSupervisorStatus, readUpperStatus } from '../wire/status.js';
import { DemoBoard } from './board.js';
import { EventSource } from './events.js';
import { readOptions } from './options.js';
import { Plant } from './plant.js';
import { Portal } from './portal.js';
import { DemoRelay } from './relay.js';
import { Screen } from './screen.js';
import { prepare } from './setup.js';
import { tally } from './tally.js';
import { drawLine, type Picture } from './view.js';

const TICK = 20;
const START_PATIENCE = 20_000;
const DRAIN_PATIENCE = 15_000;
const INTERRUPTED_PATIENCE = 2000;

const options = readOptions(process.argv.slice(2));
const screen = new Screen(options.json);
const state = options.state
  ? resolve(options.state)
  : mkdtempSync(join(tmpdir(), 'tidegate-demo-'));
try {
  mkdirSync(state, { recursive: true });
} catch (error) {
  screen.say(`cannot make ${state}: ${(error as NodeJS.ErrnoException).code ?? ''}`);
  process.exit(1);
}
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
screen.onClosed(() => interrupt.abort());

screen.say(
  'tidegate demo: making certificates, starting a plant, a relay, a portal and a board ...',
);
const setup = await prepare(state);
const start = Date.now();
const firstSecond = new Date(start).toISOString().slice(0, 19);
const plant = new Plant(setup.plant);
// Events of an earlier run in the same directory may still arrive: they are not this run's.
const portal = new Portal(setup.portal, (line) => line.split(',', 5)[4]! >= firstSecond);
const board = new DemoBoard(state, setup.board);
await board.listening().catch((error: unknown) => {
  screen.say((error as Error).message);
  process.exit(1);
});
const config = setup.configure({
  plant: await plant.listen(),
  portal: await portal.listen(),
  board: board.port,
});
screen.say(`the board is at ${board.address}`);
const earlier = readGateStatus(state)?.started;
const relay = new DemoRelay(state, config);

async function until(condition: () => boolean, patience: number): Promise<boolean> {
  const deadline = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > deadline || relay.ended.aborted) return false;
    await sleep(TICK);
  }
  return true;
}

async function finish(code: number): Promise<never> {
  await relay.stop();
  await board.stop();
  plant.close();
  portal.close();
  if (options.state === undefined) rmSync(state, { recursive: true, force: true });
  process.exit(code);
}

async function fail(reason: string): Promise<never> {
  screen.close();
  screen.say(`the demo failed: ${reason}; the relay's last words:`);
  for (const line of relay.lastWords()) screen.say(line);
  return finish(1);
}

const up = await until(() => {
  const gate = readGateStatus(state);
  return interrupt.signal.aborted || (gate?.started !== earlier && plant.watched);
}, START_PATIENCE);
if (!up) await fail('the relay did not come up');
const before = readGateStatus(state)?.continued ?? {};

/** What the servers had counted when the gate last wrote its status: one moment for one picture. */
const moments: { time: number; sent: number; delivered: number }[] = [];
function noteMoment(): void {
  moments.push({ time: Date.now(), sent: plant.sent, delivered: portal.delivered });
  if (moments.length > 100) moments.shift();
}

function look(): Picture {
  const gate = readGateStatus(state);
  const supervisor = readSupervisorStatus(state);
  const moment = moments.findLast(({ time }) => time <= (gate?.time ?? 0));
  return {
    seconds: Math.round((Date.now() - start) / 1000),
    seed: options.seed,
    state,
    board: board.address,
    sent: moment?.sent ?? 0,
    tally: tally(gate, before),
    gate,
    supervisor,
    upper: readUpperStatus(state, 'portal'),
    delivered: moment?.delivered ?? 0,
    duplicates: portal.duplicates,
    account: portal.watch.account,
    protocol: portal.protocol,
    down: { script: plant.scriptBytes, after: plant.afterScriptBytes },
    connections: supervisor?.lowers[0]?.connections ?? 0,
  };
}

const source = new EventSource(options.seed, BigInt(Date.now()) * 1_000_000n, options.rate);
const begun = performance.now();
const elapsed = (): number => (performance.now() - begun) / 1000;
while (!interrupt.signal.aborted && !relay.ended.aborted && elapsed() < options.seconds) {
  const count = Math.min(Math.floor(elapsed() * options.rate) - plant.sent, options.rate);
  let lines = '';
  for (let i = 0; i < count; i++) lines += `${source.next()}\r\n`;
  if (count > 0) plant.send(lines, count);
  noteMoment();
  screen.show(look);
  await sleep(TICK);
}
if (relay.ended.aborted) await fail('the relay ended');

/** Whether every event of the plant has been decided, and every permitted one delivered. */
const whole = await until(
  () => {
    noteMoment();
    const { sent, tally: now, delivered } = look();
    return sent === plant.sent && now.in === sent && delivered === now.permitted;
  },
  interrupt.signal.aborted ? INTERRUPTED_PATIENCE : DRAIN_PATIENCE,
);
const last = look();
screen.close();
if (options.state !== undefined) screen.say(`state is in ${state}`);
if (!whole && !interrupt.signal.aborted) screen.say('not everything arrived in time');
if (options.json) {
  const processes = (last.supervisor?.processes ?? []).map(({ process: role, name, pid }) => ({
    process: role,
    ...(name === undefined ? {} : { name }),
    pid,
  }));
  const { delivered, duplicates } = last;
  const down = { script_bytes: last.down.script, after_script_bytes: last.down.after };
  const report = { ...last.tally, delivered, duplicates, down, processes };
  process.stdout.write(`${JSON.stringify(report)}\n`);
} else screen.say(drawLine(last));
await finish(whole || interrupt.signal.aborted ? 0 : 1);
