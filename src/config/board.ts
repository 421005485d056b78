/** The configuration of a board: where it listens, who may send, what is kept and shown. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Field, parseDocument } from '../document/document.js';
import { parseDuration, parseSize } from '../document/quantity.js';
import type { Verifier } from '../note/note.js';
import type { FileReference } from './config.js';
import { parseHost, parseUser } from './host.js';
import { isPassword, openSecret, readSecret, secretPath } from './secret.js';
import { readPublicKeys } from './public-keys.js';
import { readText } from './text.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MAX_USERS = 64;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface BoardUserConfig {
  readonly name: string;
  /** `send`: a relay; `read`: may watch by the link protocol. */
  readonly may: 'send' | 'read';
  readonly password: FileReference;
  /** Names of which its certificate must have one; undefined: it needs none. */
  readonly certificate: readonly string[] | undefined;
  /** By one of them its relay's beacons must be signed; undefined: they are believed. */
  readonly auditKeys: readonly Verifier[] | undefined;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
}

export interface BoardConfig {
  readonly file: string;
  /** Directory of the history. */
  readonly state: string;
  readonly names: FileReference | undefined;
  readonly link: Listener & {
    readonly tls: { readonly cert: FileReference; readonly key: FileReference } & {
      readonly ca: FileReference;
    };
    readonly users: readonly BoardUserConfig[];
  };
  readonly public: Listener & {
    /** undefined: HTTP, for a reverse proxy on the same machine. */
    readonly tls: { readonly cert: FileReference; readonly key: FileReference } | undefined;
    /** All readers come from the one address of a reverse proxy, which has limits of its own. */
    readonly proxy: boolean;
  };
  readonly history: {
    /** ms. */
    readonly raw: number;
    readonly hours: number;
    readonly days: number;
    /** Events that programs can page through. */
    readonly events: number;
    /** Bytes on disk. */
    readonly size: number;
  };
  /** Sensors that are shown at most. */
  readonly sensors: number;
  /** ms. */
  readonly alarmAge: number;
  readonly silence: number;
}

/**
 * Reads and parses a board's configuration.
 *
 * @throws DocumentError with file:line:column, or an Error of the file system
 */
export function loadBoard(file: string, environment: NodeJS.ProcessEnv = process.env): BoardConfig {
  return parseBoard(readText(file), file, environment);
}

/** Parses the text of a board's configuration; paths are relative to `file`. @throws DocumentError */
export function parseBoard(
  text: string,
  file: string,
  environment: NodeJS.ProcessEnv = process.env,
): BoardConfig {
  const root = parseDocument(text, file);
  const keys = root.record([
    'schema',
    'state',
    'names',
    'link',
    'public',
    'history',
    'sensors',
    'alarm_age',
    'silence',
  ]);
  root.need(keys.schema, 'schema').choice(['tidegate-board/v1']);
  const directory = dirname(resolve(file));
  const path = (field: Field): FileReference => ({
    field,
    path: resolve(directory, field.text(4096)),
  });
  const secret = (field: Field): FileReference => ({
    field,
    path: secretPath(field, directory, environment),
  });
  const link = root.need(keys.link, 'link');
  const own = link.record(['host', 'port', 'tls', 'users']);
  const tls = link.need(own.tls, 'tls');
  const files = tls.record(['cert', 'key', 'ca']);
  const open = root.need(keys.public, 'public');
  const page = open.record(['host', 'port', 'tls', 'proxy']);
  const pageTls = page.tls?.record(['cert', 'key']);
  const history = keys.history?.record(['raw', 'hours', 'days', 'events', 'size']);
  const age = (field: Field | undefined, usual: number): number =>
    field ? parseDuration(field, HOUR) : usual;
  const inside = listener(own.host, own.port, 9598);
  const outside = listener(page.host, page.port, pageTls ? 8443 : 8080);
  if (collide(inside, outside)) {
    // One of them is not the default.
    const field = page.port ?? own.port!;
    throw field.error(
      `link and public both listen on port ${outside.port}: give one of them another`,
    );
  }
  return {
    file,
    state: path(root.need(keys.state, 'state')).path,
    names: keys.names && path(keys.names),
    link: {
      ...inside,
      tls: {
        cert: path(tls.need(files.cert, 'cert')),
        key: secret(tls.need(files.key, 'key')),
        ca: path(tls.need(files.ca, 'ca')),
      },
      users: parseUsers(link.need(own.users, 'users'), directory, secret),
    },
    public: {
      ...outside,
      tls: pageTls && {
        cert: path(page.tls!.need(pageTls.cert, 'cert')),
        key: secret(page.tls!.need(pageTls.key, 'key')),
      },
      proxy: page.proxy?.boolean() ?? false,
    },
    history: {
      raw: age(history?.raw, 7 * DAY),
      hours: age(history?.hours, 400 * DAY),
      days: age(history?.days, 3660 * DAY),
      events: history?.events?.integer(0, 1e9) ?? 1_000_000,
      size: history?.size ? parseSize(history.size, 16 * 2 ** 20) : 2 ** 31,
    },
    sensors: keys.sensors?.integer(1, 20_000) ?? 2000,
    alarmAge: keys.alarm_age ? parseDuration(keys.alarm_age, 1000) : HOUR,
    silence: keys.silence ? parseDuration(keys.silence, 1000) : 150_000,
  };
}

