/**
 * Server-sent events: what changed, at most once a second, the same bytes to all.
 *
 * Each event is a state, not a step: who gets one twice, or a later one instead, knows as much.
 * So a reader that is slow is passed over until it has read, and then told what changed meanwhile.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { BoardView } from '../../sensor/view.js';
import type { HttpCounters } from './counters.js';
import type { HttpLimits } from './limits.js';
import { Tally } from './network.js';
import { Problem } from './problem.js';
import type { Exchange, Replies } from './reply.js';
import { isoOf, shapeAlarms, shapeRelay, shapeSensor } from './shapes.js';

/** Streams that are written to before others have their turn. */
const SLICE = 250;
/** Looks that a client may have missed, and still be told only what changed. */
const REMEMBERED = 10;
/** ms, between two counts of what waits. */
const RECOUNT = 50;
const SIGN_OF_LIFE = Buffer.from(':\n\n');

interface Stream {
  readonly res: ServerResponse;
  readonly network: string;
  /** The look that it is told of, and the revision: it knows at least what was there then. */
  look: number;
  revision: number;
  /** When it was written to last, and since when something waits for it; ms, monotonic. */
  wrote: number;
  waiting: number | undefined;
}

/** All that changed after some revision, as of another. */
interface Frame {
  readonly revision: number;
  readonly bytes: Buffer;
}

export class Streams {
  readonly #view: BoardView;
  readonly #limits: HttpLimits;
  readonly #replies: Replies;
  readonly #counters: HttpCounters;
  readonly #streams = new Set<Stream>();
  readonly #tally = new Tally();
  /** Revisions at the last looks, oldest first. */
  readonly #looks: number[];
  #alarms: string;
  #relay: string;
  #edition: string;
  /** Number of the last look that found a change. */
  #look = 0;
  /** By the revision that they begin after: made since the last look. */
  readonly #frames = new Map<number, Frame>();
  #busy = false;
  /** Bytes that wait for all streams; what opened since they were counted is added whole. */
  #waiting = 0;
  #counted = 0;

  constructor(view: BoardView, limits: HttpLimits, replies: Replies, counters: HttpCounters) {
    this.#view = view;
    this.#limits = limits;
    this.#replies = replies;
    this.#counters = counters;
    this.#looks = [view.revision];
    this.#alarms = this.#alarmsNow();
    this.#relay = this.#relayNow();
    this.#edition = this.#editionNow();
  }

