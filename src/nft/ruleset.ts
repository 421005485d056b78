/**
 * The nftables ruleset of a relay: what each of its processes may send to where.
 *
 * Source: nft(8). Written for nft 1.0.6 and Linux 6.1 (Debian 12). What a configuration chooses
 * goes in as numbers, checked names, addresses and hexadecimal digits.
 */
import { IDENTITIES, uidOf } from '../config/identity.js';
import { describeRuleset } from './head.js';
import { loginSet, type Owner, ownChains, REASONS, serverChain } from './lower.js';
import type { RulesetParts, Server } from './parts.js';
import { budgetOf } from './script.js';
import { blame, type Block, chain, comment, daddr, list, perFamily, REACH } from './syntax.js';

export const MAX_PASSWORD = REACH - 'PASS \r\n'.length;

/** Places that the same lowers read: mostly one lower's, but two may read a server as two users. */
interface Group {
  readonly chain: string;
  readonly owners: readonly Owner[];
  readonly places: { readonly family: 4 | 6; readonly text: string }[];
}

function ownersOf({ config }: RulesetParts): Owner[] {
  return config.lowers.map(({ name }, i) => ({ name, uid: uidOf(config, 'lower', i) }));
}

function groupsOf({ config, lowers }: RulesetParts, owners: readonly Owner[]): Group[] {
  const byPlace = new Map<string, { family: 4 | 6; owners: Owner[] }>();
  config.lowers.forEach(({ port }, i) => {
    for (const { family, text } of lowers[i]!.addresses) {
      const place = `${text} . ${port}`;
      const found = byPlace.get(place) ?? { family, owners: [] };
      found.owners.push(owners[i]!);
      byPlace.set(place, found);
    }
  });
  const groups = new Map<string, Group>();
  for (const [text, { family, owners: own }] of byPlace) {
    const key = own.map(({ uid }) => uid).join();
    const name = own.length === 1 ? `lower/${own[0]!.name}/server` : `shared/${groups.size}`;
    const group = groups.get(key) ?? { chain: name, owners: own, places: [] };
    group.places.push({ family, text });
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** @throws Error if the rules could not hold what they say */
function checkParts({ config, lowers, uppers }: RulesetParts, groups: readonly Group[]): void {
  config.lowers.forEach(({ name }, i) => {
    const long = lowers[i]!.lines.find(({ length }) => length > REACH);
    if (long) throw new Error(`lower ${name}: ${long.command} takes more than ${REACH} bytes`);
  });
  const taken = new Set(groups.flatMap(({ places }) => places.map(({ text }) => text)));
  config.uppers.forEach(({ name, port }, i) => {
    const both = uppers[i]!.addresses.find(({ text }) => taken.has(`${text} . ${port}`));
    if (both) throw new Error(`upper ${name}: ${both.text} port ${port} is a lower server`);
  });
}

/** Whatever leaves this machine, or goes to itself. */
function outputChain({ config, lowers }: RulesetParts, groups: readonly Group[]): Block {
  const servers = lowers.flatMap(({ addresses }) => addresses);
  const unique = [...new Map(servers.map((address) => [address.text, address])).values()];
  const dispatch = ([4, 6] as const).flatMap((family) => {
    const places = groups.flatMap((group) =>
      group.places
        .filter((place) => place.family === family)
        .map(({ text }) => `${text} : goto ${group.chain}`),
    );
    return places.length === 0 ? [] : [`${daddr(family)} . tcp dport vmap ${list(places)}`];
  });
  return chain('output', [
    'type filter hook output priority filter; policy accept;',
    comment('only a raw socket sends fragments here; behind the first they have no port'),
    ...perFamily(unique, (match, family) => {
      const fragment = family === 4 ? 'ip frag-off & 0x3fff != 0' : 'exthdr frag exists';
      return `${match} ${fragment} ${blame('fragments')}`;
    }),
    comment('to lower servers, whoever sends'),
    ...dispatch,
    comment("from the relay's users, wherever to"),
    `meta skuid ${config.uids}-${config.uids + IDENTITIES - 1} goto relay`,
  ]);
}

/** What the relay's processes send to others than lower servers. */
function relayChains({ config, lowers, uppers, resolvers }: RulesetParts): Block {
  const named = [...lowers, ...uppers].some((server) => server.named);
  const ask = (server: Server): Block => (server.named ? ['jump names'] : []);
  const dialling = [
    ...config.lowers.map(
      ({ name }, i) => `${uidOf(config, 'lower', i)} : goto lower/${name}/elsewhere`,
    ),
    ...config.uppers.map(({ name }, i) => `${uidOf(config, 'dial', i)} : goto dial/${name}`),
  ];
  const silent = [
    `${uidOf(config, 'gate')} : "gate"`,
    ...config.lowers.map(({ name }, i) => `${uidOf(config, 'valve', i)} : "valve/${name}"`),
    ...config.uppers.map(({ name }, i) => `${uidOf(config, 'upper', i)} : "upper/${name}"`),
  ];
  return [
    ...chain('relay', [
      comment("a socket is its maker's: what valve and upper hold, lower and dial made"),
      `meta skuid vmap ${list(dialling)}`,
      `counter name meta skuid map ${list(silent)} drop`,
      blame('relay/other'),
    ]),
    ...config.lowers.flatMap(({ name }, i) => {
      const rest = blame(`lower/${name}/elsewhere`);
      return chain(`lower/${name}/elsewhere`, [...ask(lowers[i]!), rest]);
    }),
    ...config.uppers.flatMap(({ name, port }, i) =>
      chain(`dial/${name}`, [
        ...perFamily(uppers[i]!.addresses, (match) => `${match} tcp dport ${port} accept`),
        ...ask(uppers[i]!),
        blame(`dial/${name}`),
      ]),
    ),
    ...(named
      ? chain(
          'names',
          perFamily(resolvers, (match) => `${match} meta l4proto { tcp, udp } th dport 53 accept`),
        )
      : []),
  ];
}

/**
 * Renders the ruleset.
 *
 * @throws Error if a line is too long for the filter, or an upper stands where a lower does
 */
export function renderRuleset(parts: RulesetParts): string {
  const { config, lowers } = parts;
  const owners = ownersOf(parts);
  const groups = groupsOf(parts, owners);
  checkParts(parts, groups);
  const counters = [
    ...owners.flatMap(({ name }) => REASONS.map((reason) => `lower/${name}/${reason}`)),
    ...owners.map(({ name }) => `valve/${name}`),
    'gate',
    ...config.uppers.flatMap(({ name }) => [`upper/${name}`, `dial/${name}`]),
    'relay/other',
    'fragments',
  ];
  const table: Block = [
    ...counters.map((name) => `counter ${name} {}`),
    ...lowers.flatMap(({ lines, addresses }, i) =>
      loginSet(owners[i]!.name, budgetOf(lines, addresses)),
    ),
    ...outputChain(parts, groups),
    ...groups.flatMap((group) => serverChain(group.chain, group.owners)),
    ...lowers.flatMap(({ lines }, i) => ownChains(owners[i]!.name, lines)),
    ...relayChains(parts),
  ];
  return [
    ...describeRuleset(parts).map(comment),
    '',
    'table inet tidegate {}',
    'delete table inet tidegate',
    'table inet tidegate {',
    ...table.map((line) => `  ${line}`),
    '}',
    '',
  ].join('\n');
}
