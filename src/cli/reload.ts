/** `tidegate reload`: replaces the policies of a running relay, and waits for the verdict. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { holderOf } from '../wire/lock.js';
import {
  type GateStatus,
  readGateStatus,
  readSupervisorStatus,
  type SupervisorStatus,
} from '../wire/status.js';
import { parseStrictly, refuseExtra } from './arguments.js';
import { describeError } from './check.js';
import { loadInstalled } from './installed.js';
import type { Io } from './io.js';

export const RELOAD_HELP = `tidegate reload - replace the policies of a running relay

Usage: tidegate reload [-c FILE]

Asks the running relay of this configuration to read its policy files anew. They are checked, and
their tests run, in a process of its own in a sandbox; if all is well the gate takes them between
two batches: every event is decided by the old ones or by the new ones, as a whole. If not, the old
ones stay. Rules that are the same in both keep their open windows, deadbands and rate limits.

Waits until the gate decides by the new policies, or they are refused. Anything else that has
changed in the configuration needs a restart: then nothing is replaced, and the keys are named.

  -c, --config FILE   the configuration that the relay was started with; default ./tidegate.yaml
  -h, --help          this text

Exit codes: 0 in force, 1 refused or no relay runs, 2 usage. The same happens, unwatched, at SIGHUP
to 'tidegate run' or its supervisor.

Example:
  tidegate policy test policies/*.yaml --coverage && tidegate reload -c /etc/tidegate/tidegate.yaml`;

const TICK = 50;
/** The check has 60 s, a queue before it as well; the gate looks four times a second. */
const PATIENCE = 150_000;

/** Runs `tidegate reload`; returns the exit code. */
export async function reload(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseStrictly(args, {
    config: { type: 'string', short: 'c', default: 'tidegate.yaml' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) {
    io.out(RELOAD_HELP);
    return 0;
  }
  refuseExtra(positionals);
  const said = await ask(values.config);
  if (said.done) io.out(said.line);
  else io.err(said.line);
  return said.done ? 0 : 1;
}

interface Said {
  readonly done: boolean;
  readonly line: string;
}

const failed = (line: string): Said => ({ done: false, line });

async function ask(file: string): Promise<Said> {
  let state: string;
  try {
    ({ state } = loadInstalled(file));
  } catch (error) {
    return failed(describeError(error, file));
  }
  const before = readSupervisorStatus(state);
  const pid = holderOf(join(state, 'supervisor', 'lock'));
  if (!before || pid === undefined) {
    return failed(`no relay of ${file} is running: its state is ${state}`);
  }
  if (realpathSync(file) !== realpathSync(before.config)) {
    return failed(`the relay on ${state} was started with ${before.config}: name that one`);
  }
  try {
    process.kill(pid, 'SIGHUP');
  } catch (error) {
    return failed(`cannot signal the relay (pid ${pid}): ${(error as Error).message}`);
  }
  const count = before.reload?.count ?? 0;
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    await sleep(TICK);
    if (!isRunning(pid)) return failed('the relay ended meanwhile: see its log');
    const said = verdict(readSupervisorStatus(state), readGateStatus(state), count);
    if (said) return said;
  }
  return failed('the relay has not answered: see its log');
}

/** undefined while there is none. */
function verdict(
  supervisor: SupervisorStatus | undefined,
  gate: GateStatus | undefined,
  count: number,
): Said | undefined {
  const last = supervisor?.reload;
  if (!last || last.count <= count || last.state === 'checking') return undefined;
  if (last.state === 'refused')
    return failed(`refused, the old policies stay:\n${last.reason ?? ''}`);
  const policy = gate?.policy;
  // What stood there before the reload says nothing of it.
  if (!policy || gate.time < last.time) return undefined;
  if (policy.number === last.count) {
    const names = policy.policies.map(({ id, revision }) => `${id} revision ${revision}`);
    return { done: true, line: `in force: ${names.join(', ')} (${policy.digest.slice(0, 12)})` };
  }
  const { refused } = policy;
  if (refused?.number !== last.count) return undefined;
  return failed(`refused by the gate, the old policies stay:\n${refused.reason}`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
