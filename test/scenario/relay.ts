/**
 * A relay of real processes for one test: configuration, certificates, supervisor, log, status.
 *
 * It needs dist/, which `npm test` builds first. All of it ends with the test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { asSupervisor, withParent } from '../../src/wire/parent.js';
import {
  type GateStatus,
  readGateStatus,
  readSupervisorStatus,
  readUpperStatus,
  type SupervisorStatus,
  type UpperStatus,
} from '../../src/wire/status.js';
import { relayIdentity, trusted, UPPER_NAME } from '../fake/upper-pki.js';

const SUPERVISOR = fileURLToPath(new URL('../../dist/supervisor/main.js', import.meta.url));
/** How long a condition may take, ms: only a relay that hangs needs as much. */
export const PATIENCE = 150_000;
const TICK = 20;
/** Told to stop, a relay that takes longer than this, ms, is killed. */
const STOP_PATIENCE = 15_000;

/** Sealed where bubblewrap is installed, and in CI in any case. */
const required = existsSync('/usr/bin/bwrap') || process.env['TIDEGATE_REQUIRE_ALL'] !== undefined;
const SEAL = required ? 'required' : 'preferred';

/** Everything that is well-formed goes to the channel `public`. */
export const PERMIT_ALL = `schema: tidegate-policy/v1
policy: { id: all, revision: 1 }
rules:
  - { name: all, effect: permit, to: [public], match: { any: true } }
`;

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';

/** An event, numbered by its timestamp. */
const eventLine = (n: number, head: number): string =>
  `${head},10,6,3,2026-11-22T08:00:00Z,${n},${GUID},0x8A,${n % 256}`;

/** Lines of events, numbered by their timestamps from `first` to `last`, for FakeLower's send(). */
export function numberedEvents(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => eventLine(first + i, 96)).join('\r\n');
}

/** The same as bytes, `count` of them, where every so many-th event has priority 0. */
export function mixedEvents(first: number, count: number, urgentEvery: number): Buffer {
  const lines = Array.from({ length: count }, (_, i) => {
    return `${eventLine(first + i, (first + i) % urgentEvery === 0 ? 0 : 96)}\r\n`;
  });
  return Buffer.from(lines.join(''));
}

/** The number of such an event in the argument of a SEND. */
export function numberOf(send: string): number {
  return Number(send.split(',')[5]);
}

export interface LowerEntry {
  readonly name: string;
  readonly port: number;
  readonly host?: string;
  /** `admin` and `secret` if not given, as FakeLower's. */
  readonly user?: string;
  readonly password?: string;
  readonly filter?: string;
  readonly mask?: string;
}

export interface UpperEntry {
  readonly name: string;
  readonly port: number;
  readonly host?: string;
  /** `relay` and `secret` if not given, as FakeUpper's. */
  readonly user?: string;
  readonly password?: string;
  /** SENDs outstanding; that of the relay's options if not given. */
  readonly window?: number;
  /** `public` if not given. */
  readonly channel?: string;
  readonly timestamps?: 'datetime' | 'nanoseconds';
  readonly drain?: 'urgent-first' | 'in-order';
  readonly servername?: string;
}

export interface RelayOptions {
  readonly lowers: readonly LowerEntry[];
  readonly uppers: readonly UpperEntry[];
  /** The text of the policy file; PERMIT_ALL if not given. */
  readonly policy?: string;
  /** `policy_signers` as YAML, and the manifest beside the policy file. */
  readonly signers?: string;
  readonly manifest?: string;
  /** Of all uppers that have none of their own; 1 if not given. */
  readonly window?: number;
  /** The retention of every channel, as YAML. */
  readonly retain?: string;
  /** Between the beacons of every channel, as YAML; none are sent if not given. */
  readonly beacon?: string;
  /** `audit` as YAML. */
  readonly audit?: string;
  /** Started, as root, so that it can make no sandboxes, and told that it need not. */
  readonly unsealed?: boolean;
  /** Put before the supervisor's command line: it takes rights away. */
  readonly prefix?: readonly string[];
  /** Of an earlier relay, to go on with its state; a fresh one if not given. */
  readonly directory?: string;
}

/** A line of the relay's log; a line that is no JSON has a message only. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  /** Which process wrote it, as the supervisor knows; none: the supervisor itself. */
  readonly from?: string;
  readonly event?: string;
  /** How many lines it stands for, if more than one. */
  readonly repeated?: number;
  readonly [key: string]: unknown;
}

