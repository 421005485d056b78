/** Whether the certificates and the key of an upper fit each other, and their purpose. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { FileReference, UpperConfig } from './config.js';

/** The files' contents, PEM. */
export interface TlsTexts {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** When they expire, ms since 1970. */
export interface Expiry {
  readonly ca: number;
  readonly cert: number;
}

/** Extended key usage of a TLS client (RFC 5280 section 4.2.1.12). */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

function parse<T>({ field, path }: FileReference, what: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw field.error(`${path} holds no ${what} in PEM`);
  }
}

/**
 * What has expired fits all the same: whoever asks decides what that means.
 *
 * @throws DocumentError that names the file, and the way out
 */
export function checkTls({ tls }: UpperConfig, texts: TlsTexts): Expiry {
  const ca = parse(tls.ca, 'certificate', () => new X509Certificate(texts.ca));
  if (!ca.ca) throw tls.ca.field.error(`${tls.ca.path} is not the certificate of an authority`);
  const cert = parse(tls.cert, 'certificate', () => new X509Certificate(texts.cert));
  const key = parse(tls.key, 'private key', () => createPrivateKey(texts.key));
  if (!cert.checkPrivateKey(key)) {
    throw tls.key.field.error(`${tls.key.path} is not the key of ${tls.cert.path}`);
  }
  // Absent: fit for everything (RFC 5280 section 4.2.1.12).
  const usage = (cert.keyUsage as string[] | undefined) ?? [CLIENT_AUTH];
  if (!usage.includes(CLIENT_AUTH)) {
    throw tls.cert.field.error(
      `${tls.cert.path} is not for clients: make one with 'tidegate pki issue NAME'`,
    );
  }
  return { ca: Date.parse(ca.validTo), cert: Date.parse(cert.validTo) };
}

/** @throws DocumentError if the relay's own certificate has expired */
export function checkExpiry({ tls }: UpperConfig, { cert }: Expiry, now: number): void {
  if (cert > now) return;
  throw tls.cert.field.error(`${tls.cert.path} expired on ${new Date(cert).toISOString()}`);
}
