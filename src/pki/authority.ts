// A small certificate authority: makes itself, then client and server certificates (RFC 5280).
import { createPrivateKey, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { readSubject, sealDraft, setLife, startDraft, writeName } from './draft.js';
import type { Identity, Life } from './draft.js';
import { parseNames } from './names.js';
import {
  AUTHORITY_DAYS,
  checkBits,
  checkCommonName,
  checkDays,
  checkNotBefore,
  LEAF_DAYS,
  OptionError,
} from './options.js';

export type { Identity } from './draft.js';

/** What {@link createAuthority} is told; `days` at most 7300. */
export interface AuthorityOptions extends Life {
  readonly commonName: string;
  /** Length of the RSA modulus: 2048, 3072 (default) or 4096. */
  readonly bits?: number;
}

/** What {@link issueCertificate} is told; `days` at most 3650. */
export interface CertificateOptions extends Life {
  readonly commonName: string;
  readonly usage: 'client' | 'server';
  /** DNS names and IP addresses; a server needs at least one. */
  readonly names: readonly string[];
  /** Length of the RSA modulus: 2048 (default), 3072 or 4096. */
  readonly bits?: number;
}

interface Signer {
  readonly certificate: forge.pki.Certificate;
  readonly key: forge.pki.rsa.PrivateKey;
  /** Raw octets, as forge wants them. */
  readonly keyIdentifier: string;
}

function readKeyIdentifier(certificate: forge.pki.Certificate): string {
  const extension = certificate.getExtension('subjectKeyIdentifier') as {
    readonly subjectKeyIdentifier?: string;
  } | null;
  // RFC 5280 section 4.2.1.1: the value in the authority counts, however that was computed.
  if (extension?.subjectKeyIdentifier) {
    return forge.util.hexToBytes(extension.subjectKeyIdentifier);
  }
  return forge.pki.getPublicKeyFingerprint(certificate.publicKey).getBytes();
}

function openAuthority(identity: Identity): Signer {
  let certificate, key;
  try {
    certificate = new X509Certificate(identity.certificate);
    key = createPrivateKey(identity.key);
  } catch (cause) {
    throw new Error('the certificate or the key of the authority is not readable PEM', { cause });
  }
  if (key.asymmetricKeyType !== 'rsa') throw new Error('the key of the authority is not RSA');
  if (!certificate.ca) throw new Error('the certificate is not that of an authority');
  if (!certificate.checkPrivateKey(key)) {
    throw new Error('the key of the authority does not belong to its certificate');
  }
  const read = forge.pki.certificateFromPem(identity.certificate);
  return {
    certificate: read,
    key: forge.pki.privateKeyFromPem(identity.key),
    keyIdentifier: readKeyIdentifier(read),
  };
}

/**
 * Makes a self-signed authority that may sign leaves and revocation lists but no further
 * authorities (RFC 5280 sections 4.2.1.3 and 4.2.1.9: pathLenConstraint 0).
 * @throws OptionError if an option is out of bounds.
 */
export async function createAuthority(options: AuthorityOptions): Promise<Identity> {
  const { commonName, days, notBefore, bits = 3072 } = options;
  checkCommonName(commonName);
  checkDays(days, AUTHORITY_DAYS);
  checkBits(bits);
  if (notBefore) checkNotBefore(notBefore);
  const draft = await startDraft(commonName, bits);
  setLife(draft, { days, notBefore });
  draft.certificate.setIssuer(writeName(commonName));
  draft.certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: true },
  ]);
  return sealDraft(draft, draft.keys.privateKey);
}

/**
 * Makes a key and has the authority sign a leaf for it, good for TLS as client or as server.
 * The leaf never outlives the authority: its end is brought forward where needed.
 * @throws OptionError if an option is out of bounds or a server has no name.
 * @throws Error if the authority is unreadable, no authority, of another key, or expired.
 */
export async function issueCertificate(
  authority: Identity,
  options: CertificateOptions,
): Promise<Identity> {
  const { commonName, usage, names, days, notBefore, bits = 2048 } = options;
  checkCommonName(commonName);
  checkDays(days, LEAF_DAYS);
  checkBits(bits);
  if (notBefore) checkNotBefore(notBefore);
  // GeneralName of RFC 5280 section 4.2.1.6: [2] dNSName, [7] iPAddress.
  const altNames = parseNames(names).map(({ kind, value }) =>
    kind === 'dns' ? { type: 2, value } : { type: 7, ip: value },
  );
  // RFC 9525 section 6.3: clients look at subjectAltName only, never at the common name.
  if (usage === 'server' && altNames.length === 0) {
    throw new OptionError('a server certificate needs at least one DNS name or IP address');
  }
  const signer = openAuthority(authority);
  const draft = await startDraft(commonName, bits);
  setLife(draft, { days, notBefore }, signer.certificate.validity.notAfter);
  draft.certificate.setIssuer(readSubject(signer.certificate));
  draft.certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    // TLS 1.3 only signs (RFC 8446 section 4.4.2.2); keyEncipherment would serve RSA key exchange.
    { name: 'keyUsage', critical: true, digitalSignature: true },
    usage === 'server'
      ? { name: 'extKeyUsage', serverAuth: true }
      : { name: 'extKeyUsage', clientAuth: true },
    ...(altNames.length > 0 ? [{ name: 'subjectAltName', altNames }] : []),
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: signer.keyIdentifier },
  ]);
  return sealDraft(draft, signer.key);
}
