/**
 * A power cut, simulated: all processes end at once, and of the journals' and cursors' files that is
 * lost which no fdatasync has made durable.
 *
 * A commit mark is not durable until the records of the next batch of its journal are, which they are
 * before the mark of any journal names them, and may not be when the audit log does; the cursors
 * never are.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Past } from '../../src/audit/past.js';
import { inspectLog } from '../../src/audit/tail.js';
import { KIND, LANES, laneOf, MARK, sortSegments } from '../../src/journal/format.js';
import { inspectJournal } from '../../src/journal/recovery.js';
import { scanSegment } from '../../src/journal/scan.js';
import { Cursor } from '../../src/upper/cursor.js';
import type { Chance, Faults } from './faults.js';
import { CHANNELS, UPPERS } from './plan.js';
import type { World } from './world.js';

export class PowerCuts {
  readonly #world: World;
  readonly #chance: Chance;
  /** By channel: its upper's cursor as it was, and what it says of each lane. */
  readonly #copied: ({ bytes: Buffer; sequences: readonly number[] } | undefined)[] = [];

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
  }

  /** Keeps copies of the cursors as they are now: a power cut may bring them back. */
  copyCursors(): void {
    UPPERS.forEach((name, i) => {
      const cursor = this.#cursor(name);
      if (!existsSync(cursor)) return;
      const bytes = readFileSync(cursor);
      const fd = openSync(cursor, 'r');
      const { lanes } = new Cursor(fd);
      closeSync(fd);
      this.#copied[i] = { bytes, sequences: LANES.map((lane) => lanes[lane].sequence) };
    });
  }

  /** Cuts, and starts the relay again. */
  async cut(faults: Faults): Promise<void> {
    await faults.killSupervisor(() => {
      this.#world.cuts++;
      const journals = CHANNELS.flatMap((_, channel) =>
        [0, 1].map((lane) => {
          const name = laneOf(CHANNELS[channel]!, LANES[lane]!);
          return { channel, lane, name, directory: this.#world.journal(channel, lane) };
        }),
      );
      const log = join(this.#world.state, 'audit');
      const before = standing(journals, log);
      const marked = standing(journals);
      journals.forEach(({ directory }, i) => this.#cutJournal(directory, marked[i]!));
      const after = standing(journals, log);
      journals.forEach(({ channel, lane }, i) => {
        this.#world.sinks[channel]!.arrivals.rewind(lane === 1, after[i]!);
        this.#world.taken[channel]! += before[i]! - after[i]!;
      });
      CHANNELS.forEach((_, channel) => {
        if (this.#chance.once(3)) this.#revertCursor(channel);
      });
    });
    faults.note('power cut');
  }

  #cursor(name: string): string {
    return join(this.#world.state, 'upper', name, 'cursor');
  }

  #revertCursor(channel: number): void {
    const copied = this.#copied[channel];
    if (!copied) return;
    // In place: it belongs to its upper's user.
    writeFileSync(this.#cursor(UPPERS[channel]!), copied.bytes);
    this.#copied[channel] = undefined;
    this.#world.sinks[channel]!.arrivals.allow(copied.sequences.map((sequence) => sequence + 1));
  }

  /** Shortens the newest segment by what may not have been durable. */
  #cutJournal(directory: string, stands: number): void {
    const name = sortSegments(readdirSync(directory)).at(-1)?.name;
    if (name === undefined) return;
    const path = join(directory, name);
    let mark = 0;
    const scan = scanSegment(path, (bytes, at, length) => {
      if (bytes[at + KIND] === MARK) mark = length;
    });
    if (!scan?.mark) return;
    const { committed } = scan;
    const { size } = statSync(path);
    // What is named behind it was made durable, and the mark with it.
    const durable = stands > scan.mark.sequence;
    const choice = this.#chance.between(0, 3);
    switch (durable && (choice === 1 || choice === 2) ? 3 : choice) {
      case 0: {
        // Of the records behind the last mark, but for those that another journal's mark commits.
        const synced = Math.max(committed, scanSegment(path, undefined, stands)!.end);
        if (size > synced) truncateSync(path, this.#chance.between(synced, size));
        break;
      }
      case 1:
        truncateSync(path, committed - this.#chance.between(1, mark - 1));
        break;
      case 2:
        truncateSync(path, committed - mark);
        break;
      default: // everything was durable
    }
  }
}

/**
 * The last sequences that stand: by a journal's own marks, by the newest of all, or by the audit log,
 * whose leaves are durable before there is a mark.
 *
 * @param log its directory; undefined: by marks alone
 */
function standing(
  journals: readonly { name: string; directory: string }[],
  log?: string,
): number[] {
  const found = journals.map(({ directory }) => inspectJournal(directory));
  const newest = found
    .map((each) => each.newest)
    .reduce((best, scan) => ((scan?.mark?.batch ?? -1) > (best?.mark?.batch ?? -1) ? scan : best));
  const past = log !== undefined && existsSync(log) ? new Past(inspectLog(log)) : undefined;
  const logged = newest?.mark && past?.beyond(newest.mark.batch);
  const names = logged?.start.journals ?? newest?.header.journals ?? [];
  const sequences = logged?.sequences ?? newest?.mark?.sequences ?? [];
  return found.map(({ segments, sequence }, i) => {
    const named = sequences[names.indexOf(journals[i]!.name)] ?? 0;
    return Math.max(sequence, Math.min(named, segments.at(-1)?.scan?.last ?? 0));
  });
}
