/** `tidegate audit`: for people who want to know, and to prove, what the relay has decided. */
import { LogError } from '../audit/directory.js';
import { LeafError } from '../audit/leaf.js';
import { NoteError } from '../note/note.js';
import { auditBeacons } from './audit-beacons.js';
import { auditCheckProof } from './audit-check-proof.js';
import { AUDIT_HELP } from './audit-help.js';
import { auditProve } from './audit-prove.js';
import { auditReconcile } from './audit-reconcile.js';
import { auditShow } from './audit-show.js';
import { auditVerify } from './audit-verify.js';
import { printable } from './excerpt.js';
import { type Command, runGroup } from './group.js';
import type { Io } from './io.js';
import { messageOf } from './journal-place.js';

const COMMANDS: Readonly<Record<string, Command>> = {
  verify: auditVerify,
  show: auditShow,
  prove: auditProve,
  'check-proof': auditCheckProof,
  reconcile: auditReconcile,
  beacons: auditBeacons,
};

/**
 * Runs `tidegate audit`; returns the exit code. Never rejects.
 *
 * @param args what follows `audit` on the command line
 */
export async function audit(args: readonly string[], io: Io): Promise<number> {
  try {
    return await runGroup('audit', COMMANDS, AUDIT_HELP, args, io);
  } catch (error) {
    const own =
      error instanceof LogError || error instanceof LeafError || error instanceof NoteError;
    io.err(own ? printable(error.message) : messageOf(error));
    return 1;
  }
}
