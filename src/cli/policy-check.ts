/** `tidegate policy check`: whether policy files would load, and what is hazardous in them. */
import type { Policy } from '../policy/policy.js';
import { type Finding, lint, loadErrors } from '../review/lint.js';
import { parseStrictly, UsageError } from './arguments.js';
import { didYouMean } from '../document/nearest.js';
import { quote } from '../pki/options.js';
import { printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { count, type PolicyFile, readPolicies } from './policy-files.js';
import { annotation, painter, printFinding, Sources, tally } from './policy-report.js';

export const POLICY_CHECK_HELP = `tidegate policy check - what is wrong or hazardous in policies

Usage: tidegate policy check FILE... [--format text|github|json] [--strict]

Reads policy files as the relay does: unknown keys, tokens, families and units are errors, each
with its line, a caret, and the nearest known word. All files given are taken together, as one
relay loads them: ids used twice, permits that overlap and disagree, and expired policies are
errors too. Then hazards are looked for, in what the rules mean together: a permit is not blamed
for what a forbid stops. Nothing is sent, no test is run, no key is read.

  -f, --format FORMAT   text (default), github (annotations of a workflow), or json (one object)
  -s, --strict          warnings fail as errors do
  -h, --help            this text

An error is what the relay refuses to load:
  unreadable, invalid   the file, or something in it, cannot be understood
  not-loadable          the policies do not load together

A warning names a hazard, and the fix; nothing silences it but the fix:
  alias-open            a forbid by bare class: its mirror (512 + n) or Level II twin gets out
  raw-guid              GUIDs sent as they are, from ranges that hold a MAC, an IPv4 address, ...
  mirror-guid           the data of classes 512 to 1023 is sent, and holds a GUID
  raw-time              timestamps are kept
  permits-key           SETKEY, an encryption key, gets out
  permits-protocol      register writes and firmware get out
  permits-control       commands to devices get out
  permits-setvaluezone  commanded values get out
  permits-daemon        the daemon's own events (65535) get out
  permit-any            a permit of every event
  permit-dead           a permit of which forbids leave nothing
  permit-expired        a permit whose last day is over
  gnss-position         positions are sent unrounded
  window-unit           a mean of what has no mean: angles, decibels, counters
  value-unit            bounds that no measurement in this unit meets
  stream-lost           a window per sensor, zone or GUID that is not sent
  forbid-by-missing     a forbid by sensor or zone alone: stops all events that have none
  unused-list           a list that no rule uses
  untested-rule         a rule that no event of a test matches
  no-expiry             a policy without an end
  expires-soon          a policy or rule that ends within 30 days

Exit codes: 0 no errors (with --strict: no warnings either), 1 otherwise, 2 usage.

The object of json: files, rules, tests, errors, warnings (counts), and findings, each with code,
severity, file, line, column, message, fix.

Examples:
  tidegate policy check policies/*.yaml
  tidegate policy check policies/*.yaml --format github --strict     # in a workflow
  tidegate policy check hall.yaml --format json | jq -r '.findings[].code'`;

const FORMATS = ['text', 'github', 'json'] as const;

const OPTIONS = {
  format: { type: 'string', short: 'f', default: 'text' },
  strict: { type: 'boolean', short: 's', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function readFormat(text: string): (typeof FORMATS)[number] {
  const format = FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  const hint = didYouMean(text, FORMATS) || `; known: ${FORMATS.join(', ')}`;
  throw new UsageError(`unknown format ${quote(text)}${hint}`);
}

/** What is wrong, file by file; hazards only once all of the rules are known. */
function findingsOf(files: readonly PolicyFile[], now: number): Finding[] {
  const policies = files.flatMap(({ policy }) => policy ?? []);
  const errors = files.flatMap((file) => file.errors);
  // A forbid that was not understood would show as a hazard of every permit.
  return errors.length === 0 ? lint(policies, now) : [...errors, ...loadErrors(policies, now)];
}

function summaryOf(files: readonly PolicyFile[], findings: readonly Finding[]): string {
  const policies = files.flatMap(({ policy }) => policy ?? []);
  const sum = (of: (policy: Policy) => number): number =>
    policies.reduce((total, policy) => total + of(policy), 0);
  const rules = sum((policy) => policy.rules.length);
  const tests = sum((policy) => policy.tests.length);
  const counts = [count(files.length, 'file'), count(rules, 'rule'), count(tests, 'test')];
  const unread = files.some(({ errors }) => errors.length > 0);
  return (
    `${counts.join(', ')}${tests > 0 ? ' (not run)' : ''}: ${tally(findings) ?? 'policy OK'}` +
    (unread ? '; hazards are looked for once there are no errors' : '')
  );
}

function print(files: readonly PolicyFile[], findings: readonly Finding[], io: Io): void {
  const paint = painter(io);
  const sources = new Sources(files);
  for (const finding of findings) {
    printFinding(finding, sources, paint, io);
    io.out('');
  }
  const errors = findings.some(({ severity }) => severity === 'error');
  const colour = errors ? 'red' : findings.length > 0 ? 'yellow' : 'green';
  io.out(paint(summaryOf(files, findings), colour));
}

function toReport(files: readonly PolicyFile[], findings: readonly Finding[]) {
  const policies = files.flatMap(({ policy }) => policy ?? []);
  return {
    files: files.length,
    rules: policies.flatMap(({ rules }) => rules).length,
    tests: policies.flatMap(({ tests }) => tests).length,
    errors: findings.filter(({ severity }) => severity === 'error').length,
    warnings: findings.filter(({ severity }) => severity === 'warning').length,
    findings,
  };
}

/**
 * Runs `tidegate policy check`; returns the exit code.
 *
 * @param args what follows `policy check` on the command line
 * @param now ms since 1970, for what has expired
 * @throws UsageError
 */
export function policyCheck(args: readonly string[], io: Io, now = Date.now()): number {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_CHECK_HELP);
    return 0;
  }
  const format = readFormat(values.format);
  const files = readPolicies(positionals);
  const findings = findingsOf(files, now);
  if (format === 'json') io.out(printableJson(toReport(files, findings)));
  else if (format === 'text') print(files, findings, io);
  else {
    for (const finding of findings) io.out(annotation(finding));
    io.out(summaryOf(files, findings));
  }
  const failed = findings.some(({ severity }) => severity === 'error' || values.strict);
  return failed ? 1 : 0;
}
