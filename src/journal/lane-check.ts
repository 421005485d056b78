/** Checks the journal of one lane, mark by mark, in constant memory: what it says of itself. */
import { closeSync, fstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BatchCheck } from './batch-check.js';
import { headerFaults } from './faults.js';
import { type Findings, records } from './finding.js';
import {
  BATCH,
  EVENT,
  isEvent,
  type Mark,
  readMark,
  type SegmentHeader,
  type SegmentName,
  URGENT,
} from './format.js';
import { isMarkOf, markLength, openSegment, readStart } from './header.js';
import { MarkCheck } from './mark-check.js';
import { listSegments, type Place } from './places.js';
import { inspectTail, isTornHeader, writesAt } from './tail.js';
import { Walker } from './walk.js';

/** A mark that is checked for itself, and not yet compared with those of other lanes. */
export interface Head {
  readonly mark: Mark;
  readonly header: SegmentHeader;
  readonly file: string;
  readonly offset: number;
  /** Commits no records. */
  readonly idle: boolean;
  /** The first, or behind damage: what other lanes say of the time before cannot be compared. */
  readonly begins: boolean;
  /** First of its epoch. */
  readonly renewed: boolean;
  /** All but the sequence, as all lanes have it; until the next advance. */
  readonly said: Uint8Array;
}

export class LaneCheck {
  readonly place: Place;
  head: Head | undefined;
  segments = 0;
  records = 0;
  bytes = 0;
  /** First sequence that is there; undefined while there is no segment. */
  first: number | undefined;
  /** Committed sequence, as of the last mark that was compared with those of other lanes. */
  sequence: number | undefined;
  readonly #findings: Findings;
  readonly #marks = new MarkCheck();
  readonly #batch: BatchCheck;
  readonly #walker = new Walker();
  #fd = -1;
  #segment: SegmentName | undefined;
  #file = '';
  #header: SegmentHeader | undefined;
  #markLength = 0;
  /** Where the segment's last mark stands; -1 if there is none. */
  #markAt = -1;
  #epoch = -1;
  /** Bytes of the segments before. */
  #passed = 0;
  #begins = true;
  #renewed = true;
  /** The file that is damaged since the last mark. */
  #broken: string | undefined;
  /** A segment whose header was refused. */
  #refused: SegmentName | undefined;

  constructor(place: Place, findings: Findings) {
    this.place = place;
    this.#findings = findings;
    this.#batch = new BatchCheck(place.lane);
  }

  /** Of the last whole record, committed or not. */
  get last(): number {
    return this.#batch.last;
  }

  /** Of the last mark. */
  get batch(): number {
    return this.#marks.batch;
  }

  get time(): number | undefined {
    return this.#marks.time;
  }

