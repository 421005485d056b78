/**
 * Writes one channel's journal: records beyond the last mark first, made durable, then the mark.
 *
 * The order of writes of a batch, so that a kill at any moment leaves one truth: `flush` (records,
 * fdatasync), then the caller's audit step, then `commit` (mark). What has no mark does not exist.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MAX_BODY, writeU16 } from '../event/layout.js';
import { syncDirectory, writeAll } from './file.js';
import {
  AFTER,
  BATCH_BYTES,
  BODY,
  EVENT,
  formatHeader,
  type Lane,
  type Mark,
  markLength,
  MAX_RECORD,
  RULE,
  sealRecord,
  segmentName,
  sortSegments,
  SEQUENCE,
  SOURCE,
  URGENT,
  URGENT_BODY,
  writeMark,
  writeU64,
} from './format.js';
import { type Found, inspectJournal, mendJournal, type Mended, type Standing } from './recovery.js';
import { Spare } from './spare.js';

/** A frame's worth of records, the shortest lines of all, comes on top of that. */
const BUFFER_BYTES = 2 * BATCH_BYTES;
/** Room that a probe takes. */
const PROBE = Buffer.alloc(BATCH_BYTES);
/** Segments that are filled faster than this, ms, are begun without room taken ahead. */
const UNHURRIED = 2000;

/**
 * ms since 1970, by a clock that is never set: ages are counted by it, so that a step of the machine's
 * clock deletes nothing.
 */
export function steadyTime(): number {
  return performance.timeOrigin + performance.now();
}

export interface JournalOptions {
  readonly channel: string;
  /** Routine, if it is not said. */
  readonly lane?: Lane;
  readonly sources: readonly string[];
  readonly rules: readonly string[];
  /** Names of the numbers in a counter vector. */
  readonly counters: readonly string[];
  /** All channels of the gate, and names of the numbers in their vectors. */
  readonly channels?: readonly string[];
  readonly outcomes?: readonly string[];
  /** Names of all journals of the gate. */
  readonly journals?: readonly string[];
  /** A segment is closed when it has grown to this many bytes. */
  readonly segmentBytes: number;
  /**
   * Whole segments are deleted, oldest first, beyond this age in ms, or this size in bytes, which may
   * depend on what another journal takes.
   */
  readonly retain: { readonly size: number | (() => number); readonly age: number };
  /** Called once of a segment that cannot be deleted, and stays. */
  readonly undeleted?: (error: Error, path: string) => void;
  /** Called when a segment has been begun, instead of `deleteExpired`. */
  readonly begun?: (now: number) => void;
}

interface Closed {
  readonly name: string;
  readonly bytes: number;
  /** By steadyTime(). */
  readonly ended: number;
}

