/**
 * The lower server's decoder: features of its connections per slot, thresholds and a classifier
 * that are learnt on one half of the bits and tested on the other, both ways round.
 */
import type { Packet } from './covert-capture.js';

/** Values with their times, in order of time. */
interface Series {
  readonly times: number[];
  readonly values: number[];
}

const SERIES = [
  'ack delay',
  'acknowledged',
  'packets',
  'window',
  'flight',
  'gap',
  'connections',
  'redial',
  'USER',
  'PASS',
  'RCVLOOP',
  'hand-over',
  'port step',
] as const;
type SeriesName = (typeof SERIES)[number];
export type Observations = Readonly<Record<SeriesName, Series>>;

const COMMANDS = ['USER', 'PASS', 'RCVLOOP'] as const;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
/** A window that has grown by this many bytes since the login: somebody reads. */
const READ = 8192;

class Connection {
  readonly #out: Readonly<Record<SeriesName, Series>>;
  readonly #scale: number;
  /** Segments that are not acknowledged: where they end, when they went. */
  readonly #flight: { end: number; time: number }[] = [];
  #highest: number | undefined;
  #acknowledged: number | undefined;
  #lastPacket = 0;
  #lastData = 0;
  #commands = 0;
  #loginEnd: number | undefined;
  #lowest = Infinity;
  #handedOver = false;

  constructor(out: Observations, scale: number) {
    this.#out = out;
    this.#scale = scale;
  }

