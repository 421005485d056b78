/** `tidegate audit prove`: a proof of one decision, in a file of its own. */
import { writeFileSync } from 'node:fs';
import { LogError } from '../audit/directory.js';
import { makeProof } from '../audit/proof-file.js';
import { quote } from '../pki/options.js';
import { parseStrictly, UsageError } from './arguments.js';
import { AUDIT_PROVE_HELP } from './audit-help.js';
import { openRange } from './audit-open.js';
import { findLog } from './audit-place.js';
import { printableJson } from './excerpt.js';
import type { Io } from './io.js';

/**
 * Runs `tidegate audit prove`; returns the exit code.
 *
 * @throws UsageError, LogError, NoteError, DocumentError, or an Error of the file system
 */
export function auditProve(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c' },
    journal: { type: 'string' },
    open: { type: 'string' },
    out: { type: 'string', short: 'o' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(AUDIT_PROVE_HELP);
    return 0;
  }
  const [text, ...where] = positionals;
  if (text === undefined) throw new UsageError('a sequence is missing');
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new UsageError(`a sequence is a whole number from 1 on, not ${quote(text)}`);
  }
  const { journal, open, out } = values;
  if (journal === undefined) {
    throw new UsageError('--journal is missing: the channel, or CHANNEL/urgent');
  }
  if (!/^[^/.][^/]*(\/urgent)?$/.test(journal)) {
    throw new UsageError(`--journal takes CHANNEL or CHANNEL/urgent, not ${quote(journal)}`);
  }
  const log = findLog(values.config, where);
  const proof = makeProof(
    log,
    journal,
    Number(text),
    open === undefined
      ? undefined
      : (range) => {
          const made = openRange(open, journal, range);
          if (made) return made;
          const last = range.first + range.count - 1;
          throw new LogError(
            `${open} does not hold all of ${journal} ${range.first} to ${last} any more`,
          );
        },
  );
  if (out === undefined) io.out(printableJson(proof));
  else writeFileSync(out, `${printableJson(proof)}\n`);
  return 0;
}
