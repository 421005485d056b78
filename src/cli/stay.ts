/** Starts a process of the package's own, stays until it ends, and shows its log for people if asked to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Outlet } from './outlet.js';
import { formatLine, LineCutter } from './pretty.js';
import type { Io } from './io.js';

/** The process is gone: its last lines have come by so many ms later, and are written. */
const LAST_LINES = 1000;

/**
 * Starts a command and passes signals on to it.
 *
 * @param what it is called, and what its death by a signal means
 * @returns its exit code; 1 if it has none
 */
export async function stayWith(
  [command, args]: readonly [string, readonly string[]],
  [what, then]: readonly [string, string],
  pretty: boolean,
  io: Io,
): Promise<number> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', pretty ? 'pipe' : 'inherit'] });
  const shown = pretty ? showLog(child) : undefined;
  // A terminal's Ctrl-C reaches it too; asking twice does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill(signal));
  const { code, signal, error } = await untilGone(child);
  if (shown) await atMost(LAST_LINES, shown);
  if (error) io.err(`cannot start the ${what}: ${error.message}`);
  else if (signal !== null) io.err(`the ${what} was killed (${signal})${then}`);
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
