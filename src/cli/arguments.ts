// Strict reading of a command line: one-line errors that name the nearest known word.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { didYouMean } from '../document/nearest.js';
import { quote } from '../pki/options.js';

/** The command line is at fault, not the work: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;

function checkOptions(args: readonly string[], options: Options): void {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!option) {
      const known = Object.keys(options).map((name) => `--${name}`);
      const hint = didYouMean(token.rawName, known) || `; known: ${known.join(' ')}`;
      throw new UsageError(`unknown option ${quote(token.rawName)}${hint}`);
    }
    if (seen.has(token.name) && !option.multiple) {
      throw new UsageError(`${token.rawName} is given twice`);
    }
    seen.add(token.name);
  }
}

/**
 * Refuses what stands on a command line beside its options.
 * @throws UsageError
 */
export function refuseExtra(positionals: readonly string[]): void {
  const [extra] = positionals;
  if (extra !== undefined) throw new UsageError(`unexpected argument ${quote(extra)}`);
}

/**
 * Parses arguments strictly; each option may be given once unless it is `multiple`.
 * @throws UsageError with one line.
 */
export function parseStrictly<const T extends Options>(args: readonly string[], options: T) {
  checkOptions(args, options);
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message.replaceAll(/\s*\n\s*/g, ' '), { cause: error });
  }
}
