/** The soak's command line. */
import { parseArgs } from 'node:util';

const HELP = `tidegate soak - a relay under load, with faults injected at random, and its sums

Usage: npm run soak -- --hours N | --minutes N [OPTIONS]

Two lower servers, two upper servers on two channels, and the relay's real processes between them.
Processes are killed and stopped, servers end, reset, refuse, hang and talk garbage, policies are
reloaded, good ones and bad ones, the supervisor is killed and restarted, the disk is filled. In the
end all is drained, and every sum is compared with what was sent and what came.

  --hours N     run that long; with --minutes, both together
  --minutes N
  --seed N      the same seed gives the same events and the same choice of faults; default: the time
  --rate N      events per second of each lower server, 1 to 20000; default 1500
  --help        this text

Ctrl-C ends it early, with the sums. Exit code: 0 all sums hold, 1 something does not, 2 usage.
As root, the state is on a small disk of its own; otherwise the disk is never full.
`;

export interface SoakOptions {
  /** Seconds. */
  readonly duration: number;
  readonly seed: number;
  readonly rate: number;
}

function refuse(message: string): never {
  process.stderr.write(`tidegate soak: ${message}\n`);
  process.exit(2);
}

function readNumber(text: string, name: string, least: number, most: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    refuse(`--${name} takes ${least} to ${most}, not '${text}'`);
  }
  return value;
}

/** Reads the command line; ends the process where that is all there is to do. */
export function readOptions(args: readonly string[]): SoakOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: args.filter((arg, i) => i > 0 || arg !== 'tidegate'),
      options: {
        hours: { type: 'string', default: '0' },
        minutes: { type: 'string', default: '0' },
        seed: { type: 'string', default: String(Math.floor(Date.now() / 1000)) },
        rate: { type: 'string', default: '1500' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const hours = readNumber(values.hours, 'hours', 0, 10_000);
  const minutes = readNumber(values.minutes, 'minutes', 0, 600_000);
  if (hours + minutes === 0) refuse('say how long: --hours N or --minutes N');
  return {
    duration: hours * 3600 + minutes * 60,
    seed: Math.floor(readNumber(values.seed, 'seed', 0, 4_294_967_295)),
    rate: readNumber(values.rate, 'rate', 1, 20_000),
  };
}