  /** Whether nothing stands behind the last mark. @throws Error of the file system */
  get atRest(): boolean {
    if (this.#refused) return false;
    return this.#fd < 0 || (this.#batch.count === 0 && !writesAt(this.#fd, this.#walker.offset));
  }

  /** Bytes that are checked. */
  get passed(): number {
    return this.#passed + (this.#fd < 0 ? 0 : this.#walker.offset);
  }

  /** The segment at hand. */
  get file(): string {
    return this.#file === '' ? this.place.directory : this.#file;
  }

  /**
   * Goes to the next mark, `head`; false if there is none, which may be otherwise later.
   *
   * @throws Error of the file system
   */
  advance(): boolean {
    this.head = undefined;
    if (this.#refused) this.#enter(this.#refused);
    for (;;) {
      if (this.#fd >= 0 && this.#walk()) return true;
      const next = this.#next();
      if (!next) return false;
      // The writer ends a segment before it begins the next: what is here now is all there is.
      if (this.#fd >= 0 && this.#walk(true)) return true;
      if (this.#fd >= 0) this.#leave();
      this.#enter(next);
    }
  }

  /** What stands behind the last mark of all. @throws Error of the file system */
  finish(): void {
    const findings = this.#findings;
    if (this.#refused) this.#refuse(this.#refused, true);
    if (this.#fd < 0) return;
    while (this.#walk(true)) this.sequence = this.head!.mark.sequence;
    this.#lookAgain();
    const { offset } = this.#walker;
    if (this.#batch.count > 0) {
      findings.note(
        this.#file,
        `${this.#unmarked} have no mark: normal while a relay runs, ` +
          'and after a kill; no reader sees them, and the next start marks or cuts them',
        offset - this.#batch.bytes,
      );
    }
    const size = fstatSync(this.#fd).size;
    const tail = inspectTail(this.#fd, offset, size, this.#expected);
    if (tail.state === 'torn') {
      findings.note(
        this.#file,
        `${tail.bytes} bytes of a record that is not whole: normal while a relay runs, and after ` +
          'a kill; the next start cuts them',
        offset,
      );
    } else if (tail.state === 'damaged') this.#damagedFrom(offset, tail.bytes, tail.mark);
    closeSync(this.#fd);
    this.#fd = -1;
  }

  /** A mark that commits nothing is written anew where it stands, by a gate that is at work. */
  #lookAgain(): void {
    if (this.#markAt < 0 || this.#batch.count > 0) return;
    const walker = new Walker();
    walker.enter(this.#fd, this.#markAt);
    const whole = walker.next() && isMarkOf(walker.bytes, walker.at, this.#header!);
    if (whole) this.#marks.batch = readMark(walker.bytes, walker.at).batch;
  }

  get #unmarked(): string {
    return records(this.#batch.committed + 1, this.#batch.last);
  }

  get #expected() {
    const kind = this.place.lane === 'urgent' ? URGENT : EVENT;
    return { kind, last: this.#batch.last, markLength: this.#markLength };
  }

  #damage(message: string, offset?: number): void {
    this.#findings.damaged(this.#file, message, offset);
  }

  #damagedFrom(
    offset: number,
    bytes: number,
    mark: { readonly offset: number; readonly sequence: number } | undefined,
  ): void {
    const behind = mark
      ? `a mark behind them, at byte ${mark.offset}, commits up to record ${mark.sequence}`
      : this.#batch.count > 0
        ? `${this.#unmarked} before them have no mark`
        : 'no whole mark stands behind them';
    this.#damage(`${bytes} bytes are damaged, or torn by a power cut; ${behind}`, offset);
    this.#broken = this.#file;
  }

  /** @param last nothing comes that could be read later: what has no mark is passed as well */
  #walk(last = false): boolean {
    const walker = this.#walker;
    while (walker.next()) {
      const { bytes, at, length, offset } = walker;
      if (isEvent(bytes, at)) {
        this.#batch.take(bytes, at, length, offset);
        this.records++;
      } else if (this.#takeMark(bytes, at, length)) return true;
    }
    if (last) this.#sayFaults();
    else this.#goBack();
    return false;
  }

  /** Records without a mark may be taken back and written anew, by a gate whose disk is full. */
  #goBack(): void {
    const { count, bytes } = this.#batch;
    if (count === 0) return;
    this.#walker.enter(this.#fd, this.#walker.offset - bytes);
    this.records -= count;
    this.#batch.forget();
  }

  #sayFaults(): void {
    for (const { message, offset } of this.#batch.takeFaults()) this.#damage(message, offset);
  }

  #takeMark(bytes: Buffer, at: number, length: number): boolean {
    const { offset } = this.#walker;
    const header = this.#header!;
    this.#sayFaults();
    if (!isMarkOf(bytes, at, header)) {
      this.#damage('a mark is not built as the header says', offset);
      return false;
    }
    const mark = readMark(bytes, at);
    const idle = this.#batch.count === 0;
    const routine = mark.sequences[header.journals?.indexOf(this.place.channel) ?? -1];
    const note = (message: string): void => this.#findings.note(this.#file, message, offset);
    for (const wrong of [
      ...this.#batch.end(mark, length, routine),
      ...this.#marks.take(mark, header, this.#renewed, note),
    ]) {
      this.#damage(`the mark of batch ${mark.batch}: ${wrong}`, offset);
    }
    this.head = {
      mark,
      header,
      file: this.#file,
      offset,
      idle,
      begins: this.#begins,
      renewed: this.#renewed,
      said: bytes.subarray(at + BATCH, at + length - 4),
    };
    this.#markAt = offset;
    this.#renewed = this.#begins = false;
    this.#broken = undefined;
    return true;
  }

  /** The segment after the one at hand, once there is one. */
  #next(): SegmentName | undefined {
    const at = this.#segment;
    return listSegments(this.place.directory).find(
      ({ epoch, first }) => !at || epoch > at.epoch || (epoch === at.epoch && first > at.first),
    );
  }

  /** A closed segment ends with its last mark. */
  #leave(): void {
    const { offset } = this.#walker;
    if (this.#batch.count > 0) {
      this.#damage(
        `${this.#unmarked} have no mark, and another segment follows`,
        offset - this.#batch.bytes,
      );
      this.#broken = this.#file;
    }
    const size = fstatSync(this.#fd).size;
    const tail = inspectTail(this.#fd, offset, size, this.#expected);
    if (tail.state !== 'room') this.#damagedFrom(offset, tail.bytes, tail.mark);
    this.#passed += size;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #enter(segment: SegmentName): void {
    const path = join(this.place.directory, segment.name);
    const fd = openSegment(path);
    if (this.#refused && this.#refused !== segment) this.#refuse(this.#refused, false);
    this.#segment = segment;
    this.#refused = undefined;
    // Retention deletes the oldest while it is read.
    if (fd < 0) {
      this.#begins = true;
      return;
    }
    const start = readStart(fd);
    if (start === undefined || typeof start === 'string') {
      closeSync(fd);
      this.#refused = segment;
      return;
    }
    const before = this.#file;
    this.#fd = fd;
    this.#file = path;
    this.#header = start.header;
    this.#markLength = markLength(start.header);
    this.#walker.enter(fd, start.length);
    this.segments++;
    this.bytes += fstatSync(fd).size;
    for (const wrong of headerFaults(start.header, segment, this.place)) this.#damage(wrong, 0);
    if (!this.#begins || this.#broken !== undefined) this.#checkFirst(segment.first, before);
    // A new gate, or a segment of marks alone before it.
    if (segment.epoch !== this.#epoch) this.#renewed = true;
    this.#epoch = segment.epoch;
    this.#batch.begin(start.header, segment.first - 1, this.#renewed);
    this.#markAt = -1;
    this.first ??= segment.first;
  }

  /** Whether records are missing before a segment, or there twice. */
  #checkFirst(first: number, before: string): void {
    const { committed } = this.#batch;
    const expected = committed + 1;
    if (first === expected) return;
    this.#begins = true;
    const name = basename(before);
    if (first < expected) {
      this.#damage(`begins with record ${first}, but ${name} ends with ${committed}`);
    } else if (this.#broken === undefined) {
      this.#damage(`${records(expected, first - 1)} are missing between ${name} and this segment`);
    } else {
      const where = basename(this.#broken);
      this.#damage(`${records(expected, first - 1)} cannot be read: ${where} is damaged`);
    }
  }

  /** A segment whose header is not whole: none of its records can be read. */
  #refuse(segment: SegmentName, newest: boolean): void {
    this.#refused = undefined;
    const path = join(this.place.directory, segment.name);
    const fd = openSegment(path);
    if (fd < 0) return;
    const start = readStart(fd);
    const size = fstatSync(fd).size;
    this.segments++;
    this.bytes += size;
    if (newest && start === undefined && isTornHeader(fd, size)) {
      const message = 'is begun, and has no whole header: a kill; the next start deletes it';
      this.#findings.note(path, message, 0);
    } else {
      const why = typeof start === 'string' ? start : 'the header is torn or damaged';
      this.#findings.damaged(path, `${why}: nothing in this segment can be read`, 0);
      this.#broken = path;
      if (this.#begins) this.#batch.committed = segment.first - 1;
    }
    closeSync(fd);
  }
}
