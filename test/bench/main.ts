/** `npm run bench`: speed of the gate alone and of the whole path, beside a relay that only copies. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runBoard } from './board.js';
import { Child } from './child.js';
import { runEngine } from './engine.js';
import { runGate } from './gate.js';
import { runHistory } from './history.js';
import { makeLines, PERMITTED_SHARE } from './lines.js';
import { enterNamespace } from './namespace.js';
import { SCRATCH } from './place.js';
import { makeCertificates, type Run, runConnections, runPath } from './relay.js';

const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);
const MILLION = 1_000_000;
const STEP = 25_000;
/** SENDs outstanding: the upper window open. */
const WINDOW = 20_000;

async function runPlain(count: number): Promise<Run> {
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'plain-'));
  await makeCertificates(directory);
  const generator = new Child('generator', [String(count), '0']);
  const sink = new Child('sink', [directory, String(count), '0']);
  const plain = new Child('plain', [
    directory,
    await generator.word('port'),
    await sink.word('port'),
  ]);
  await generator.word('ready');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = plain.usage().cpu;
  generator.process.kill('SIGUSR2');
  const first = BigInt(await generator.word('first'));
  const seconds = Number(BigInt(await sink.word('last')) - first) / 1e9;
  const { cpu, memory } = plain.usage();
  for (const child of [generator, sink, plain]) child.stop();
  rmSync(directory, { recursive: true, force: true });
  return { seconds, cpu: { copy: cpu - before }, memory };
}

function fail(reason: string): never {
  throw new Error(reason);
}