  #add(name: SeriesName, time: number, value: number): void {
    this.#out[name].times.push(time);
    this.#out[name].values.push(value);
  }

  /** A segment of the server. */
  down({ time, sequence, length }: Packet): void {
    if (length === 0) return;
    const end = (sequence + length) >>> 0;
    if (this.#highest !== undefined && ((end - this.#highest) | 0) <= 0) return;
    this.#highest = end;
    this.#flight.push({ end, time });
    this.#lastData = time;
    if (this.#commands === COMMANDS.length) this.#loginEnd ??= time;
    this.#add('flight', time, ((end - (this.#acknowledged ?? sequence)) >>> 0) | 0);
  }

  /** A segment of the relay. */
  up({ time, acknowledged, window, length }: Packet): void {
    const before = this.#acknowledged ?? acknowledged;
    this.#acknowledged = acknowledged;
    const first = this.#flight[0];
    if (first && ((acknowledged - first.end) | 0) >= 0) {
      this.#add('ack delay', time, time - first.time);
    }
    while (this.#flight[0] && ((acknowledged - this.#flight[0].end) | 0) >= 0) this.#flight.shift();
    const scaled = window * 2 ** this.#scale;
    this.#add('acknowledged', time, (acknowledged - before) >>> 0);
    this.#add('packets', time, 1);
    this.#add('window', time, scaled);
    if (this.#lastPacket > 0) this.#add('gap', time, time - this.#lastPacket);
    this.#lastPacket = time;
    if (length > 0 && this.#commands < COMMANDS.length) {
      this.#add(COMMANDS[this.#commands++]!, time, time - this.#lastData);
    }
    if (this.#loginEnd === undefined || this.#handedOver) return;
    this.#lowest = Math.min(this.#lowest, scaled);
    if (scaled < this.#lowest + READ) return;
    this.#handedOver = true;
    this.#add('hand-over', time, time - this.#loginEnd);
  }
}

/** Everything that the decoder looks at, from the packets of all connections. */
export function observe(packets: readonly Packet[]): Observations {
  const out = Object.fromEntries(
    SERIES.map((name) => [name, { times: [], values: [] }]),
  ) as unknown as Observations;
  const connections = new Map<number, Connection>();
  let lastPort = 0;
  let closed = 0;
  const add = (name: SeriesName, time: number, value: number): void => {
    out[name].times.push(time);
    out[name].values.push(value);
  };
  for (const packet of packets) {
    const { time, port, flags, up } = packet;
    if (up && (flags & (SYN | ACK)) === SYN) {
      connections.set(port, new Connection(out, packet.scale === 255 ? 0 : packet.scale));
      add('connections', time, 1);
      if (closed > 0) add('redial', time, time - closed);
      if (lastPort > 0) add('port step', time, port - lastPort);
      lastPort = port;
    } else if ((flags & SYN) === 0) {
      if (up) connections.get(port)?.up(packet);
      else connections.get(port)?.down(packet);
      if ((flags & (FIN | RST)) !== 0) {
        connections.delete(port);
        closed = time;
      }
    }
  }
  return out;
}

type Aggregate = (values: readonly number[]) => number;
const sum: Aggregate = (values) => values.reduce((total, value) => total + value, 0);
const mean: Aggregate = (values) => (values.length === 0 ? NaN : sum(values) / values.length);
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const share =
  (part: number): Aggregate =>
  (values) =>
    values.length === 0 ? NaN : sorted(values)[Math.floor((values.length - 1) * part)]!;
/** Times have long tails. */
const log = (value: number): number => Math.log(Math.max(value, 0) + 0.001);

const FEATURES: readonly (readonly [string, SeriesName, Aggregate])[] = [
  ['mean ACK delay', 'ack delay', (v) => mean(v.map(log))],
  ['median ACK delay', 'ack delay', (v) => log(share(0.5)(v))],
  ['90 % ACK delay', 'ack delay', (v) => log(share(0.9)(v))],
  ['longest ACK delay', 'ack delay', (v) => log(share(1)(v))],
  ['number of ACKs', 'packets', sum],
  ['bytes taken', 'acknowledged', sum],
  ['least window', 'window', share(0)],
  ['mean window', 'window', mean],
  ['most in flight', 'flight', share(1)],
  ['longest gap', 'gap', (v) => log(share(1)(v))],
  ['connections', 'connections', sum],
  ['time to redial', 'redial', mean],
  ['time to USER', 'USER', (v) => mean(v.map(log))],
  ['time to PASS', 'PASS', (v) => mean(v.map(log))],
  ['time to RCVLOOP', 'RCVLOOP', (v) => mean(v.map(log))],
  ['time to first read', 'hand-over', (v) => mean(v.map(log))],
  ['step of the port', 'port step', mean],
];

/** How much later than its slot a bit may show, in slots: the decoder takes what suits it best. */
const LAGS = [0, 0.5, 1];

export interface Signal {
  /** A 0 or 1 for each slot. */
  readonly bits: readonly number[];
  /** The half that each bit is in: 0 or 1. */
  readonly halves: readonly number[];
  /** When the first slot began. */
  readonly start: number;
  /** ms. */
  readonly slot: number;
}

/** As many zeros as ones in each half, otherwise at random. */
export function makeBits(count: number, random: () => number): Pick<Signal, 'bits' | 'halves'> {
  const kinds = Array.from({ length: count }, (_, i) => i % 4);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [kinds[i], kinds[other]] = [kinds[other]!, kinds[i]!];
  }
  return { bits: kinds.map((kind) => kind & 1), halves: kinds.map((kind) => kind >> 1) };
}

function firstAtOrAfter(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A row of features for each slot; NaN where nothing was seen. */
function tabulate(seen: Observations, { bits, start, slot }: Signal, lag: number): number[][] {
  return bits.map((_, k) => {
    const from = start + (k + lag) * slot;
    return FEATURES.map(([, name, aggregate]) => {
      const { times, values } = seen[name];
      return aggregate(
        values.slice(firstAtOrAfter(times, from), firstAtOrAfter(times, from + slot)),
      );
    });
  });
}

/** Columns of mean 0 and deviation 1 on the rows to learn from; what was not seen is the mean. */
function standardise(table: readonly number[][], learn: readonly number[]): number[][] {
  const columns = FEATURES.map((_, f) => {
    const values = learn.map((i) => table[i]![f]!).filter((value) => !Number.isNaN(value));
    const centre = values.length === 0 ? 0 : mean(values);
    const variance = mean(values.map((value) => (value - centre) ** 2));
    return { centre, deviation: variance > 1e-12 ? Math.sqrt(variance) : 0 };
  });
  return table.map((row) =>
    row.map((value, f) => {
      const { centre, deviation } = columns[f]!;
      return deviation === 0 || Number.isNaN(value) ? 0 : (value - centre) / deviation;
    }),
  );
}

interface Rule {
  /** Of what it was learnt on; less is better. */
  readonly loss: number;
  readonly decide: (row: readonly number[]) => number;
}

/** The threshold and the direction with the fewest errors. */
function learnThreshold(
  table: readonly number[][],
  bits: readonly number[],
  learn: readonly number[],
  feature: number,
): Rule {
  const points = learn
    .map((i) => ({ value: table[i]![feature]!, bit: bits[i]! }))
    .sort((a, b) => a.value - b.value);
  const ones = points.filter(({ bit }) => bit === 1).length;
  let best = { errors: Infinity, threshold: 0, above: 1 };
  let onesBelow = 0;
  points.forEach(({ value, bit }, i) => {
    onesBelow += bit;
    const next = points[i + 1]?.value;
    if (next === undefined || next === value) return;
    const zerosAbove = points.length - ones - (i + 1 - onesBelow);
    const errors = onesBelow + zerosAbove;
    for (const [above, count] of [
      [1, errors],
      [0, points.length - errors],
    ] as const) {
      if (count < best.errors) best = { errors: count, threshold: (value + next) / 2, above };
    }
  });
  const { errors, threshold, above } = best;
  return {
    loss: errors,
    decide: (row) => (row[feature]! > threshold ? above : 1 - above),
  };
}

/** Logistic regression over all features, with a ridge, by Newton's method. */
function learnLogistic(
  table: readonly number[][],
  bits: readonly number[],
  learn: readonly number[],
): Rule {
  const size = FEATURES.length + 1;
  const rows = learn.map((i) => [1, ...table[i]!]);
  const truth = learn.map((i) => bits[i]!);
  const weights = new Array<number>(size).fill(0);
  const score = (row: readonly number[]): number =>
    row.reduce((total, value, f) => total + value * weights[f]!, 0);
  for (let round = 0; round < 25; round++) {
    const gradient = weights.map((weight, f) => (f === 0 ? 0 : -weight));
    const hessian = weights.map((_, f) =>
      weights.map((_, g) => (f === g ? (f === 0 ? 1e-6 : 1) : 0)),
    );
    rows.forEach((row, i) => {
      const p = 1 / (1 + Math.exp(-score(row)));
      for (let f = 0; f < size; f++) {
        gradient[f]! += (truth[i]! - p) * row[f]!;
        for (let g = 0; g < size; g++) hessian[f]![g]! += p * (1 - p) * row[f]! * row[g]!;
      }
    });
    const step = solve(hessian, gradient);
    step.forEach((value, f) => (weights[f]! += value));
    if (Math.max(...step.map(Math.abs)) < 1e-6) break;
  }
  const loss = sum(
    rows.map((row, i) => Math.log1p(Math.exp(truth[i] === 1 ? -score(row) : score(row)))),
  );
  return { loss, decide: (row) => (score([1, ...row]) > 0 ? 1 : 0) };
}

/** Gauss with pivots; both arguments are used up. */
function solve(matrix: number[][], right: number[]): number[] {
  const size = right.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let r = column + 1; r < size; r++) {
      if (Math.abs(matrix[r]![column]!) > Math.abs(matrix[pivot]![column]!)) pivot = r;
    }
    [matrix[column], matrix[pivot]] = [matrix[pivot]!, matrix[column]!];
    [right[column], right[pivot]] = [right[pivot]!, right[column]!];
    for (let r = 0; r < size; r++) {
      if (r === column) continue;
      const factor = matrix[r]![column]! / matrix[column]![column]!;
      for (let c = column; c < size; c++) matrix[r]![c]! -= factor * matrix[column]![c]!;
      right[r]! -= factor * right[column]!;
    }
  }
  return right.map((value, i) => value / matrix[i]![i]!);
}

export interface Decoded {
  readonly bits: number;
  /** The feature that told most on the half that was learnt from. */
  readonly feature: string;
  readonly singleErrors: number;
  readonly combinedErrors: number;
}

/** Guesses every bit by what was learnt from the other half alone. */
export function decode(seen: Observations, signal: Signal): Decoded {
  const { bits, halves } = signal;
  const all = bits.map((_, i) => i);
  const tables = LAGS.map((lag) => tabulate(seen, signal, lag));
  let singleErrors = 0;
  let combinedErrors = 0;
  let chosen = { loss: Infinity, feature: '-' };
  for (const half of [0, 1]) {
    const learn = all.filter((i) => halves[i] !== half);
    const test = all.filter((i) => halves[i] === half);
    const ready = tables.map((table) => standardise(table, learn));
    const count = (table: readonly number[][], rule: Rule): number =>
      test.filter((i) => rule.decide(table[i]!) !== bits[i]).length;
    const singles = ready.flatMap((table) =>
      FEATURES.map(([feature], f) => ({
        ...learnThreshold(table, bits, learn, f),
        table,
        feature,
      })),
    );
    const single = singles.reduce((best, each) => (each.loss < best.loss ? each : best));
    singleErrors += count(single.table, single);
    if (single.loss < chosen.loss) chosen = single;
    const combined = ready
      .map((table) => ({ ...learnLogistic(table, bits, learn), table }))
      .reduce((best, each) => (each.loss < best.loss ? each : best));
    combinedErrors += count(combined.table, combined);
  }
  return { bits: bits.length, feature: chosen.feature, singleErrors, combinedErrors };
}

/** The 95 % confidence interval of a share (Wilson). */
export function confidence(errors: number, count: number): readonly [number, number] {
  const z = 1.96;
  const p = errors / count;
  const centre = (p + (z * z) / (2 * count)) / (1 + (z * z) / count);
  const half =
    (z / (1 + (z * z) / count)) * Math.sqrt((p * (1 - p)) / count + (z * z) / (4 * count * count));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** Bits per second of a binary symmetric channel; none where a guess is as good. */
export function capacity(errorRate: number, slot: number): number {
  if (errorRate >= 0.5) return 0;
  const p = Math.max(errorRate, 0);
  const entropy = p === 0 ? 0 : -p * Math.log2(p) - (1 - p) * Math.log2(1 - p);
  return ((1 - entropy) * 1000) / slot;
}
