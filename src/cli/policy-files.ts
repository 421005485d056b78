/** Reads and parses policy files for the commands that look at them, and says what is wrong. */
import { closeSync, openSync, readSync } from 'node:fs';
import { DocumentError, MAX_TEXT } from '../document/document.js';
import { parsePolicy } from '../policy/parse.js';
import type { Policy } from '../policy/policy.js';
import { type Finding, refusal } from '../review/finding.js';
import { UsageError } from './arguments.js';

/** One file as far as it could be understood. */
export interface PolicyFile {
  readonly file: string;
  /** Its text; undefined: it could not be read. */
  readonly text: string | undefined;
  /** undefined: it is no policy at all. */
  readonly policy: Policy | undefined;
  readonly errors: readonly Finding[];
}

/** Reads a file, of one byte more than is allowed at most; it may be a device, or grow. */
export function readBounded(file: string): Uint8Array {
  const bytes = Buffer.alloc(MAX_TEXT + 1);
  const fd = openSync(file, 'r');
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(fd);
  }
  return bytes.subarray(0, length);
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory: name the files in it',
  ENOTDIR: 'a part of its path is no directory',
};

/** What is wrong with a file as a whole, or at a place in it. */
export function invalid(file: string, error: unknown): Finding {
  if (error instanceof DocumentError) return refusal(error, 'invalid');
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return {
    code: 'unreadable',
    severity: 'error',
    file,
    line: 1,
    column: 1,
    message: `cannot read it: ${WORDS[code] ?? message}`,
    fix: '',
  };
}

/** Reads one policy file: all that is wrong with it, not only the first. */
export function readPolicy(file: string): PolicyFile {
  let text: string | undefined;
  try {
    const bytes = readBounded(file);
    if (bytes.length > MAX_TEXT) {
      throw new DocumentError(file, 1, 1, 'the file is larger than 1 MiB');
    }
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw new DocumentError(file, 1, 1, 'the file is not UTF-8: convert it');
    }
    const problems: DocumentError[] = [];
    const policy = parsePolicy(text, file, problems);
    return { file, text, policy, errors: problems.map((problem) => invalid(file, problem)) };
  } catch (error) {
    return { file, text, policy: undefined, errors: [invalid(file, error)] };
  }
}

/** Reads the files that a command line names. */
export function readPolicies(files: readonly string[]): PolicyFile[] {
  if (files.length === 0) throw new UsageError('name the policy files, as policies/*.yaml');
  return files.map(readPolicy);
}

/** `1 rule`, `2 rules`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
