/** A board's history at ten million readings: how fast they go in, what they take, how fast they are found. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { DIST, SCRATCH } from './place.js';

type Module = typeof import('../../src/board/history/history.js');
type History = Module['History']['prototype'];

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SENSORS = 100;
/** Of the year that they are spread over. */
const END = Date.UTC(2026, 5, 1);
const BEGIN = END - 365 * DAY;
/** Questions of each kind, and points of a series. */
const QUESTIONS = 300;
const POINTS = 1000;
const PAGE = 1000;

const sensorOf = (i: number): string => `10.6.FFFFFFFFFFFFFFFEB827EB10000000${10 + (i % 90)}.${i}`;

function add(history: History, i: number, time: number): boolean {
  const sensor = sensorOf(i % SENSORS);
  const text = `0,10,6,${i},2026-06-01T00:00:00.000Z,,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:00:00:00:10`;
  const reading = { sensor, time, value: 20 + (i % 97) / 10 };
  return history.add({ received: time, event: `${text},0x88,0x00,0xEB`, reading });
}

/** @returns events a second, and µs of the board's thread for each */
async function fill(history: History, rows: number): Promise<{ rate: number; cost: number }> {
  const begun = performance.now();
  let busy = 0;
  for (let i = 0; i < rows;) {
    const at = performance.now();
    const end = Math.min(rows, i + 5000);
    for (; i < end; i++) {
      const time = Math.floor(BEGIN + (i / rows) * (END - BEGIN));
      if (!add(history, i, time)) throw new Error('events were dropped');
    }
    busy += performance.now() - at;
    while (history.counters.waiting > 50_000) await sleep(5);
    if (i % 500_000 === 0) process.stderr.write(`\rhistory: ${i / 1e6} million readings ...   `);
  }
  await history.flush();
  process.stderr.write('\r\x1b[K');
  return { rate: rows / ((performance.now() - begun) / 1000), cost: (busy / rows) * 1000 };
}

async function ask(name: string, question: (i: number) => Promise<unknown>): Promise<void> {
  const took: number[] = [];
  for (let i = 0; i < QUESTIONS; i++) {
    const begun = performance.now();
    await question(i);
    took.push(performance.now() - begun);
  }
  took.sort((a, b) => a - b);
  const share = (of: number): string => took[Math.floor(of * QUESTIONS)]!.toFixed(1).padStart(6);
  console.log(`  ${name.padEnd(54)} p50 ${share(0.5)}  p99 ${share(0.99)} ms`);
}

async function askAll(history: History): Promise<void> {
  const of = (days: number, resolution?: 'raw') => (i: number) => {
    // Of any sensor, anywhere in the year.
    const to = END - Math.floor(((i * 0.618) % 1) * (365 - days) * DAY);
    return history.series(sensorOf((i * 37) % SENSORS), to - days * DAY, to, POINTS, resolution);
  };
  await ask('series of a day', of(1));
  await ask('series of a month', of(30));
  await ask('series of a year', of(365));
  await ask('series of a month, raw, thinned', of(30, 'raw'));
  await ask('series of a year, raw, thinned', of(365, 'raw'));
  const [{ id } = { id: 0 }] = (await history.events(0, 1)).events;
  await ask(`a page of ${PAGE} events`, (i) => history.events(id + i * PAGE, PAGE));
  await ask('10,000 readings, for a CSV file', (i) =>
    history.readings(sensorOf(i % SENSORS), BEGIN + i * DAY, END, 10_000),
  );
}

function mebibytes(directory: string): number {
  const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
  return sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}

/** Adds 10,000 events a second until it is told to stop. */
function trickle(history: History): () => void {
  let i = 0;
  const timer = setInterval(() => {
    for (const end = i + 200; i < end; i++) add(history, i, END + i);
  }, 20);
  return () => clearInterval(timer);
}

/** @param rows readings, each with its event; the log keeps a tenth of them */
export async function runHistory(rows = 10_000_000): Promise<void> {
  const url = pathToFileURL(join(DIST, 'board/history/history.js')).href;
  const { History } = (await import(url)) as Module;
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'history-'));
  const keep = { raw: 100_000 * DAY, hour: 100_000 * DAY, day: 100_000 * DAY };
  const options = { directory, keep, events: rows / 10, size: 8 * 2 ** 30 };
  const onTrouble = (why: string | undefined): void => {
    if (why !== undefined) throw new Error(why);
  };
  try {
    let history = await History.open(options, onTrouble);
    const { rate, cost } = await fill(history, rows);
    await history.close();
    console.log(
      `history: ${rows / 1e6} million readings of ${SENSORS} sensors: ${rate.toFixed(0)}/s in, ` +
        `${cost.toFixed(2)} µs of the board's thread each, ${mebibytes(directory).toFixed(0)} MiB`,
    );
    const begun = performance.now();
    history = await History.open(options, onTrouble);
    await history.recent();
    const opened = performance.now() - begun;
    console.log(`  opened, with the newest 30 of each sensor, in ${opened.toFixed(0)} ms`);
    await askAll(history);
    console.log('  the same while 10,000 events/s come in:');
    const stop = trickle(history);
    await askAll(history);
    stop();
    await history.close();
    if (history.counters.dropped > 0) throw new Error('events were dropped');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