/** The highest rate offered, in steps of 25,000/s, at which not one event is lost. */
async function runSaturated(
  count: number,
  share: number,
  from: number,
  variant: Variant,
): Promise<Run> {
  let best: Run | undefined;
  for (let rate = from; ; rate += STEP) {
    const run = await runPath({ count, rate, single: false, share, window: WINDOW, ...variant });
    if (!run) return best ?? fail(`events were lost at ${rate}/s`);
    best = run;
    // What is taken at half the pace that it is offered has been queued, not sustained.
    if (count / run.seconds < 0.9 * rate) return best;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function measure(name: string, count: number, run: () => Promise<Run>): Promise<void> {
  const runs: Run[] = [];
  for (let i = 0; i < RUNS; i++) {
    process.stderr.write(`\r${name}: run ${i + 1} of ${RUNS} ...   `);
    runs.push(await run());
  }
  process.stderr.write('\r\x1b[K');
  print(name, count, runs);
}

interface Variant {
  readonly sealed: boolean;
  readonly audited: boolean;
}

/** As it is, and without some of it; the lines of the table. */
const VARIANTS: readonly (readonly [name: string, variant: Variant])[] = [
  ['', { sealed: true, audited: true }],
  ['  the same without seals', { sealed: false, audited: true }],
  ['  the same without the audit log', { sealed: true, audited: false }],
];

/** Each of some variants by turns: what changes in the machine meanwhile changes all. */
async function measureEach(
  name: string,
  count: number,
  run: (variant: Variant) => Promise<Run>,
  variants = VARIANTS,
): Promise<void> {
  const runs: Run[][] = variants.map(() => []);
  for (let i = 0; i < RUNS; i++) {
    process.stderr.write(`\r${name}: run ${i + 1} of ${RUNS}, ${variants.length} times ...   `);
    for (const [k, [, variant]] of variants.entries()) runs[k]!.push(await run(variant));
  }
  process.stderr.write('\r\x1b[K');
  variants.forEach(([less], k) => {
    print(less === '' ? name : less, count, runs[k]!);
  });
}

function print(name: string, count: number, runs: readonly Run[]): void {
  const rate = median(runs.map(({ seconds }) => count / seconds));
  const roles = Object.keys(runs[0]!.cpu).filter((role) => role !== 'dial' && role !== 'lower');
  const cost = roles.map((role) => {
    const each = median(runs.map(({ cpu }) => (cpu[role]! * 1000) / count));
    return `${role} ${each.toFixed(2)}`;
  });
  const latency =
    runs[0]!.p50 === undefined
      ? '-'
      : `${median(runs.map(({ p50 }) => p50!)).toFixed(2)}/${median(runs.map(({ p99 }) => p99!)).toFixed(2)}`;
  const memory = median(runs.map((r) => r.memory)) / 2 ** 20;
  console.log(
    `${name.padEnd(44)} ${Math.round(rate).toLocaleString('en-US').padStart(10)}  ` +
      `${latency.padStart(11)}  ${memory.toFixed(0).padStart(5)}  ${cost.join(', ')}`,
  );
  const logs = runs.flatMap(({ log, seconds }) => (log ? [{ ...log, seconds }] : []));
  if (logs.length === 0) return;
  const leaves = median(logs.map((each) => each.leaves / each.seconds));
  const bytes = median(logs.map((each) => (each.bytes / count) * MILLION));
  const text = `${Math.round(leaves)} leaves/s, ${(bytes / 2 ** 20).toFixed(1)} MiB per million events`;
  console.log(`${'  its audit log'.padEnd(44)} ${text}`);
}

if (!enterNamespace(fileURLToPath(import.meta.url))) {
  console.log('no network namespace can be had: figures are of the machine as it is');
}
const tcp = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
const disk = execFileSync('df', ['--output=fstype', '.'], { encoding: 'utf8' }).split('\n')[1];
console.log(
  `${cpus().length} x ${cpus()[0]!.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ` +
    `Node ${process.version}, TCP ${tcp}, journal on ${disk!}; median of ${RUNS}; generator and sink ` +
    `on the same cores; lines of ${Math.round(makeLines(40).join('').length / 40) + 2} bytes, 200 rules; ` +
    'saturated: the highest rate without a loss',
);
console.log(
  `${''.padEnd(44)} ${'events/s'.padStart(10)}  ${'p50/p99 ms'.padStart(11)}  ${'MiB'.padStart(5)}  CPU µs per event`,
);
const engine = Array.from({ length: RUNS }, () => runEngine(2 * MILLION));
engine[0]!.forEach(({ name }, i) => {
  const ns = median(engine.map((figures) => figures[i]!.ns));
  console.log(`${`deciding alone: ${name}`.padEnd(56)} ${ns.toFixed(0).padStart(5)} ns CPU`);
});
await measureEach(
  'gate alone, 40 % permitted, fdatasync',
  4 * MILLION,
  ({ audited }) => runGate(4 * MILLION, audited),
  VARIANTS.filter(([, { sealed }]) => sealed),
);
await measureEach('whole path saturated, 40 % permitted', 2 * MILLION, (variant) =>
  runSaturated(2 * MILLION, PERMITTED_SHARE, 400_000, variant),
);
await measureEach('whole path saturated, all permitted', MILLION, (variant) =>
  runSaturated(MILLION, 1, 300_000, variant),
);
await measureEach('whole path, 10,000/s, an event a write', 100_000, async (variant) => {
  const paced = { count: 100_000, rate: 10_000, single: true, share: 1, window: 1000, ...variant };
  return (await runPath(paced)) ?? fail('events were lost at 10,000/s');
});
await measure('compared: one process copies TCP to TLS', 2 * MILLION, () => runPlain(2 * MILLION));
for (const sealed of [true, false]) {
  const { lower, upper } = await runConnections(20, sealed);
  const [lowerTypical, lowerWorst] = lower.split(' ');
  const [upperTypical, upperWorst] = upper.split(' ');
  console.log(
    `${(sealed ? 'a new connection, median/worst of 20' : '  the same without seals').padEnd(44)} ` +
      `lower ${lowerTypical!}/${lowerWorst!} ms to its first event above, ` +
      `upper ${upperTypical!}/${upperWorst!} ms to USER`,
  );
}
rmSync(SCRATCH, { recursive: true, force: true });
const [PACE, STREAMS, REQUESTS, SECONDS] = [10_000, 1000, 500, 30];
const board = await runBoard(PACE, STREAMS, REQUESTS, SECONDS);
const per = (number: number): string => Math.round(number).toLocaleString('en-US');
console.log(
  `the board: ${per(board.rate)} of ${per(board.offered)} events/s taken, ${board.streams} streams with ` +
    `${per(board.shown)} readings/s each, ${per(board.requests)} requests/s in ${board.p50}/${board.p99} ms ` +
    `(p50/p99); ${(board.cpu * 100).toFixed(0)} % of a core, ${(board.half / 2 ** 20).toFixed(0)} MiB ` +
    `halfway, ${(board.memory / 2 ** 20).toFixed(0)} MiB at most`,
);
await runHistory(Number(process.env['BENCH_ROWS'] ?? 10 * MILLION));
