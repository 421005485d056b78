/** Who must have signed the policies: `policy_signers` of the configuration, and the manifest. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DocumentError, type Field } from '../document/document.js';
import { formatVerifier, parseVerifier } from '../note/note.js';
import { readSigners, type SignerRules } from '../signing/signers.js';
import { type Checked, checkManifest, type ManifestCheck } from '../signing/verify.js';
import type { Config, FileReference } from './config.js';
import { attempt, isKey, readPublicKeys } from './public-keys.js';
import { readText } from './text.js';

const MAX_KEYS = 64;

export interface SignersConfig extends SignerRules {
  readonly field: Field;
  /** undefined: beside the first policy file. */
  readonly manifest: FileReference | undefined;
}

/**
 * Parses `{ keys: [...], threshold: 2, revoked: [...], manifest: PATH }`; reads the files of keys.
 *
 * @param directory that paths are relative to
 * @throws DocumentError
 */
export function parseSigners(field: Field, directory: string): SignersConfig {
  const parts = field.record(['keys', 'threshold', 'revoked', 'manifest']);
  const keys = field.need(parts.keys, 'keys');
  const known = readPublicKeys(keys.list(), directory);
  if (known.length > MAX_KEYS) throw keys.error(`${keys.path} are more than ${MAX_KEYS}`);
  const threshold = field.need(parts.threshold, 'threshold');
  const number = threshold.integer(1, MAX_KEYS);
  if (number > known.length) {
    const most = `there ${known.length === 1 ? 'is one key' : `are ${known.length} keys`}`;
    throw threshold.error(`${threshold.path} is ${number}, and ${most}`);
  }
  const rules = { keys: known.map(formatVerifier), threshold: number };
  const revoked: string[] = [];
  for (const item of parts.revoked?.list() ?? []) {
    revoked.push(readRevoked(item));
    attempt(item, () => readSigners({ ...rules, revoked }));
  }
  attempt(threshold, () => readSigners({ ...rules, revoked }));
  return {
    field,
    ...rules,
    revoked,
    manifest: parts.manifest && {
      field: parts.manifest,
      path: resolve(directory, parts.manifest.text(4096)),
    },
  };
}

function readRevoked(item: Field): string {
  const text = item.text(4096);
  if (/^[0-9a-f]{8}$/.test(text)) return text;
  if (isKey(text)) return attempt(item, () => formatVerifier(parseVerifier(text)));
  throw item.error(`${item.path} is a key's id, 8 hexadecimal digits in quotes, or the key`);
}

/** Where the manifest of a configuration's policies is, or goes. */
export function manifestPath({ policySigners, policies }: Config): string {
  return policySigners?.manifest?.path ?? manifestBeside(policies[0]!.path);
}

/** Where the manifest of policies is, or goes, if nothing else is said. */
export function manifestBeside(firstPolicy: string): string {
  return `${firstPolicy}.manifest`;
}

/**
 * The signed note; undefined where there is none, or nobody must sign.
 *
 * @throws DocumentError for a file that cannot be read
 */
export function readManifest(config: Config): string | undefined {
  const { policySigners } = config;
  const path = manifestPath(config);
  if (!policySigners || !existsSync(path)) return undefined;
  const field = policySigners.manifest?.field ?? policySigners.field;
  try {
    return readText(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw field.error(code === undefined ? message : `cannot read ${path}: ${code}`);
  }
}

/**
 * Checks what the manifest says of the policies, and who signed it.
 *
 * @returns undefined where nobody must sign
 * @throws DocumentError that names the manifest
 */
export function checkSigned(
  config: Config,
  found: Omit<ManifestCheck, 'signers'>,
): Checked | undefined {
  const { policySigners: signers } = config;
  if (!signers) return undefined;
  const field = signers.manifest?.field ?? signers.field;
  try {
    return checkManifest({ ...found, signers });
  } catch (error) {
    if (error instanceof DocumentError) throw error;
    throw field.error(`${manifestPath(config)}: ${(error as Error).message}`);
  }
}
