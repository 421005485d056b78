/** Who may sign policies, how many of them must, and who has. */
import {
  assembleNote,
  type Note,
  NoteError,
  parseNote,
  parseVerifier,
  rawKey,
  type Verifier,
  verifySignatures,
} from '../note/note.js';
import { ManifestError } from './manifest.js';

export interface SignerRules {
  /** Public keys, `<name>+<id>+<base64>`. */
  readonly keys: readonly string[];
  /** How many of them must have signed: different keys of different names. */
  readonly threshold: number;
  /** Of these: public keys, or their ids, 8 hexadecimal digits. */
  readonly revoked: readonly string[];
}

/** The rules with their keys read. */
export interface Signers {
  /** Those that count. */
  readonly valid: readonly Verifier[];
  readonly revoked: readonly Verifier[];
  readonly threshold: number;
}

/** Who has signed a manifest, as far as the signatures are right. */
export interface Signed {
  /** Distinct ones. */
  readonly by: readonly Verifier[];
  /** Whose signature counts for nothing. */
  readonly revoked: readonly Verifier[];
  /** Who could have signed, and has not. */
  readonly missing: readonly Verifier[];
  /** Signatures of keys that nobody knows here: `name+id`. */
  readonly unknown: readonly string[];
}

type Title = Pick<Verifier, 'name' | 'id'>;

export const titleOf = ({ name, id }: Title): string => `${name}+${id}`;
export const namesOf = (keys: readonly Title[]): string => keys.map(titleOf).join(', ');

/** @throws ManifestError, NoteError for rules that cannot be met, or that say a thing twice */
export function readSigners({ keys, threshold, revoked }: SignerRules): Signers {
  const known = keys.map(parseVerifier);
  const raws = new Map<string, Verifier>();
  for (const key of known) {
    const raw = rawKey(key.key).toString('hex');
    const twin = raws.get(raw);
    if (twin) throw new ManifestError(`${titleOf(key)} is the same key as ${titleOf(twin)}`);
    raws.set(raw, key);
  }
  const out = new Set(revoked.map((text) => revokedRaw(text, known)));
  const isRevoked = ({ key }: Verifier): boolean => out.has(rawKey(key).toString('hex'));
  const valid = known.filter((key) => !isRevoked(key));
  const reachable = new Set(valid.map(({ name }) => name)).size;
  if (threshold < 1) throw new ManifestError('a threshold of less than one signer');
  if (threshold > reachable) {
    const gone = known.length > valid.length ? ', of those that are not revoked' : '';
    throw new ManifestError(
      `a threshold of ${threshold} cannot be reached: there are ${reachable} signers${gone}`,
    );
  }
  return { valid, revoked: known.filter(isRevoked), threshold };
}

/** The bytes of a key that is named as revoked, in hex. */
function revokedRaw(text: string, known: readonly Verifier[]): string {
  const named = /^[0-9a-f]{8}$/.test(text) ? known.find(({ id }) => id === text) : undefined;
  if (named) return rawKey(named.key).toString('hex');
  // An id of no key revokes nothing: a slip of the keyboard that must not pass.
  if (!text.includes('+')) throw new ManifestError(`no key of these has the id '${text}'`);
  return rawKey(parseVerifier(text).key).toString('hex');
}

/**
 * The note of a manifest, which has one way to be written.
 *
 * @throws ManifestError, NoteError
 */
export function readNote(manifest: string): Note {
  const note = parseNote(manifest);
  if (assembleNote(note) !== manifest) {
    throw new NoteError('the signatures are not written as they must be');
  }
  return note;
}

/**
 * Says who has signed; one person with two keys of one name counts once.
 *
 * @throws NoteError if a signature of one that counts is wrong
 */
export function signedBy(note: Note, { valid, revoked }: Signers): Signed {
  const right = verifySignatures(note, valid);
  const by = right.filter(({ name }, i) => right.findIndex((key) => key.name === name) === i);
  const { signatures } = note;
  const known = [...valid, ...revoked];
  return {
    by,
    revoked: revoked.filter((key) => signatures.some((one) => isSame(one, key))),
    missing: valid.filter(({ name }) => !by.some((key) => key.name === name)),
    unknown: signatures.filter((one) => !known.some((key) => isSame(one, key))).map(titleOf),
  };
}

function isSame(a: Title, b: Title): boolean {
  return a.name === b.name && a.id === b.id;
}
