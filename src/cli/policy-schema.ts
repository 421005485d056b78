/** `tidegate policy schema`: the JSON Schema of policy files, for editors. */
import { readFileSync, writeFileSync } from 'node:fs';
import { policySchema as makeSchema, SCHEMA_ID } from '../review/schema.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import type { Io } from './io.js';

export const POLICY_SCHEMA_HELP = `tidegate policy schema - print the JSON Schema of policy files

Usage: tidegate policy schema [-o FILE]

Prints a JSON Schema (draft-07) with every class and type token, so that an editor completes them,
explains each key and marks mistakes while you type. Put it beside your policies, and write into
the first line of each of them:

  # yaml-language-server: $schema=./tidegate-policy.schema.json

Editors with the YAML language server (VS Code: the extension 'YAML' of Red Hat; Neovim, Emacs,
Helix and others: yaml-language-server) read that line. Nothing is fetched from anywhere.

A file that the schema takes may still be refused: units, overlaps and the like are known only to
'tidegate policy check'. What the schema refuses, tidegate refuses too.

  -o, --out FILE   write it there; a file is replaced only if it is an earlier such schema
  -h, --help       this text

Exit code: 0 printed or written; 1 the file cannot be written; 2 the command line is wrong.

Examples:
  tidegate policy schema -o policies/tidegate-policy.schema.json
  tidegate policy schema > tidegate-policy.schema.json`;

const OPTIONS = {
  out: { type: 'string', short: 'o' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Replaces a schema, and no other file: a slip of the keyboard must not cost a policy. */
function writeSchema(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!readFileSync(file, 'utf8').includes(`"$id": "${SCHEMA_ID}"`)) {
      throw new Error(`${file} is no schema of policies: move it away, or name another file`, {
        cause: error,
      });
    }
    writeFileSync(file, text);
  }
}

function run(args: readonly string[], io: Io): number {
  const { values, positionals } = parseStrictly(args, OPTIONS);
  if (values.help) {
    io.out(POLICY_SCHEMA_HELP);
    return 0;
  }
  refuseExtra(positionals);
  const text = JSON.stringify(makeSchema(), null, 2);
  if (values.out === undefined) io.out(text);
  else writeSchema(values.out, `${text}\n`);
  return 0;
}

/**
 * Runs `tidegate policy schema`.
 * @param args what follows `policy schema` on the command line.
 * @returns the exit code: 0 done, 1 cannot be written, 2 the command line is wrong. Never throws.
 */
export function policySchema(args: readonly string[], io: Io): number {
  try {
    return run(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`tidegate policy schema: ${error.message} (see tidegate policy schema --help)`);
      return 2;
    }
    io.err((error as Error).message);
    return 1;
  }
}
