/** Compares what a log says was forwarded with what an upper says that it received. */
import type { LogDirectory } from './directory.js';
import { RELAY } from '../journal/format.js';
import { findVoids, standing, walkLog } from './walk.js';
import { channelOf } from './tally.js';

/** How often each class and type was there. */
export type Counts = ReadonlyMap<number, number>;

const TYPES = 0x1_0000;

/** A class and a type as one number. */
export function pairOf(vscpClass: number, type: number): number {
  return vscpClass * TYPES + type;
}

export interface Difference {
  readonly vscpClass: number;
  readonly type: number;
  readonly forwarded: number;
  readonly received: number;
}

/** Records of routine lanes from one of the relay's own records on, up to the next of them. */
export interface Stretch {
  /** Sequence of that record; 0: from the log's beginning. */
  readonly from: number;
  readonly counts: Map<number, number>;
}

export interface Forwarded {
  readonly channels: ReadonlySet<string>;
  /** What went out by routine lanes, in the order of the sequences. */
  readonly routine: readonly Stretch[];
  /** By urgent lanes: they overtake, and stand in no order with the others. */
  readonly urgent: Counts;
  /** Names that the relay has had. */
  readonly relays: ReadonlySet<string>;
}

/** What was forwarded to a channel; undefined: to any. @throws LogError */
export function forwardedIn(
  log: LogDirectory,
  size: number,
  channel: string | undefined,
): Forwarded {
  const voids = findVoids(log, size);
  const urgent = new Map<number, number>();
  const routine: Stretch[] = [{ from: 0, counts: new Map() }];
  const channels = new Set<string>();
  const relays = new Set<string>();
  for (const { leaf, scene } of walkLog(log, size)) {
    if (leaf.kind === 'start') {
      for (const name of leaf.channels) channels.add(name);
      relays.add(leaf.relay);
    }
    if (leaf.kind !== 'batch') continue;
    for (const range of leaf.ranges) {
      const journal = scene.start.journals[range.journal]!;
      const name = channelOf(journal);
      if (channel !== undefined && name !== channel) continue;
      const count = standing(voids, leaf.index, journal, range);
      for (let i = 0; i < count; i++) {
        const { vscpClass, type, rule } = leaf.decisions[range.of[i]!]!;
        const own = rule === RELAY && name === journal;
        if (own) routine.push({ from: range.first + i, counts: new Map() });
        add(name === journal ? routine.at(-1)!.counts : urgent, pairOf(vscpClass, type));
      }
    }
  }
  return { channels, routine, urgent, relays };
}

export function add(counts: Map<number, number>, pair: number, by = 1): void {
  counts.set(pair, (counts.get(pair) ?? 0) + by);
}

/** All of several counts. */
export function sumOf(all: Iterable<Counts>): Map<number, number> {
  const sum = new Map<number, number>();
  for (const counts of all) for (const [pair, count] of counts) add(sum, pair, count);
  return sum;
}

/** Class and type of a line as an upper received it; undefined if it is no event. */
export function pairOfLine(line: string): number | undefined {
  const fields = line.replace(/^(?:SEND |send,)/, '').split(',');
  if (fields.length < 7) return undefined;
  const numbers = fields.slice(0, 3).map(numberOf);
  if (numbers.some((each) => each === undefined)) return undefined;
  if (!/^(?:[0-9A-Fa-f]{1,2}:){15}[0-9A-Fa-f]{1,2}$/.test(fields[6]!.trim())) return undefined;
  return pairOf(numbers[1]!, numbers[2]!);
}

function numberOf(text: string): number | undefined {
  if (!/^\s*(?:\d{1,5}|0[xX][0-9A-Fa-f]{1,4})\s*$/.test(text)) return undefined;
  const value = Number(text);
  return value < TYPES ? value : undefined;
}

/** Where the numbers are not equal, by class and type. */
export function compare(forwarded: Counts, received: Counts): Difference[] {
  return [...new Set([...forwarded.keys(), ...received.keys()])]
    .sort((a, b) => a - b)
    .map((pair) => ({
      vscpClass: Math.floor(pair / TYPES),
      type: pair % TYPES,
      forwarded: forwarded.get(pair) ?? 0,
      received: received.get(pair) ?? 0,
    }))
    .filter((each) => each.forwarded !== each.received);
}
