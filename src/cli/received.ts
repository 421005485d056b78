/** Events as an upper received them: a file, an event a line. */
import { createReadStream } from 'node:fs';
import { pairOf, pairOfLine } from '../audit/reconcile.js';
import { BEACON_CLASS, BEACON_TYPE, type BeaconPart, decodeBeacon } from '../beacon/beacon.js';
import { parseEvent } from '../event/event.js';

/** Characters of a line; no event has so many. */
const MAX_LINE = 8192;
const BEACON = pairOf(BEACON_CLASS, BEACON_TYPE);

/** A line that is not empty. */
export interface ReceivedLine {
  /** From 1 on. */
  readonly number: number;
  /** Class and type as one number; undefined: it is no event. */
  readonly pair: number | undefined;
  /** A part of a beacon of some relay. */
  readonly beacon: BeaconPart | undefined;
}

/** The lines of a file, bounded in memory: of one that is too long the beginning is kept. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
    const lines = (rest + (chunk as Buffer).toString('latin1')).split('\n');
    rest = lines.pop()!.slice(0, MAX_LINE);
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/**
 * What a file holds; `-` is standard input.
 *
 * @throws Error of the file system
 */
export async function* readReceived(file: string): AsyncGenerator<ReceivedLine> {
  let number = 0;
  for await (const line of linesOf(file)) {
    number++;
    if (line.trim() === '') continue;
    const pair = pairOfLine(line);
    yield { number, pair, beacon: pair === BEACON ? beaconOf(line) : undefined };
  }
}

function beaconOf(line: string): BeaconPart | undefined {
  try {
    return decodeBeacon(parseEvent(line.replace(/^(?:SEND |send,)/, '').trimEnd()).data);
  } catch {
    return undefined;
  }
}
