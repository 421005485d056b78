/** The demo's command line. */
import { parseArgs } from 'node:util';

const HELP = `tidegate demo - a simulated plant, a real relay, and a portal and a board above it

Usage: npm start -- [OPTIONS]

The plant sends events of two subnets: climate, power, doors, motion, housekeeping. The relay runs
as its own processes and forwards, over TLS 1.3, what policies/demo.yaml permits.
The board shows it to browsers: its address is printed.

  --seconds N   run that long, then wait until everything has arrived; default: until Ctrl-C
  --json        print the sums as one JSON object, the last line
  --state DIR   keep the relay's state in DIR; default: a directory that is removed at the end
  --seed N      which plant; the same seed gives the same events; default 1
  --rate N      events per second, 1 to 20000; default 400
  --help        this text`;

export interface DemoOptions {
  readonly seconds: number;
  readonly json: boolean;
  readonly state: string | undefined;
  readonly seed: number;
  readonly rate: number;
}

function usage(message: string): never {
  process.stderr.write(`tidegate demo: ${message}\n`);
  process.exit(2);
}

function readNumber(text: string, name: string, min: number, max: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) usage(`--${name} takes ${min} to ${max}, not '${text}'`);
  return value;
}

/** Reads the command line; ends the process where that is all there is to do. */
export function readOptions(args: readonly string[]): DemoOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: args.filter((arg, i) => i > 0 || arg !== 'tidegate'),
      options: {
        seconds: { type: 'string' },
        json: { type: 'boolean', default: false },
        state: { type: 'string' },
        seed: { type: 'string', default: '1' },
        rate: { type: 'string', default: '400' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    return usage((error as Error).message);
  }
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    process.exit(0);
  }
  return {
    seconds:
      values.seconds === undefined ? Infinity : readNumber(values.seconds, 'seconds', 1, 1e6),
    json: values.json,
    state: values.state,
    seed: Math.floor(readNumber(values.seed, 'seed', 0, 4294967295)),
    rate: readNumber(values.rate, 'rate', 1, 20_000),
  };
}
