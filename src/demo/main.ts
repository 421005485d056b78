/**
 * demo: a simulated plant, a real relay, and a portal above it, on one machine.
 *
 * HOLDS       the plant and the portal, which are no part of the relay, and their secrets
 * READS       the relay's status files
 * WRITES      the demo's directory; the terminal
 * NEVER       takes part in forwarding: the relay runs as its own processes
 * ON FAILURE  ends the relay, says why, exits 1
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withParent } from '../wire/parent.js';
import { readGateStatus, readSupervisorStatus, readUpperStatus } from '../wire/status.js';
import { EventSource } from './events.js';
import { readOptions } from './options.js';
import { Plant } from './plant.js';
import { Portal } from './portal.js';
import { prepare } from './setup.js';
import { tally } from './tally.js';
import { drawLine, drawPicture, type Picture } from './view.js';

const TICK = 20;
const START_PATIENCE = 20_000;
const DRAIN_PATIENCE = 15_000;

const options = readOptions(process.argv.slice(2));
const kept = options.state !== undefined;
const state = kept ? resolve(options.state!) : mkdtempSync(join(tmpdir(), 'tidegate-demo-'));
mkdirSync(state, { recursive: true });
const live = process.stdout.isTTY && !options.json;
const colours = live && process.env['NO_COLOR'] === undefined;
const say = (line: string): void => {
  (options.json ? process.stderr : process.stdout).write(`${line}\n`);
};

say('tidegate demo: making certificates, starting a plant, a relay and a portal ...');
const setup = await prepare(state);
const start = BigInt(Date.now()) * 1_000_000n;
const firstSecond = new Date(Number(start / 1_000_000n)).toISOString().slice(0, 19);
const plant = new Plant(setup.plant);
// Events of an earlier run in the same directory may still arrive: they are not this run's.
const portal = new Portal(setup.portal, (line) => line.split(',', 5)[4]! >= firstSecond);
const config = setup.configure(await plant.listen(), await portal.listen());

const logPath = join(state, 'demo', 'relay.log');
const log = openSync(logPath, 'a', 0o600);
const supervisorPath = fileURLToPath(new URL('../supervisor/main.js', import.meta.url));
const [command, args] = withParent(
  [process.execPath, supervisorPath, 'tidegate', '-c', config],
  'TERM',
);
const earlier = readGateStatus(state)?.pid;
const relay = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
const relayEnded = new Promise<number | null>((done) => {
  relay.on('exit', (code) => done(code));
  relay.on('error', () => done(1));
});
let ended = false;
void relayEnded.then(() => (ended = true));
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => (interrupted = true));
}

async function until(condition: () => boolean, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience;
  while (!condition()) {
    if (Date.now() > deadline || ended) return false;
    await sleep(TICK);
  }
  return true;
}

function look(): Picture {
  const gate = readGateStatus(state);
  const supervisor = readSupervisorStatus(state);
  return {
    seconds: Math.round((Date.now() - Number(start / 1_000_000n)) / 1000),
    seed: options.seed,
    state,
    sent: plant.sent,
    tally: tally(gate, before),
    gate,
    supervisor,
    upper: readUpperStatus(state, 'portal'),
    delivered: portal.delivered,
    duplicates: portal.duplicates,
    protocol: portal.protocol,
    down: { script: plant.scriptBytes, after: plant.afterScriptBytes },
    connections: supervisor?.lowers[0]?.connections ?? 0,
  };
}

async function finish(code: number): Promise<never> {
  if (live) process.stdout.write('\x1b[?25h');
  relay.kill('SIGTERM');
  await relayEnded;
  plant.close();
  portal.close();
  if (!kept) rmSync(state, { recursive: true, force: true });
  process.exit(code);
}

async function fail(reason: string): Promise<never> {
  say(`the demo failed: ${reason}; the relay's last words:`);
  for (const line of readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-5)) say(line);
  return finish(1);
}

const up = await until(() => {
  const gate = readGateStatus(state);
  return interrupted || (gate !== undefined && gate.pid !== earlier && plant.watched);
}, START_PATIENCE);
if (!up) await fail('the relay did not come up');
const before = readGateStatus(state)?.continued ?? {};

const source = new EventSource(options.seed, start);
const begun = performance.now();
let due = 0;
let shown = 0;
let drawn = 0;
while (!interrupted && !ended && performance.now() - begun < options.seconds * 1000) {
  due = Math.floor(((performance.now() - begun) / 1000) * options.rate);
  const count = Math.min(due - plant.sent, options.rate);
  let lines = '';
  for (let i = 0; i < count; i++) lines += `${source.next()}\r\n`;
  if (count > 0) plant.send(lines, count);
  if (live && performance.now() - shown > 200) {
    shown = performance.now();
    const picture = drawPicture(look(), colours);
    const height = Math.min(drawn, process.stdout.rows - 1);
    process.stdout.write(height === 0 ? '\x1b[?25l\x1b[2J\x1b[H' : '\x1b[H');
    const room = picture.slice(0, process.stdout.rows - 1);
    process.stdout.write(`${room.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    drawn = room.length;
  } else if (!live && performance.now() - shown > 1000) {
    shown = performance.now();
    say(drawLine(look()));
  }
  await sleep(TICK);
}
if (ended) await fail('the relay ended');

/** Whether every event of the plant has arrived where the policy sends it. */
function drained(): boolean {
  const { tally: now, delivered } = look();
  return now.in === plant.sent && delivered === now.permitted;
}
const whole = await until(drained, interrupted ? 2000 : DRAIN_PATIENCE);
const last = look();
if (live) process.stdout.write('\x1b[?25h\n\n');
if (!whole && !interrupted) say('not everything arrived in time');
if (options.json) {
  const { tally: sums, delivered, duplicates, down } = last;
  const processes = (last.supervisor?.processes ?? []).map(({ process: role, name, pid }) => ({
    process: role,
    ...(name === undefined ? {} : { name }),
    pid,
  }));
  const report = {
    ...sums,
    delivered,
    duplicates,
    down: { script_bytes: down.script, after_script_bytes: down.after },
    processes,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
} else say(drawLine(last));
if (kept) say(`state is in ${state}`);
await finish(whole || interrupted ? 0 : 1);
