/** `tidegate journal`: for people who look at what has gone out. */
import { type Command, runGroup } from './group.js';
import type { Io } from './io.js';
import { journalCat } from './journal-cat.js';
import { JOURNAL_HELP } from './journal-help.js';
import { journalLs } from './journal-ls.js';
import { messageOf } from './journal-place.js';
import { journalVerify } from './journal-verify.js';

const COMMANDS: Readonly<Record<string, Command>> = {
  ls: journalLs,
  cat: journalCat,
  verify: journalVerify,
};

/**
 * Runs `tidegate journal`; returns the exit code. Never rejects.
 *
 * @param args what follows `journal` on the command line
 */
export async function journal(args: readonly string[], io: Io): Promise<number> {
  try {
    return await runGroup('journal', COMMANDS, JOURNAL_HELP, args, io);
  } catch (error) {
    io.err(messageOf(error));
    return 1;
  }
}
