/** `tidegate journal ls`: channels, lanes, segments, and how far each upper has come. */
import type { Config } from '../config/config.js';
import { LANES, type Lane } from '../journal/format.js';
import { type SegmentFacts, surveyJournal } from '../journal/survey.js';
import { readUpperStatus } from '../wire/status.js';
import { parseStrictly } from './arguments.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { JOURNAL_LS_HELP } from './journal-help.js';
import { findJournals, type Subject } from './journal-place.js';
import { ageText, countText, sizeText, table, timeText } from './journal-text.js';
import { count } from './policy-files.js';
import { type Paint, painter } from './policy-report.js';

interface LaneFacts {
  readonly lane: Lane;
  readonly directory: string;
  readonly segments: readonly SegmentFacts[];
  readonly records: number;
  /** Bytes of the files. */
  readonly size: number;
  readonly committed: number;
  /** Last committed sequence. */
  readonly sequence: number;
}

/** How far an upper has come in a lane. */
interface Standing {
  readonly sequence: number;
  readonly pending: number;
}

interface UpperFacts {
  readonly upper: string;
  /** None: it has not said anything yet, or it cannot be read. */
  readonly state?: string;
  readonly time?: number;
  readonly lanes?: Readonly<Record<Lane, Standing>>;
}

interface ChannelFacts {
  readonly channel: string;
  readonly lanes: readonly LaneFacts[];
  readonly uppers: readonly UpperFacts[];
}

/** What a status says, which may be anything. */
function sequenceIn(status: unknown, lane: Lane): unknown {
  type Said = Partial<Record<'lanes', Partial<Record<Lane, { sequence?: unknown }>>>> | undefined;
  return (status as Said)?.lanes?.[lane]?.sequence;
}

/** Sequences that the uppers have said, before the journals are looked at. */
function readSequences({ state, uppers }: Config) {
  return uppers.map(({ name, channel }) => {
    const status = readUpperStatus(state, name);
    const sequences = LANES.map((lane) => sequenceIn(status, lane));
    return { name, channel, status, sequences };
  });
}

function gather({ channels, config }: Subject): ChannelFacts[] {
  const uppers = config ? readSequences(config) : [];
  return channels.map(({ channel, places }) => {
    const lanes = places.map(({ lane, directory }): LaneFacts => {
      const segments = surveyJournal(directory);
      const sum = (of: 'records' | 'size' | 'committed'): number =>
        segments.reduce((total, segment) => total + segment[of], 0);
      return {
        lane,
        directory,
        segments,
        records: sum('records'),
        size: sum('size'),
        committed: sum('committed'),
        sequence: segments.at(-1)?.last ?? 0,
      };
    });
    const own = uppers.filter((upper) => upper.channel === channel);
    return { channel, lanes, uppers: own.map((upper) => standingOf(upper, lanes)) };
  });
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 16) : '?');
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : NaN);

/** An upper that was taken over may have written anything into its status. */
function standingOf(
  { name, status, sequences }: ReturnType<typeof readSequences>[number],
  lanes: readonly LaneFacts[],
): UpperFacts {
  if (!status || !sequences.every((sequence) => Number.isSafeInteger(sequence))) {
    return { upper: name };
  }
  const standing = (i: number): Standing => {
    const sequence = Number(sequences[i]);
    return { sequence, pending: Math.max(0, lanes[i]!.sequence - sequence) };
  };
  return {
    upper: name,
    state: textOf(status.state),
    time: numberOf(status.time),
    lanes: { routine: standing(0), urgent: standing(1) },
  };
}

const HEADS = [
  'segment',
  'epoch',
  'first',
  'last',
  'records',
  'committed',
  'room',
  'created',
  'last mark',
  'age',
];

function segmentRow(segment: SegmentFacts, now: number): string[] {
  const { name, epoch, first, last, records, size, committed, created, marked } = segment;
  return [
    name,
    String(epoch),
    countText(first),
    records > 0 ? countText(last) : '-',
    countText(records),
    sizeText(committed),
    sizeText(size),
    segment.unreadable === undefined ? (timeText(created) ?? '-') : 'unreadable',
    timeText(marked) ?? '-',
    ageText(marked === undefined ? undefined : now - marked),
  ];
}

function print(channels: readonly ChannelFacts[], now: number, paint: Paint, io: Io): void {
  for (const [i, { channel, lanes, uppers }] of channels.entries()) {
    io.out(`${i === 0 ? '' : '\n'}${paint(printable(channel), 'bold')}`);
    for (const { lane, segments, records, committed, size } of lanes) {
      const sizes = `${sizeText(committed)} in ${sizeText(size)}`;
      const sums = `${count(segments.length, 'segment')}, ${countText(records)} records, ${sizes}`;
      io.out(`  ${lane.padEnd(7)}  ${segments.length === 0 ? 'nothing yet' : sums}`);
      if (segments.length === 0) continue;
      const rows = [HEADS, ...segments.map((segment) => segmentRow(segment, now))];
      for (const line of table(rows, '    ')) io.out(line);
      for (const { name, unreadable } of segments) {
        if (unreadable !== undefined) io.out(`    ${paint(`${name}: ${unreadable}`, 'red')}`);
      }
    }
    for (const { upper, state, time, lanes: standing } of uppers) {
      if (!standing) {
        io.out(`  upper ${upper}  has not said anything yet, or it may not be read`);
        continue;
      }
      const words = LANES.map((lane) => {
        const { sequence, pending } = standing[lane];
        return `${lane} at ${countText(sequence)}, ${countText(pending)} pending`;
      });
      const ago = ageText(now - (time ?? NaN));
      io.out(`  upper ${upper}  ${printable(state ?? '')} (${ago} ago)  ${words.join('; ')}`);
    }
  }
  const lanes = channels.flatMap((each) => each.lanes);
  const total = (of: 'records' | 'committed' | 'size'): number =>
    lanes.reduce((sum, lane) => sum + lane[of], 0);
  const segments = lanes.reduce((sum, lane) => sum + lane.segments.length, 0);
  const sizes = `${sizeText(total('committed'))} in ${sizeText(total('size'))}`;
  const sums = `${count(segments, 'segment')}, ${countText(total('records'))} records, ${sizes}`;
  io.out(`\n${count(channels.length, 'channel')}, ${sums}`);
}

/**
 * Runs `tidegate journal ls`; returns the exit code.
 *
 * @throws UsageError, JournalError, DocumentError, or an Error of the file system
 */
export function journalLs(args: readonly string[], io: Io, now = Date.now()): number {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(JOURNAL_LS_HELP);
    return 0;
  }
  const channels = gather(findJournals(values.config, positionals));
  if (values.json) io.out(printableJson({ time: now, channels }));
  else print(channels, now, painter(io), io);
  return 0;
}