export interface StartOptions extends Pick<RelayOptions, 'unsealed' | 'prefix'> {
  /** The supervisor's entry file; the built one if not given. */
  readonly supervisor?: string;
  /** Takes each line of the log, which is not kept then. */
  readonly take?: (line: LogLine) => void;
}

export class RunningRelay {
  /** Every line of the log so far. */
  readonly log: LogLine[] = [];
  /** Holds the configuration, the secrets and the state. */
  readonly directory: string;
  readonly state: string;
  readonly process: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #take: (line: LogLine) => void;
  /** When the statuses were written that an earlier run has left: they say nothing of this one. */
  readonly #earlier: readonly (number | undefined)[] = [];
  #over = false;

  constructor(
    directory: string,
    config: string,
    { unsealed, prefix = [], supervisor = SUPERVISOR, take }: StartOptions,
  ) {
    this.directory = directory;
    this.#take = take ?? ((line) => this.log.push(line));
    this.state = join(directory, 'state');
    this.#earlier = [this.gate(), this.supervisor(), ...this.#uppers()].map(
      (status) => status?.time,
    );
    const own = [process.execPath, supervisor, 'tidegate', '-c', config] as const;
    const [file, rest] = unsealed === true ? withParent(own, 'TERM') : asSupervisor(own);
    const [command, ...args] = [...prefix, file, ...rest];
    this.process = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#collect();
    this.#ended = new Promise((resolve) => {
      this.process.on('close', (code) => {
        this.#over = true;
        resolve(code);
      });
    });
  }

  /** Whether the supervisor has ended. */
  get over(): boolean {
    return this.#over;
  }

  gate(): GateStatus | undefined {
    return this.#ofThisRun(readGateStatus(this.state));
  }

  upper(name: string): UpperStatus | undefined {
    return this.#ofThisRun(readUpperStatus(this.state, name));
  }

  supervisor(): SupervisorStatus | undefined {
    return this.#ofThisRun(readSupervisorStatus(this.state));
  }

  /** The process id of a running process of the relay; undefined while it is not running. */
  pid(role: string, name?: string): number | undefined {
    return this.supervisor()?.processes.find(
      (known) => known.process === role && (name === undefined || known.name === name),
    )?.pid;
  }

  /** Kills a process of the relay: the supervisor's status may be half a second behind. */
  async killProcess(role: string, name?: string): Promise<void> {
    await this.until(() => {
      const pid = this.pid(role, name);
      try {
        return pid !== undefined && process.kill(pid, 'SIGKILL');
      } catch {
        return false;
      }
    }, `${role} is killed`);
  }

  /** Kills the gate, and waits until another one decides events. */
  async replaceGate(patience = PATIENCE): Promise<void> {
    const { started } = this.gate()!;
    await this.killProcess('gate');
    await this.until(() => this.gate()!.started !== started, 'another gate', patience);
  }

  /** Asks for a reload; returns what became of it, and why. */
  async reload(): Promise<string> {
    const before = this.supervisor()?.reload?.count ?? 0;
    this.process.kill('SIGHUP');
    await this.until(() => {
      const now = this.supervisor()?.reload;
      return now !== undefined && now.count > before && now.state !== 'checking';
    }, 'a verdict');
    const { state, reason } = this.supervisor()!.reload!;
    return `${state} ${reason ?? ''}`;
  }

  /** The first line of the log that the predicate holds for. */
  logged(predicate: (line: LogLine) => boolean): LogLine | undefined {
    return this.log.find(predicate);
  }

  /** Lines of the log that the predicate holds for, each as often as it was repeated. */
  happened(predicate: (line: LogLine) => boolean): LogLine[] {
    const found = this.log.filter(predicate);
    return found.flatMap((line) => new Array<LogLine>(line.repeated ?? 1).fill(line));
  }

  /** Sequences that an upper has sent again, as the log names them: from, to. */
  resent(upper: string): [number, number][] {
    return this.log
      .filter(({ from, event }) => from === `upper ${upper}` && event === 'resending')
      .map(({ first, last }) => [Number(first), Number(last)]);
  }

  /** Waits until a condition holds; `what` names it where it never does. */
  async until(condition: () => boolean, what: string, patience = PATIENCE): Promise<void> {
    const deadline = Date.now() + patience;
    while (!condition()) {
      if (this.#over || Date.now() > deadline) {
        const reason = this.#over ? 'the relay ended' : `not within ${patience} ms`;
        const last = this.log.slice(-12).map((line) => JSON.stringify(line));
        const upto = [JSON.stringify(this.gate()), JSON.stringify(this.supervisor())];
        throw new Error([`${what}: ${reason}`, ...last, ...upto].join('\n'));
      }
      await sleep(TICK);
    }
    // A line that was logged before a status was written may still wait in the pipe.
    await nextTurn();
  }

  /** Waits until every named link is up, or all of them, and the gate has said how it is. */
  async untilUp(names?: readonly string[]): Promise<void> {
    await this.until(() => {
      const status = this.supervisor();
      const links = [...(status?.lowers ?? []), ...(status?.uppers ?? [])];
      const asked = links.filter(({ name }) => names?.includes(name) ?? true);
      const up = asked.length > 0 && asked.every(({ state }) => state === 'up');
      return up && this.gate() !== undefined;
    }, 'the links come up');
  }

  /** Ends the relay as an operator does; returns its exit code, null if it had to be killed. */
  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_PATIENCE);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  /** Ends the supervisor without a word; the kernel ends its children. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#ended;
  }

  #uppers(): (UpperStatus | undefined)[] {
    const uppers = join(this.state, 'upper');
    return existsSync(uppers) ? readdirSync(uppers).map((name) => this.upper(name)) : [];
  }

  #ofThisRun<Status extends { readonly time: number }>(status?: Status): Status | undefined {
    return status && this.#earlier.includes(status.time) ? undefined : status;
  }

  #collect(): void {
    let rest = '';
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#take(parseLine(line));
    });
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 'none', msg: line };
  }
}

/** Writes a configuration into the test's directory and starts the relay on it. */
export async function startRelay(t: Test, options: RelayOptions): Promise<RunningRelay> {
  if (!existsSync(SUPERVISOR)) throw new Error('dist/ is missing: npm run build');
  const directory = options.directory ?? t.testdir({});
  const relay = new RunningRelay(directory, await writeRelay(directory, options), options);
  t.teardown(() => relay.stop());
  return relay;
}

