/**
 * Checks the journals of a gate, each for itself and against each other: a mark says how far all of
 * them had come.
 *
 * Read-only, without a lock, while a gate writes or not; in constant memory.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, Findings, records } from './finding.js';
import { type Lane, LANES, SUFFIX } from './format.js';
import { type Head, LaneCheck } from './lane-check.js';
import { listSegments, namesIn, type Place } from './places.js';

export interface VerifyOptions {
  /** Files may have been copied at different moments: a lane may end earlier than others say. */
  readonly copied?: boolean;
  /** ms that a gate which is at work is given to finish what is seen half done; 500. */
  readonly patience?: number;
  /** Called often, with bytes. */
  readonly progress?: (done: number, total: number) => void;
}

/** What is there of one lane. */
export interface LaneResult {
  readonly channel: string;
  readonly lane: Lane;
  readonly segments: number;
  /** Committed or not. */
  readonly records: number;
  readonly bytes: number;
  /** Sequences; none if there is no record. */
  readonly first?: number;
  readonly last?: number;
  /** Of the last mark, ms since 1970. */
  readonly time?: number;
}

export interface Verdict {
  readonly lanes: readonly LaneResult[];
  /** Up to MAX_FINDINGS. */
  readonly findings: readonly Finding[];
  readonly damage: number;
  readonly notes: number;
}

const PATIENCE = 500;
const ROUND = 50;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
/** Marks between two words about the progress. */
const OFTEN = 64;

/** @throws Error of the file system */
export function verifyJournals(places: readonly Place[], options: VerifyOptions = {}): Verdict {
  const findings = new Findings();
  const lanes = places.map((place) => new LaneCheck(place, findings));
  for (const place of places) noteStrangers(place, findings);
  const comparison = new Comparison(lanes, findings);
  const report = progressOf(lanes, options);
  const rounds = Math.ceil((options.patience ?? PATIENCE) / ROUND);
  for (let round = 0, marks = 0; ;) {
    for (const lane of lanes) if (!lane.head) lane.advance();
    const heads = lanes.filter(({ head }) => head !== undefined);
    if (heads.length > 0) {
      const batch = Math.min(...heads.map(({ head }) => head!.mark.batch));
      const equal = heads.filter(({ head }) => head!.mark.batch === batch);
      comparison.take(batch, equal);
      for (const lane of equal) lane.advance();
      if (++marks % OFTEN === 0) report();
    } else if (round === rounds || (lanes.every((lane) => lane.atRest) && !comparison.isShort)) {
      break;
    } else {
      round++;
      Atomics.wait(PAUSE, 0, 0, ROUND);
    }
  }
  for (const lane of lanes) lane.finish();
  comparison.finish(options.copied ?? false);
  report();
  return {
    lanes: lanes.map(describeLane),
    findings: findings.list,
    damage: findings.damage,
    notes: findings.notes,
  };
}

function describeLane(lane: LaneCheck): LaneResult {
  const { place, segments, records: count, bytes, first, sequence, time } = lane;
  return {
    channel: place.channel,
    lane: place.lane,
    segments,
    records: count,
    bytes,
    ...(first !== undefined && sequence !== undefined && sequence >= first
      ? { first, last: sequence }
      : {}),
    ...(time !== undefined && { time }),
  };
}

/** Files that no gate puts among its segments. */
function noteStrangers({ directory, lane }: Place, findings: Findings): void {
  const known = new Set(listSegments(directory).map(({ name }) => name));
  const others: readonly string[] = lane === 'routine' ? ['next', ...LANES] : ['next'];
  for (const name of namesIn(directory)) {
    if (known.has(name) || others.includes(name)) continue;
    const path = join(directory, name);
    if (name.endsWith(SUFFIX)) findings.damaged(path, 'no segment is called like this');
    else findings.note(path, 'is no file of a journal; nothing reads it');
  }
}

