// Strict reading of a command line: one-line errors that name the nearest known word.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { quote } from './options.js';

/** The command line is at fault, not the work: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;

// Words beyond this are not typing errors; it also bounds the work of comparing.
const WORD_LENGTH = 64;

/** Counts the insertions, deletions and substitutions that turn one word into the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const substituted = row[j]! + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(substituted, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/**
 * Finds the known word that a mistyped one most likely meant.
 * @param known at least one word.
 */
export function nearest(word: string, known: readonly [string, ...string[]]): string {
  const typed = word.slice(0, WORD_LENGTH).toLowerCase();
  return known.reduce((best, candidate) =>
    distance(typed, candidate) < distance(typed, best) ? candidate : best,
  );
}

function checkOptions(args: readonly string[], options: Options): void {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!option) {
      const [first = 'help', ...others] = Object.keys(options);
      const guess = nearest(token.name, [first, ...others]);
      throw new UsageError(`unknown option ${quote(token.rawName)}; did you mean "--${guess}"?`);
    }
    if (seen.has(token.name) && !option.multiple) {
      throw new UsageError(`${token.rawName} is given twice`);
    }
    seen.add(token.name);
  }
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
