/** A journal of two lanes, a sender on it, and an upper server that answers when it is told to. */
import { mock } from 'node:test';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseBody } from '../../src/event/event.js';
import { type Lane as LaneName, LANES, laneOf } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import { JournalWriter } from '../../src/journal/writer.js';
import { type Progress, zeroProgress } from '../../src/upper/cursor.js';
import { Lane } from '../../src/upper/lane.js';
import { type Drain, QUIET, Sender } from '../../src/upper/sender.js';

// Every timer of the sender runs on the test's clock.
mock.timers.enable({ apis: ['setTimeout'] });
export const pass = (ms: number): void => mock.timers.tick(ms);

export const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
export const NOTHING = zeroProgress();

export function openJournal(directory: string, lane: LaneName = 'routine'): JournalWriter {
  return JournalWriter.open(laneOf(directory, lane), {
    channel: 'public',
    lane,
    sources: ['plant'],
    rules: ['all'],
    counters: [],
    segmentBytes: 2 ** 20,
    retain: { size: 2 ** 30, age: 1e12 },
  });
}

/** Journals events whose timestamps say `mark` and their own sequence. */
export function journal(writer: JournalWriter, count: number, mark = 0, size = 1): void {
  for (let i = 0; i < count; i++) {
    const stamp = mark * 1_000_000 + writer.sequence + 1;
    const data = ',1'.repeat(size);
    const body = parseBody(`96,10,6,3,2026-11-22T08:00:00Z,${stamp},${GUID}${data}`);
    writer.buffer.set(body, writer.bodyAt);
    writer.append(body.length, 0, 0);
  }
  writer.flush();
  writer.commit(1, 0, [new Float64Array(0)]);
}

export type Reply = '+' | '-' | '--' | '';

/** A server that takes lines in order and answers each when it is told to. */
export class ScriptedServer {
  /** Stamps of the SENDs of this connection, in order, and each line by its stamp. */
  readonly seen: number[] = [];
  readonly lines = new Map<number, string>();
  #rest = '';
  /** Lines that it has not answered yet. */
  readonly waiting: string[] = [];
  readonly #reply: (stamp: number) => Reply;
  readonly #noop: Reply;

  constructor(reply: (stamp: number) => Reply, noop: Reply = '+') {
    this.#reply = reply;
    this.#noop = noop;
  }

  take(bytes: Buffer): void {
    const lines = (this.#rest + bytes.toString('latin1')).split('\r\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      this.waiting.push(line);
      if (!line.startsWith('SEND ')) continue;
      const stamp = Number(line.split(',')[5]);
      this.seen.push(stamp);
      this.lines.set(stamp, line);
    }
  }

  /** The signs of the answers to the next line. */
  next(): string {
    const line = this.waiting.shift()!;
    return line === 'NOOP' ? this.#noop : this.#reply(Number(line.split(',')[5]));
  }
}

/** What has become of a lane, over all connections. */
export interface Side {
  readonly progress: Progress;
  /** Sequences in the rejects ring, with the server's words. */
  readonly rejects: [sequence: number, text: string][];
  readonly resent: [first: number, last: number][];
}

/** The routine lane's side, and the urgent one's. */
export interface Bench extends Side {
  readonly directory: string;
  readonly writer: JournalWriter;
  readonly urgent: Side;
}

const layLane = (): Side => ({ progress: zeroProgress(), rejects: [], resent: [] });

/** A bench in a directory of its own; the urgent lane has no writer yet. */
export function layIn(directory: string): Bench {
  return { directory, writer: openJournal(directory), ...layLane(), urgent: layLane() };
}

export function lay(t: Test): Bench {
  const bench = layIn(join(t.testdir({}), 'journal'));
  t.teardown(() => bench.writer.close());
  return bench;
}

/** One connection: a sender on the bench's journal and progress, against a server. */
export class Link {
  readonly bench: Bench;
  readonly server: ScriptedServer;
  readonly sender: Sender;
  /** What `save` was last told: what a successor would start from. */
  saved: Progress;
  savedUrgent: Progress;
  /** Whether the connection takes no more. */
  full = false;
  broken = false;
  writes = 0;
  readonly #readers: readonly JournalReader[];

  constructor(bench: Bench, server: ScriptedServer, window: number, drain: Drain = 'urgent-first') {
    this.bench = bench;
    this.server = server;
    const sides = { routine: bench as Side, urgent: bench.urgent };
    this.saved = { ...bench.progress };
    this.savedUrgent = { ...bench.urgent.progress };
    this.#readers = LANES.map((name) => {
      return new JournalReader(laneOf(bench.directory, name), sides[name].progress);
    });
    const [routine, urgent] = LANES.map((name, i) => {
      return new Lane(name, this.#readers[i]!, sides[name].progress);
    });
    this.sender = new Sender(
      { routine: routine!, urgent: urgent! },
      { window, timestamps: 'datetime', drain },
      {
        write: (bytes) => {
          this.writes++;
          if (!this.broken) server.take(bytes);
          return !this.full;
        },
        save: () => {
          this.saved = { ...bench.progress };
          this.savedUrgent = { ...bench.urgent.progress };
        },
        refused: (lane, sequence, vscpClass, type, text) => {
          t.strictSame([vscpClass, type], [10, 6]);
          sides[lane].rejects.push([sequence, text]);
        },
        resending: (lane, first, last) => sides[lane].resent.push([first, last]),
      },
    );
  }

  /** The server's answers arrive, all in one read. */
  say(signs: string): void {
    for (const sign of signs) this.sender.take(sign === '+', sign === '+' ? '' : `-OK ${signs}`);
    this.sender.endRead();
  }

  /** The server answers its next `count` lines in one read. */
  answer(count = 1): void {
    let signs = '';
    for (let i = 0; i < count && this.server.waiting.length > 0; i++) signs += this.server.next();
    this.say(signs);
  }

  /** Answers and lets time pass, until there is nothing more to do. */
  settle(): void {
    for (let idle = 0; idle < 20; idle++) {
      this.sender.pump();
      if (this.server.waiting.length > 0) {
        this.answer(this.server.waiting.length);
        idle = 0;
      } else pass(QUIET);
    }
  }

  /** The connection is gone, and the process with it. */
  drop(): void {
    this.broken = true;
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout'] });
    for (const reader of this.#readers) reader.close();
    Object.assign(this.bench.progress, this.saved);
    Object.assign(this.bench.urgent.progress, this.savedUrgent);
  }
}

export const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

export function checkSums(t: Test, { progress, writer }: Bench): void {
  const pending = writer.sequence - progress.sequence;
  t.equal(progress.answered + progress.refused + pending, writer.sequence);
}
