/** `tidegate status`: whether a relay is well, and the view of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { LiveView } from '../terminal/live.js';
import { wantsColours } from '../terminal/palette.js';
import { parseStrictly, refuseExtra, UsageError } from './arguments.js';
import { describeError } from './check.js';
import { printable, printableJson } from './excerpt.js';
import { loadInstalled } from './installed.js';
import type { Io } from './io.js';
import { lookAt, type Look, RightsError, type Seen } from './status-look.js';
import { judge, type Judgement, type Verdict } from './status-verdict.js';
import { drawStatus } from './status-view.js';

export const STATUS_HELP = `tidegate status - say whether a relay is well, and show it

Usage: tidegate status [-c FILE] [--json | --watch]

The first line is the verdict with its reason; below it the links, the sums, backlog, losses,
policies, seals, certificates and processes. It is read from the status files, which the processes
write twice a second or more: nothing is asked of a process, and of a relay that is down the last
counters are shown. Run it as root, or as the user that runs the relay.

  down      no relay runs; it has written no status for 5 s; nothing goes out; no lower or no
            upper link is up
  degraded  one link is not up; a loss in the last 5 minutes; a seal that is not in force; policies
            or a certificate that were refused; a certificate that expires within 30 days; a status
            that is broken or of the future
  well      none of these

  -c, --config FILE   the configuration; default ./tidegate.yaml
  --json              one JSON object: verdict, reasons, supervisor, gate, uppers
  --watch             again each second, until Ctrl-C; in a pipe one view below the other
  -h, --help          this text

Exit codes, as monitoring plugins have them: 0 well, 1 degraded, 2 down, 3 it cannot be told: the
command line or the configuration is wrong, or the rights are missing. With --watch: the last one.

Examples:
  tidegate status -c /etc/tidegate/tidegate.yaml
  tidegate status --json | jq -r '.reasons[].text'`;

const CODES: Readonly<Record<Verdict, number>> = { well: 0, degraded: 1, down: 2 };
/** None of the verdicts. */
const UNKNOWN = 3;
const EVERY = 1000;

/** Runs `tidegate status`; returns the exit code. */
export async function status(args: readonly string[], io: Io): Promise<number> {
  try {
    return await show(args, io);
  } catch (error) {
    // Whatever went wrong must not look like a verdict.
    const failed = error instanceof UsageError || error instanceof RightsError;
    io.err(printable(failed ? `tidegate: ${error.message}` : String((error as Error).stack)));
    return UNKNOWN;
  }
}

async function show(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    json: { type: 'boolean', default: false },
    watch: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(STATUS_HELP);
    return 0;
  }
  refuseExtra(positionals);
  if (values.json && values.watch) throw new UsageError('take --json or --watch, not both');
  let config: Config;
  try {
    config = loadInstalled(values.config);
  } catch (error) {
    io.err(describeError(error, values.config));
    return UNKNOWN;
  }
  if (values.watch) return watch(config, io);
  const look = lookAt(config);
  const judgement = judge(look);
  if (values.json) io.out(printableJson(toReport(look, judgement)));
  else for (const line of draw(look, judgement, io)) io.out(line);
  return CODES[judgement.verdict];
}

function draw(look: Look, judgement: Judgement, io: Io): string[] {
  const width = io.terminal === true ? (io.columns ?? 80) : Infinity;
  return drawStatus(look, judgement, { width, colours: wantsColours(io.terminal) });
}

function toReport(look: Look, { verdict, reasons }: Judgement) {
  const of = <T>({ status, broken }: Seen<T>) =>
    status ?? (broken === undefined ? null : { broken });
  return {
    verdict,
    reasons,
    pid: look.pid ?? null,
    supervisor: of(look.supervisor),
    gate: of(look.gate),
    uppers: Object.fromEntries([...look.uppers].map(([name, seen]) => [name, of(seen)])),
  };
}

/** Until it is told to end: then the terminal is as it was. */
async function watch(config: Config, io: Io): Promise<number> {
  const { stdout } = process;
  const live = io.terminal === true ? new LiveView(stdout, true) : undefined;
  const end = new AbortController();
  let redraw = new AbortController();
  const stop = (): void => end.abort();
  const again = (): void => redraw.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  stdout.on('resize', again);
  let verdict: Verdict;
  try {
    do {
      const look = lookAt(config);
      const judgement = judge(look);
      ({ verdict } = judgement);
      const columns = live ? { columns: stdout.columns } : {};
      const lines = draw(look, judgement, { ...io, ...columns });
      const time = new Date(look.now).toISOString().replace(/\.\d+Z$/, 'Z');
      if (live) live.draw([...lines, '', `${time}  Ctrl-C ends it`]);
      else for (const line of [time, ...lines, '']) io.out(line);
      redraw = new AbortController();
      const signal = AbortSignal.any([end.signal, redraw.signal]);
      await sleep(EVERY, undefined, { signal }).catch(() => undefined);
    } while (!end.signal.aborted);
  } finally {
    live?.close();
    stdout.off('resize', again);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, stop);
  }
  return CODES[verdict];
}
