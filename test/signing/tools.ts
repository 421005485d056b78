/** People who sign, and policies for them to sign. */
import { makeKey } from '../../src/note/key.js';
import { formatVerifier, type Signer, signerOf, signNote } from '../../src/note/note.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { keyPath } from '../../src/policy/policy.js';
import { describePolicies, formatManifest, keyIdOf } from '../../src/signing/manifest.js';
import type { PolicyText } from '../../src/wire/bundle.js';

export const person = (name: string): Signer => signerOf(name, makeKey());
export const keyOf = (signer: Signer): string => formatVerifier(signer);

/** A policy file; `more` goes into its head. */
export function policyText(id: string, revision: number, more = '', rule = ''): string {
  return `schema: tidegate-policy/v1
policy: { id: ${id}, revision: ${revision}${more} }
rules:
  - { name: r, effect: permit, to: public, match: { class: 10 }${rule} }
`;
}

/** Sends pseudonyms under the key of a file. */
export const pseudonym = (path: string): string =>
  `, emit: { guid: { pseudonym: { key_file: ${path}, prefix: "02:52/16" } } }`;

/** What the manifest of policies must say, and so what is signed. */
export function manifestText(
  policies: readonly PolicyText[],
  keys: Readonly<Record<string, string>> = {},
): string {
  const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
  const describe = describePolicies(policies, parsed, (name) => keyIdOf(keys[keyPath(name)]!));
  return formatManifest(describe);
}

export function signed(
  policies: readonly PolicyText[],
  by: readonly Signer[],
  keys: Readonly<Record<string, string>> = {},
): string {
  return signNote(manifestText(policies, keys), by);
}
