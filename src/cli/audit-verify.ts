/** `tidegate audit verify`: whether a log is what the relay has signed. */
import type { Finding } from '../audit/findings.js';
import { verifyLog } from '../audit/verify.js';
import { parseWitnesses, WitnessError } from '../audit/witness.js';
import { LogError, readLines } from '../audit/directory.js';
import { formatVerifier } from '../note/note.js';
import { quote } from '../pki/options.js';
import { ManifestError } from '../signing/manifest.js';
import { readSigners, type Signers } from '../signing/signers.js';
import { parseStrictly, UsageError } from './arguments.js';
import { AUDIT_VERIFY_HELP } from './audit-help.js';
import { type Journals, journalsIn, openAll, type Opened } from './audit-open.js';
import { findLog, readKeys, readNumber, readText } from './audit-place.js';
import { printVerdict } from './audit-verdict.js';
import { printableJson } from './excerpt.js';
import type { Io } from './io.js';
import { countText } from './journal-text.js';
import { showProgress } from './progress.js';

/** Bytes of a file of witnesses, at most. */
const MAX_WITNESS_FILE = 128 * 1024 * 1024;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  key: { type: 'string', multiple: true },
  since: { type: 'string' },
  witness: { type: 'string', multiple: true },
  signer: { type: 'string', multiple: true },
  threshold: { type: 'string' },
  journal: { type: 'string' },
  'allow-gaps': { type: 'boolean', default: false },
  'begins-late': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function readWitnesses(files: readonly string[]) {
  return files.flatMap((file) => {
    try {
      return parseWitnesses(readLines(file, MAX_WITNESS_FILE));
    } catch (error) {
      if (error instanceof WitnessError) throw new LogError(`${file}: ${error.message}`);
      throw error;
    }
  });
}

/** Who must have signed policies: by default each of the names. @throws UsageError */
function readApproval(
  files: readonly string[] | undefined,
  threshold: string | undefined,
): Signers | undefined {
  if (!files) {
    if (threshold === undefined) return undefined;
    throw new UsageError('--threshold says how many of the --signer keys: name them');
  }
  const keys = readKeys('--signer', files);
  const names = new Set(keys.map(({ name }) => name)).size;
  const needed = readNumber('--threshold', threshold, names, 1);
  if (needed > names) {
    throw new UsageError(`--threshold ${quote(String(needed))} is more than there are signers`);
  }
  try {
    return readSigners({ keys: keys.map(formatVerifier), threshold: needed, revoked: [] });
  } catch (error) {
    if (error instanceof ManifestError) throw new UsageError(`--signer: ${error.message}`);
    throw error;
  }
}

/**
 * Runs `tidegate audit verify`; returns the exit code.
 *
 * @throws UsageError, LogError, DocumentError, or an Error of the file system
 */
export function auditVerify(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(AUDIT_VERIFY_HELP);
    return 0;
  }
  const keys = readKeys('--key', values.key);
  const approval = readApproval(values.signer, values.threshold);
  const log = findLog(values.config, positionals);
  const since = values.since === undefined ? undefined : readText(values.since);
  const witnesses = readWitnesses(values.witness ?? []);
  const journals = values.journal === undefined ? undefined : journalsIn(values.journal);
  let verdict;
  try {
    verdict = verifyLog(log.path, {
      keys,
      ...(since !== undefined && { since }),
      ...(approval && { approval }),
      witnesses,
      allowGaps: values['allow-gaps'],
      beginsLate: values['begins-late'],
      progress: showProgress((done, total) => `${countText(done)} of ${countText(total)} leaves`),
    });
  } catch (error) {
    if (!(error instanceof LogError && values.json)) throw error;
    const findings: Finding[] = [{ what: 'checkpoint', message: error.message }];
    io.out(printableJson({ ok: false, findings, faults: findings.length }));
    return 1;
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
  const opened = journals && tryAll(log, verdict.size, journals, values['begins-late']);
  const more = (opened?.wrong ?? []).map((each): Finding => ({ what: 'opening', ...each }));
  const whole = {
    ...verdict,
    findings: [...verdict.findings, ...more],
    faults: verdict.faults + more.length,
  };
  if (values.json) {
    io.out(printableJson({ ok: whole.faults === 0, ...whole, ...(opened && { opened }) }));
  } else printVerdict(whole, opened, io);
  return whole.faults === 0 ? 0 : 1;
}

/** A log that cannot be read to its end has its fault already. */
function tryAll(
  log: ReturnType<typeof findLog>,
  size: number,
  journals: Journals,
  late: boolean,
): Opened {
  try {
    return openAll(log, size, journals, late);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return { right: 0, wrong: [{ message: error.message }], gone: 0, unshown: 0 };
  }
}
