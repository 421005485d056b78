/** Opens what a log commits to, with the journals that still hold it; they hold nothing else. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LogDirectory } from '../audit/directory.js';
import type { Batch, Decision, Head, Range } from '../audit/leaf.js';
import { oddRecord, type Opening, opens } from '../audit/opening.js';
import type { Scene } from '../audit/scene.js';
import { findVoids, leavesBehind, standing, walkLog } from '../audit/walk.js';
import { readU32 } from '../event/layout.js';
import { openingOf } from '../journal/commitment.js';
import { LENGTH, readU64, RELAY, type SegmentHeader, SEQUENCE } from '../journal/format.js';
import { listSegments } from '../journal/places.js';
import { JournalReader } from '../journal/reader.js';
import { findJournals, JournalError } from './journal-place.js';

/** Sequences that follow one another. */
interface Stretch {
  readonly first: number;
  readonly last: number;
}

/** Records of one journal, from its oldest on. */
class Cursor {
  /** Of the segment that was taken from last. */
  header: SegmentHeader | undefined;
  readonly #reader: JournalReader;
  #count = 0;
  #next = 0;

  constructor(directory: string, from = 1) {
    // An epoch beyond all others: a cursor that no power cut of the journal has overtaken.
    this.#reader = new JournalReader(directory, { epoch: Infinity, sequence: from - 1 });
  }

