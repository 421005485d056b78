/** Prints what the tests of policy files showed, for people or as JSON. */
import { formatEvent } from '../event/event.js';
import type { Sent } from '../review/rehearsal.js';
import type { Finding } from '../review/lint.js';
import type { Complaint, TestResult, Trial } from '../review/trial.js';
import { printable } from './excerpt.js';
import type { Io } from './io.js';
import { count, type PolicyFile } from './policy-files.js';
import { type Paint, painter, printFinding, printPlace, Sources } from './policy-report.js';

/** One file, and what became of it. */
export interface Tried {
  readonly file: PolicyFile;
  /** Why its tests cannot be run. */
  readonly errors: readonly Finding[];
  readonly trial: Trial | undefined;
}

/** Events of a test that failed: the last ones that it sent. */
const SHOWN = 8;
const LONGEST = 200;

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function placeOf({ field }: Pick<Complaint, 'field'>): Place {
  const { file, line, column } = field.error('');
  return { file, line, column };
}

function complaintsOf(complaints: readonly Complaint[]) {
  return complaints.map((complaint) => {
    const { line, column } = placeOf(complaint);
    return { line, column, message: complaint.message };
  });
}

function testReport({ test, complaints, fed, sent }: TestResult) {
  const passed = complaints.length === 0;
  const { line, column } = placeOf(test);
  return {
    name: test.name,
    line,
    column,
    passed,
    fed,
    sent: sent.length,
    complaints: complaintsOf(complaints),
    events: (passed ? [] : sent.slice(-SHOWN)).map(({ channel, rule, urgent, at, body }) => ({
      channel,
      rule,
      urgent,
      at: new Date(at).toISOString(),
      event: formatEvent(body),
    })),
  };
}

function policyReport({ file, errors, trial }: Tried, coverage: boolean) {
  const rules = trial?.policy.rules.map(({ name }) => ({
    rule: name,
    hits: trial.coverage.hits.get(name)!,
    misses: trial.coverage.misses.get(name)!,
  }));
  return {
    file: file.file,
    policy: file.policy?.id ?? null,
    errors,
    tests: trial?.results.map(testReport) ?? [],
    ...(coverage && {
      rules: rules ?? [],
      gaps: complaintsOf(trial?.coverage.complaints ?? []),
    }),
  };
}

/** What `--json` prints. */
export function toReport(tried: readonly Tried[], coverage: boolean) {
  const results = tried.flatMap(({ trial }) => trial?.results ?? []);
  const failed = results.filter(({ complaints }) => complaints.length > 0).length;
  const gaps = tried.flatMap(({ trial }) => trial?.coverage.complaints ?? []).length;
  return {
    files: tried.length,
    tests: results.length,
    passed: results.length - failed,
    failed,
    fed: results.reduce((sum, { fed }) => sum + fed, 0),
    sent: results.reduce((sum, { sent }) => sum + sent.length, 0),
    gaps: coverage ? gaps : 0,
    errors: tried.flatMap(({ errors }) => errors).length,
    policies: tried.map((each) => policyReport(each, coverage)),
  };
}

type Report = ReturnType<typeof toReport>;

/** Prints a report for people: marks on a terminal, words elsewhere. */
export function printTrials(
  tried: readonly Tried[],
  report: Report,
  coverage: boolean,
  io: Io,
): void {
  const paint = painter(io);
  const sources = new Sources(tried.map(({ file }) => file));
  for (const each of tried) printFile(each, coverage, sources, paint, io);
  const { tests, passed, failed, fed, sent, gaps, errors } = report;
  const parts = [`${count(tests, 'test')}: ${passed} passed, ${failed} failed`];
  if (errors > 0) parts.push(count(errors, 'error'));
  if (gaps > 0) parts.push(count(gaps, 'gap'));
  const counts = `${count(fed, 'event')} fed, ${sent} sent`;
  const bad = failed + errors + gaps > 0;
  io.out(paint(`${parts.join(', ')}; ${counts}`, bad ? 'red' : 'green'));
}

function printFile(
  { file, errors, trial }: Tried,
  coverage: boolean,
  sources: Sources,
  paint: Paint,
  io: Io,
): void {
  const revision = file.policy ? ` (${file.policy.id}, revision ${file.policy.revision})` : '';
  io.out(paint(printable(`${file.file}${revision}`), 'bold'));
  for (const error of errors) printFinding(error, sources, paint, io);
  if (trial) {
    const { results } = trial;
    if (results.length === 0) io.out('  it has no tests');
    const width = Math.min(60, Math.max(...results.map(({ test }) => test.name.length), 0));
    for (const result of results) printResult(result, width, sources, paint, io);
    if (coverage) printCoverage(trial, sources, paint, io);
  }
  io.out('');
}

function printResult(
  { test, complaints, fed, sent, kept }: TestResult,
  width: number,
  sources: Sources,
  paint: Paint,
  io: Io,
): void {
  const passed = complaints.length === 0;
  const words = io.terminal === true ? (['✓', '✗'] as const) : (['ok  ', 'FAIL'] as const);
  const mark = passed ? paint(words[0], 'green') : paint(words[1], 'red');
  const counts = `${count(fed, 'event')} fed, ${sent.length} sent`;
  io.out(`  ${mark} ${printable(test.name).padEnd(width)}  ${counts}`);
  for (const complaint of complaints) printComplaint(complaint, sources, paint, io);
  if (passed) return;
  const back = Object.entries(kept).map(([outcome, n]) => `${n} ${outcome}`);
  if (back.length > 0) io.out(`     permitted and not sent: ${back.join(', ')}`);
  printSent(sent, io);
}

function printComplaint(complaint: Complaint, sources: Sources, paint: Paint, io: Io): void {
  const place = placeOf(complaint);
  const { file, line, column } = place;
  io.out(`${printable(`${file}:${line}:${column}`)}: ${printable(complaint.message)}`);
  printPlace(place, sources, paint, io);
}

function printSent(sent: readonly Sent[], io: Io): void {
  if (sent.length === 0) io.out('     sent nothing');
  if (sent.length > SHOWN) io.out(`     sent ${sent.length} events, the last ${SHOWN}:`);
  for (const { channel, rule, urgent, body } of sent.slice(-SHOWN)) {
    const line = formatEvent(body);
    const cut = line.length > LONGEST ? `${line.slice(0, LONGEST)}...` : line;
    io.out(`     sent to ${channel} by ${rule}${urgent ? ', urgent' : ''}: ${cut}`);
  }
}

function printCoverage({ policy, coverage }: Trial, sources: Sources, paint: Paint, io: Io): void {
  const { hits, misses, complaints } = coverage;
  const width = Math.max(...policy.rules.map(({ name }) => name.length), 0);
  const most = Math.max(...hits.values(), ...misses.values(), 0);
  const digits = String(most).length;
  io.out('  coverage: events that each rule matched, and did not');
  for (const { name } of policy.rules) {
    const [hit, missed] = [hits, misses].map((of) => String(of.get(name)).padStart(digits));
    io.out(`    ${name.padEnd(width)}  ${hit!} hits  ${missed!} misses`);
  }
  for (const complaint of complaints) printComplaint(complaint, sources, paint, io);
}
