/** `tidegate audit reconcile`: what was forwarded, and what an upper says that it received. */
import { parseCheckpoint } from '../audit/checkpoint.js';
import { compareIntervals, type Gap, Hearing, totalOf } from '../audit/intervals.js';
import { compare, type Counts, forwardedIn, sumOf } from '../audit/reconcile.js';
import { parseNote } from '../note/note.js';
import { className, typeName } from '../policy/tokens.js';
import { parseStrictly, UsageError } from './arguments.js';
import { AUDIT_RECONCILE_HELP } from './audit-help.js';
import { findLog, readNumber } from './audit-place.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { countText, table, timeText } from './journal-text.js';
import { count } from './policy-files.js';
import { painter } from './policy-report.js';
import { readReceived } from './received.js';

/** Lines that are no events and are shown. */
const SHOWN = 5;
/** Intervals that a person is shown; all are in the JSON. */
const SHOWN_GAPS = 20;

/** Lines that are no events: how many, and the first of them. */
interface Strange {
  unreadable: number;
  readonly lines: number[];
}

async function hear(file: string, hearing: Hearing): Promise<Strange> {
  const strange: Strange = { unreadable: 0, lines: [] };
  for await (const { number, pair, beacon } of readReceived(file)) {
    if (beacon?.part === 0) hearing.cut(beacon);
    if (pair !== undefined) hearing.take(pair);
    else if (strange.unreadable++ < SHOWN) strange.lines.push(number);
  }
  return strange;
}

const total = (all: readonly Counts[]): number =>
  all.reduce((sum, counts) => sum + totalOf(counts), 0);

function describe({ after, before, first, next, missing, extra }: Gap) {
  return {
    ...{ after: timeText(after) ?? null, before: timeText(before) ?? null },
    ...{ first, next: next ?? null, missing: totalOf(missing), extra: totalOf(extra) },
  };
}

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
  const forwarded = forwardedIn(log, size, values.channel);
  const { channels, routine, urgent } = forwarded;
  const known = printable([...channels].join(', '));
  if (values.channel === undefined && channels.size > 1) {
    throw new UsageError(`name a channel: --channel ${known}`);
  }
  if (values.channel !== undefined && !channels.has(values.channel)) {
    throw new UsageError(`no channel ${printable(values.channel)} in the log; there: ${known}`);
  }
  const hearing = new Hearing(forwarded);
  const { heard } = hearing;
  const strange = await hear(values.received, hearing);
  const { gaps, urgent: lane } = compareIntervals(forwarded, heard);
  const all = sumOf([...routine.map(({ counts }) => counts), urgent]);
  const came = sumOf(heard.map(({ counts }) => counts));
  const sums = {
    forwarded: totalOf(all),
    received: totalOf(came),
    missing: total([lane.missing, ...gaps.map(({ missing }) => missing)]),
    extra: total([lane.extra, ...gaps.map(({ extra }) => extra)]),
    ...strange,
  };
  const ok = sums.missing === 0 && sums.extra <= repeats;
  const differences = compare(all, came).map(({ vscpClass, type, ...each }) => ({
    class: className(vscpClass),
    type: typeName(vscpClass, type),
    ...each,
  }));
  const urgentLane = { missing: totalOf(lane.missing), extra: totalOf(lane.extra) };
  const intervals = gaps.map(describe);
  const beacons = heard.length - 1;
  if (values.json) {
    io.out(printableJson({ ok, ...sums, differences, beacons, intervals, urgent: urgentLane }));
    return ok ? 0 : 1;
  }
  io.out(`${countText(sums.forwarded)} forwarded, ${countText(sums.received)} received`);
  if (differences.length > 0) {
    const rows = differences.map((each) => [
      `${each.class} ${each.type}`,
      countText(each.forwarded),
      countText(each.received),
      countText(each.received - each.forwarded),
    ]);
    const head = ['', 'forwarded', 'received', 'difference'];
    for (const line of table([head, ...rows], '  ')) io.out(line);
  }
  if (beacons > 0) printIntervals(beacons, intervals, urgentLane, io);
  if (strange.unreadable > 0) {
    const first = strange.lines.join(', ');
    io.out(`${count(strange.unreadable, 'line')} no events; the first: ${first}`);
  }
  const paint = painter(io);
  const verdict = `${countText(sums.missing)} missing, ${countText(sums.extra)} extra`;
  io.out(
    ok
      ? `${paint('reconciled', 'green')}: ${verdict}`
      : `${paint('NOT reconciled', 'red')}: ${verdict}`,
  );
  return ok ? 0 : 1;
}

/** Where it is, by the beacons that were received. */
function printIntervals(
  beacons: number,
  intervals: readonly ReturnType<typeof describe>[],
  urgent: { readonly missing: number; readonly extra: number },
  io: Io,
): void {
  const wrong = urgent.missing + urgent.extra > 0;
  if (intervals.length === 0 && !wrong) {
    io.out(`${count(beacons, 'beacon')}: between all of them what should be there`);
    return;
  }
  const rows = intervals
    .slice(0, SHOWN_GAPS)
    .map(({ after, before, ...each }) => [
      `from ${after ?? 'the beginning'} to ${before ?? 'the end'}`,
      countText(each.missing),
      countText(each.extra),
    ]);
  if (wrong) {
    rows.push(['by the urgent lane', countText(urgent.missing), countText(urgent.extra)]);
  }
  const head = [`by ${count(beacons, 'beacon')}`, 'missing', 'extra'];
  for (const line of table([head, ...rows], '  ')) io.out(line);
  const hidden = intervals.length - SHOWN_GAPS;
  if (hidden > 0) io.out(`  ... and ${countText(hidden)} more: see --json`);
}