  /**
   * Of the next record; undefined: there is none.
   *
   * @throws Error of the file system
   */
  get sequence(): number | undefined {
    if (this.#next === this.#count) {
      this.#count = this.#reader.read();
      this.#next = 0;
      if (this.#count === 0) return undefined;
    }
    const { buffer, offsets } = this.#reader;
    return readU64(buffer, offsets[this.#next]! + SEQUENCE);
  }

  /** Passes over the records before a sequence. @throws Error of the file system */
  skip(end = Infinity): Stretch | undefined {
    const first = this.sequence;
    if (first === undefined || first >= end) return undefined;
    let last = first;
    for (let at: number | undefined = first; at !== undefined && at < end; at = this.sequence) {
      last = at;
      this.#next++;
    }
    return { first, last };
  }

  /**
   * What opens a range that begins here.
   *
   * @returns undefined if not all of it is there; 'unsalted' if its segment holds no salt
   * @throws Error of the file system
   */
  take({ first, count }: Pick<Range, 'first' | 'count'>): Opening | 'unsalted' | undefined {
    const records: Uint8Array[] = [];
    for (let wanted = first; wanted < first + count; wanted++) {
      if (this.sequence !== wanted) return undefined;
      const { buffer, offsets, header } = this.#reader;
      const at = offsets[this.#next++]!;
      if (wanted === first) this.header = header;
      records.push(Uint8Array.from(buffer.subarray(at, at + readU32(buffer, at + LENGTH))));
    }
    const salt = saltOf(this.header);
    if (salt === undefined) return 'unsalted';
    return { opening: openingOf(salt, first), records: Buffer.concat(records) };
  }

  close(): void {
    this.#reader.close();
  }
}

function saltOf(header: SegmentHeader | undefined): string | undefined {
  const salt: unknown = header?.salt;
  return typeof salt === 'string' && /^[0-9a-f]+$/.test(salt) ? salt : undefined;
}

/** The first name of a segment's header that is not the log's; undefined: all are, as far as it is used. */
function oddName(
  header: SegmentHeader | undefined,
  { start, policies }: Scene,
  decisions: readonly Decision[],
): string | undefined {
  const odd = (names: unknown, number: number, own: readonly string[] = []): boolean =>
    // A leaf has no room for the names of thousands of rules.
    number < own.length && (!Array.isArray(names) || names[number] !== own[number]);
  for (const { rule, source } of decisions) {
    if (rule === RELAY) continue;
    if (odd(header?.rules, rule, policies?.rules)) return `rule ${policies!.rules[rule]!}`;
    if (odd(header?.sources, source, start.sources)) return `source ${start.sources[source]!}`;
  }
  return undefined;
}

/** Opens one range; undefined if the journal does not hold it any more, or not with a salt. */
export function openRange(
  journals: string,
  name: string,
  range: Pick<Range, 'first' | 'count'>,
): Opening | undefined {
  const cursor = new Cursor(join(journals, name), range.first);
  try {
    const made = cursor.take(range);
    return made === 'unsalted' ? undefined : made;
  } finally {
    cursor.close();
  }
}

/** Journals that a log is held against. */
export interface Journals {
  /** Their directories, by the names that a log has for them. */
  readonly places: ReadonlyMap<string, string>;
  /** They are of one channel, whose directory was named: nothing is said of others. */
  readonly alone: boolean;
}

/**
 * Finds the journals in a directory.
 *
 * @throws JournalError if it holds none, or Error of the file system
 */
export function journalsIn(directory: string): Journals {
  if (!existsSync(directory)) throw new JournalError(`there is no directory ${directory}`);
  const places = findJournals(undefined, [directory]).channels.flatMap((each) => each.places);
  return {
    places: new Map(places.map((each) => [each.name, each.directory])),
    alone: places.some((each) => each.directory === directory),
  };
}

export interface Opened {
  /** Ranges: as the log commits to them; those that retention has deleted. */
  right: number;
  gone: number;
  /** Of the last batch: a kill may have left it without the mark that shows it. */
  unshown: number;
  /** Up to MAX_WRONG. */
  readonly wrong: { readonly leaf?: number; readonly message: string }[];
}

const MAX_WRONG = 200;

/** Where a log ends. */
interface End {
  /** The newest batch, if nothing that a gate writes at its start or its end comes after it. */
  readonly batch: number | undefined;
  /** Journals of the newest start. */
  readonly journals: readonly string[];
  /** What leaves name that no checkpoint signs yet, by journal. */
  readonly unsigned: ReadonlyMap<string, Stretch>;
}

/** One journal, held against the log. */
class Lane {
  readonly #name: string;
  readonly #directory: string | undefined;
  readonly #cursor: Cursor | undefined;
  readonly #opened: Opened;
  readonly #late: boolean;
  /** Where it stood when the log first named it. */
  #begins: number | undefined;
  /** The first sequence that it has room for, when it was looked at last. */
  #oldest: number | undefined;
  /** Ranges that are not there, one after the other. */
  #missing: (Stretch & { readonly leaf: number; batch: number; ranges: number }) | undefined;
  /** What stands behind all that the log names. */
  #rest: Stretch | undefined;

  /** @param late the log may begin behind what the journal holds */
  constructor(name: string, directory: string | undefined, opened: Opened, late: boolean) {
    this.#late = late;
    this.#name = name;
    this.#directory = directory;
    this.#cursor = directory === undefined ? undefined : new Cursor(directory);
    this.#opened = opened;
  }

  begin(sequence: number): void {
    this.#begins ??= sequence;
  }

  /** @param stands how many records of the range no later leaf has taken back */
  open(leaf: Head & Batch, scene: Scene, range: Range, stands: number): void {
    const { index, batch, decisions } = leaf;
    const { first, count } = range;
    if (stands === 0) return;
    this.#unnamed(this.#cursor?.skip(first));
    // The commitment is to all of it: what is half void cannot be opened.
    if (stands < count) {
      this.#cursor?.skip(first + stands);
      return;
    }
    const made = this.#cursor?.take(range);
    const last = first + count - 1;
    if (made === undefined) {
      this.#cursor?.skip(last + 1);
      this.#oldest ??= this.#list();
      if (last < this.#oldest) {
        this.#opened.gone++;
        return;
      }
      const { leaf = index, first: from = first, ranges = 0 } = this.#missing ?? {};
      // Of the oldest: what is missing before the last batch is no work of a kill.
      const oldest = this.#missing?.batch ?? batch;
      this.#missing = { leaf, batch: oldest, first: from, last, ranges: ranges + 1 };
      return;
    }
    this.#settle();
    const odd = made === 'unsalted' ? undefined : oddRecord(range, decisions, made.records);
    if (made === 'unsalted') this.#say({ first, last }, 'their segment holds no salt', index);
    else if (!opens(range, made)) {
      this.#say({ first, last }, 'the journal holds other records', index);
    } else if (odd !== undefined) {
      const what = `${odd} has another rule, source, class or type than the leaf says`;
      this.#say({ first, last }, what, index);
    } else {
      const used = Array.from(range.of, (i) => decisions[i]!);
      const name = oddName(this.#cursor?.header, scene, used);
      if (name === undefined) this.#opened.right++;
      else this.#say({ first, last }, `their segment has another name for ${name}`, index);
    }
  }

  /** The leaves that are signed have been read; what the journal shows now has a leaf by now. */
  drain(): void {
    this.#rest = this.#cursor?.skip();
  }

  finish({ batch, journals, unsigned }: End): void {
    if (this.#rest) {
      this.#settle();
      const { first, last } = this.#rest;
      const own = unsigned.get(this.#name) ?? { first: last + 1, last };
      this.#unnamed({ first, last: Math.min(last, own.first - 1) });
      this.#unnamed({ first: Math.max(first, own.last + 1), last });
    } else if (this.#missing && Number.isNaN(this.#list()) && !journals.includes(this.#name)) {
      // A channel that was given up, and its journal.
      this.#opened.gone += this.#missing.ranges;
    } else this.#settle(batch);
  }

  close(): void {
    this.#cursor?.close();
  }

  /** Judges what is missing up to here. */
  #settle(last?: number): void {
    const missing = this.#missing;
    if (!missing) return;
    this.#missing = undefined;
    // Retention may have gone on since.
    this.#oldest = this.#list();
    if (missing.last < this.#oldest) this.#opened.gone += missing.ranges;
    else if (missing.batch === last) this.#opened.unshown += missing.ranges;
    else {
      const why = 'retention deletes from the oldest record on only: see tidegate journal verify';
      const what = `the journal does not hold them, or cannot be read; ${why}`;
      this.#say(missing, what, missing.leaf);
    }
  }

  /** The first sequence that the journal has room for; NaN: there is none. */
  #list(): number {
    const segments = this.#directory === undefined ? [] : listSegments(this.#directory);
    return segments.length === 0 ? NaN : Math.min(...segments.map(({ first }) => first));
  }

  #unnamed(stretch: Stretch | undefined): void {
    if (!stretch || stretch.first > stretch.last) return;
    const { first, last } = stretch;
    const begins = this.#begins ?? 0;
    const before = Math.min(last, begins);
    if (first <= before && !this.#late) {
      const what = 'the log begins behind them: they are in another log, or in none';
      this.#say({ first, last: before }, what);
    }
    const behind = Math.max(first, begins + 1);
    if (behind > last) return;
    const what =
      'the journal holds them, and no leaf names them: the log was cut, or they were added, or ' +
      'journal and log were copied one after the other while the relay ran';
    this.#say({ first: behind, last }, what);
  }

  #say({ first, last }: Stretch, what: string, leaf?: number): void {
    const { wrong } = this.#opened;
    if (wrong.length >= MAX_WRONG) return;
    const message = `${this.#name} ${first} to ${last}: ${what}`;
    wrong.push({ message, ...(leaf !== undefined && { leaf }) });
  }
}

/**
 * Opens all that journals still hold, and finds what they hold that no leaf names.
 *
 * @throws LogError, or Error of the file system
 */
export function openAll(
  log: LogDirectory,
  size: number,
  { places, alone }: Journals,
  late: boolean,
): Opened {
  const voids = findVoids(log, size);
  const opened: Opened = { right: 0, gone: 0, unshown: 0, wrong: [] };
  const lanes = new Map<string, Lane>();
  const laneOf = (name: string): Lane | undefined => {
    if (alone && !places.has(name)) return undefined;
    const lane = lanes.get(name) ?? new Lane(name, places.get(name), opened, late);
    lanes.set(name, lane);
    return lane;
  };
  let journals: readonly string[] = [];
  let batch: number | undefined;
  try {
    for (const name of places.keys()) laneOf(name);
    for (const { leaf, scene } of walkLog(log, size)) {
      if (leaf.kind === 'start') {
        ({ journals } = leaf);
        leaf.journals.forEach((name, i) => laneOf(name)?.begin(leaf.sequences[i]!));
      }
      if (leaf.kind === 'start' || leaf.kind === 'stop') batch = undefined;
      if (leaf.kind !== 'batch') continue;
      ({ batch } = leaf);
      for (const range of leaf.ranges) {
        if (range.count === 0) continue;
        const name = scene.start.journals[range.journal]!;
        laneOf(name)?.open(leaf, scene, range, standing(voids, leaf.index, name, range));
      }
    }
    // Before the leaves that nobody has signed yet: a leaf is in the log before its records show.
    for (const lane of lanes.values()) lane.drain();
    const end = { batch, journals, unsigned: namedBehind(log, size, journals) };
    for (const lane of lanes.values()) lane.finish(end);
    return opened;
  } finally {
    for (const lane of lanes.values()) lane.close();
  }
}

/** What leaves behind the signed ones name, by journal. */
function namedBehind(
  log: LogDirectory,
  size: number,
  journals: readonly string[],
): Map<string, Stretch> {
  const named = new Map<string, Stretch>();
  let names = journals;
  for (const leaf of leavesBehind(log, size)) {
    if (leaf.kind === 'start') names = leaf.journals;
    if (leaf.kind !== 'batch') continue;
    for (const { journal, first, count } of leaf.ranges) {
      const name = names[journal];
      if (name === undefined) continue;
      const last = first + count - 1;
      const own = named.get(name) ?? { first, last };
      named.set(name, { first: Math.min(own.first, first), last: Math.max(own.last, last) });
    }
  }
  return named;
}
