/** `tidegate run`: starts the supervisor and stays until it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseStrictly, refuseExtra } from './arguments.js';
import { asSupervisor } from '../wire/parent.js';
import { check } from './check.js';
import type { Io } from './io.js';
import { Outlet } from './outlet.js';
import { formatLine, LineCutter } from './pretty.js';

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

/** The supervisor is gone: its last lines have come by so many ms later, and are written. */
const LAST_LINES = 1000;

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
  const [command, rest] = asSupervisor([
    process.execPath,
    supervisor,
    'tidegate',
    '-c',
    values.config,
  ]);
  const child = spawn(command, rest, {
    stdio: ['ignore', 'inherit', values.pretty ? 'pipe' : 'inherit'],
  });
  const shown = values.pretty ? showLog(child) : undefined;
  // A terminal's Ctrl-C reaches the supervisor too; asking twice does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill(signal));
  const { code, signal, error } = await untilGone(child);
  if (shown) await atMost(LAST_LINES, shown);
  if (error) io.err(`cannot start the supervisor: ${error.message}`);
  else if (signal !== null)
    io.err(`the supervisor was killed (${signal}); the relay ended with it`);
  return code ?? 1;
}

interface Gone {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

function untilGone(child: ChildProcess): Promise<Gone> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }));
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
}

function atMost(ms: number, promise: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Shows the supervisor's log for people; resolves when it has ended and all of it is shown. */
async function showLog(child: ChildProcess): Promise<void> {
  const colours = process.stderr.isTTY && process.env['NO_COLOR'] === undefined;
  const outlet = new Outlet(process.stderr.fd);
  const cutter = new LineCutter();
  const say = (line: string): void => outlet.say(formatLine(line, colours));
  await new Promise<void>((ended) => {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => cutter.push(text, say));
    child.stderr!.on('close', ended);
  });
  cutter.end(say);
  await outlet.drained();
}