function listener(host: Field | undefined, port: Field | undefined, usual: number): Listener {
  return {
    host: host ? parseHost(host) : '127.0.0.1',
    // 0: whichever is free; the log says which.
    port: port?.integer(0, 65535) ?? usual,
  };
}

/** Whether the second of them would find its port taken. */
function collide(one: Listener, other: Listener): boolean {
  const everywhere = [one.host, other.host].some((host) => host === '0.0.0.0' || host === '::');
  return one.port === other.port && one.port !== 0 && (everywhere || one.host === other.host);
}

function parseUsers(
  field: Field,
  directory: string,
  secret: (field: Field) => FileReference,
): BoardUserConfig[] {
  const entries = field.entries();
  if (entries.length === 0) throw field.error(`${field.path} must not be empty`);
  if (entries.length > MAX_USERS) throw field.error(`${field.path} has more than ${MAX_USERS}`);
  return entries.map(([name, value]) => {
    value.checkOwnName(name);
    const keys = value.record(['may', 'password_file', 'certificate', 'audit_key']);
    const may = value.need(keys.may, 'may').choice(['send', 'read']);
    const certificate = keys.certificate?.oneOrMore().map((each) => parseUser(each));
    if (may === 'send' && !certificate) {
      throw value.error(
        `${value.path} may send, and needs 'certificate': the name that its client certificate is for`,
      );
    }
    const password = secret(value.need(keys.password_file, 'password_file'));
    const auditKeys = keys.audit_key && readPublicKeys(keys.audit_key.oneOrMore(), directory);
    return { name, may, password, certificate, auditKeys };
  });
}

/** What a key and its certificate hold, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** The certificates of the link, PEM. @throws DocumentError that names the file, and the way out */
export function readLinkTls({ link: { tls } }: BoardConfig): KeyPair & { readonly ca: string } {
  const ca = readPublic(tls.ca);
  let authorities: X509Certificate[];
  try {
    if (!new X509Certificate(ca).ca) throw new Error('no authority');
    authorities = [...ca.matchAll(CERTIFICATE)].map(([pem]) => new X509Certificate(pem));
  } catch {
    throw tls.ca.field.error(`${tls.ca.path} holds no certificate of an authority in PEM`);
  }
  const pair = readPair(tls, '--server');
  const own = new X509Certificate(pair.cert);
  // Another authority's may do, for relays that trust it: one of the same name is one made anew.
  const issuers = authorities.filter(({ subject }) => subject === own.issuer);
  if (issuers.length > 0 && !issuers.some(({ publicKey }) => own.verify(publicKey))) {
    throw tls.ca.field.error(
      `${tls.ca.path} has not signed ${tls.cert.path}: it is another authority of the same name`,
    );
  }
  return { ...pair, ca };
}

/** The public's, if there are any. @throws DocumentError */
export function readPublicTls({ public: { tls } }: BoardConfig): KeyPair | undefined {
  return tls && readPair(tls, '--server');
}

/** The text of the names file. @throws DocumentError */
export function readNames({ names }: BoardConfig): { text: string; path: string } | undefined {
  return names && { text: readPublic(names), path: names.path };
}

/** The password of a user. @throws DocumentError */
export function readPassword({ password: { field, path } }: BoardUserConfig): string {
  const text = readSecret(openSecret(field, path));
  if (!isPassword(text)) throw field.error(`${path} holds no password: one line of text`);
  return text;
}

function readPair(
  { cert, key }: { readonly cert: FileReference; readonly key: FileReference },
  option: string,
): KeyPair {
  const texts = { cert: readPublic(cert), key: readSecret(openSecret(key.field, key.path)) };
  let fits: boolean;
  try {
    fits = new X509Certificate(texts.cert).checkPrivateKey(createPrivateKey(texts.key));
  } catch {
    const way = `'tidegate pki issue NAME ${option}' makes both`;
    throw cert.field.error(
      `${cert.path} and ${key.path} must hold a certificate and a key: ${way}`,
    );
  }
  if (!fits) throw key.field.error(`${key.path} is not the key of ${cert.path}`);
  return texts;
}

function readPublic({ field, path }: FileReference): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw field.error(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
}
