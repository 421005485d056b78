/** Parts of rulesets, for the tests. */
import { parseConfig } from '../../src/config/config.js';
import { isAddress, parseAddress } from '../../src/nft/address.js';
import type { RulesetParts } from '../../src/nft/parts.js';
import { loginLines } from '../../src/nft/script.js';

export interface Link {
  readonly name: string;
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  readonly filter?: string;
  readonly mask?: string;
  /** What the host stands for, if it is a name. */
  readonly found?: readonly string[];
}

export const PASSWORD = 'secret-word';

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The parts for these links; `file` is the configuration's name. */
export function partsOf(
  lowers: readonly Link[],
  uppers: readonly Link[],
  { file = 'tidegate.yaml', resolvers = ['192.0.2.53'], password = PASSWORD } = {},
): RulesetParts {
  const entry = ({ name, host, port, user, filter, mask }: Link): string =>
    `${name}: { host: ${quote(host)}, port: ${port ?? 9598}, user: ${quote(user ?? 'relay')}, ` +
    `password_file: pw${filter === undefined ? '' : `, filter: '${filter}'`}` +
    (mask === undefined ? '' : `, mask: '${mask}'`);
  const config = parseConfig(
    [
      'schema: tidegate/v1',
      'state: ./state',
      'lowers:',
      ...lowers.map((link) => `  ${entry(link)} }`),
      'policies: [p.yaml]',
      'channels: { public: {} }',
      'uppers:',
      ...uppers.map(
        (link) => `  ${entry(link)}, channel: public, tls: { ca: a, cert: b, key: c } }`,
      ),
      '',
    ].join('\n'),
    file,
    {},
  );
  const server = ({ host, found = [host] }: Link) => ({
    addresses: found.map(parseAddress),
    named: !isAddress(host),
  });
  return {
    config,
    lowers: config.lowers.map((lower, i) => ({
      ...server(lowers[i]!),
      lines: loginLines(lower, Buffer.byteLength(password)),
    })),
    uppers: uppers.map(server),
    resolvers: resolvers.map(parseAddress),
  };
}
