/** Which journals a command is about: those of a configuration, or those in a directory. */
import { resolve } from 'node:path';
import { type Config, loadConfig } from '../config/config.js';
import { DocumentError } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { channelsIn, lanesIn, type Place } from '../journal/places.js';
import { quote } from '../pki/options.js';
import { refuseExtra, UsageError } from './arguments.js';
import { printable } from './excerpt.js';

export interface Subject {
  readonly channels: readonly { readonly channel: string; readonly places: readonly Place[] }[];
  readonly config?: Config;
}

/** The work is at fault, and the reason is said. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

/**
 * Finds the journals that a command line names.
 *
 * @param config the value of -c
 * @param positionals DIR and CHANNEL, or CHANNEL alone beside a configuration
 * @throws UsageError, JournalError, DocumentError, or an Error of the file system
 */
export function findJournals(config: string | undefined, positionals: readonly string[]): Subject {
  const directory = config === undefined ? positionals[0] : undefined;
  const [channel, ...extra] = directory === undefined ? positionals : positionals.slice(1);
  refuseExtra(extra);
  if (directory !== undefined) return choose(inDirectory(directory), channel, directory);
  const file = config ?? 'tidegate.yaml';
  const loaded = loadConfig(file);
  return { ...choose(ofConfig(loaded), channel, file), config: loaded };
}

function choose(all: Subject['channels'], name: string | undefined, where: string): Subject {
  if (name === undefined) return { channels: all };
  const channels = all.filter(({ channel }) => channel === name);
  if (channels.length > 0) return { channels };
  const known = all.map(({ channel }) => channel);
  const hint = didYouMean(name, known) || `; there: ${known.join(', ')}`;
  throw new UsageError(printable(`no channel ${quote(name)} in ${where}${hint}`));
}

function inDirectory(directory: string): Subject['channels'] {
  const found = channelsIn(directory);
  if (found.length === 0) {
    throw new JournalError(
      `${directory} holds no journal: name state/journal, a channel of it, or a copy of either`,
    );
  }
  return found.map((each) => ({
    channel: each.channel,
    places: lanesIn(each.directory, each.channel),
  }));
}

/** Those of the configuration, and those that earlier ones have left. */
function ofConfig({ state, channels }: Config): Subject['channels'] {
  const journals = resolve(state, 'journal');
  let left: ReturnType<typeof channelsIn> = [];
  try {
    left = channelsIn(journals);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const names = new Set([...channels.map(({ name }) => name), ...left.map((each) => each.channel)]);
  return [...names].map((channel) => ({
    channel,
    places: lanesIn(resolve(journals, channel), channel),
  }));
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory; name the configuration with -c FILE, or a directory',
  EACCES: 'permission denied; run it as root, or as the user of the relay',
  ENOTDIR: 'it is no directory',
};

/** What is wrong, in one line; nothing that a file or its name says steers a terminal. */
export function messageOf(error: unknown): string {
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === undefined || error instanceof DocumentError) return printable(message);
  return printable(`cannot read ${path ?? 'a file'}: ${WORDS[code] ?? code}`);
}
