/** `tidegate board`: starts the public board and stays until it ends. */
import { fileURLToPath } from 'node:url';
import {
  type BoardConfig,
  loadBoard,
  readLinkTls,
  readNames,
  readPassword,
  readPublicTls,
} from '../config/board.js';
import { parseNames } from '../sensor/names.js';
import { withParent } from '../wire/parent.js';
import { parseStrictly, refuseExtra } from './arguments.js';
import { describeError } from './check.js';
import type { Io } from './io.js';
import { stayWith } from './stay.js';

export const BOARD_HELP = `tidegate board - show a relay's events to the public

Usage: tidegate board [-c FILE] [--check] [--pretty]

Runs a VSCP server over TLS that takes events from relays, and a web server that shows them: a page,
an API, a history. The public can read, and nothing else; what it asks never reaches a relay. Usually
on a machine of its own, to which a relay's configuration has an upper. Logs are JSON lines on
standard error.

  -c, --config FILE   the configuration; default ./board-server.yaml
      --check         say whether the configuration is right, and start nothing
      --pretty        the log for people
  -h, --help          this text

A small configuration, and the certificates for it:
  schema: tidegate-board/v1
  state: /var/lib/tidegate-board
  names: board.yaml                  what sensors are called; without it: by their tokens
  link:
    host: 0.0.0.0
    port: 9598
    tls: { cert: pki/board.example.pem, key: pki/board.example.key, ca: pki/ca.pem }
    users:
      relay: { may: send, password_file: relay.password, certificate: relay }
  public: { host: 0.0.0.0, port: 8443, tls: { cert: page.pem, key: page.key } }

  tidegate pki init && tidegate pki issue relay && tidegate pki issue board.example --server

Certificates and names are taken anew when their files change, without a restart; wrong ones are
refused, and the log says why. Without 'tls', the page is served as HTTP: for a reverse proxy on the same machine.

Exit codes: 0 ended as told, or the configuration is right; 1 it is wrong, or the board failed;
2 usage.

Example:
  tidegate board -c /etc/tidegate/board-server.yaml`;

/** Runs `tidegate board`; returns the exit code. */
export async function board(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'board-server.yaml' },
    check: { type: 'boolean', default: false },
    pretty: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(BOARD_HELP);
    return 0;
  }
  refuseExtra(positionals);
  try {
    checkBoard(loadBoard(values.config));
  } catch (error) {
    io.err(describeError(error, values.config));
    return 1;
  }
  if (values.check) {
    io.out('configuration OK');
    return 0;
  }
  const main = fileURLToPath(new URL('../board/main.js', import.meta.url));
  const command = withParent([process.execPath, main, '-c', values.config], 'TERM');
  return stayWith(command, ['board', ''], values.pretty, io);
}

/** Reads everything that a configuration names. @throws DocumentError, or an Error of the file system */
function checkBoard(config: BoardConfig): void {
  const names = readNames(config);
  if (names) parseNames(names.text, names.path);
  for (const user of config.link.users) readPassword(user);
  readLinkTls(config);
  readPublicTls(config);
}