/** Writes all that a relay needs into a directory; returns the path of its configuration. */
export async function writeRelay(directory: string, options: RelayOptions): Promise<string> {
  const [ca, own] = await Promise.all([trusted(), relayIdentity()]);
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  mkdirSync(join(directory, 'state'), { recursive: true });
  write('ca.pem', ca.certificate);
  write('relay.pem', own.certificate);
  write('relay.key', own.key);
  write('policy.yaml', options.policy ?? PERMIT_ALL);
  if (options.manifest !== undefined) write('policy.yaml.manifest', options.manifest);
  for (const { name, password = 'secret' } of options.lowers) write(`lower-${name}`, password);
  for (const { name, password = 'secret' } of options.uppers) write(`upper-${name}`, password);
  write('tidegate.yaml', configuration(options));
  return join(directory, 'tidegate.yaml');
}

/** YAML takes JSON's strings, so every value of a test is quoted by JSON. */
function configuration(options: RelayOptions): string {
  const { lowers, uppers, window = 1, retain = '{ size: 64MiB, age: 1d }' } = options;
  const beacon = options.beacon === undefined ? '' : `, beacon: ${options.beacon}`;
  const channels = new Set(['public', ...uppers.map(({ channel = 'public' }) => channel)]);
  const entry = (fields: Readonly<Record<string, unknown>>): string =>
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `    ${key}: ${JSON.stringify(value)}\n`)
      .join('');
  const lowerText = lowers.map(
    ({ name, port, host = '127.0.0.1', user = 'admin', filter, mask }) =>
      `  ${name}:\n${entry({ host, port, user, password_file: `lower-${name}`, filter, mask })}`,
  );
  const upperText = uppers.map((upper) => {
    const { name, port, host = '127.0.0.1', user = 'relay', channel = 'public' } = upper;
    const { timestamps, drain, servername = UPPER_NAME } = upper;
    return `  ${name}:\n${entry({
      kind: 'vscp',
      channel,
      host,
      port,
      user,
      password_file: `upper-${name}`,
      window: upper.window ?? window,
      timestamps,
      drain,
      tls: { ca: 'ca.pem', cert: 'relay.pem', key: 'relay.key', servername },
    })}`;
  });
  return [
    `schema: tidegate/v1\nstate: ./state\nseal: ${options.unsealed === true ? 'preferred' : SEAL}\nlowers:\n`,
    ...lowerText,
    'policies: [policy.yaml]\n',
    ...(options.signers === undefined ? [] : [`policy_signers: ${options.signers}\n`]),
    ...(options.audit === undefined ? [] : [`audit: ${options.audit}\n`]),
    'channels:\n',
    ...[...channels].map((name) => `  ${name}: { retain: ${retain}${beacon} }\n`),
    'uppers:\n',
    ...upperText,
  ].join('');
}
