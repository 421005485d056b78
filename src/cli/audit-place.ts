/** Which log, and which keys, a command line names. */
import { resolve } from 'node:path';
import { LogDirectory, LogError, readFile } from '../audit/directory.js';
import { loadConfig } from '../config/config.js';
import { readInstant } from '../document/date.js';
import { NoteError, parseVerifier, type Verifier } from '../note/note.js';
import { quote } from '../pki/options.js';
import { refuseExtra, UsageError } from './arguments.js';

/** Bytes of a file of keys or of a note, at most. */
const MAX_SMALL = 1024 * 1024;

/**
 * The log that a command line names.
 *
 * @param config the value of -c
 * @param positionals DIR, or nothing
 * @throws UsageError, DocumentError, or an Error of the file system
 */
export function findLog(config: string | undefined, positionals: readonly string[]): LogDirectory {
  if (config === undefined && positionals.length > 0) {
    const [directory, ...extra] = positionals;
    refuseExtra(extra);
    return new LogDirectory(directory!);
  }
  refuseExtra(positionals);
  return new LogDirectory(resolve(loadConfig(config ?? 'tidegate.yaml').state, 'audit'));
}

/** @throws LogError if there is no such file, or Error of the file system */
export function readText(file: string, most = MAX_SMALL): string {
  const bytes = readFile(file, most);
  if (!bytes) throw new LogError(`there is no file ${file}`);
  return bytes.toString('utf8');
}

/**
 * Public keys: each a line, or a file that holds one a line, with comments behind `#`.
 *
 * @throws UsageError for none, or what is no key; LogError or an Error of the file system
 */
export function readKeys(option: string, values: readonly string[] | undefined): Verifier[] {
  const keys = (values ?? []).flatMap((value) => {
    if (/^[^+/]+\+[0-9a-f]{8}\+/.test(value)) return [keyOf(option, value)];
    const lines = readText(value).split('\n');
    const own = lines.map((line) => line.trim()).filter((line) => /^[^#]/.test(line));
    if (own.length === 0) throw new UsageError(`${option}: ${quote(value)} holds no key`);
    return own.map((line) => keyOf(`${option}: ${quote(value)}`, line));
  });
  if (keys.length > 0) return keys;
  throw new UsageError(
    `${option} PUBLIC is missing: the log's public key, from somebody you trust`,
  );
}

function keyOf(where: string, line: string): Verifier {
  try {
    return parseVerifier(line);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw new UsageError(`${where}: ${error.message}`);
  }
}

/** ms since 1970. @throws UsageError */
export function readTime(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const time = readInstant(text);
  if (!Number.isNaN(time)) return time;
  throw new UsageError(`${option} ${quote(text)} is no time: write it as 2026-06-01T12:00:07Z`);
}

/** @throws UsageError */
export function readNumber(
  option: string,
  text: string | undefined,
  fallback: number,
  least = 0,
): number {
  if (text === undefined) return fallback;
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw new UsageError(`${option} takes a whole number from ${least} on, not ${quote(text)}`);
}
