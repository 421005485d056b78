/** `tidegate run`: starts the supervisor and stays until it ends. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseStrictly, refuseExtra } from './arguments.js';
import { asSupervisor } from '../wire/parent.js';
import { check } from './check.js';
import type { Io } from './io.js';

export const RUN_HELP = `tidegate run - run the relay

Usage: tidegate run [-c FILE]

Checks the configuration first, as 'tidegate check' does, then starts the supervisor, which starts
the relay's processes and restarts what dies. Logs are JSON lines on standard error. SIGTERM or
Ctrl-C ends it: what was read is decided and journalled first. SIGHUP reads the policies anew, as
'tidegate reload' does, which waits for the verdict.

  -c, --config FILE   the configuration; default ./tidegate.yaml
  -h, --help          this text

Exit codes: 0 ended as told, 1 the configuration is wrong or the supervisor failed, 2 usage.

Example:
  tidegate run -c /etc/tidegate/tidegate.yaml`;

/** Runs `tidegate run`; returns the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
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
  const [command, rest] = asSupervisor([
    process.execPath,
    supervisor,
    'tidegate',
    '-c',
    values.config,
  ]);
  const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit'] });
  // A terminal's Ctrl-C reaches the supervisor too; asking twice does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('error', (error) => {
      io.err(`cannot start the supervisor: ${error.message}`);
      resolve(1);
    });
    child.on('exit', (code, signal) => {
      if (signal !== null) io.err(`the supervisor was killed (${signal}); the relay ended with it`);
      resolve(code ?? 1);
    });
  });
}
