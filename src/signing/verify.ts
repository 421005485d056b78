/** Whether policies may be put in force: signed by enough people, not older, not over. */
import { refuseExpired } from '../policy/compile.js';
import { parsePolicy } from '../policy/parse.js';
import { keyPath, type Policy } from '../policy/policy.js';
import type { PolicyText } from '../wire/bundle.js';
import { differenceOf } from './difference.js';
import {
  describePolicies,
  formatManifest,
  keyIdOf,
  type Manifest,
  ManifestError,
  parseManifest,
} from './manifest.js';
import {
  namesOf,
  readNote,
  readSigners,
  type Signed,
  type SignerRules,
  type Signers,
  signedBy,
} from './signers.js';

const SIGN = "'tidegate policy sign' signs them";

export interface ManifestCheck {
  /** The signed note; undefined: there is none. */
  readonly manifest: string | undefined;
  readonly policies: readonly PolicyText[];
  /** The same, parsed, where they are. */
  readonly parsed?: readonly Policy[] | undefined;
  /** Keys of pseudonyms by the paths of their files. */
  readonly keys: Readonly<Record<string, string>>;
  readonly signers: SignerRules;
  /** ms since 1970. */
  readonly now: number;
  /** Revisions of the policies that were in force last, by their ids. */
  readonly last?: ReadonlyMap<string, number> | undefined;
}

/** What a manifest has shown. */
export interface Checked {
  readonly signers: readonly { readonly name: string; readonly id: string }[];
  /** That they signed. */
  readonly text: string;
}

/**
 * Checks policies against their manifest, and the manifest against who must sign it.
 *
 * @throws ExpiredError if a policy's last day is over, else ManifestError, NoteError or
 * DocumentError, each with what is wrong, and the way out
 */
export function checkManifest(check: ManifestCheck): Checked {
  const { manifest, policies, keys, now, last } = check;
  const signers = readSigners(check.signers);
  const parsed = check.parsed ?? policies.map(({ file, text }) => parsePolicy(text, file));
  if (manifest === undefined) {
    throw new ManifestError(`the policies are not signed: there is no manifest; ${SIGN}`);
  }
  const note = readNote(manifest);
  const found = describePolicies(policies, parsed, (keyFile) => {
    const key = Object.hasOwn(keys, keyPath(keyFile)) ? keys[keyPath(keyFile)] : undefined;
    if (key === undefined) throw new ManifestError(`the key ${keyPath(keyFile)} is not there`);
    return keyIdOf(key);
  });
  refuseOther(note.text, found);
  const by = signedBy(note, signers);
  refuseFew(by, signers);
  for (const policy of parsed) {
    refuseLower(policy, last?.get(policy.id));
    refuseExpired(policy, now);
  }
  return { signers: by.by.map(({ name, id }) => ({ name, id })), text: note.text };
}

/** @throws ManifestError where the policies found are not those of the text that was signed */
export function refuseOther(text: string, found: Manifest): void {
  const difference = differenceOf(parseManifest(text), found);
  if (difference !== undefined) throw new ManifestError(`${difference}; ${SIGN}`);
  // Whatever the words for it are, this is what counts.
  if (formatManifest(found) !== text) throw new ManifestError('the manifest is another one');
}

/** @throws ManifestError that says who is missing */
export function refuseFew({ by, missing, revoked, unknown }: Signed, { threshold }: Signers): void {
  if (by.length >= threshold) return;
  const words = [
    `signed by ${by.length} of the ${threshold} that are needed` +
      (by.length > 0 ? ` (${namesOf(by)})` : ''),
    ...(missing.length > 0
      ? [`${threshold - by.length} more of ${namesOf(missing)}: ${SIGN}`]
      : []),
    ...(revoked.length > 0 ? [`revoked, and so for nothing: ${namesOf(revoked)}`] : []),
    ...(unknown.length > 0 ? [`not known here: ${unknown.join(', ')}`] : []),
  ];
  throw new ManifestError(`the policies are ${words.join('; ')}`);
}

function refuseLower({ id, revision }: Policy, last: number | undefined): void {
  if (last === undefined || revision >= last) return;
  throw new ManifestError(
    `policy '${id}' has revision ${revision}, and revision ${last} was in force: ` +
      `raise it above ${last}, and have it signed`,
  );
}
