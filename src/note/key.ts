/** Private Ed25519 keys as PKCS#8 in PEM: plain, or encrypted (RFC 8018, PBES2). */
import {
  createCipheriv,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  pbkdf2Sync,
  randomBytes,
} from 'node:crypto';
import { NoteError } from './note.js';

/** Rounds of PBKDF2 with HMAC-SHA-256: OWASP's least, "Password Storage Cheat Sheet", 2023. */
export const ROUNDS = 600_000;
/** OpenSSL asks for no more bytes of a passphrase. */
export const MAX_PASSPHRASE = 1000;
const SALT_BYTES = 16;
const IV_BYTES = 16;
const KEY_BYTES = 32;

/** Object identifiers, in DER: RFC 8018, appendix A.2 and A.4, B.1.2; NIST, AES. */
const PBES2 = Buffer.from('06092a864886f70d01050d', 'hex');
const PBKDF2 = Buffer.from('06092a864886f70d01050c', 'hex');
const HMAC_SHA256 = Buffer.from('06082a864886f70d0209', 'hex');
const AES_256_CBC = Buffer.from('060960864801650304012a', 'hex');
const NULL = Buffer.from('0500', 'hex');

const INTEGER = 0x02;
const OCTETS = 0x04;
const SEQUENCE = 0x30;

export function makeKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/**
 * The key in PEM.
 *
 * @param passphrase that it is encrypted with; none: it is plain, for a file of mode 0600
 * @throws NoteError for a passphrase that is empty or too long
 */
export function formatKey(key: KeyObject, passphrase?: string, rounds = ROUNDS): string {
  if (passphrase === undefined) return key.export({ type: 'pkcs8', format: 'pem' }) as string;
  checkPassphrase(passphrase);
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const secret = pbkdf2Sync(passphrase, salt, rounds, KEY_BYTES, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  const derivation = der(
    SEQUENCE,
    der(OCTETS, salt),
    der(INTEGER, bigEndian(rounds)),
    der(SEQUENCE, HMAC_SHA256, NULL),
  );
  const scheme = der(
    SEQUENCE,
    der(SEQUENCE, PBKDF2, derivation),
    der(SEQUENCE, AES_256_CBC, der(OCTETS, iv)),
  );
  const whole = der(SEQUENCE, der(SEQUENCE, PBES2, scheme), der(OCTETS, sealed));
  const lines = whole.toString('base64').match(/.{1,64}/g)!;
  const label = 'ENCRYPTED PRIVATE KEY';
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** @throws NoteError */
export function checkPassphrase(passphrase: string): void {
  if (passphrase === '') throw new NoteError('the passphrase is empty');
  if (Buffer.byteLength(passphrase) > MAX_PASSPHRASE) {
    throw new NoteError(`the passphrase is longer than ${MAX_PASSPHRASE} bytes`);
  }
}

/** Tag, length and content (X.690, 8.1). */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : [tag, 0x81, length];
  return Buffer.concat([Buffer.from(head), content]);
}

/** A whole number from 0 on without a needless byte (X.690, 8.3). */
function bigEndian(n: number): Buffer {
  const digits = n.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return bytes[0]! < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]);
}

/** Whether a passphrase is needed to read it. */
export function isEncrypted(pem: string): boolean {
  return pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----');
}

/**
 * Reads a key in PEM, ours or one that OpenSSL made.
 *
 * @param passphrase if it is encrypted
 * @throws NoteError that says what is wrong
 */
export function parseKey(pem: string, passphrase?: string): KeyObject {
  if (!/-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(pem)) {
    throw new NoteError('there is no private key in PEM (PKCS#8)');
  }
  const encrypted = isEncrypted(pem);
  if (encrypted && passphrase === undefined) throw new NoteError('the key needs its passphrase');
  if (encrypted) checkPassphrase(passphrase!);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem', ...(encrypted ? { passphrase } : {}) });
  } catch {
    throw new NoteError(encrypted ? 'the passphrase is wrong' : 'the private key is damaged');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new NoteError('the key is no Ed25519 key');
  return key;
}
