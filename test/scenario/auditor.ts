/** The auditor of a relay under test: `tidegate audit`, in this process, and what the leaves say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { parseCheckpoint } from '../../src/audit/checkpoint.js';
import { LogDirectory } from '../../src/audit/directory.js';
import type { Finding } from '../../src/audit/findings.js';
import { decodeLeaf, type Kind, type Leaf } from '../../src/audit/leaf.js';
import type { Amount } from '../../src/audit/tally.js';
import { audit } from '../../src/cli/audit.js';
import { parseNote } from '../../src/note/note.js';

export interface Said {
  readonly status: number;
  /** What it printed, and what it complained of. */
  readonly text: string;
  readonly err: string;
}

/** The parts of a verdict in JSON that tests look at. */
export interface AuditVerdict {
  readonly ok: boolean;
  readonly size: number;
  readonly boots: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly down: readonly { readonly ended: boolean }[];
  readonly policies: readonly { readonly files: readonly { readonly revision: number }[] }[];
  readonly keys: readonly { readonly key: string; readonly endorsed: boolean }[];
  readonly forwarded: readonly Amount[];
  readonly denied: readonly Amount[];
  readonly lost: readonly Amount[];
  readonly findings: readonly Finding[];
  readonly opened?: { readonly right: number; readonly gone: number; readonly unshown: number };
}

/** Runs `tidegate audit`. */
export async function tidegateAudit(...args: string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const status = await audit(args, io);
  return { status, text: out.join('\n'), err: err.join('\n') };
}

export const logOf = (state: string): string => join(state, 'audit');

/** The log's public key, as the relay left it there. */
export const keyIn = (state: string): string =>
  readFileSync(join(logOf(state), 'key.pub'), 'utf8').trim();

export const checkpointIn = (state: string): string =>
  readFileSync(join(logOf(state), 'checkpoint'), 'utf8');

/** What `tidegate audit verify` says of the log of a state, by the key that is there if no other is given. */
export async function verify(state: string, ...options: string[]): Promise<AuditVerdict> {
  const key = options.includes('--key') ? [] : ['--key', keyIn(state)];
  const { text, err } = await tidegateAudit('verify', logOf(state), ...key, ...options, '--json');
  if (text === '') throw new Error(`tidegate audit verify: ${err}`);
  return JSON.parse(text) as AuditVerdict;
}

/** Expects a log without fault, and journals that it fits. */
export async function verifyWell(
  t: Test,
  state: string,
  ...options: string[]
): Promise<AuditVerdict> {
  const verdict = await verify(state, '--journal', join(state, 'journal'), ...options);
  t.strictSame(verdict.findings, [], 'the log has no fault');
  t.equal(verdict.ok, true);
  return verdict;
}

/** The leaves that the checkpoint signs. */
export function leavesIn(state: string): Leaf[] {
  const log = new LogDirectory(logOf(state));
  const { size } = parseCheckpoint(parseNote(log.checkpoint()).text);
  return [...log.leaves(size)].map(({ bytes }) => decodeLeaf(bytes));
}

/** Those of a kind. */
export function leavesOf<K extends Kind>(state: string, kind: K): Extract<Leaf, { kind: K }>[] {
  return leavesIn(state).filter((leaf): leaf is Extract<Leaf, { kind: K }> => leaf.kind === kind);
}

/** All counts whose first names are these. */
export const amount = (all: readonly Amount[], ...names: string[]): number =>
  all
    .filter((each) => names.every((name, i) => each.names[i] === name))
    .reduce((sum, { count }) => sum + count, 0);
