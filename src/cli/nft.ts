/** `tidegate nft`: the packet filter's rules for a relay. */
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { type Config, loadConfig } from '../config/config.js';
import { isPassword, openSecret, readSecret } from '../config/secret.js';
import { type Field, parseDocument } from '../document/document.js';
import { type Address, distinct, isAddress, parseAddress, parseResolvers } from '../nft/address.js';
import type { LowerServer, Server } from '../nft/parts.js';
import { MAX_PASSWORD, renderRuleset } from '../nft/ruleset.js';
import { loginLines } from '../nft/script.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import { describeError } from './check.js';
import type { Io } from './io.js';

export const NFT_HELP = `tidegate nft - print the packet filter's rules for a relay

Usage: tidegate nft [-c FILE] [--resolvers A,B] [--check]

Prints an nftables ruleset, the table 'inet tidegate', that confines a relay which starts as root:
to a lower server goes its login and nothing else, and each process reaches its own server only.
What is dropped is counted by link and reason. 'nft -f' of it replaces an earlier one at once.
Names are resolved now; passwords are read for their length. Nothing is loaded.

  -c, --config FILE   the configuration; default ./tidegate.yaml
  --resolvers A,B     the name servers that may be asked; default those of /etc/resolv.conf
  --check             print nothing: let 'nft -c' say whether it would take the rules (needs root)
  -h, --help          this text

Examples:
  tidegate nft -c /etc/tidegate/tidegate.yaml --check
  tidegate nft -c /etc/tidegate/tidegate.yaml > tidegate.nft && nft -f tidegate.nft
  nft list counters table inet tidegate`;

const RESOLV_CONF = '/etc/resolv.conf';

/** The host of a link as a place in the file. */
function hostField(file: string, kind: 'lowers' | 'uppers', name: string): Field {
  const find = (field: Field, key: string): Field =>
    field.entries().find(([known]) => known === key)![1];
  const root = parseDocument(readFileSync(file, 'utf8'), file);
  return [kind, name, 'host'].reduce(find, root);
}

async function findServer(
  { file }: Config,
  kind: 'lowers' | 'uppers',
  { name, host }: { readonly name: string; readonly host: string },
): Promise<Server> {
  try {
    const found = await lookup(host, { all: true });
    const addresses = distinct(found.map(({ address }) => parseAddress(address)));
    return { addresses, named: !isAddress(host) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw hostField(file, kind, name).error(`cannot resolve '${host}': ${code ?? message}`);
  }
}

function passwordBytes({ password: { field, path } }: Config['lowers'][number]): number {
  const password = readSecret(openSecret(field, path));
  if (!isPassword(password)) throw field.error(`${path} must hold one line of text: the password`);
  const bytes = Buffer.byteLength(password);
  if (bytes > MAX_PASSWORD) {
    throw field.error(
      `${path}: the packet filter holds passwords of ${MAX_PASSWORD} bytes at most`,
    );
  }
  return bytes;
}

function readResolvers(option: string | undefined): Address[] {
  if (option === undefined) return parseResolvers(readFileSync(RESOLV_CONF, 'utf8'));
  try {
    return distinct(option.split(',').map((each) => parseAddress(each.trim())));
  } catch (error) {
    throw new UsageError(`--resolvers: ${(error as Error).message}`, { cause: error });
  }
}

async function makeRuleset(file: string, resolvers: string | undefined): Promise<string> {
  const config = loadConfig(file);
  const lowers: LowerServer[] = [];
  const uppers: Server[] = [];
  for (const lower of config.lowers) {
    const lines = loginLines(lower, passwordBytes(lower));
    lowers.push({ ...(await findServer(config, 'lowers', lower)), lines });
  }
  for (const upper of config.uppers) uppers.push(await findServer(config, 'uppers', upper));
  const named = [...lowers, ...uppers].some((server) => server.named);
  return renderRuleset({
    config,
    lowers,
    uppers,
    resolvers: named || resolvers !== undefined ? readResolvers(resolvers) : [],
  });
}

/** Asks nft itself, which changes nothing. */
function checkWithNft(ruleset: string, io: Io): number {
  const { status, stderr, error } = spawnSync('nft', ['-c', '-f', '-'], {
    input: ruleset,
    encoding: 'utf8',
  });
  if (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    io.err(code === 'ENOENT' ? 'there is no nft: install nftables' : message);
    return 1;
  }
  if (status !== 0) {
    io.err(`nft does not take the ruleset: ${stderr.trim()}`);
    return 1;
  }
  io.out('ruleset OK');
  return 0;
}

/** Runs `tidegate nft`; returns the exit code. */
export async function nft(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    resolvers: { type: 'string' },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(NFT_HELP);
    return 0;
  }
  refuseExtra(positionals);
  try {
    const ruleset = await makeRuleset(values.config, values.resolvers);
    if (values.check) return checkWithNft(ruleset, io);
    io.out(ruleset.trimEnd());
    return 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    io.err(describeError(error, values.config));
    return 1;
  }
}
