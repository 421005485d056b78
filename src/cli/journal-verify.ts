/** `tidegate journal verify`: whether journals are as they were written. */
import { MAX_FINDINGS } from '../journal/finding.js';
import { type LaneResult, type Verdict, verifyJournals } from '../journal/verify.js';
import { parseStrictly } from './arguments.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { JOURNAL_VERIFY_HELP } from './journal-help.js';
import { findJournals, JournalError } from './journal-place.js';
import { countText, sizeText, timeText } from './journal-text.js';
import { count } from './policy-files.js';
import { painter } from './policy-report.js';
import { showProgress } from './progress.js';

function laneLine({ channel, lane, segments, records, bytes, first, last, time }: LaneResult) {
  const name = printable(`${channel}, ${lane}`);
  if (segments === 0) return `${name}: nothing yet`;
  const range =
    first === undefined ? 'no records' : `records ${countText(first)} to ${countText(last!)}`;
  const when = timeText(time);
  const upTo = when === undefined ? '' : `, up to ${when}`;
  const sizes = `${count(segments, 'segment')}, ${countText(records)} read, ${sizeText(bytes)}`;
  return `${name}: ${range}${upTo} (${sizes})`;
}

function print(verdict: Verdict, io: Io): void {
  const paint = painter(io);
  for (const lane of verdict.lanes) io.out(laneLine(lane));
  for (const { kind, file, offset, message } of verdict.findings) {
    const place = offset === undefined ? file : `${file}, byte ${offset}`;
    const head = paint(`${kind}:`, kind === 'damage' ? 'red' : 'yellow');
    io.out(`${head} ${printable(`${place}: ${message}`)}`);
  }
  const { damage, notes, findings } = verdict;
  const hidden = damage + notes - findings.length;
  if (hidden > 0) io.out(`... and ${countText(hidden)} more: the first ${MAX_FINDINGS} are shown`);
  const noted = notes === 0 ? '' : `, ${count(notes, 'note')}`;
  if (damage === 0) io.out(`${paint('journal OK', 'green')}${noted}`);
  else io.out(`${paint('journal DAMAGED', 'red')}: ${count(damage, 'finding')}${noted}`);
}

/**
 * Runs `tidegate journal verify`; returns the exit code.
 *
 * @throws UsageError, JournalError, DocumentError, or an Error of the file system
 */
export function journalVerify(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(JOURNAL_VERIFY_HELP);
    return 0;
  }
  const { channels, config } = findJournals(values.config, positionals);
  const places = channels.flatMap((each) => each.places);
  let verdict: Verdict;
  try {
    verdict = verifyJournals(places, {
      copied: config === undefined,
      progress: showProgress((done, total) => `${sizeText(done)} of ${sizeText(total)}`),
    });
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
  if (verdict.lanes.every(({ segments }) => segments === 0)) {
    throw new JournalError('there is no journal yet: has the relay been started with this state?');
  }
  if (values.json) io.out(printableJson(verdict));
  else print(verdict, io);
  return verdict.damage === 0 ? 0 : 1;
}
