/** `npm run bench:covert`: what a lower server can learn of what a hostile upper server does. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { capacity, confidence, type Decoded } from './covert-decoder.js';
import { allowedCores, measure, missing, type Row } from './covert-run.js';
import { enterNamespace } from './namespace.js';
import { SCRATCH } from './place.js';
import { makeCertificates } from './relay.js';

const QUICK = process.env['BENCH_QUICK'] === '1';
/** Of slots in a row of the table: what decides how small a channel can be told from none. */
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? (QUICK ? 7 : 18));
const ONLY = new RegExp(process.env['BENCH_ROWS'] ?? '');
const SEED = Number(process.env['BENCH_SEED'] ?? 1);
/** A row takes this much longer than its slots, seconds; twice that is a bench that hangs. */
const OVERHEAD = 8;

/** Small buffers: what is not read shows at once, on either side. */
const BUFFERS = ['net.ipv4.tcp_rmem="4096 32768 65536"', 'net.ipv4.tcp_wmem="4096 16384 65536"'];

type Cell = readonly [Row['modulation'], Row['lower'], number];
const rowsOf = (place: Row['place'], cells: readonly Cell[], path: Row['path'] = 'relay'): Row[] =>
  cells.map(([modulation, lower, slot]) => ({ place, path, modulation, lower, slot }));

const CONTROLS: readonly Row[] = [
  ...rowsOf('separated', [['stall', 'saturating', 200]], 'plain proxy'),
  ...rowsOf('separated', [['stall', 'paced', 1000]], 'plain proxy'),
];
const BESIDE = rowsOf(
  'separated',
  [
    ['flood', 'paced', 200],
    ['flood', 'saturating', 500],
  ],
  'beside',
);
const ROWS: readonly Row[] = QUICK
  ? [
      CONTROLS[0]!,
      ...rowsOf('separated', [
        ['stall', 'paced', 200],
        ['close', 'paced', 500],
        ['flood', 'paced', 200],
      ]),
      BESIDE[0]!,
      ...rowsOf('one core', [['flood', 'paced', 200]]),
    ]
  : [
      ...CONTROLS,
      ...rowsOf('separated', [
        ['stall', 'paced', 200],
        ['stall', 'paced', 1000],
        ['stall', 'saturating', 500],
        ['close', 'paced', 500],
        ['close', 'redialling', 1000],
        ['flood', 'paced', 200],
        ['flood', 'redialling', 1000],
        ['refuse', 'paced', 500],
        ['handshake', 'paced', 500],
        ['absent', 'paced', 500],
      ]),
      ...BESIDE,
      ...rowsOf('busy disk', [
        ['stall', 'paced', 500],
        ['close', 'paced', 500],
        ['flood', 'paced', 500],
        ['refuse', 'paced', 500],
      ]),
      ...rowsOf('free', [
        ['stall', 'paced', 200],
        ['stall', 'saturating', 500],
        ['close', 'paced', 500],
        ['flood', 'paced', 200],
        ['refuse', 'paced', 500],
        ['handshake', 'paced', 500],
      ]),
      ...rowsOf('one core', [
        ['stall', 'paced', 500],
        ['close', 'paced', 500],
        ['flood', 'paced', 200],
        ['refuse', 'paced', 500],
        ['handshake', 'paced', 500],
      ]),
    ];

