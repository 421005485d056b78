/** The way down: to a lower server go connections at a rate, its login, and empty packets. */
import type { LoginLine } from './script.js';
import { blame, type Block, chain, comment, control, holds, present } from './syntax.js';

/** Connections to a lower server: so many at once, then so many a second. */
export const BURST = 20;
export const RATE = 3;
/** After this many seconds no line goes down a connection any more: its login is long over. */
export const LOGIN_SECONDS = 30;
/** Logins under way that are remembered: more than BURST + RATE * LOGIN_SECONDS. */
const LOGINS = 256;
const CRLF = Buffer.from('\r\n');

/** A `lower` process. */
export interface Owner {
  readonly name: string;
  readonly uid: number;
}

export const REASONS = [
  'stranger',
  'orphan',
  'rate',
  'payload',
  'budget',
  'form',
  'elsewhere',
] as const;

/** Drops and counts. */
const refuse = (name: string, reason: (typeof REASONS)[number]): string =>
  blame(`lower/${name}/${reason}`);

/** Logins under way by their source port, each with what is left of its budget. */
export function loginSet(name: string, budget: number): Block {
  return [
    `set lower/${name}/logins {`,
    '  typeof tcp sport',
    `  size ${LOGINS}`,
    '  flags dynamic,timeout',
    `  quota ${budget} bytes`,
    '}',
  ];
}

/** What is sent to a server, by whom ever; several lowers may read one server. */
export function serverChain(chainName: string, owners: readonly Owner[]): Block {
  const { name } = owners[0]!;
  return chain(chainName, [
    comment('each of these could carry bytes, and nobody needs it'),
    `ip hdrlength != 5 ${refuse(name, 'form')}`,
    `ip6 nexthdr != tcp ${refuse(name, 'form')}`,
    `tcp flags & urg == urg ${refuse(name, 'form')}`,
    ...owners.map((owner) => `meta skuid ${owner.uid} goto lower/${owner.name}/own`),
    `meta skuid >= 0 ${present()} ${refuse(name, 'stranger')}`,
    `tcp flags & syn == syn ${refuse(name, 'stranger')}`,
    comment("without a user: the kernel's own ACK and RST, or what a closed socket had left"),
    `${present()} ${refuse(name, 'orphan')}`,
    'accept',
  ]);
}

function lineRules(name: string, { command, known, hidden, length }: LoginLine): Block {
  const title = comment(`${command}: ${length} bytes and nothing behind them`);
  if (hidden > 0) return [title, `${holds(known)} goto lower/${name}/${command}`];
  const whole = holds(Buffer.concat([known, CRLF]));
  return [
    title,
    `${holds(known)} ${present(length)} ${refuse(name, 'payload')}`,
    `${whole} goto lower/${name}/spend`,
  ];
}

/** A line with a part that is not known here: right in length, and no second line in it. */
function hiddenChain(name: string, { command, known, hidden, length }: LoginLine): Block {
  const offsets = Array.from({ length: hidden }, (_, i) => known.length + i);
  return chain(`lower/${name}/${command}`, [
    `${present(length)} ${refuse(name, 'payload')}`,
    ...offsets.map((offset) => `${control(offset)} ${refuse(name, 'payload')}`),
    `${holds(CRLF, length - CRLF.length)} goto lower/${name}/spend`,
    refuse(name, 'payload'),
  ]);
}

/** What a lower process sends to its own server. */
export function ownChains(name: string, lines: readonly LoginLine[]): Block {
  return [
    ...chain(`lower/${name}/own`, [
      `tcp flags & (fin | syn | rst | ack) == syn goto lower/${name}/connect`,
      `tcp flags & syn == syn ${refuse(name, 'form')}`,
      `${present()} goto lower/${name}/line`,
      'accept',
    ]),
    ...chain(`lower/${name}/connect`, [
      comment('a SYN can carry data too (RFC 7413)'),
      `${present()} ${refuse(name, 'payload')}`,
      `limit rate over ${RATE}/second burst ${BURST} packets ${refuse(name, 'rate')}`,
      comment('a new connection has a new budget, and only a new one has'),
      `delete @lower/${name}/logins { tcp sport }`,
      `add @lower/${name}/logins { tcp sport timeout ${LOGIN_SECONDS}s } accept`,
      refuse(name, 'rate'),
    ]),
    ...chain(`lower/${name}/line`, [
      ...lines.flatMap((line) => lineRules(name, line)),
      refuse(name, 'payload'),
    ]),
    ...lines.filter(({ hidden }) => hidden > 0).flatMap((line) => hiddenChain(name, line)),
    ...chain(`lower/${name}/spend`, [
      comment('to look it up is to spend from its quota; once that is used up, it is not found'),
      `tcp sport @lower/${name}/logins accept`,
      refuse(name, 'budget'),
    ]),
  ];
}
