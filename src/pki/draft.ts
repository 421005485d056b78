// A certificate in the making: fresh key, serial, subject and life, then its signature and PEM.
import { randomBytes } from 'node:crypto';
import forge from 'node-forge';

/** A certificate and its private key, both PEM with LF line ends; the key is PKCS#8. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** How long and from when a certificate lives. */
export interface Life {
  /** Counted from `notBefore`, or from now where that is absent. */
  readonly days: number;
  /** Default: five minutes ago. Certificates hold whole seconds, the rest is dropped. */
  readonly notBefore?: Date | undefined;
}

/** A certificate without issuer, life, extensions and signature, and the keys made for it. */
export interface Draft {
  readonly certificate: forge.pki.Certificate;
  readonly keys: forge.pki.rsa.KeyPair;
}

// Clocks of small machines drift; a certificate must not be "not yet valid" next door.
const BACKDATE_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

// RFC 5280 section 4.1.2.4 wants UTF8String; forge types the tag of a value as a class by mistake.
const UTF8 = forge.asn1.Type.UTF8 as unknown as forge.asn1.Class;

function generateKeys(bits: number): Promise<forge.pki.rsa.KeyPair> {
  return new Promise((resolve, reject) => {
    // With a callback forge hands the work to Node's own generator, off the event loop.
    forge.pki.rsa.generateKeyPair({ bits }, (error: Error | null, keys) => {
      if (error) reject(error);
      else resolve(keys);
    });
  });
}

// RFC 5280 section 4.1.2.2: positive, at most 20 octets. A clear first and a set second bit make
// the number positive and keep its DER form at 16 octets exactly; 126 bits are random.
function drawSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/**
 * Reads the subject of a certificate so that it can be written as the issuer of another.
 * Forge reads a UTF8String as raw octets but encodes it on writing: without decoding here, the
 * issuer of a leaf would differ from the subject of its authority (RFC 5280 section 7.1).
 */
export function readSubject(certificate: forge.pki.Certificate): forge.pki.CertificateField[] {
  return certificate.subject.attributes.map((field) =>
    field.valueTagClass === UTF8 && typeof field.value === 'string'
      ? { ...field, value: forge.util.decodeUtf8(field.value) }
      : field,
  );
}

/** Writes a subject or issuer that consists of a common name only. */
export function writeName(commonName: string): forge.pki.CertificateField[] {
  return [{ name: 'commonName', value: commonName, valueTagClass: UTF8 }];
}

/**
 * Makes an RSA key and starts a certificate for it, with a random serial of 128 bits.
 * @param bits length of the modulus.
 */
export async function startDraft(commonName: string, bits: number): Promise<Draft> {
  const keys = await generateKeys(bits);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = drawSerial();
  certificate.setSubject(writeName(commonName));
  return { certificate, keys };
}

/**
 * Sets when a draft is valid.
 * @param end a moment that the draft must not outlive, such as the end of its authority.
 * @throws Error if the end has come before the life starts.
 */
export function setLife(draft: Draft, life: Life, end?: Date): void {
  const start = life.notBefore?.getTime() ?? Date.now();
  if (end && end.getTime() <= start) {
    throw new Error(`the authority expired on ${end.toISOString()}: make a new one`);
  }
  const wanted = start + life.days * DAY_MS;
  draft.certificate.validity = {
    notBefore: life.notBefore ?? new Date(start - BACKDATE_MS),
    notAfter: new Date(Math.min(wanted, end?.getTime() ?? wanted)),
  };
}

/**
 * Signs a draft (SHA-256 with RSA) and writes it out with its own key.
 * @param signer the key of the authority; for a self-signed certificate its own.
 */
export function sealDraft(draft: Draft, signer: forge.pki.rsa.PrivateKey): Identity {
  draft.certificate.sign(signer, forge.md.sha256.create());
  const key = forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(draft.keys.privateKey));
  return {
    certificate: forge.pki.certificateToPem(draft.certificate).replaceAll('\r\n', '\n'),
    key: forge.pki.privateKeyInfoToPem(key).replaceAll('\r\n', '\n'),
  };
}
