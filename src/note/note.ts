/**
 * Signed notes: text, and Ed25519 signatures of it by named keys (C2SP signed-note).
 *
 * A note is text that ends in a newline, an empty line, and a line per signature:
 * `— <name> <base64 of the key's id, 4 bytes, and the signature>`.
 */
import {
  createHash,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

/** The only kind of signature here: Ed25519 over the text. */
const ED25519 = 1;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const ID_BYTES = 4;
/** More signatures than this are no note of ours. */
const MAX_SIGNATURES = 64;
/** A note's bytes, at most. */
const MAX_NOTE = 1024 * 1024;
/** SubjectPublicKeyInfo of Ed25519 up to the key (RFC 8410, 4). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** The keys in a file of one or more. */
export const PEM = /-----BEGIN [^]*?-----END [^\n]*/g;

export class NoteError extends Error {
  override readonly name = 'NoteError';
}

/** A public key with the name that it signs under. */
export interface Verifier {
  readonly name: string;
  /** Of name and key: 8 hexadecimal digits. */
  readonly id: string;
  readonly key: KeyObject;
}

export interface Signer extends Verifier {
  readonly privateKey: KeyObject;
}

/** The 32 bytes of a public Ed25519 key. @throws NoteError for a key of another kind */
export function rawKey(key: KeyObject): Buffer {
  if (key.asymmetricKeyType !== 'ed25519') throw new NoteError('the key is no Ed25519 key');
  const from = key.type === 'private' ? createPublicKey(key) : key;
  return from.export({ type: 'spki', format: 'der' }).subarray(-KEY_BYTES);
}

/** @throws NoteError for a name that a note cannot carry, or a key of another kind */
export function verifierOf(name: string, key: KeyObject): Verifier {
  if (!isName(name)) {
    throw new NoteError(`'${name}' is no name of a key: no spaces, no '+', 255 bytes at most`);
  }
  const raw = rawKey(key);
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return { name, id: idOf(name, raw), key: publicKey };
}

/** @throws NoteError as verifierOf does */
export function signerOf(name: string, privateKey: KeyObject): Signer {
  return { ...verifierOf(name, privateKey), privateKey };
}

/** Whether a note can carry it: no white space, no plus sign, some text. */
export function isName(name: string): boolean {
  return /^[^\s+\p{C}]+$/u.test(name) && Buffer.byteLength(name) <= 255;
}

function idOf(name: string, raw: Uint8Array): string {
  const hash = createHash('sha256').update(`${name}\n`).update(Uint8Array.of(ED25519)).update(raw);
  return hash.digest('hex').slice(0, 2 * ID_BYTES);
}

/** `<name>+<id>+<base64 of the kind and the key>`, one line without its end. */
export function formatVerifier({ name, id, key }: Verifier): string {
  const bytes = Buffer.concat([Uint8Array.of(ED25519), rawKey(key)]);
  return `${name}+${id}+${bytes.toString('base64')}`;
}

/** @throws NoteError that says what is wrong */
export function parseVerifier(line: string): Verifier {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(line.trim());
  if (!match) throw new NoteError('a public key is <name>+<8 hexadecimal digits>+<base64>');
  const [, name, id, text] = match as unknown as [string, string, string, string];
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text || bytes.length !== 1 + KEY_BYTES || bytes[0] !== ED25519) {
    throw new NoteError(`the public key of ${name} is no Ed25519 key`);
  }
  const raw = bytes.subarray(1);
  const key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
  const verifier = verifierOf(name, key);
  if (verifier.id !== id)
    throw new NoteError(`the public key of ${name} does not fit its id ${id}`);
  return verifier;
}

/** The signature of the text by one key, as a note's line has it. */
export function signatureLine({ name, id, privateKey }: Signer, text: string): string {
  const signature = signBytes(null, Buffer.from(text), privateKey);
  return lineOf(name, id, signature);
}

function lineOf(name: string, id: string, signature: Uint8Array): string {
  const bytes = Buffer.concat([Buffer.from(id, 'hex'), signature]);
  return `\u2014 ${name} ${bytes.toString('base64')}\n`;
}

/** Whether a key has signed bytes that are no note. */
export function hasSigned({ key }: Verifier, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verifyBytes(null, bytes, key, signature);
}

/** @throws NoteError for text that a note cannot carry */
export function signNote(text: string, signers: readonly Signer[]): string {
  if (!isText(text)) throw new NoteError('a note is text that ends in a newline');
  return `${text}\n${signers.map((signer) => signatureLine(signer, text)).join('')}`;
}

function isText(text: string): boolean {
  // No control character but newlines.
  return text.endsWith('\n') && !/[\u0000-\u0009\u000b-\u001f\ufffd]/.test(text);
}

export interface Signature {
  readonly name: string;
  readonly id: string;
  /** Raw. */
  readonly bytes: Uint8Array;
}

export interface Note {
  readonly text: string;
  /** Not verified. */
  readonly signatures: readonly Signature[];
}

/** Parses a note, and verifies nothing. @throws NoteError */
export function parseNote(note: string): Note {
  if (note.length > MAX_NOTE) throw new NoteError('the note is too long');
  const end = note.lastIndexOf('\n\n');
  if (end < 0) throw new NoteError('the note has no signature');
  const text = note.slice(0, end + 1);
  if (!isText(text)) throw new NoteError('the note holds bytes that are no text');
  const lines = note.slice(end + 2).split('\n');
  if (lines.pop() !== '') throw new NoteError('the note does not end in a newline');
  if (lines.length === 0) throw new NoteError('the note has no signature');
  if (lines.length > MAX_SIGNATURES) throw new NoteError('the note has too many signatures');
  return { text, signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): Signature {
  const match = /^\u2014 (\S+) ([A-Za-z0-9+/]+=*)$/.exec(line);
  const bytes = Buffer.from(match?.[2] ?? '', 'base64');
  if (!match || !isName(match[1]!) || bytes.length <= ID_BYTES) {
    throw new NoteError('a line of the note is no signature');
  }
  const id = bytes.toString('hex', 0, ID_BYTES);
  return { name: match[1]!, id, bytes: bytes.subarray(ID_BYTES) };
}

/**
 * Says which of the keys have signed; signatures of other keys count for nothing.
 *
 * @throws NoteError if a signature by one of these keys is wrong
 */
export function verifySignatures(
  { text, signatures }: Note,
  keys: readonly Verifier[],
): Verifier[] {
  const data = Buffer.from(text);
  const signed = new Set<Verifier>();
  for (const { name, id, bytes } of signatures) {
    const known = keys.filter((key) => key.name === name && key.id === id);
    if (known.length === 0) continue;
    const right = known.find(
      ({ key }) => bytes.length === SIGNATURE_BYTES && verifyBytes(null, data, key, bytes),
    );
    if (!right) throw new NoteError(`the signature of ${name} is wrong`);
    signed.add(right);
  }
  return [...signed];
}

/** @throws NoteError if none of the keys has signed, or a signature of theirs is wrong */
export function openNote(
  note: string,
  keys: readonly Verifier[],
): { text: string; by: Verifier[] } {
  const parsed = parseNote(note);
  const by = verifySignatures(parsed, keys);
  if (by.length === 0) {
    const names = parsed.signatures.map(({ name, id }) => `${name}+${id}`).join(', ');
    throw new NoteError(`the note is signed by none of the keys asked for, but by ${names}`);
  }
  return { text: parsed.text, by };
}

/** A note of signatures that were made elsewhere. */
export function assembleNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(({ name, id, bytes }) => lineOf(name, id, bytes)).join('')}`;
}
