/** The key that signs the audit log: the operator's, or one that is made at the first start. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Config, MAX_RELAY } from '../config/config.js';
import { openSecret } from '../config/secret.js';

/**
 * Opens the file of private keys, and makes it if the configuration names none.
 *
 * @throws DocumentError, or Error of the file system
 */
export function openAuditKey({ state, audit: { key } }: Config): number {
  if (key) return openSecret(key.field, key.path);
  const path = join(state, 'supervisor', 'audit.key');
  if (!existsSync(path)) {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(`${path}.new`, pem, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  }
  return openSync(path, 'r');
}

/** A relay's name where the configuration has none. */
export function relayName(): string {
  const name = hostname().replace(/[^A-Za-z0-9_.-]/g, '-');
  return name.slice(0, MAX_RELAY) || 'relay';
}
