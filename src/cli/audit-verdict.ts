/** The verdict over a log, as a person reads it. */
import { beginsText } from '../audit/course.js';
import { MAX_FINDINGS } from '../audit/findings.js';
import type { Amount } from '../audit/tally.js';
import type { PoliciesSeen, Verdict } from '../audit/verify.js';
import type { Opened } from './audit-open.js';
import { printable } from './excerpt.js';
import type { Io } from './io.js';
import { ageText, countText, table, timeText } from './journal-text.js';
import { count } from './policy-files.js';
import { painter } from './policy-report.js';

/** Lines of one list; all are in the JSON. */
const SHOWN = 20;

const when = (time: number | undefined): string => timeText(time) ?? '-';

/** Says what there is of one kind, as many lines as a person reads. */
function list<T>(title: string, all: readonly T[], line: (each: T) => string, io: Io): void {
  if (all.length === 0) return;
  io.out(title);
  for (const each of all.slice(0, SHOWN)) io.out(`  ${printable(line(each))}`);
  if (all.length > SHOWN) io.out(`  ... and ${countText(all.length - SHOWN)} more: see --json`);
}

function amounts(title: string, all: readonly Amount[], io: Io): void {
  if (all.length === 0) return;
  io.out(title);
  const rows = all
    .slice(0, SHOWN)
    .map((each) => [each.names.map(printable).join('  '), countText(each.count)]);
  for (const line of table(rows, '  ')) io.out(line);
  if (all.length > SHOWN) io.out(`  ... and ${countText(all.length - SHOWN)} more: see --json`);
}

/** Whose signatures are there and right, by which keys; what a log only says is said to be that. */
function signedText({
  signers,
  verified,
  approved,
}: Pick<PoliciesSeen, 'signers' | 'verified' | 'approved'>): string {
  const own = verified.filter((each) => !approved.includes(each));
  const claimed = signers.filter((each) => !verified.includes(each));
  const parts = [
    approved.length > 0 ? `signed by ${approved.join(', ')}` : '',
    own.length > 0 ? `signed by ${own.join(', ')}, by keys that the log names` : '',
    claimed.length > 0 ? `says the log, not verified: signed by ${claimed.join(', ')}` : '',
  ].filter((part) => part !== '');
  return parts.length > 0 ? parts.join('; ') : 'signed by nobody';
}

function printContents(verdict: Verdict, io: Io): void {
  list(
    'policies in force',
    verdict.policies,
    ({ leaf, time, files, ...signed }) => {
      const names = files.map(({ id, revision }) => `${id} revision ${revision}`).join(', ');
      return `${when(time)}  leaf ${leaf}: ${names}; ${signedText(signed)}`;
    },
    io,
  );
  amounts('forwarded, by channel and rule', verdict.forwarded, io);
  amounts('denied, by source and rule', verdict.denied, io);
  amounts('lost, by source and reason', verdict.lost, io);
  list(
    'down',
    verdict.down,
    ({ from, to, ended }) =>
      `from ${when(from)} to ${when(to)}, ${ageText(to - from)}: ` +
      `the gate had ${ended ? 'ended in order' : 'been killed'}`,
    io,
  );
  list(
    'without a leaf, although a gate was running',
    verdict.gaps,
    ({ from, to, leaf }) =>
      `from ${when(from)} to ${when(to)}, ${ageText(to - from)}: leaf ${leaf}`,
    io,
  );
  list(
    'keys',
    verdict.keys,
    ({ leaf, key, endorsed }) =>
      `leaf ${leaf}: ${key}, ${endorsed ? 'endorsed by' : 'not endorsed by'} the key before`,
    io,
  );
}

export function printVerdict(verdict: Verdict, opened: Opened | undefined, io: Io): void {
  const { origin, size, since, signed, root, from, to, unsigned, faults, findings } = verdict;
  const { begins, end, clock } = verdict;
  const paint = painter(io);
  io.out(printable(`log ${origin}: ${countText(size)} leaves, root ${root}`));
  if (signed.length > 0) io.out(printable(`signed by ${signed.join(', ')}`));
  if (since > 0) io.out(`judged from leaf ${countText(since)} on`);
  const kinds = Object.entries(verdict.kinds).map(([kind, each]) => `${countText(each)} ${kind}`);
  if (from !== undefined) io.out(`from ${when(from)} to ${when(to)}: ${kinds.join(', ')}`);
  if (begins)
    io.out(printable(`begins behind ${beginsText(begins)}: what went before is not in it`));
  if (end) {
    const how = end.stop ? 'a stop' : 'no stop: the gate runs, or was killed';
    io.out(`ends with ${how}; its last leaf is ${ageText(Math.max(0, Date.now() - end.time))} old`);
  }
  if (clock.steps > 0) {
    const [sign, by] = [clock.largest < 0 ? 'back' : 'forward', ageText(Math.abs(clock.largest))];
    const most = `the most by ${by} ${sign}, leaf ${clock.leaf ?? 0}`;
    io.out(`clock set ${count(clock.steps, 'time')}, ${most}`);
  }
  if (unsigned > 0) io.out(`${countText(unsigned)} more, not signed yet`);
  if (verdict.witnesses > 0)
    io.out(`compared with ${count(verdict.witnesses, 'root')} noted by others`);
  printContents(verdict, io);
  if (opened) {
    const gone = `${countText(opened.gone)} not held any more`;
    const unshown = opened.unshown === 0 ? '' : `, ${countText(opened.unshown)} not shown yet`;
    io.out(`contents of the journal: ${count(opened.right, 'range')} right, ${gone}${unshown}`);
  }
  for (const { what, leaf, message } of findings) {
    const place = leaf === undefined ? what : `${what}, leaf ${leaf}`;
    io.out(`${paint('fault:', 'red')} ${printable(`${place}: ${message}`)}`);
  }
  const hidden = faults - findings.length;
  if (hidden > 0) io.out(`... and ${countText(hidden)} more: the first ${MAX_FINDINGS} are shown`);
  if (faults === 0) io.out(paint('audit OK', 'green'));
  else io.out(`${paint('audit NOT OK', 'red')}: ${count(faults, 'fault')}`);
}
