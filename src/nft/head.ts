/** The comment that opens a ruleset: what it holds, for whom, and what its counters say. */
import { uidOf } from '../config/identity.js';
import { BURST, LOGIN_SECONDS, RATE } from './lower.js';
import type { RulesetParts, Server } from './parts.js';
import { budgetOf } from './script.js';

const EXPLANATION = `
Atomic: 'nft -f' of this replaces the table of an earlier one, with its counters and open budgets.
Inbound there is nothing to say: no process of the relay listens.
Not held: raw and packet sockets (they need a capability that no process of the relay has), sockets
that are not of IP, and what other users of this machine send to other places than lower servers.

The counters are the alarm: all but the orphans stay 0 in peace. To see them:
nft list counters table inet tidegate
  lower/NAME/stranger    another user connected or sent data to that lower server
  lower/NAME/rate        its process connected more than ${BURST} times at once, then ${RATE} a second
  lower/NAME/payload     its process sent what is no line of its login
  lower/NAME/budget      a line of its login, too often or more than ${LOGIN_SECONDS} s late
  lower/NAME/form        IP options, extension headers, urgent data, acceptance of a connection
  lower/NAME/elsewhere   its process sent to another place
  lower/NAME/orphan      sent again after its socket was closed: an outage in a login, no alarm
  dial/NAME              the process that dials an upper server sent to another place
  valve/NAME gate upper/NAME   sent with a socket of its own
  relay/other            sent by a number of the relay's range that no process has
  fragments              a fragment for a lower server
`;

function places(server: Server, host: string, port: number): string {
  const found = server.addresses.map(({ text }) => text).join(' ');
  return `${server.named ? `${host}, found at ${found},` : found} port ${port}`;
}

/** Lines without their comment signs. */
export function describeRuleset({ config, lowers, uppers, resolvers }: RulesetParts): string[] {
  const named = [...lowers, ...uppers].some((server) => server.named);
  return [
    'What the processes of a tidegate relay may send. Made by tidegate nft from',
    JSON.stringify(config.file),
    'It holds if the supervisor starts as root: only then has each process a user of its own.',
    ...(named
      ? ['Names were resolved when it was made: make it anew when an address changes.']
      : []),
    ...EXPLANATION.trimEnd().split('\n'),
    '',
    ...config.lowers.flatMap(({ name, host, port }, i) => {
      const { lines, addresses } = lowers[i]!;
      const script = lines.map(({ command, length }) => `${command} ${length}`).join(' + ');
      return [
        `lower ${name}: user ${uidOf(config, 'lower', i)}, ${places(lowers[i]!, host, port)}`,
        `  script ${script} bytes; budget ${budgetOf(lines, addresses)} bytes of packets`,
      ];
    }),
    ...config.uppers.map(
      ({ name, host, port }, i) =>
        `upper ${name}: user ${uidOf(config, 'dial', i)}, ${places(uppers[i]!, host, port)}`,
    ),
    ...(named ? [`name servers: ${resolvers.map(({ text }) => text).join(' ')}`] : []),
  ];
}
