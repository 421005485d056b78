/** The configuration file as a frozen value: parsed once, strictly, every path made absolute. */
import { dirname, resolve } from 'node:path';
import { type Field, parseDocument } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { formatGuid } from '../event/guid.js';
import { isName } from '../note/note.js';
import { parseQuad } from '../policy/guids.js';
import { MAX_CHANNELS } from '../policy/compile.js';
import { FIRST_IDENTITY, IDENTITIES } from './identity.js';
import { parseDuration, parseSize } from '../document/quantity.js';
import { parseHost, parseUser } from './host.js';
import { secretPath } from './secret.js';
import { parseSigners, type SignersConfig } from './signers.js';
import { readText } from './text.js';

export const MAX_LOWERS = 64;
export const MAX_UPPERS = 64;
export const MAX_WINDOW = 100_000;
/** A beacon carries it. */
export const MAX_RELAY = 63;
const MIN_RETAIN = 4 * 2 ** 20;

/** A file that the configuration names, with the place to complain about. */
export interface FileReference {
  readonly field: Field;
  readonly path: string;
}

export interface LowerConfig {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: FileReference;
  /** Canonical `priority,class,type,GUID`, sent as SFLT and SMSK. */
  readonly filter: string | undefined;
  readonly mask: string | undefined;
}

export interface ChannelConfig {
  readonly name: string;
  /** Bytes and milliseconds. */
  readonly retain: { readonly size: number; readonly age: number };
  /** ms between the relay's own events; undefined: none. */
  readonly beacon: number | undefined;
}

/** How a timestamp in nanoseconds goes up: as a datetime and microseconds, or as it is. */
export type Timestamps = 'datetime' | 'nanoseconds';

/** Whether urgent events overtake others. */
export type Drain = 'urgent-first' | 'in-order';

export interface UpperConfig {
  readonly name: string;
  readonly kind: 'vscp';
  readonly channel: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: FileReference;
  /** SENDs outstanding. */
  readonly window: number;
  readonly timestamps: Timestamps;
  readonly drain: Drain;
  readonly tls: {
    readonly ca: FileReference;
    readonly cert: FileReference;
    readonly key: FileReference;
    readonly servername: string;
  };
}

/** Whether a relay that cannot be sealed starts all the same. */
export type Seal = 'required' | 'preferred';

/** The log of decisions. */
export interface AuditConfig {
  /** The relay's name there; undefined: the one that the log has, or the machine's. */
  readonly relay: string | undefined;
  /** Private keys, PEM; undefined: one that is made at the first start. */
  readonly key: FileReference | undefined;
}

export interface Config {
  readonly file: string;
  readonly state: string;
  readonly seal: Seal;
  /** First of the user numbers that the processes get when the supervisor starts as root. */
  readonly uids: number;
  readonly lowers: readonly LowerConfig[];
  readonly policies: readonly FileReference[];
  /** Who must have signed them; undefined: nobody. */
  readonly policySigners: SignersConfig | undefined;
  readonly channels: readonly ChannelConfig[];
  readonly uppers: readonly UpperConfig[];
  readonly audit: AuditConfig;
}