/** mulberry32: the same bits every time. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const percent = (part: number): string => (100 * part).toFixed(1).padStart(5);

function describe(errors: number, count: number, slot: number): string {
  const [low, high] = confidence(errors, count);
  const mark = high < 0.5 ? '*' : ' ';
  return (
    `${percent(errors / count)} [${percent(low)},${percent(high)}]${mark}` +
    `${capacity(errors / count, slot)
      .toFixed(3)
      .padStart(9)} ${capacity(low, slot).toFixed(3).padStart(8)}`
  );
}

function print(cells: readonly string[], end: string): void {
  const widths = [24, 10, 11, 8, 5, 19, 6];
  console.log(`${cells.map((text, i) => text.padEnd(widths[i]!)).join(' ')} ${end}`);
}

function printRow(row: Row, { bits, feature, singleErrors, combinedErrors }: Decoded): void {
  const where = {
    relay: row.place,
    'plain proxy': 'control: a plain proxy',
    beside: 'control: load beside it',
  }[row.path];
  const single = percent(singleErrors / bits);
  const cells = [where, row.modulation, row.lower, `${row.slot} ms`, String(bits), feature, single];
  print(cells, describe(combinedErrors, bits, row.slot));
}

/** All rows of a place together: more bits, a closer bound, of their mean. */
function printSum(place: string, results: readonly (readonly [Row, Decoded])[]): void {
  const bits = results.reduce((total, [, decoded]) => total + decoded.bits, 0);
  const errors = results.reduce((total, [, decoded]) => total + decoded.combinedErrors, 0);
  const time = results.reduce((total, [row, decoded]) => total + decoded.bits * row.slot, 0);
  const cells = [`${place}, together`, '', '', '', String(bits), '', ''];
  print(cells, describe(errors, bits, time / bits));
}

async function run(rows: readonly Row[], certificates: string): Promise<boolean> {
  const cores = allowedCores();
  const random = seeded(SEED);
  let well = true;
  let group: (readonly [Row, Decoded])[] = [];
  for (const [i, row] of rows.entries()) {
    const reason = missing(row, cores);
    if (reason === undefined) {
      if (process.stderr.isTTY) process.stderr.write(`\rrow ${i + 1} of ${rows.length} ...   \r`);
      try {
        const decoded = await measure(row, SECONDS, certificates, random);
        printRow(row, decoded);
        if (row.path === 'relay') group.push([row, decoded]);
      } catch (error) {
        well = false;
        console.log(`${row.place}, ${row.modulation}, ${row.lower}: ${(error as Error).message}`);
      }
    } else console.log(`${row.place}, ${row.modulation}: not measured (${reason})`);
    if (rows[i + 1]?.place === row.place && rows[i + 1]?.path === row.path) continue;
    if (group.length > 1) printSum(row.place, group);
    group = [];
  }
  return well;
}

if (!enterNamespace(fileURLToPath(import.meta.url), BUFFERS)) {
  console.log('no network namespace can be had: nothing is measured');
  process.exit(1);
}
const rows = ROWS.filter(({ path, place, modulation, lower }) =>
  ONLY.test(`${path} ${place} ${modulation} ${lower}`),
);
/** The journal's disk is that of the checkout, or another: the disk may be what both share. */
const scratch = process.env['BENCH_SCRATCH'] ?? SCRATCH;
mkdirSync(scratch, { recursive: true });
const certificates = mkdtempSync(join(scratch, 'covert-'));
process.on('exit', () => rmSync(certificates, { recursive: true, force: true, maxRetries: 20 }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
setTimeout(
  () => {
    console.log('the measurement hangs: given up');
    process.exit(1);
  },
  rows.length * (SECONDS + OVERHEAD) * 2000,
).unref();
await makeCertificates(certificates);
const tcp = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
console.log(
  `${cpus().length} x ${cpus()[0]!.model}, Linux ${release()}, Node ${process.version}, TCP ${tcp}; ` +
    `${SECONDS} s of slots a row, seed ${SEED}; BER: bit error rate, 50 is a guess; bit/s: 1 - H(BER) ` +
    'a slot, as measured and at the lower end of the 95 % interval; *: not a guess, at 95 %',
);
print(
  ['where', 'a 1 is', 'lower', 'slot', 'bits', 'best single feature', 'BER %'],
  'all: BER % [95 %]       bit/s    bound',
);
const well = await run(rows, certificates);
process.exit(well ? 0 : 1);
