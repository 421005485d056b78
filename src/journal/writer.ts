/**
 * Writes one channel's journal: records beyond the last mark first, made durable, then the mark.
 *
 * The order of writes of a batch, so that a kill at any moment leaves one truth: `flush` (records,
 * fdatasync), then the caller's audit step, then `commit` (mark). What has no mark does not exist.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { MAX_BODY, writeU16 } from '../event/layout.js';
import {
  BATCH_BYTES,
  BODY,
  EVENT,
  EVENT_OVERHEAD,
  formatHeader,
  type Mark,
  MAX_RECORD,
  RULE,
  sealRecord,
  type SegmentName,
  segmentName,
  SEQUENCE,
  sortSegments,
  SOURCE,
  writeMark,
  writeU64,
} from './format.js';
import { type Scan, scanSegment } from './scan.js';

/** A frame's worth of records, the shortest lines of all, comes on top of that. */
const BUFFER_BYTES = 2 * BATCH_BYTES;

export interface JournalOptions {
  readonly channel: string;
  readonly sources: readonly string[];
  readonly rules: readonly string[];
  /** Names of the numbers in a counter vector. */
  readonly counters: readonly string[];
  /** All channels of the gate, and names of the numbers in their vectors. */
  readonly channels?: readonly string[];
  readonly outcomes?: readonly string[];
  /** A segment is closed when it has grown to this many bytes. */
  readonly segmentBytes: number;
  /** Whole segments are deleted, oldest first, beyond this size in bytes or age in ms. */
  readonly retain: { readonly size: number; readonly age: number };
}

/** What the journal's last mark said when it was opened. */
export interface Recovery {
  readonly sources: readonly string[];
  readonly counters: readonly string[];
  readonly channels: readonly string[];
  readonly outcomes: readonly string[];
  readonly mark: Mark | undefined;
  /** Bytes after the last mark, cut away. */
  readonly cut: number;
}