function progressOf(lanes: readonly LaneCheck[], { progress }: VerifyOptions): () => void {
  if (!progress) return () => undefined;
  let total = 0;
  for (const { place } of lanes) {
    for (const { name } of listSegments(place.directory)) {
      total += statSync(join(place.directory, name), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return () => {
    const done = lanes.reduce((sum, { passed }) => sum + passed, 0);
    progress(Math.min(done, total), total);
  };
}

/** Compares what the marks of all lanes say of each other. */
class Comparison {
  readonly #lanes: readonly LaneCheck[];
  readonly #byName: ReadonlyMap<string, LaneCheck>;
  readonly #findings: Findings;
  #batch = -1;
  /** Lanes that end before what marks of others say, and what that is. */
  readonly #short = new Map<LaneCheck, { sequence: number; by: Head }>();
  /** The last batch whose marks all lanes have that it names: one that committed nothing in one. */
  #due: Head | undefined;
  /** Marks behind a power cut that are noted. */
  readonly #taken = new WeakSet<Head>();
  readonly #wrong = new Set<LaneCheck>();

  constructor(lanes: readonly LaneCheck[], findings: Findings) {
    this.#lanes = lanes;
    this.#byName = new Map(lanes.map((lane) => [lane.place.name, lane]));
    this.#findings = findings;
  }

  get isShort(): boolean {
    return [...this.#short].some(([lane, { sequence }]) => (lane.sequence ?? 0) < sequence);
  }

  /** Takes the marks of one batch. */
  take(batch: number, lanes: readonly LaneCheck[]): void {
    const heads = lanes.map(({ head }) => head!);
    const [one, ...others] = heads;
    for (const other of others) {
      if (Buffer.compare(one!.said, other.said) === 0) continue;
      const message = `the mark of batch ${batch} says other than that in ${one!.file}`;
      this.#findings.damaged(other.file, message, other.offset);
    }
    for (const lane of lanes) lane.sequence = lane.head!.mark.sequence;
    const idle = heads.find((head) => head.idle);
    // A gate that is at work has written it after others were read.
    if (batch <= this.#batch) return;
    this.#batch = batch;
    if (idle) this.#due = idle;
    one!.header.journals?.forEach((name, i) => {
      const lane = this.#byName.get(name);
      const sequence = one!.mark.sequences[i]!;
      if (lane) this.#compare(lane, sequence, one!);
    });
  }

  /** @param sequence that a mark says the lane had come to, when all up to its batch are taken */
  #compare(lane: LaneCheck, sequence: number, by: Head): void {
    const { head } = lane;
    const ahead = head !== undefined && head.mark.batch > by.mark.batch ? head : undefined;
    const known = lane.sequence;
    if (known === undefined || ahead?.begins) {
      if (sequence <= (lane.first ?? 1) - 1 || known !== undefined) return;
      // Before its first mark that is there, it cannot have come further.
      if (ahead) this.#differs(lane, by, sequence, lane.first! - 1);
      else this.#short.set(lane, { sequence, by });
    } else if (sequence > known && ahead?.renewed === true) {
      this.#noteTaken(records(known + 1, sequence), ahead);
    } else if (sequence > known && ahead === undefined) {
      this.#short.set(lane, { sequence, by });
    } else if (sequence !== known) this.#differs(lane, by, sequence, known);
    else this.#short.delete(lane);
  }

  /** Sequences go on from what was there when the next gate began, which counted what was not. */
  #noteTaken(missing: string, next: Head): void {
    if (this.#taken.has(next)) return;
    this.#taken.add(next);
    const message = `before this segment, a power cut took ${missing}: withheld, as interrupted`;
    this.#findings.note(next.file, message);
  }

  /** Once for each lane: what follows differs as well. */
  #differs(lane: LaneCheck, { file, offset, mark }: Head, said: number, is: number): void {
    if (this.#wrong.has(lane)) return;
    this.#wrong.add(lane);
    const message = `the mark of batch ${mark.batch} says that ${lane.place.name} had come to record`;
    this.#findings.damaged(file, `${message} ${said}, but it had come to ${is}`, offset);
  }

  /** What remains when no lane goes on. */
  finish(copied: boolean): void {
    const findings = this.#findings;
    for (const [lane, { sequence, by }] of this.#short) {
      const known = lane.sequence ?? (lane.first ?? 1) - 1;
      if (known >= sequence) continue;
      const missing = records(Math.max(known, lane.last) + 1, sequence);
      const where = `batch ${by.mark.batch} in ${by.file}`;
      if (lane.last >= sequence) {
        const names = records(known + 1, sequence);
        findings.note(
          lane.file,
          `the mark of ${where} commits ${names}: the next start marks them`,
        );
      } else if (copied) {
        const message = `${missing} are not there, of which ${where} speaks: copied earlier, or cut`;
        findings.note(lane.file, message);
      } else findings.damaged(lane.file, `${missing} are not there, of which ${where} speaks`);
    }
    this.#noteLate();
  }

  /** A batch that commits nothing in a lane is one of those for which all lanes get a mark. */
  #noteLate(): void {
    const due = this.#due;
    for (const lane of this.#lanes) {
      if (!due?.header.journals?.includes(lane.place.name)) continue;
      if (lane.batch >= due.mark.batch || lane.first === undefined) continue;
      this.#findings.note(
        lane.file,
        `has no mark of batch ${due.mark.batch}, as others have: a kill between them, or it was cut`,
      );
    }
  }
}
