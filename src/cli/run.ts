/** `tidegate run`: starts the supervisor and stays until it ends. */
import { fileURLToPath } from 'node:url';
import { parseStrictly, refuseExtra } from './arguments.js';
import { asSupervisor } from '../wire/parent.js';
import { check } from './check.js';
import type { Io } from './io.js';
import { stayWith } from './stay.js';

export const RUN_HELP = `tidegate run - run the relay

Usage: tidegate run [-c FILE] [--pretty]

Checks the configuration first, as 'tidegate check' does, then starts the supervisor, which starts
the relay's processes and restarts what dies. Logs are JSON lines on standard error. SIGTERM or
Ctrl-C ends it: what was read is decided and journalled first. SIGHUP reads the policies anew, as
'tidegate reload' does, which waits for the verdict.

A log that nobody reads any more stops nothing: the relay goes on without it.

  -c, --config FILE   the configuration; default ./tidegate.yaml
      --pretty        the log for people: a line of text each, with colours on a terminal unless
                      NO_COLOR is set
  -h, --help          this text

Exit codes: 0 ended as told, 1 the configuration is wrong or the supervisor failed, 2 usage.

Examples:
  tidegate run -c /etc/tidegate/tidegate.yaml
  tidegate run --pretty`;

/** Runs `tidegate run`; returns the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    pretty: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(RUN_HELP);
    return 0;
  }
  refuseExtra(positionals);
  const wrong = check(['-c', values.config], { out: () => undefined, err: (line) => io.err(line) });
  if (wrong !== 0) return wrong;
  const supervisor = fileURLToPath(new URL('../supervisor/main.js', import.meta.url));
  const command = asSupervisor([process.execPath, supervisor, 'tidegate', '-c', values.config]);
  return stayWith(command, ['supervisor', '; the relay ended with it'], values.pretty, io);
}