export class JournalWriter {
  /** What was done to the journal when it was opened. */
  readonly mended: Mended;
  readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES + MAX_BODY + URGENT_BODY + 4 + MAX_RECORD);
  readonly #kind: number;
  readonly #body: number;
  readonly #spare: Spare;
  readonly #directory: string;
  readonly #options: JournalOptions;
  #epoch: number;
  readonly #mark = Buffer.alloc(MAX_RECORD);
  /** The mark at the end as it stands, while another is being written over it. */
  readonly #before = Buffer.alloc(MAX_RECORD);
  /** It may have been written over in part. */
  #torn = false;
  #closed: Closed[] = [];
  readonly #undeleted = new Set<string>();
  #fd = -1;
  /** Where the mark at the end stands, if it commits no records; -1 otherwise. */
  #idleMark = -1;
  /** A mark stands in this segment. */
  #hasMark = false;
  /** Records committed in this segment, and when it was begun. */
  #records = 0;
  #begun = 0;
  #opened = 0;
  #name = '';
  #committed = 0;
  #filled = 0;
  #flushed = 0;
  #pending = 0;
  /** The last mark commits records, and no batch has come since that would have made it durable. */
  #unsynced = false;
  /** What was rolled back may still be on the disk. */
  #stale = false;
  /** The file that is made durable in the background. */
  #syncing = -1;
  /** Why the last mark could not be made durable. */
  #refused: Error | undefined;
  /** Bytes of a mark. */
  #marked: number;
  /** Up to here the segment has taken its room of the disk. */
  #room = 0;
  #sequence: number;
  #rules: readonly string[];
  /** Of the segment, for the commitments to its records. */
  #salt = '';
  /** The segment's header names other rules than those of the records to come. */
  #outdated = false;

  private constructor(directory: string, options: JournalOptions, epoch: number, mended: Mended) {
    const urgent = options.lane === 'urgent';
    this.#directory = directory;
    this.#options = options;
    this.#kind = urgent ? URGENT : EVENT;
    this.#body = urgent ? URGENT_BODY : BODY;
    this.#spare = new Spare(directory, options.segmentBytes);
    const { sources, counters, channels = [], outcomes = [], journals = [] } = options;
    this.#marked = markLength([
      [sources.length, counters.length],
      [channels.length, outcomes.length],
      [1, journals.length],
    ]);
    this.#rules = options.rules;
    this.#epoch = epoch;
    this.#sequence = mended.sequence;
    this.mended = mended;
    this.#closed = [...mended.closed];
  }

  /**
   * Opens a journal's directory for writing: cuts what has no mark and begins a new segment.
   *
   * @param found what inspectJournal found there
   * @param standing what the newest mark of all journals says of this one
   * @throws Error of the file system
   */
  static open(
    directory: string,
    options: JournalOptions,
    found: Found = JournalWriter.inspect(directory),
    standing?: Standing,
  ): JournalWriter {
    const mended = mendJournal(found, standing);
    const writer = new JournalWriter(directory, options, found.epoch + 1, mended);
    writer.#beginSegment();
    for (const path of mended.emptied) rmSync(path);
    return writer;
  }

  /** Makes a journal's directory, if there is none, and looks at what it holds. */
  static inspect(directory: string): Found {
    const made = mkdirSync(directory, { recursive: true, mode: 0o755 });
    if (made !== undefined) syncDirectory(dirname(made));
    return inspectJournal(directory);
  }

  /** Records that the next mark will commit. */
  get pending(): number {
    return this.#pending;
  }

  get pendingBytes(): number {
    return this.#filled;
  }

  /** Sequence of the last record, committed or not. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Sequence of the oldest record that is there, or of the next one. */
  get oldest(): number {
    const name = this.#closed[0]?.name ?? this.#name;
    return sortSegments([name])[0]?.first ?? this.#sequence + 1;
  }

  /** Of the segment that flushed records are in: see commitment.ts. */
  get salt(): string {
    return this.#salt;
  }

  /** Where the body of the next record goes in `buffer`; there is room for MAX_BODY bytes. */
  get bodyAt(): number {
    return this.#filled + this.#body;
  }

  /**
   * Completes the record whose body of `length` bytes stands at `bodyAt`.
   *
   * @param after in the urgent lane, the routine lane's last sequence
   */
  append(length: number, source: number, rule: number, after = 0): void {
    const at = this.#filled;
    const whole = this.#body + length + 4;
    const buffer = this.buffer;
    buffer[at + 5] = 0;
    writeU16(buffer, at + SOURCE, source);
    writeU64(buffer, at + SEQUENCE, ++this.#sequence);
    writeU16(buffer, at + RULE, rule);
    buffer[at + RULE + 2] = 0;
    buffer[at + RULE + 3] = 0;
    if (this.#kind === URGENT) writeU64(buffer, at + AFTER, after);
    sealRecord(buffer, at, whole, this.#kind);
    this.#filled = at + whole;
    this.#pending++;
  }

  /** @throws RangeError if the names are too long for a header */
  checkRules(rules: readonly string[]): void {
    this.#header(this.#sequence + 1, rules);
  }

  /** Records to come refer to other rules: they begin a new segment. No record may be pending. */
  setRules(rules: readonly string[]): void {
    if (rules.length === this.#rules.length && rules.every((rule, i) => rule === this.#rules[i])) {
      return;
    }
    this.#rules = rules;
    this.#outdated = true;
  }

  /**
   * Step 1: writes the batch beyond the last mark and makes it durable.
   *
   * @throws Error of the file system; then `rollback` is the only way on
   */
  flush(): void {
    this.writeOut();
    this.sync();
  }

  /** The first half of it. @throws Error of the file system, as flush does */
  writeOut(): void {
    const { segmentBytes } = this.#options;
    this.#forgetStale();
    this.#restoreMark();
    // A batch that would outgrow a segment's room begins the next one, whose room may be there.
    const full = this.#records > 0 && this.#committed + this.#filled + this.#marked > segmentBytes;
    if (this.#fd >= 0 && (full || this.#outdated)) this.#endSegment();
    if (this.#fd < 0) this.#beginSegment();
    try {
      this.#writeBatch();
    } catch (error) {
      if (!this.#hasRoomFor(error)) throw error;
      // The room that was taken ahead is for this.
      this.#endSegment();
      this.#beginSegment();
      this.#writeBatch();
    }
  }

  /**
   * What was rolled back is gone from the disk before the next batch has a leaf in the audit log: after
   * a power cut those records, of the same sequences, would be taken for it.
   */
  #forgetStale(): void {
    if (!this.#stale || this.#fd < 0) return;
    ftruncateSync(this.#fd, this.#committed);
    fdatasyncSync(this.#fd);
    this.#room = this.#committed;
    this.#stale = false;
  }

  /** The second half. @throws Error of the file system, as flush does */
  sync(): void {
    if (this.#flushed === 0) return;
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused) throw refused;
    try {
      fdatasyncSync(this.#fd);
    } catch (error) {
      // What the disk had promised it does not have: the next batch takes the room that it has.
      if (this.#hasRoomFor(error)) this.#outdated = true;
      throw error;
    }
  }

  /** Whether the disk is full, and the next segment has its room all the same. */
  #hasRoomFor(error: unknown): boolean {
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    return full && this.#records > 0 && this.#spare.ready;
  }

  #writeBatch(): void {
    // So that no mark is refused after another one stands: room for it comes with the records.
    const end = this.#committed + this.#filled;
    const inPlace = this.#filled === 0 && this.#idleMark >= 0;
    const room = inPlace || end + this.#marked <= this.#room ? 0 : this.#marked;
    this.buffer.fill(0, this.#filled, this.#filled + room);
    if (this.#filled === 0) {
      writeAll(this.#fd, this.buffer, room, end);
      this.#room = Math.max(this.#room, end + room);
      return;
    }
    // What is used from now on takes its room, and a batch may be larger than a segment.
    if (this.#records === 0) this.deleteExpired(steadyTime());
    writeAll(this.#fd, this.buffer, this.#filled + room, this.#committed);
    this.#room = Math.max(this.#room, end + room);
    this.#flushed = this.#filled;
  }

  /**
   * Step 3: shows the batch to readers.
   *
   * @throws Error of the file system; then `rollback` is the only way on
   */
  commit(
    batch: number,
    time: number,
    counters: readonly Float64Array[],
    outcomes: readonly Float64Array[] = [],
    sequences: Float64Array = new Float64Array(),
  ): void {
    const mark: Mark = { sequence: this.#sequence, batch, time, counters, outcomes, sequences };
    const length = writeMark(this.#mark, 0, mark);
    this.#marked = length;
    // A mark without records takes the place of one like it: a quiet channel's journal stays.
    const idle = this.#pending === 0;
    const at = idle && this.#idleMark >= 0 ? this.#idleMark : this.#committed + this.#flushed;
    this.#torn = at === this.#idleMark;
    writeAll(this.#fd, this.#mark, length, at);
    this.#torn = false;
    if (idle) this.#mark.copy(this.#before, 0, 0, length);
    this.#idleMark = idle ? at : -1;
    this.#hasMark = true;
    // One that is written over says nothing of whether the one before it is durable.
    if (!idle) this.#unsynced = true;
    this.#records += this.#pending;
    this.#committed = at + length;
    this.#filled = this.#flushed = this.#pending = 0;
  }

  /** Forgets the batch, on disk as well; returns how many records it held. */
  rollback(): number {
    const count = this.#pending;
    this.#sequence -= count;
    const touched = count > 0 || this.#filled > 0;
    this.#filled = this.#flushed = this.#pending = 0;
    if (this.#fd < 0) return count;
    this.#restoreMark();
    // The room of a journal that has taken nothing stays.
    if (!touched) return count;
    this.#room = this.#committed;
    this.#stale = true;
    ftruncateSync(this.#fd, this.#committed);
    return count;
  }

  /**
   * Takes room as a batch would, and gives it back: whether the disk takes records again. None may be pending.
   *
   * @throws Error of the file system
   */
  probe(): void {
    this.writeOut();
    const length = Math.min(PROBE.length, this.#options.segmentBytes);
    writeAll(this.#fd, PROBE, length, this.#committed);
    fdatasyncSync(this.#fd);
    this.#room = this.#committed;
    ftruncateSync(this.#fd, this.#committed);
  }

  /** Makes the last mark durable, in the background: the next batch would do it, if one came. */
  syncMark(): void {
    const fd = this.#fd;
    if (fd < 0 || !this.#unsynced || this.#syncing >= 0) return;
    this.#unsynced = false;
    this.#syncing = fd;
    fdatasync(fd, (error) => {
      this.#syncing = -1;
      // The kernel says it once, and the batch that shares the file must hear of it.
      if (error) this.#refused = error;
      if (fd !== this.#fd) closeSync(fd);
    });
  }

  /** While it is being made durable its number must not become another file's. */
  #closeFile(): void {
    if (this.#fd >= 0 && this.#fd !== this.#syncing) closeSync(this.#fd);
    this.#fd = -1;
  }

  /**
   * Makes the mark of a start durable. The next one does not take its place: torn by a power cut, it
   * would leave none of the two.
   *
   * @throws Error of the file system
   */
  syncStart(): void {
    if (this.#fd < 0) return;
    fdatasyncSync(this.#fd);
    this.#idleMark = -1;
  }

  /**
   * Takes room for the next segment ahead, if this one is not filled in a hurry.
   *
   * @param now of performance.now()
   */
  async prepare(now: number): Promise<void> {
    if (this.#records > 0 && now - this.#opened > UNHURRIED) await this.#spare.prepare(now);
  }

  /**
   * Deletes whole segments beyond the retained size or age, to a quarter of that age; never the one
   * that holds the last mark, and with it the counters of record.
   *
   * @param now of steadyTime()
   * @throws Error of the file system
   */
  expire(now: number): void {
    const { age } = this.#options.retain;
    // So that its events can be deleted when their time has come, though no others follow.
    if (this.#records > 0 && this.#pending === 0 && now - this.#begun > age / 4) this.#endSegment();
    this.deleteExpired(now);
  }

  /** The same, but that no segment is ended: in the middle of a batch of several journals. */
  deleteExpired(now: number): void {
    const { age, size } = this.#options.retain;
    const most = typeof size === 'number' ? size : size();
    const kept = this.#hasMark ? 0 : 1;
    for (let i = 0; this.#closed.length - i > kept;) {
      const oldest = this.#closed[i]!;
      if (this.bytes <= most && now - oldest.ended <= age) break;
      if (this.#delete(oldest)) this.#closed.splice(i, 1);
      else i++;
    }
  }

  /** One that cannot be deleted holds up no batch; it is tried again. @returns whether it is gone */
  #delete({ name }: Closed): boolean {
    const path = join(this.#directory, name);
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        if (!this.#undeleted.has(name)) this.#options.undeleted?.(error as Error, path);
        this.#undeleted.add(name);
        return false;
      }
    }
    this.#undeleted.delete(name);
    return true;
  }

  /** What it takes of the disk when its segment is full, and the next one has its room. */
  get bytes(): number {
    const { segmentBytes } = this.#options;
    const used = this.#records > 0 || this.#pending > 0;
    const written = this.#committed + this.#filled + this.#marked;
    const current = used ? Math.max(written, segmentBytes) + segmentBytes : 0;
    return this.#closed.reduce((sum, { bytes }) => sum + bytes, current || this.#committed);
  }

  close(): void {
    this.#closeFile();
  }

  /** Whoever reads from the beginning stops at a torn mark: what it was must stand before more does. */
  #restoreMark(): void {
    if (!this.#torn || this.#fd < 0) return;
    writeAll(this.#fd, this.#before, this.#marked, this.#idleMark);
    this.#torn = false;
  }

  #beginSegment(): void {
    const first = this.#sequence - this.#pending + 1;
    // A segment of marks alone is followed by one of the same sequence: never by itself, emptied.
    if (segmentName(first, this.#epoch) === this.#name) this.#epoch++;
    const salt = randomBytes(32).toString('hex');
    const header = this.#header(first, this.#rules, salt);
    const name = segmentName(first, this.#epoch);
    const path = join(this.#directory, name);
    const prepared = this.#spare.become(path);
    const fd = openSync(path, prepared ? 'r+' : 'w', 0o644);
    try {
      writeAll(fd, header, header.length, 0);
      fdatasyncSync(fd);
      syncDirectory(this.#directory);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    this.#salt = salt;
    this.#outdated = false;
    this.#room = prepared ? this.#options.segmentBytes : header.length;
    this.#name = name;
    this.#committed = header.length;
    this.#begun = steadyTime();
    this.#opened = performance.now();
    if (this.#options.begun) this.#options.begun(this.#begun);
    else this.deleteExpired(this.#begun);
  }

  #header(first: number, rules: readonly string[], salt = this.#salt): Buffer {
    const { channel, lane = 'routine', sources, counters } = this.#options;
    const { channels = [], outcomes = [], journals = [] } = this.#options;
    return formatHeader({
      version: 1,
      channel,
      lane,
      epoch: this.#epoch,
      first,
      created: Date.now(),
      sources,
      rules,
      counters,
      channels,
      outcomes,
      journals,
      salt,
    });
  }

  #endSegment(): void {
    this.#restoreMark();
    ftruncateSync(this.#fd, this.#committed);
    fdatasyncSync(this.#fd);
    this.#closeFile();
    this.#closed.push({ name: this.#name, bytes: this.#committed, ended: steadyTime() });
    this.#committed = 0;
    this.#idleMark = -1;
    this.#hasMark = false;
    this.#records = 0;
  }
}
