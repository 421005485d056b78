/** `tidegate policy test`: runs the tests in policy files and reports what they show. */
import { DocumentError } from '../document/document.js';
import { refusal } from '../review/finding.js';
import { type Finding, loadErrors } from '../review/lint.js';
import { type Trial, tryPolicy } from '../review/trial.js';
import { parseStrictly } from './arguments.js';
import { printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { type PolicyFile, readPolicies } from './policy-files.js';
import { printTrials, type Tried, toReport } from './policy-test-report.js';

export const POLICY_TEST_HELP = `tidegate policy test - run the tests in policy files

Usage: tidegate policy test FILE... [--coverage] [--json]

Feeds each test's events to the real decision code and compares what would be sent. Each file is
tested alone; each test starts afresh, on a clock of its own: no window is open, nothing has been
sent before, and buckets of 'limits' are full. Nothing is sent, no server is asked.

GUIDs become pseudonyms under a published key, 'tidegate-policy-test-key', whatever 'key_file'
says: key files are never read, so a test gives the same everywhere and nothing away.

  --coverage    say which rules the tests hit and missed; a rule never hit, or never missed, fails
  --json        one JSON object
  -h, --help    this text

A test fails if something is not as it expects, and if no rule matches any event of it: then it
shows nothing of the policy. Counts are whole events: fed, sent; hits and misses are events that a
rule matched and did not, whether or not it decided them. Of events repeated without time between
them the first is counted.

A test in a policy file:
  tests:
    - name: the hall's temperature goes up, to half a degree
      feed: { event: { class: CLASS1.MEASUREMENT, type: TEMPERATURE, value: 21.37, unit: celsius } }
      expect: { rule: hall-climate, emitted: 1, out: { value: 21.5 } }

Exit codes: 0 all passed, 1 a test failed, a file is in error or (--coverage) a rule has a gap,
2 usage.

The object of json: files, tests, passed, failed, fed, sent, gaps, errors (counts); policies, each
with file, policy, errors, tests (name, line, column, passed, fed, sent, complaints, events: the
last ones sent of a test that failed) and, with --coverage, rules (rule, hits, misses) and gaps.

Examples:
  tidegate policy test policies/*.yaml
  tidegate policy test policies/*.yaml --coverage        # before a change is merged`;

const OPTIONS = {
  coverage: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** ms between two lines of progress. */
const PACE = 100;

/** Says on a terminal how far the tests of a file are, if they take long. */
function showProgress(of: number): (done: number) => void {
  let next = Date.now() + PACE;
  return (done) => {
    if (!process.stderr.isTTY || Date.now() < next) return;
    next = Date.now() + PACE;
    process.stderr.write(`\r\x1b[K${done} of ${of} tests ...`);
  };
}

function tryFile(file: PolicyFile, now: number): Tried {
  const { policy, errors } = file;
  const none = (found: readonly Finding[]): Tried => ({ file, errors: found, trial: undefined });
  if (!policy || errors.length > 0) return none(errors);
  const refused = loadErrors([policy], now);
  if (refused.length > 0) return none(refused);
  let trial: Trial;
  try {
    trial = tryPolicy(policy, showProgress(policy.tests.length));
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return none([refusal(error, 'invalid')]);
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
  return { file, errors: [], trial };
}

/**
 * Runs `tidegate policy test`; returns the exit code.
 *
 * @param args what follows `policy test` on the command line
 * @param now ms since 1970: whether a policy has expired; tests have clocks of their own
 * @throws UsageError
 */
export function policyTest(args: readonly string[], io: Io, now = Date.now()): number {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_TEST_HELP);
    return 0;
  }
  const tried = readPolicies(positionals).map((file) => tryFile(file, now));
  const report = toReport(tried, values.coverage);
  if (values.json) io.out(printableJson(report));
  else printTrials(tried, report, values.coverage, io);
  return report.failed + report.errors + report.gaps === 0 ? 0 : 1;
}
