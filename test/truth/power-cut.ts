/**
 * A power cut, simulated: all processes end at once, and of the journals' and cursors' files that is
 * lost which no fdatasync has made durable.
 *
 * A commit mark is not durable until the next batch of its journal is; the cursors never are.
 */
import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { KIND, MARK, sortSegments } from '../../src/journal/format.js';
import { scanSegment } from '../../src/journal/scan.js';
import type { Chance, Faults } from './faults.js';
import { CHANNELS, UPPERS } from './plan.js';
import type { World } from './world.js';

/** SENDs that may be outstanding at a copy of a cursor, and answers that it does not know of. */
const UNSETTLED = 2;

export class PowerCuts {
  readonly #world: World;
  readonly #chance: Chance;
  /** By channel: its upper's cursor as it was, and where the arrivals were then. */
  readonly #copied: ({ bytes: Buffer; positions: readonly number[] } | undefined)[] = [];

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
  }

  /** Keeps copies of the cursors as they are now: a power cut may bring them back. */
  copyCursors(): void {
    UPPERS.forEach((name, i) => {
      const cursor = this.#cursor(name);
      if (!existsSync(cursor)) return;
      const { positions } = this.#world.sinks[i]!.arrivals;
      this.#copied[i] = { bytes: readFileSync(cursor), positions };
    });
  }

  /** Cuts, and starts the relay again. */
  async cut(faults: Faults): Promise<void> {
    await faults.killSupervisor(() => {
      this.#world.cuts++;
      CHANNELS.forEach((_, channel) => {
        const { arrivals } = this.#world.sinks[channel]!;
        for (const lane of arrivals.lanes ? [0, 1] : [0]) {
          const directory = this.#world.journal(channel, lane);
          const before = endOf(directory);
          this.#cutJournal(directory);
          const after = endOf(directory);
          arrivals.rewind(lane === 1, after);
          this.#world.taken[channel]! += before - after;
        }
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
    const before = UNSETTLED * (this.#world.options.window ?? 100);
    this.#world.sinks[channel]!.arrivals.allow(copied.positions.map((next) => next - before));
  }

  /** Shortens the newest segment by what may not have been durable. */
  #cutJournal(directory: string): void {
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
    switch (this.#chance.between(0, 3)) {
      case 0: // of the records behind the last mark
        if (size > committed) truncateSync(path, this.#chance.between(committed, size));
        break;
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

/** The last sequence that a journal's marks commit. */
function endOf(directory: string): number {
  for (const { name } of sortSegments(readdirSync(directory)).reverse()) {
    const mark = scanSegment(join(directory, name))?.mark;
    if (mark) return mark.sequence;
  }
  return 0;
}
