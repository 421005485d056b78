/** `tidegate journal`: for people who look at what has gone out. */
import { didYouMean } from '../document/nearest.js';
import { quote } from '../pki/options.js';
import { UsageError } from './arguments.js';
import type { Io } from './io.js';
import { journalCat } from './journal-cat.js';
import { JOURNAL_HELP } from './journal-help.js';
import { journalLs } from './journal-ls.js';
import { messageOf } from './journal-place.js';
import { journalVerify } from './journal-verify.js';

const COMMANDS: Readonly<
  Record<string, (args: readonly string[], io: Io) => number | Promise<number>>
> = { ls: journalLs, cat: journalCat, verify: journalVerify };

const KNOWN = Object.keys(COMMANDS);

/**
 * Runs `tidegate journal`; returns the exit code. Never rejects.
 *
 * @param args what follows `journal` on the command line
 */
export async function journal(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(JOURNAL_HELP);
    return 0;
  }
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const level = command ? `tidegate journal ${name!}` : 'tidegate journal';
  try {
    if (command) return await command(rest, io);
    if (name === undefined) throw new UsageError(`a command is missing: ${KNOWN.join(', ')}`);
    const hint = didYouMean(name, KNOWN) || `; known: ${KNOWN.join(', ')}`;
    throw new UsageError(`unknown command ${quote(name)}${hint}`);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`${level}: ${error.message} (see ${level} --help)`);
      return 2;
    }
    io.err(messageOf(error));
    return 1;
  }
}
