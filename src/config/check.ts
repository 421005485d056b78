/** Everything that must be right before a relay starts, beyond the syntax of its configuration. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Compiled, compilePolicies, type Scope } from '../policy/compile.js';
import { parsePolicy } from '../policy/parse.js';
import { keyPath } from '../policy/policy.js';
import { tryPolicy } from '../review/trial.js';
import type { PolicyText } from '../wire/bundle.js';
import type { Config, FileReference, UpperConfig } from './config.js';
import { readText } from './text.js';
import { isPassword, openSecret, readSecret, secretPath } from './secret.js';

export interface Checked {
  readonly policies: readonly PolicyText[];
  readonly compiled: Compiled;
  /** Keys of pseudonyms by the paths of their files. */
  readonly keys: Readonly<Record<string, string>>;
}

/** Extended key usage of a TLS client (RFC 5280 section 4.2.1.12). */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

function readFile({ field, path }: FileReference): string {
  try {
    return readText(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || code === 'EISDIR') throw field.error(message);
    throw field.error(`cannot read ${path}: ${code}`);
  }
}

function checkPassword({ field, path }: FileReference): void {
  if (!isPassword(readSecret(openSecret(field, path)))) {
    throw field.error(`${path} must hold one line of text: the password, 256 bytes at most`);
  }
}

function parse<T>({ field, path }: FileReference, what: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw field.error(`${path} holds no ${what} in PEM`);
  }
}

function checkTls({ tls }: UpperConfig, now: number): void {
  const ca = readFile(tls.ca);
  if (!parse(tls.ca, 'certificate', () => new X509Certificate(ca)).ca) {
    throw tls.ca.field.error(`${tls.ca.path} is not the certificate of an authority`);
  }
  const pem = readFile(tls.cert);
  const cert = parse(tls.cert, 'certificate', () => new X509Certificate(pem));
  const secret = readSecret(openSecret(tls.key.field, tls.key.path));
  const key = parse(tls.key, 'private key', () => createPrivateKey(secret));
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
  if (Date.parse(cert.validTo) <= now) {
    throw tls.cert.field.error(`${tls.cert.path} expired on ${cert.validTo}`);
  }
}

/** The names of a configuration that policies may use. */
export function scopeOfConfig({ lowers, channels }: Config): Scope {
  return {
    sources: lowers.map(({ name }) => name),
    channels: channels.map(({ name }) => name),
  };
}

/** @throws DocumentError for a file that cannot be read */
export function readPolicies(config: Config): PolicyText[] {
  return config.policies.map((reference) => ({ file: reference.path, text: readFile(reference) }));
}

/** Least characters of a key: `openssl rand -hex 32` makes 64. */
const MIN_KEY = 32;

/**
 * Reads the keys that policies name, by the paths of their files.
 *
 * @throws DocumentError at the first thing that is wrong
 */
export function loadKeys(
  policies: readonly PolicyText[],
  environment: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const keys: Record<string, string> = {};
  const rules = policies.flatMap(({ file, text }) => parsePolicy(text, file).rules);
  for (const { emit } of rules) {
    if (typeof emit.guid !== 'object' || emit.guid instanceof Uint8Array) continue;
    const { keyFile } = emit.guid;
    const { field } = keyFile;
    const path = secretPath(field, dirname(field.file), environment);
    const way = `(umask 077; openssl rand -hex 32 > ${path})`;
    if (!existsSync(path)) throw field.error(`there is no ${path}; make one: ${way}`);
    const key = readSecret(openSecret(field, path));
    if (key.length < MIN_KEY || !isPassword(key)) {
      throw field.error(`${path} must hold one line of ${MIN_KEY} characters or more: ${way}`);
    }
    keys[keyPath(keyFile)] = key;
  }
  return keys;
}

/**
 * Reads and checks every file that the configuration names; runs the policies' tests.
 *
 * @throws DocumentError at the first thing that is wrong
 */
export function checkFiles(config: Config, now: number = Date.now()): Checked {
  for (const lower of config.lowers) checkPassword(lower.password);
  for (const upper of config.uppers) {
    checkPassword(upper.password);
    checkTls(upper, now);
  }
  const policies = readPolicies(config);
  const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
  const compiled = compilePolicies(parsed, scopeOfConfig(config), now);
  const keys = loadKeys(policies);
  for (const policy of parsed) {
    for (const { test, complaints } of tryPolicy(policy).results) {
      const [complaint] = complaints;
      if (complaint) throw complaint.field.error(`test '${test.name}': ${complaint.message}`);
    }
  }
  return { policies, compiled, keys };
}