  /** @throws Problem: there are too many */
  open(exchange: Exchange, since: string | undefined): void {
    const { req, res, network } = exchange;
    const limits = this.#limits;
    if (!res.socket) {
      throw new Problem('bad_request', 'a stream needs a connection of its own: do not pipeline');
    }
    if (this.#tally.of(network) >= limits.streamsPerAddress) {
      throw Problem.later(
        'too_many_streams',
        `your address has ${limits.streamsPerAddress} streams: close one first`,
        limits.retry,
      );
    }
    if (this.#streams.size >= limits.streams) {
      throw Problem.later('busy', 'too many streams are open: try again later', 30_000);
    }
    const frame = this.#frameSince(parseRevision(since, this.#view.started));
    if (!exchange.head && !this.#hasRoom(frame.bytes.length)) {
      throw Problem.later('busy', 'too many streams are slow: try again later', limits.retry);
    }
    // It ends with its connection: the same bytes go to all, in no chunks.
    res.useChunkedEncodingByDefault = false;
    this.#replies.begin(exchange, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // A proxy that gathers what comes would hold events back.
      'X-Accel-Buffering': 'no',
      Connection: 'close',
    });
    if (exchange.head) {
      res.end();
      return;
    }
    req.socket.setTimeout(0);
    const stream: Stream = { res, network, look: 0, revision: 0, wrote: 0, waiting: undefined };
    this.#streams.add(stream);
    this.#tally.add(network);
    this.#counters.streams++;
    this.#counters.streamed++;
    res.on('close', () => {
      this.#streams.delete(stream);
      this.#tally.remove(network);
      this.#counters.streams--;
    });
    res.write(`retry: ${limits.retry}\n\n`);
    this.#waiting += frame.bytes.length;
    this.#write(stream, frame);
  }

  /** Looks for what changed, and tells everybody; does nothing while it is still at it. */
  async look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const frame = this.#frameOfChanges();
      let count = 0;
      for (const stream of this.#streams) {
        this.#serve(stream, frame);
        // The relay's link is of the same thread.
        if (++count % SLICE === 0) await turn();
      }
      this.#count();
      this.#cutWorst();
    } finally {
      this.#busy = false;
    }
  }

  close(): void {
    for (const { res } of this.#streams) res.end();
  }

  #serve(stream: Stream, frame: Frame | undefined): void {
    const { res } = stream;
    const now = performance.now();
    if (res.destroyed || res.writableEnded) return;
    if (res.writableNeedDrain) {
      stream.waiting ??= now;
      const late = now - stream.waiting > this.#limits.streamPatience;
      if (late || res.writableLength > this.#limits.streamBytes) this.#cut(stream);
      return;
    }
    stream.waiting = undefined;
    if (stream.look < this.#look) {
      const follows = frame && stream.look === this.#look - 1;
      this.#write(stream, follows ? frame : this.#frameSince(stream.revision));
    } else if (now - stream.wrote >= this.#limits.signOfLife) {
      stream.wrote = now;
      res.write(SIGN_OF_LIFE);
    }
  }

  #write(stream: Stream, frame: Frame): void {
    stream.look = this.#look;
    stream.revision = frame.revision;
    stream.wrote = performance.now();
    stream.res.write(frame.bytes);
  }

  #cut(stream: Stream): void {
    this.#counters.cutStreams++;
    stream.res.destroy();
  }

  #hasRoom(bytes: number): boolean {
    const most = this.#limits.streamsBytes;
    // Thousands that come back at once must not have all the others counted each time.
    const old = performance.now() - this.#counted > RECOUNT;
    if (this.#waiting + bytes > most && old) this.#count();
    return this.#waiting + bytes <= most;
  }

  #count(): void {
    this.#waiting = 0;
    for (const { res } of this.#streams) this.#waiting += res.writableLength;
    this.#counted = performance.now();
  }

  #cutWorst(): void {
    if (this.#waiting <= this.#limits.streamsBytes) return;
    const worst = [...this.#streams]
      .filter(({ res }) => !res.destroyed)
      .sort((a, b) => b.res.writableLength - a.res.writableLength);
    for (const stream of worst) {
      if (this.#waiting <= this.#limits.streamsBytes) return;
      this.#waiting -= stream.res.writableLength;
      this.#cut(stream);
    }
  }

  /** Of what changed since the last look; undefined: nothing. */
  #frameOfChanges(): Frame | undefined {
    this.#frames.clear();
    const after = this.#looks.at(-1)!;
    const { revision } = this.#view;
    const alarms = this.#alarmsNow();
    const relay = this.#relayNow();
    const edition = this.#editionNow();
    let text = revision === after ? '' : this.#sensorsAfter(after);
    if (alarms !== this.#alarms) text += alarms;
    if (relay !== this.#relay) text += relay;
    if (edition !== this.#edition) text += edition;
    this.#edition = edition;
    this.#alarms = alarms;
    this.#relay = relay;
    this.#looks.push(revision);
    if (this.#looks.length > REMEMBERED) this.#looks.shift();
    if (text === '') return undefined;
    this.#look++;
    return { revision, bytes: Buffer.from(text) };
  }

  /**
   * Of all that changed since a client was told. There are at most REMEMBERED of them between
   * two looks, whatever clients say: it begins with the look before theirs.
   */
  #frameSince(revision: number): Frame {
    const after = revision <= this.#view.revision ? this.#lookBefore(revision) : -1;
    const found = this.#frames.get(after);
    if (found) return found;
    const text = `${this.#sensorsAfter(after)}${this.#others()}`;
    const frame = { revision: this.#view.revision, bytes: Buffer.from(text) };
    this.#frames.set(after, frame);
    return frame;
  }

  #lookBefore(revision: number): number {
    return this.#looks.findLast((look) => look <= revision) ?? -1;
  }

  /** @param after -1: all of them */
  #sensorsAfter(after: number): string {
    const { revision, started } = this.#view;
    const changed = this.#view.sensors().filter((sensor) => sensor.revision > after);
    if (changed.length === 0 && after >= 0) return `id: ${formatRevision(revision, started)}\n\n`;
    const time = isoOf(Date.now());
    const data = JSON.stringify({ revision, time, sensors: changed.map(shapeSensor) });
    return `id: ${formatRevision(revision, started)}\nevent: sensors\ndata: ${data}\n\n`;
  }

  #others(): string {
    return `${this.#alarmsNow()}${this.#relayNow()}${this.#editionNow()}`;
  }

  #editionNow(): string {
    return `event: edition\ndata: ${JSON.stringify({ edition: this.#view.edition })}\n\n`;
  }

  #alarmsNow(): string {
    return `event: alarms\ndata: ${JSON.stringify(shapeAlarms(this.#view.alarms()))}\n\n`;
  }

  #relayNow(): string {
    return `event: relay\ndata: ${JSON.stringify(shapeRelay(this.#view.relay()))}\n\n`;
  }
}

/** Revisions begin anew with the board: an id says of which run it is. */
export function formatRevision(revision: number, started: number): string {
  return `${started.toString(36)}-${revision}`;
}

/** -1 for whatever is no revision of this run; a revision alone is taken as one of it. */
function parseRevision(text: string | undefined, started: number): number {
  const [, run, revision] = /^(?:([0-9a-z]{1,12})-)?(\d{1,15})$/.exec(text ?? '') ?? [];
  if (revision === undefined || (run !== undefined && run !== started.toString(36))) return -1;
  return Number(revision);
}
