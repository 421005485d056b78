/** The policies that a command signs or verifies, their manifest, and how both are shown. */
import { existsSync } from 'node:fs';
import { loadKey, readPolicies } from '../config/check.js';
import { manifestBeside, manifestPath, type SignersConfig } from '../config/signers.js';
import { readText } from '../config/text.js';
import { DocumentError } from '../document/document.js';
import { parseNote, type Signature } from '../note/note.js';
import { compilePolicies } from '../policy/compile.js';
import { parsePolicy } from '../policy/parse.js';
import type { Policy } from '../policy/policy.js';
import { scopeOf } from '../review/rehearsal.js';
import {
  describePolicies,
  isManifest,
  keyIdOf,
  type Manifest,
  parseManifest,
} from '../signing/manifest.js';
import type { PolicyText } from '../wire/bundle.js';
import { UsageError } from './arguments.js';
import { installedEnvironment, loadInstalled } from './installed.js';

export interface Target {
  readonly policies: readonly PolicyText[];
  readonly parsed: readonly Policy[];
  /** Path of the manifest. */
  readonly manifest: string;
  /** Of the configuration; undefined where there is none, or it asks for nobody. */
  readonly signers: SignersConfig | undefined;
}

/**
 * What a command line names: files, or a configuration.
 *
 * @param manifest of the command line
 * @throws UsageError, DocumentError, Error of the file system
 */
export function readTarget(
  files: readonly string[],
  config: string | undefined,
  manifest: string | undefined,
  now: number,
): Target {
  if (config !== undefined && files.length > 0) {
    throw new UsageError('name policy files, or a configuration with -c: not both');
  }
  const [first] = files;
  if (config === undefined && first === undefined) {
    throw new UsageError('name the policy files, or the configuration with -c');
  }
  const loaded = config === undefined ? undefined : loadInstalled(config);
  const policies = loaded
    ? readPolicies(loaded)
    : files.map((file) => ({ file, text: readFile(file) }));
  const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
  // What does not load together, or has expired, is not worth a signature.
  compilePolicies(parsed, scopeOf(parsed), now);
  return {
    policies,
    parsed,
    manifest: manifest ?? (loaded ? manifestPath(loaded) : manifestBeside(first!)),
    signers: loaded?.policySigners,
  };
}

function readFile(file: string): string {
  try {
    return readText(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === undefined
      ? error
      : new Error(`cannot read ${file}: ${code}`, { cause: message });
  }
}

/** A manifest as it was found: without signatures it is none that a relay takes. */
export interface Found {
  readonly text: string;
  readonly signatures: readonly Signature[];
}

/**
 * The manifest's file; undefined: there is none.
 *
 * @throws Error where it is something else, which is not to be overwritten
 */
export function readFound(path: string): Found | undefined {
  if (!existsSync(path)) return undefined;
  const whole = readFile(path);
  if (!isManifest(whole)) throw new Error(`${path} is no manifest of policies: move it away`);
  if (whole.endsWith('\n\n')) return { text: whole.slice(0, -1), signatures: [] };
  return parseNote(whole);
}

export interface Described {
  readonly manifest: Manifest;
  /** Keys that cannot be read here: their ids are those of the earlier manifest. */
  readonly unread: readonly string[];
}

/**
 * Describes what is to be signed, or was.
 *
 * @param before text of an earlier manifest, which may be damaged
 * @throws DocumentError for a key that cannot be read, and is in no earlier manifest either
 */
export function describeTarget({ policies, parsed }: Target, before?: string): Described {
  const earlier = before === undefined ? undefined : tryParse(before);
  const unread: string[] = [];
  const manifest = describePolicies(policies, parsed, (name, { id }) => {
    try {
      return keyIdOf(loadKey(name, installedEnvironment()));
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      const keys = earlier?.policies.find((policy) => policy.id === id)?.keys;
      const known = keys?.find(({ path }) => path === name.text);
      if (!known) {
        throw name.field.error(
          `the key ${name.text} cannot be read here: make the manifest where it can, on the relay, ` +
            "with 'tidegate policy sign' without --key; whoever signs needs that manifest only",
        );
      }
      unread.push(name.text);
      return known.id;
    }
  });
  return { manifest, unread };
}

function tryParse(text: string): Manifest | undefined {
  try {
    return parseManifest(text);
  } catch {
    return undefined;
  }
}

/** What a signature says, for the eyes of who gives it. */
export function showManifest({ manifest, unread }: Described, out: (line: string) => void): void {
  for (const { id, revision, expires, sha256, keys } of manifest.policies) {
    const until = expires === 'never' ? 'never expires' : `until ${expires}`;
    out(`policy ${id}, revision ${revision}, ${until}`);
    out(`  SHA-256 ${sha256}`);
    for (const key of keys) {
      const doubt = unread.includes(key.path) ? ' (as the manifest says: not read here)' : '';
      out(`  key ${key.id}  ${key.path}${doubt}`);
    }
  }
  out('class and type tables');
  out(`  SHA-256 ${manifest.tables}`);
}
