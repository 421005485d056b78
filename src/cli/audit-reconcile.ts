/** `tidegate audit reconcile`: what was forwarded, and what an upper says that it received. */
import { createReadStream } from 'node:fs';
import { parseCheckpoint } from '../audit/checkpoint.js';
import {
  compare,
  type Counts,
  type Difference,
  forwardedIn,
  pairOfLine,
} from '../audit/reconcile.js';
import { parseNote } from '../note/note.js';
import { className, typeName } from '../policy/tokens.js';
import { parseStrictly, UsageError } from './arguments.js';
import { AUDIT_RECONCILE_HELP } from './audit-help.js';
import { findLog, readNumber } from './audit-place.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { countText, table } from './journal-text.js';
import { count } from './policy-files.js';
import { painter } from './policy-report.js';

/** Characters of a line; no event has so many. */
const MAX_LINE = 8192;
/** Lines that are no events and are shown. */
const SHOWN = 5;

interface Received {
  readonly counts: Counts;
  readonly events: number;
  readonly unreadable: number;
  /** The first of them. */
  readonly lines: readonly number[];
}

/** The lines of a file, bounded in memory: of one that is too long the beginning is kept. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
    const lines = (rest + (chunk as Buffer).toString('latin1')).split('\n');
    rest = lines.pop()!.slice(0, MAX_LINE);
    yield* lines;
  }
  if (rest !== '') yield rest;
}

async function readReceived(file: string): Promise<Received> {
  const counts = new Map<number, number>();
  const lines: number[] = [];
  let [events, unreadable, number] = [0, 0, 0];
  for await (const line of linesOf(file)) {
    number++;
    if (line.trim() === '') continue;
    const pair = pairOfLine(line);
    if (pair === undefined) {
      unreadable++;
      if (lines.length < SHOWN) lines.push(number);
    } else {
      events++;
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
  }
  return { counts, events, unreadable, lines };
}

const total = (all: readonly Difference[], of: (each: Difference) => number): number =>
  all.reduce((sum, each) => sum + Math.max(0, of(each)), 0);

/**
 * Runs `tidegate audit reconcile`; returns the exit code.
 *
 * @throws UsageError, LogError, NoteError, DocumentError, or an Error of the file system
 */
export async function auditReconcile(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c' },
    received: { type: 'string' },
    channel: { type: 'string' },
    repeats: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(AUDIT_RECONCILE_HELP);
    return 0;
  }
  if (values.received === undefined) throw new UsageError('--received FILE is missing');
  const repeats = readNumber('--repeats', values.repeats, 0);
  const log = findLog(values.config, positionals);
  const { size } = parseCheckpoint(parseNote(log.checkpoint()).text);
  const { counts, channels } = forwardedIn(log, size, values.channel);
  const known = printable([...channels].join(', '));
  if (values.channel === undefined && channels.size > 1) {
    throw new UsageError(`name a channel: --channel ${known}`);
  }
  if (values.channel !== undefined && !channels.has(values.channel)) {
    throw new UsageError(`no channel ${printable(values.channel)} in the log; there: ${known}`);
  }
  const received = await readReceived(values.received);
  const differences = compare(counts, received.counts);
  const missing = total(differences, (each) => each.forwarded - each.received);
  const extra = total(differences, (each) => each.received - each.forwarded);
  const ok = missing === 0 && extra <= repeats;
  const forwarded = [...counts.values()].reduce((sum, each) => sum + each, 0);
  const { events, unreadable, lines } = received;
  const named = differences.map(({ vscpClass, type, ...each }) => ({
    class: className(vscpClass),
    type: typeName(vscpClass, type),
    ...each,
  }));
  if (values.json) {
    const sums = { forwarded, received: events, missing, extra, unreadable, lines };
    io.out(printableJson({ ok, ...sums, differences: named }));
    return ok ? 0 : 1;
  }
  io.out(`${countText(forwarded)} forwarded, ${countText(events)} received`);
  if (named.length > 0) {
    const rows = named.map((each) => [
      `${each.class} ${each.type}`,
      countText(each.forwarded),
      countText(each.received),
      countText(each.received - each.forwarded),
    ]);
    const head = ['', 'forwarded', 'received', 'difference'];
    for (const line of table([head, ...rows], '  ')) io.out(line);
  }
  if (unreadable > 0)
    io.out(`${count(unreadable, 'line')} no events; the first: ${lines.join(', ')}`);
  const paint = painter(io);
  const verdict = `${countText(missing)} missing, ${countText(extra)} extra`;
  io.out(
    ok
      ? `${paint('reconciled', 'green')}: ${verdict}`
      : `${paint('NOT reconciled', 'red')}: ${verdict}`,
  );
  return ok ? 0 : 1;
}