interface Surroundings {
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Reads and parses a configuration file.
 *
 * @throws DocumentError with file:line:column, or an Error of the file system
 */
export function loadConfig(file: string, environment: NodeJS.ProcessEnv = process.env): Config {
  return parseConfig(readText(file), file, environment);
}

/** Parses the text of a configuration file, and reads its public keys; paths are relative to `file`. */
export function parseConfig(
  text: string,
  file: string,
  environment: NodeJS.ProcessEnv = process.env,
): Config {
  const root = parseDocument(text, file);
  const keys = root.record([
    'schema',
    'state',
    'seal',
    'uids',
    'lowers',
    'policies',
    'policy_signers',
    'channels',
    'uppers',
    'audit',
  ]);
  root.need(keys.schema, 'schema').choice(['tidegate/v1']);
  const around = { directory: dirname(resolve(file)), environment };
  const path = (field: Field): FileReference => ({
    field,
    path: resolve(around.directory, field.text(4096)),
  });
  const lowers = named(root.need(keys.lowers, 'lowers'), MAX_LOWERS, (name, field) =>
    parseLower(name, field, around),
  );
  const channels = named(root.need(keys.channels, 'channels'), MAX_CHANNELS, parseChannel);
  const uppers = named(root.need(keys.uppers, 'uppers'), MAX_UPPERS, (name, field) =>
    parseUpper(name, field, around, channels),
  );
  return {
    file,
    state: path(root.need(keys.state, 'state')).path,
    seal: keys.seal?.choice(['required', 'preferred']) ?? 'required',
    // 65,536 and up: below it are the numbers of people and services.
    uids: keys.uids?.integer(65_536, 2 ** 31 - IDENTITIES) ?? FIRST_IDENTITY,
    lowers,
    policies: root.need(keys.policies, 'policies').list().map(path),
    policySigners: keys.policy_signers && parseSigners(keys.policy_signers, around.directory),
    channels,
    uppers,
    audit: parseAudit(keys.audit, around),
  };
}

/** The entries of a map of named things. */
function named<T>(field: Field, most: number, parse: (name: string, field: Field) => T): T[] {
  const entries = field.entries();
  if (entries.length === 0) throw field.error(`${field.path} must not be empty`);
  if (entries.length > most) throw field.error(`${field.path} has more than ${most} entries`);
  return entries.map(([name, value]) => {
    value.checkOwnName(name);
    return parse(name, value);
  });
}

function parseLower(name: string, field: Field, around: Surroundings): LowerConfig {
  const keys = field.record(['host', 'port', 'user', 'password_file', 'filter', 'mask']);
  return {
    name,
    host: parseHost(field.need(keys.host, 'host')),
    port: field.need(keys.port, 'port').integer(1, 65535),
    user: parseUser(field.need(keys.user, 'user')),
    password: secret(field.need(keys.password_file, 'password_file'), around),
    filter: keys.filter && canonicalQuad(keys.filter),
    mask: keys.mask && canonicalQuad(keys.mask),
  };
}

function parseChannel(name: string, field: Field): ChannelConfig {
  const keys = field.record(['retain', 'beacon']);
  const retain = keys.retain?.record(['size', 'age']);
  return {
    name,
    retain: {
      size: retain?.size ? parseSize(retain.size, MIN_RETAIN) : 2 ** 30,
      age: retain?.age ? parseDuration(retain.age, 1000) : 7 * 86_400_000,
    },
    beacon: keys.beacon && parseDuration(keys.beacon, 1000),
  };
}

function parseUpper(
  name: string,
  field: Field,
  around: Surroundings,
  channels: readonly ChannelConfig[],
): UpperConfig {
  const keys = field.record([
    'kind',
    'channel',
    'host',
    'port',
    'user',
    'password_file',
    'window',
    'timestamps',
    'drain',
    'tls',
  ]);
  const channel = field.need(keys.channel, 'channel');
  const known = channels.map((each) => each.name);
  if (!known.includes(channel.text())) {
    const hint = didYouMean(channel.text(), known);
    throw channel.error(`no channel is named '${channel.text()}'${hint}`);
  }
  if (!keys.tls) {
    throw field.error(
      `${field.path} needs 'tls': there is no plain-text upstream; 'tidegate pki' makes certificates`,
    );
  }
  const tls = keys.tls.record(['ca', 'cert', 'key', 'servername']);
  const file = (part: Field): FileReference => ({
    field: part,
    path: resolve(around.directory, part.text(4096)),
  });
  const host = parseHost(field.need(keys.host, 'host'));
  return {
    name,
    kind: keys.kind ? keys.kind.choice(['vscp']) : 'vscp',
    channel: channel.text(),
    host,
    port: field.need(keys.port, 'port').integer(1, 65535),
    user: parseUser(field.need(keys.user, 'user')),
    password: secret(field.need(keys.password_file, 'password_file'), around),
    window: keys.window ? keys.window.integer(1, MAX_WINDOW) : 1,
    timestamps: keys.timestamps?.choice(['datetime', 'nanoseconds']) ?? 'datetime',
    drain: keys.drain?.choice(['urgent-first', 'in-order']) ?? 'urgent-first',
    tls: {
      ca: file(keys.tls.need(tls.ca, 'ca')),
      cert: file(keys.tls.need(tls.cert, 'cert')),
      key: secret(keys.tls.need(tls.key, 'key'), around),
      servername: tls.servername ? parseHost(tls.servername) : host,
    },
  };
}

function parseAudit(field: Field | undefined, around: Surroundings): AuditConfig {
  const keys = field?.record(['relay', 'key_file']);
  return {
    relay: keys?.relay && parseRelay(keys.relay),
    key: keys?.key_file && secret(keys.key_file, around),
  };
}

/** A name that a signed note can carry. */
function parseRelay(field: Field): string {
  const name = field.text(MAX_RELAY);
  if (!isName(name)) throw field.error(`${field.path} must not hold spaces or '+'`);
  return name;
}

function secret(field: Field, { directory, environment }: Surroundings): FileReference {
  return { field, path: secretPath(field, directory, environment) };
}

/** Strict servers take decimal numbers and the whole GUID only. */
function canonicalQuad(field: Field): string {
  const { numbers, guid } = parseQuad(field);
  return `${numbers.join(',')},${formatGuid(guid)}`;
}
