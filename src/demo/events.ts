/** The events of a simulated plant: two subnets, climate, power, doors, motion, housekeeping. */
import { seededRandom } from './random.js';

const SUBNETS = ['10', '20'] as const; // the public hall, the offices
const NODES = 12;

/** Level I normalised integer: coding byte, exponent (divide by 10^n), 16-bit mantissa. */
function normalised(unit: number, sensor: number, tenths: number): string {
  const mantissa = tenths & 0xffff;
  const coding = (4 << 5) | (unit << 3) | sensor;
  return [coding, 0x81, mantissa >> 8, mantissa & 0xff].map(hex).join(',');
}

function hex(byte: number): string {
  return `0x${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

interface Kind {
  readonly weight: number;
  readonly head: number;
  readonly vscpClass: number;
  readonly type: number;
  /** @param hour of the plant's day, with its fraction */
  data(random: () => number, node: number, hour: number): string;
}

/** A value that follows the day, each node in its own way, with a little noise. */
function swing(random: () => number, middle: number, width: number, node: number, hour: number) {
  const day = Math.sin(((hour + node) / 24) * 2 * Math.PI);
  const own = Math.sin(hour * 7 + node * 1.7) / 4;
  return Math.round(middle + (width / 2) * (day + own + (random() - 0.5) / 20));
}

const KINDS: readonly Kind[] = [
  // CLASS1.MEASUREMENT: temperature in degrees Celsius, humidity in percent, power in watt
  {
    weight: 30,
    head: 0x160,
    vscpClass: 10,
    type: 6,
    data: (r, n, h) => normalised(1, n % 4, swing(r, 213, 40, n, h)),
  },
  {
    weight: 20,
    head: 0x160,
    vscpClass: 10,
    type: 35,
    data: (r, n, h) => normalised(0, n % 4, swing(r, 480, 200, n, h)),
  },
  {
    weight: 18,
    head: 0x160,
    vscpClass: 10,
    type: 14,
    data: (r, n, h) => normalised(0, n % 4, swing(r, 9000, 6000, n, h)),
  },
  // CLASS1.SECURITY: door open, motion; the same motion as Level I over Level II
  { weight: 6, head: 0x140, vscpClass: 2, type: 9, data: (_, n) => [0, 1, n].map(hex).join(',') },
  { weight: 10, head: 0x140, vscpClass: 2, type: 1, data: (_, n) => [0, 1, n].map(hex).join(',') },
  {
    weight: 2,
    head: 0x140,
    vscpClass: 514,
    type: 1,
    data: (_, n) => [...new Array<number>(15).fill(255), n, 0, 1, n].map(hex).join(','),
  },
  // CLASS1.INFORMATION: node heartbeat; CLASS1.PROTOCOL: segment controller heartbeat
  { weight: 9, head: 0x1e0, vscpClass: 20, type: 9, data: () => '0x00,0x00,0x00' },
  { weight: 3, head: 0x100, vscpClass: 0, type: 1, data: () => '0x00,0x6B,0x02,0xAA,0x90' },
];
/** CLASS1.ALARM: alarm condition; the first soon, and then one a minute of the plant's time, ns. */
const ALARM: Kind = {
  weight: 0,
  head: 0x100,
  vscpClass: 1,
  type: 2,
  data: (_, n) => [1, 1, n].map(hex).join(','),
};
const FIRST_ALARM = 2_000_000_000n;
const ALARM_EVERY = 60_000_000_000n;

const TOTAL = KINDS.reduce((sum, { weight }) => sum + weight, 0);
/** One line in this many comes from a node with a broken cable. */
const BROKEN_EVERY = 400;

/** An endless supply of event lines; the same seed gives the same events. */
export class EventSource {
  readonly #random: () => number;
  readonly #start: bigint;
  /** Between two events, beyond a microsecond, at most, ns. */
  readonly #gap: number;
  #elapsed = 0n;
  #alarm = FIRST_ALARM;
  #made = 0;

  /**
   * @param start time of the first event, Unix ns
   * @param rate events in a second of the plant's time
   */
  constructor(seed: number, start: bigint, rate: number) {
    this.#random = seededRandom(seed);
    this.#start = start;
    // No two within a microsecond: a datetime cannot tell them apart.
    this.#gap = 2e9 / rate - 2000;
  }

  #choose(pick: number): Kind {
    if (this.#elapsed >= this.#alarm) {
      this.#alarm += ALARM_EVERY;
      return ALARM;
    }
    let left = pick;
    return KINDS.find(({ weight }) => (left -= weight) < 0) ?? KINDS[0]!;
  }

  /** The next line, without its ending; no two carry the same time. */
  next(): string {
    const random = this.#random;
    this.#elapsed += BigInt(1000 + Math.floor(random() * this.#gap));
    const kind = this.#choose(random() * TOTAL);
    const subnet = SUBNETS[random() < 0.5 ? 0 : 1];
    const node = 1 + Math.floor(random() * NODES);
    const hour = Number((this.#start + this.#elapsed) / 1_000_000_000n) / 3600;
    const data = kind.data(random, node, hour);
    const guid = `FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:${subnet}:00:01:00:${hex(node).slice(2)}`;
    const time = this.#start + this.#elapsed;
    const line = `${kind.head},${kind.vscpClass},${kind.type},2,,${time},${guid},${data}`;
    return ++this.#made % BROKEN_EVERY === 0 ? line.slice(0, Math.floor(line.length / 2)) : line;
  }
}
