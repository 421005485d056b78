// What a certificate says, in lines for a person.
import { X509Certificate } from 'node:crypto';

/**
 * Describes a certificate.
 * @param certificate PEM.
 * @returns subject, names, end of life (ISO 8601, UTC) and SHA-256 fingerprint, one line each.
 */
export function summarise(certificate: string): string[] {
  const read = new X509Certificate(certificate);
  return [
    `subject      ${read.subject.replaceAll('\n', ', ')}`,
    `names        ${read.subjectAltName ?? 'none'}`,
    `expires      ${new Date(read.validTo).toISOString()}`,
    `fingerprint  SHA-256 ${read.fingerprint256}`,
  ];
}
