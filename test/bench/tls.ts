/** The benchmark's side of TLS, from what makeCertificates wrote. */
import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';

/** An upper server that wants the relay's certificate. */
export function serverOptions(directory: string): TlsOptions {
  return {
    ca: readFileSync(`${directory}/ca.pem`),
    cert: readFileSync(`${directory}/portal.pem`),
    key: readFileSync(`${directory}/portal.key`),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  };
}