export class JournalWriter {
  readonly recovery: Recovery;
  readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES + MAX_BODY + EVENT_OVERHEAD);
  readonly #directory: string;
  readonly #options: JournalOptions;
  #epoch: number;
  readonly #mark = Buffer.alloc(MAX_RECORD);
  #closed: { name: string; bytes: number; ended: number }[] = [];
  #fd = -1;
  /** Where the mark at the end stands, if it commits no records; -1 otherwise. */
  #idleMark = -1;
  /** Records committed in this segment, and when it was begun. */
  #records = 0;
  #begun = 0;
  #name = '';
  #committed = 0;
  #filled = 0;
  #flushed = 0;
  #pending = 0;
  #sequence: number;
  #rules: readonly string[];
  /** The segment's header names other rules than those of the records to come. */
  #outdated = false;

  private constructor(directory: string, options: JournalOptions, found: Found) {
    this.#directory = directory;
    this.#options = options;
    this.#rules = options.rules;
    this.#epoch = found.epoch;
    this.#sequence = found.sequence;
    this.recovery = found.recovery;
    this.#closed = found.closed;
  }

  /**
   * Opens a channel's directory for writing: cuts what has no mark and begins a new segment.
   *
   * @throws Error of the file system
   */
  static open(directory: string, options: JournalOptions): JournalWriter {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const writer = new JournalWriter(directory, options, recover(directory));
    writer.#beginSegment();
    return writer;
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

  /** Where the body of the next record goes in `buffer`; there is room for MAX_BODY bytes. */
  get bodyAt(): number {
    return this.#filled + BODY;
  }

  /** Completes the record whose body of `length` bytes stands at `bodyAt`. */
  append(length: number, source: number, rule: number): void {
    const at = this.#filled;
    const buffer = this.buffer;
    buffer[at + 5] = 0;
    writeU16(buffer, at + SOURCE, source);
    writeU64(buffer, at + SEQUENCE, ++this.#sequence);
    writeU16(buffer, at + RULE, rule);
    buffer[at + RULE + 2] = 0;
    buffer[at + RULE + 3] = 0;
    sealRecord(buffer, at, EVENT_OVERHEAD + length, EVENT);
    this.#filled = at + EVENT_OVERHEAD + length;
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
    const full = this.#committed >= this.#options.segmentBytes;
    if (this.#fd >= 0 && (full || this.#outdated)) this.#endSegment();
    if (this.#fd < 0) this.#beginSegment();
    if (this.#filled === 0) return;
    writeAll(this.#fd, this.buffer, this.#filled, this.#committed);
    fdatasyncSync(this.#fd);
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
  ): void {
    const mark = { sequence: this.#sequence, batch, time, counters, outcomes };
    const length = writeMark(this.#mark, 0, mark);
    // A mark without records takes the place of one like it: a quiet channel's journal stays.
    const idle = this.#pending === 0;
    const at = idle && this.#idleMark >= 0 ? this.#idleMark : this.#committed + this.#flushed;
    writeAll(this.#fd, this.#mark, length, at);
    this.#idleMark = idle ? at : -1;
    this.#records += this.#pending;
    this.#committed = at + length;
    this.#filled = this.#flushed = this.#pending = 0;
  }

  /** Forgets the batch, on disk as well; returns how many records it held. */
  rollback(): number {
    const count = this.#pending;
    this.#sequence -= count;
    this.#filled = this.#flushed = this.#pending = 0;
    if (this.#fd >= 0) ftruncateSync(this.#fd, this.#committed);
    return count;
  }

  /**
   * Deletes whole segments beyond the retained size or age, to a quarter of that age; never the one
   * that holds the last mark, and with it the counters of record.
   *
   * @throws Error of the file system
   */
  expire(now: number): void {
    const { size, age } = this.#options.retain;
    // So that its events can be deleted when their time has come, though no others follow.
    if (this.#records > 0 && this.#pending === 0 && now - this.#begun > age / 4) this.#endSegment();
    const kept = this.#records > 0 || this.#idleMark >= 0 ? 0 : 1;
    let total = this.#committed + this.#closed.reduce((sum, { bytes }) => sum + bytes, 0);
    for (; this.#closed.length > kept; this.#closed.shift()) {
      const oldest = this.#closed[0]!;
      if (total <= size && now - oldest.ended <= age) break;
      rmSync(join(this.#directory, oldest.name), { force: true });
      total -= oldest.bytes;
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #beginSegment(): void {
    const first = this.#sequence - this.#pending + 1;
    // A segment of marks alone is followed by one of the same sequence: never by itself, emptied.
    if (segmentName(first, this.#epoch) === this.#name) this.#epoch++;
    const header = this.#header(first, this.#rules);
    const name = segmentName(first, this.#epoch);
    const fd = openSync(join(this.#directory, name), 'w', 0o644);
    try {
      writeAll(fd, header, header.length, 0);
      fdatasyncSync(fd);
      syncDirectory(this.#directory);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    this.#outdated = false;
    this.#name = name;
    this.#committed = header.length;
    this.#begun = Date.now();
    this.expire(this.#begun);
  }

  #header(first: number, rules: readonly string[]): Buffer {
    const { channel, sources, counters, channels = [], outcomes = [] } = this.#options;
    return formatHeader({
      version: 1,
      channel,
      epoch: this.#epoch,
      first,
      created: Date.now(),
      sources,
      rules,
      counters,
      channels,
      outcomes,
    });
  }

  #endSegment(): void {
    fdatasyncSync(this.#fd);
    closeSync(this.#fd);
    this.#fd = -1;
    this.#closed.push({ name: this.#name, bytes: this.#committed, ended: Date.now() });
    this.#committed = 0;
    this.#idleMark = -1;
    this.#records = 0;
  }
}

interface Found {
  readonly epoch: number;
  readonly sequence: number;
  readonly recovery: Recovery;
  readonly closed: { name: string; bytes: number; ended: number }[];
}

/** Cuts every segment of the last epoch back to its last mark and drops those without one. */
function recover(directory: string): Found {
  const segments = sortSegments(readdirSync(directory));
  const lastEpoch = segments.at(-1)?.epoch ?? 0;
  let sequence = 0;
  let cut = 0;
  let newest: Scan | undefined;
  const closed: Found['closed'] = [];
  for (const segment of segments) {
    const path = join(directory, segment.name);
    if (segment.epoch < lastEpoch) {
      const { size, mtimeMs } = statSync(path);
      closed.push({ name: segment.name, bytes: size, ended: mtimeMs });
      continue;
    }
    const scan = scanSegment(path);
    cut += scan ? scan.size - scan.committed : statSync(path).size;
    if (scan?.mark) {
      newest = scan;
      sequence = scan.mark.sequence;
      if (scan.committed < scan.size) truncateSync(path, scan.committed);
      closed.push({ name: segment.name, bytes: scan.committed, ended: statSync(path).mtimeMs });
    } else unlinkSync(path);
  }
  newest ??= lastMarked(directory, segments);
  sequence = Math.max(sequence, newest?.mark?.sequence ?? (segments.at(-1)?.first ?? 1) - 1);
  const recovery = {
    sources: newest?.header.sources ?? [],
    counters: newest?.header.counters ?? [],
    channels: newest?.header.channels ?? [],
    outcomes: newest?.header.outcomes ?? [],
    mark: newest?.mark,
    cut,
  };
  return { epoch: lastEpoch + 1, sequence, recovery, closed };
}

/** The newest segment of an earlier epoch that holds a mark. */
function lastMarked(directory: string, segments: readonly SegmentName[]): Scan | undefined {
  for (const { name, epoch } of segments.toReversed()) {
    if (epoch === segments.at(-1)?.epoch) continue;
    const scan = scanSegment(join(directory, name));
    if (scan?.mark) return scan;
  }
  return undefined;
}

function writeAll(fd: number, bytes: Uint8Array, length: number, position: number): void {
  let done = 0;
  while (done < length) done += writeSync(fd, bytes, done, length - done, position + done);
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
