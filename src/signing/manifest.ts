/**
 * The manifest of a set of policies: digests of all that decides what goes up, to be signed.
 *
 * There is one way to write it. Lines, in this order, each ended by a newline:
 *
 *     tidegate-manifest/v1
 *     tables <SHA-256 of the class and type tables>
 *     policy <id> <revision> <last day, or never> <SHA-256 of the file>     for each file, in order
 *     key <id of the key> <its path, as the policy says it>                 for each of its keys
 */
import { createHash } from 'node:crypto';
import { parsePolicy } from '../policy/parse.js';
import { keyFilesOf, type Name, type Policy } from '../policy/policy.js';
import { tablesText } from '../policy/tables.js';
import type { PolicyText } from '../wire/bundle.js';
import { hmacOf } from '../wire/hmac.js';

const FIRST_LINE = 'tidegate-manifest/v1';

/** More of them than the file of a note can hold. */
const MAX_TEXT = 1024 * 1024;

export interface ManifestKey {
  /** 16 hexadecimal digits, which do not give the key away. */
  readonly id: string;
  /** As the policy says it. */
  readonly path: string;
}

export interface ManifestPolicy {
  readonly id: string;
  readonly revision: number;
  /** `2027-03-31`, the last day, UTC; or `never`. */
  readonly expires: string;
  /** Of the file's bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  /** By path, each once. */
  readonly keys: readonly ManifestKey[];
}

export interface Manifest {
  /** SHA-256 of the class and type tables, 64 hexadecimal digits. */
  readonly tables: string;
  readonly policies: readonly ManifestPolicy[];
}

/** What is wrong with a manifest, or with who signed it. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

let tables: string | undefined;

/** SHA-256 of the class and type tables that this program resolves names by. */
export function tablesDigest(): string {
  return (tables ??= sha256Of(tablesText()));
}

/** Tells keys of pseudonyms apart in public: the first 8 bytes of an HMAC. */
export function keyIdOf(key: string): string {
  const hmac = hmacOf(key)(Buffer.from('tidegate key id'));
  return Buffer.from(hmac).toString('hex', 0, 8);
}

/**
 * The manifest of policies.
 *
 * @param parsed the same policies, parsed
 * @param keyId gives the id of the key that a policy names
 * @throws ManifestError for a file that is not UTF-8: its digest would not be that of its bytes
 */
export function describePolicies(
  policies: readonly PolicyText[],
  parsed: readonly Policy[],
  keyId: (keyFile: Name, policy: Policy) => string,
): Manifest {
  return {
    tables: tablesDigest(),
    policies: policies.map(({ file, text }, i) => {
      const policy = parsed[i]!;
      if (text.includes('\ufffd')) throw new ManifestError(`${file} is not UTF-8: convert it`);
      const { id, revision, expires } = policy;
      const names = new Map(keyFilesOf(policy).map((name) => [name.text, name]));
      const keys = [...names.values()]
        .map((name) => ({ id: keyId(name, policy), path: name.text }))
        .sort((a, b) => (a.path < b.path ? -1 : 1));
      return { id, revision, expires: lastDayOf(expires), sha256: sha256Of(text), keys };
    }),
  };
}

/** Revisions by the policies' ids. */
export function revisionsOf(policies: readonly PolicyText[]): Map<string, number> {
  const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
  return new Map(parsed.map(({ id, revision }) => [id, revision]));
}

/** @param expires the first instant at which it is over, ms since 1970; Infinity: never */
export function lastDayOf(expires: number): string {
  return expires === Infinity ? 'never' : new Date(expires - 1).toISOString().slice(0, 10);
}

export function formatManifest({ tables, policies }: Manifest): string {
  const lines = policies.flatMap(({ id, revision, expires, sha256, keys }) => [
    `policy ${id} ${revision} ${expires} ${sha256}`,
    ...keys.map((key) => `key ${key.id} ${key.path}`),
  ]);
  return [FIRST_LINE, `tables ${tables}`, ...lines, ''].join('\n');
}

/** Whether a text is meant as a manifest, right or not. */
export function isManifest(text: string): boolean {
  return text.startsWith(`${FIRST_LINE}\n`);
}

const TABLES = /^tables ([0-9a-f]{64})$/;
const POLICY = /^policy ([A-Za-z0-9][A-Za-z0-9_-]*) (\d+) (never|\d{4}-\d\d-\d\d) ([0-9a-f]{64})$/;
const KEY = /^key ([0-9a-f]{16}) (.+)$/u;

/** @throws ManifestError for anything but the one way to write it */
export function parseManifest(text: string): Manifest {
  if (text.length > MAX_TEXT) throw new ManifestError('the manifest is too long');
  const [first, second = '', ...lines] = text.split('\n');
  if (first !== FIRST_LINE) {
    throw new ManifestError(`the manifest's first line is not '${FIRST_LINE}'`);
  }
  const digest = TABLES.exec(second)?.[1];
  if (digest === undefined) throw strange(2);
  if (lines.pop() !== '') throw new ManifestError('the manifest does not end in a newline');
  const policies: (ManifestPolicy & { keys: ManifestKey[] })[] = [];
  lines.forEach((line, i) => {
    const policy = POLICY.exec(line);
    const key = KEY.exec(line);
    if (policy) {
      const [, id, revision, expires, sha256] = policy as unknown as [string, ...Four];
      policies.push({ id, revision: Number(revision), expires, sha256, keys: [] });
    } else if (key && policies.length > 0) {
      policies.at(-1)!.keys.push({ id: key[1]!, path: key[2]! });
    } else throw strange(i + 3);
  });
  const manifest = { tables: digest, policies };
  if (formatManifest(manifest) !== text) {
    throw new ManifestError('the manifest is not written as it must be');
  }
  return manifest;
}

type Four = [string, string, string, string];

function strange(line: number): ManifestError {
  return new ManifestError(`line ${line} of the manifest is not as it must be`);
}
