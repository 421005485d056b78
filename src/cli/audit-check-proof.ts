/** `tidegate audit check-proof`: what a proof file proves, if it proves anything. */
import { refuseStale, signersOf } from '../audit/approvals.js';
import { LeafError } from '../audit/leaf.js';
import { checkProof, MAX_PROOF, ProofError, type Proven } from '../audit/proof-file.js';
import { ruleName, sourceName } from '../audit/tally.js';
import { RELAY } from '../journal/format.js';
import { NoteError } from '../note/note.js';
import { className, typeName } from '../policy/tokens.js';
import { ManifestError } from '../signing/manifest.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import { AUDIT_CHECK_PROOF_HELP } from './audit-help.js';
import { readKeys, readText } from './audit-place.js';
import { printable, printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { timeText } from './journal-text.js';
import { painter } from './policy-report.js';

/** What was proven, in names. @throws ManifestError, NoteError if the policies were not approved */
function describe(proven: Proven) {
  const { policies, vscpClass, type, time, event } = proven;
  const verified = signersOf(policies, proven.start);
  if (proven.rule !== RELAY) refuseStale(policies, proven.start, time);
  const rule = ruleName(proven.rule, proven);
  const file = policies.files.find(({ id }) => rule.startsWith(`${id}/`));
  return {
    relay: proven.origin,
    signed: proven.signed,
    leaf: proven.leaf,
    size: proven.size,
    time: timeText(time) ?? null,
    clock: proven.clock,
    boot: proven.boot,
    journal: proven.journal,
    sequence: proven.sequence,
    source: sourceName(proven.source, proven),
    rule,
    class: className(vscpClass),
    type: typeName(vscpClass, type),
    policies: {
      leaf: policies.index,
      since: timeText(policies.time) ?? null,
      digest: policies.digest,
      files: policies.files,
      signers: policies.signers.map(({ name, id }) => `${name}+${id}`),
      verified,
    },
    ...(file && { policy: { id: file.id, revision: file.revision, sha256: file.sha256 } }),
    ...(event !== undefined && { event }),
  };
}

function print(said: ReturnType<typeof describe>, io: Io): void {
  const { policies, policy } = said;
  const signers =
    policies.verified.length > 0
      ? `${policies.verified.join(', ')}, by keys that the log names`
      : policies.signers.length > 0
        ? `not verified; the log says ${policies.signers.join(', ')}`
        : 'nobody';
  const files = policies.files.map(({ id, revision }) => `${id} revision ${revision}`).join(', ');
  const clock = said.clock === 'steady' ? '' : ', by a clock that was set back';
  const rows: [string, string][] = [
    ['relay', `${said.relay}, boot ${said.boot}`],
    ['time', `${said.time ?? '-'}${clock}`],
    ['record', `${said.journal} ${said.sequence}`],
    ['source', said.source],
    ['rule', said.rule],
    ['sent as', `${said.class} ${said.type}`],
    ['policies', `${files}, in force since ${policies.since ?? '-'}, digest ${policies.digest}`],
    ['signed by', signers],
    ['log', `leaf ${said.leaf} of ${said.size}, signed by ${said.signed.join(', ')}`],
  ];
  if (policy) rows.splice(5, 0, ['of policy', `${policy.id}, SHA-256 ${policy.sha256}`]);
  if (said.event !== undefined) rows.push(['event', said.event]);
  for (const [name, value] of rows) io.out(`${name.padEnd(9)}  ${printable(value)}`);
  io.out(painter(io)('proven', 'green'));
}

/**
 * Runs `tidegate audit check-proof`; returns the exit code.
 *
 * @throws UsageError, LogError, or an Error of the file system
 */
export function auditCheckProof(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, {
    key: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(AUDIT_CHECK_PROOF_HELP);
    return 0;
  }
  const [file, ...extra] = positionals;
  refuseExtra(extra);
  if (file === undefined) throw new UsageError('a proof is missing');
  const keys = readKeys('--key', values.key);
  try {
    const said = describe(checkProof(readText(file, MAX_PROOF), keys));
    if (values.json) io.out(printableJson({ proven: true, ...said }));
    else print(said, io);
    return 0;
  } catch (error) {
    const own = [ProofError, NoteError, LeafError, ManifestError].some(
      (kind) => error instanceof kind,
    );
    if (!own || !(error instanceof Error)) throw error;
    if (values.json) io.out(printableJson({ proven: false, reason: error.message }));
    else io.out(`${painter(io)('NOT proven', 'red')}: ${printable(error.message)}`);
    return 1;
  }
}
