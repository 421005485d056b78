/** `tidegate journal cat`: the committed events of a channel, in order. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readInstant } from '../document/date.js';
import { encodeEvent, MAX_TEXT } from '../event/encode.js';
import { CLASS, readU16, TYPE } from '../event/layout.js';
import { LANES, RELAY, type SegmentHeader } from '../journal/format.js';
import { type Entry, History } from '../journal/history.js';
import { quote } from '../pki/options.js';
import { className, typeName } from '../policy/tokens.js';
import { parseStrictly, UsageError } from './arguments.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { JOURNAL_CAT_HELP } from './journal-help.js';
import { findJournals } from './journal-place.js';
import { timeText } from './journal-text.js';

/** Between two looks for more, ms. */
const POLL = 200;
/** So many looks long an urgent record waits for the mark of the routine ones before it. */
const PATIENCE = 10;
/** Lines are written in pieces of so many characters. */
const PIECE = 64 * 1024;
/** Longest name that widens a column. */
const MAX_NAME = 40;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  lane: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  follow: { type: 'boolean', short: 'f', default: false },
  json: { type: 'boolean', default: false },
  vscp: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function readSequence(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`${option} takes a sequence, a whole number from 1 on, not ${quote(text)}`);
}

function readTime(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const time = readInstant(text);
  if (!Number.isNaN(time)) return time;
  throw new UsageError(`${option} ${quote(text)} is no time: write it as 2026-06-01T12:00:07Z`);
}

/** What a header says at a place, if it says a name there. */
function nameAt(header: SegmentHeader, list: 'sources' | 'rules', i: number): string {
  if (i === RELAY) return list === 'rules' ? '(beacon)' : '(relay)';
  const names: unknown = (header as SegmentHeader | null)?.[list];
  const name: unknown = Array.isArray(names) ? names[i] : undefined;
  return typeof name === 'string' ? name : String(i);
}

/** Writes entries as lines, in columns that widen as they must. */
class Lines {
  readonly #form: 'human' | 'json' | 'vscp';
  readonly #channel: string;
  readonly #widths = [8, 0, 0, 0, 0];
  readonly #text = Buffer.alloc(MAX_TEXT);

  constructor(form: 'human' | 'json' | 'vscp', channel: string) {
    this.#form = form;
    this.#channel = channel;
  }

  /** @param entry holds an event */
  format({ lane, sequence, time, header, source, rule, bytes, body }: Entry): string {
    const event = this.#text.toString('latin1', 0, encodeEvent(bytes, body, this.#text, 0));
    if (this.#form === 'vscp') return event;
    const vscpClass = readU16(bytes, body + CLASS);
    const type = readU16(bytes, body + TYPE);
    const names = {
      source: nameAt(header, 'sources', source),
      rule: nameAt(header, 'rules', rule),
      class: className(vscpClass),
      type: typeName(vscpClass, type),
    };
    if (this.#form === 'json') {
      const at = timeText(time) ?? null;
      return printableJson({ channel: this.#channel, lane, sequence, time: at, ...names, event });
    }
    const [number, ...others] = [String(sequence), ...Object.values(names)].map((cell, i) => {
      const text = printable(cell);
      this.#widths[i] = Math.max(this.#widths[i]!, Math.min(MAX_NAME, text.length));
      return i === 0 ? text.padStart(this.#widths[i]) : text.padEnd(this.#widths[i]);
    });
    const when = timeText(time) ?? '-'.padEnd(24);
    return [number, lane.padEnd(7), when, ...others, event].join('  ');
  }
}

/** A reader that is slower than this must not make what waits for it grow. */
async function drained(): Promise<void> {
  if (!process.stdout.writableNeedDrain) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}

/** Writes lines in pieces: constant memory, and few writes. */
class Printer {
  shown = 0;
  failed = false;
  readonly #lines: Lines;
  readonly #io: Io;
  #piece: string[] = [];
  #length = 0;

  constructor(lines: Lines, io: Io) {
    this.#lines = lines;
    this.#io = io;
  }

  async show(entry: Entry): Promise<void> {
    this.shown++;
    if (entry.body < 0) {
      await this.complain(`${entry.lane} ${entry.sequence} holds no event`);
      return;
    }
    const line = this.#lines.format(entry);
    this.#piece.push(line);
    this.#length += line.length;
    if (this.#length >= PIECE) await this.flush();
  }

  /** Not all is as it was written. */
  async complain(message: string): Promise<void> {
    await this.flush();
    this.#io.err(`${message}; see tidegate journal verify`);
    this.failed = true;
  }

  async flush(): Promise<void> {
    if (this.#piece.length > 0) this.#io.out(this.#piece.join('\n'));
    this.#piece = [];
    this.#length = 0;
    await drained();
  }
}

/** Which of the records are shown. */
interface Part {
  /** ms since 1970. */
  readonly since: number;
  readonly until: number;
  /** Last sequence: of the one lane, or of the routine one. */
  readonly to: number;
  readonly both: boolean;
}

async function print(history: History, part: Part, follow: boolean, to: Printer): Promise<void> {
  for (let looks = 0; ;) {
    const entry = history.next(follow && looks < PATIENCE);
    for (let gap = history.takeGap(); gap; gap = history.takeGap()) {
      const { lane, first, last } = gap;
      await to.complain(`${lane} ${first} to ${last} are not there: deleted meanwhile, or damaged`);
    }
    if (!entry) {
      await to.flush();
      if (!follow) return;
      await sleep(POLL);
      looks++;
      continue;
    }
    looks = 0;
    // What is urgent has its place before the next routine record.
    const place = part.both && entry.after !== undefined ? entry.after + 1 : entry.sequence;
    if (entry.time > part.until || place > part.to) break;
    if (!(entry.time < part.since)) await to.show(entry);
    if (entry.sequence === part.to && !(part.both && entry.lane === 'urgent')) break;
  }
  await to.flush();
}

/**
 * Runs `tidegate journal cat`; returns the exit code.
 *
 * @throws UsageError, JournalError, DocumentError, or an Error of the file system
 */
export async function journalCat(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(JOURNAL_CAT_HELP);
    return 0;
  }
  const { lane, json, vscp } = values;
  if (json && vscp) throw new UsageError('--json or --vscp, not both');
  if (lane !== undefined && !(LANES as readonly string[]).includes(lane)) {
    throw new UsageError(`--lane takes ${LANES.join(' or ')}, not ${quote(lane)}`);
  }
  const from = readSequence('--from', values.from, 1);
  const to = readSequence('--to', values.to, Infinity);
  const since = readTime('--since', values.since, -Infinity);
  const until = readTime('--until', values.until, Infinity);
  const { channels } = findJournals(values.config, positionals);
  const [one, another] = channels;
  if (another) {
    const known = channels.map(({ channel }) => printable(channel)).join(', ');
    throw new UsageError(`name a channel: ${known}`);
  }
  const { channel, places } = one!;
  const asked = places.filter((place) => lane === undefined || place.lane === lane);
  const lines = new Lines(json ? 'json' : vscp ? 'vscp' : 'human', channel);
  const history = new History(asked, { from, since });
  const part: Part = { since, until, to, both: asked.length > 1 };
  const printer = new Printer(lines, io);
  try {
    await print(history, part, values.follow, printer);
  } finally {
    history.close();
  }
  if (printer.shown === 0) io.err('no such event is there');
  return printer.failed ? 1 : 0;
}
