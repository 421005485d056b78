/** A command that is a group of commands: `tidegate policy check`, `tidegate journal ls`. */
import { didYouMean } from '../document/nearest.js';
import { quote } from '../pki/options.js';
import { UsageError } from './arguments.js';
import type { Io } from './io.js';

export type Command = (args: readonly string[], io: Io) => number | Promise<number>;

/**
 * Runs one of a group's commands; returns the exit code.
 *
 * @param args what follows the group's name on the command line
 * @throws whatever the command throws, but for a UsageError
 */
export async function runGroup(
  group: string,
  commands: Readonly<Record<string, Command>>,
  help: string,
  args: readonly string[],
  io: Io,
): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(help);
    return 0;
  }
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  const level = command ? `tidegate ${group} ${name!}` : `tidegate ${group}`;
  const known = Object.keys(commands);
  try {
    if (command) return await command(rest, io);
    if (name === undefined) throw new UsageError(`a command is missing: ${known.join(', ')}`);
    const hint = didYouMean(name, known) || `; known: ${known.join(', ')}`;
    throw new UsageError(`unknown command ${quote(name)}${hint}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`${level}: ${error.message} (see ${level} --help)`);
    return 2;
  }
}
