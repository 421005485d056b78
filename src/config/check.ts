/** Everything that must be right before a relay starts, beyond the syntax of its configuration. */
import { createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { PEM, rawKey } from '../note/note.js';
import { type Compiled, compilePolicies, type Scope } from '../policy/compile.js';
import { parsePolicy } from '../policy/parse.js';
import { keyFilesOf, keyPath, type Name } from '../policy/policy.js';
import { tryPolicy } from '../review/trial.js';
import type { PolicyText } from '../wire/bundle.js';
import type { Config, FileReference } from './config.js';
import { readText } from './text.js';
import { isPassword, openSecret, readSecret, secretPath } from './secret.js';
import { checkSigned, readManifest } from './signers.js';
import { checkExpiry, checkTls } from './tls.js';

export interface Checked {
  readonly policies: readonly PolicyText[];
  readonly compiled: Compiled;
  /** Keys of pseudonyms by the paths of their files. */
  readonly keys: Readonly<Record<string, string>>;
  /** The note by which they are signed; undefined where nobody must sign them. */
  readonly manifest?: string | undefined;
  readonly signers: readonly { readonly name: string; readonly id: string }[];
}

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

function checkAuditKey({ audit: { key } }: Config): void {
  if (!key) return;
  const way = '(umask 077; openssl genpkey -algorithm ed25519 -out FILE)';
  const pems = readSecret(openSecret(key.field, key.path)).match(PEM) ?? [];
  if (pems.length === 0)
    throw key.field.error(`${key.path} holds no private key; make one: ${way}`);
  for (const pem of pems) {
    try {
      rawKey(createPrivateKey(pem));
    } catch (error) {
      throw key.field.error(`${key.path}: ${(error as Error).message}; make one: ${way}`);
    }
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
  const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
  const names = parsed.flatMap(keyFilesOf);
  return Object.fromEntries(names.map((name) => [keyPath(name), loadKey(name, environment)]));
}

/**
 * Reads a key that a policy names.
 *
 * @throws DocumentError
 */
export function loadKey({ field }: Name, environment: NodeJS.ProcessEnv = process.env): string {
  const path = secretPath(field, dirname(field.file), environment);
  const way = `(umask 077; openssl rand -hex 32 > ${path})`;
  if (!existsSync(path)) throw field.error(`there is no ${path}; make one: ${way}`);
  const key = readSecret(openSecret(field, path));
  if (key.length < MIN_KEY || !isPassword(key)) {
    throw field.error(`${path} must hold one line of ${MIN_KEY} characters or more: ${way}`);
  }
  return key;
}

/**
 * Reads and checks every file that the configuration names; runs the policies' tests.
 *
 * @param strict refuses a certificate that has expired: it keeps one link from coming up, not a relay
 * from starting
 * @throws DocumentError at the first thing that is wrong
 */
export function checkFiles(config: Config, now: number = Date.now(), strict = true): Checked {
  for (const lower of config.lowers) checkPassword(lower.password);
  for (const upper of config.uppers) {
    checkPassword(upper.password);
    const { ca, cert, key } = upper.tls;
    const secret = readSecret(openSecret(key.field, key.path));
    const texts = { ca: readFile(ca), cert: readFile(cert), key: secret };
    const expiry = checkTls(upper, texts);
    if (strict) checkExpiry(upper, expiry, now);
  }
  checkAuditKey(config);
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
  const manifest = readManifest(config);
  const signers = checkSigned(config, { manifest, policies, parsed, keys, now })?.signers ?? [];
  return { policies, compiled, keys, manifest, signers };
}
