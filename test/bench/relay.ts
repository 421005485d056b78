/** A relay of real processes between the benchmark's generator and sink. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';
import { readUsage } from '../../src/supervisor/usage.js';
import { asSupervisor, withParent } from '../../src/wire/parent.js';
import { readGateStatus, readSupervisorStatus } from '../../src/wire/status.js';
import { Child } from './child.js';
import { makePolicy } from './lines.js';
import { type LogSize, sizeOfLog } from './log-size.js';
import { SCRATCH } from './place.js';
import { programOf } from './unaudited.js';

export async function makeCertificates(directory: string): Promise<void> {
  const authority = await createAuthority({ commonName: 'bench', days: 2 });
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  write('ca.pem', authority.certificate);
  for (const [name, usage] of [
    ['relay', 'client'],
    ['portal', 'server'],
  ] as const) {
    const names = usage === 'server' ? ['portal.example'] : [];
    const pair = await issueCertificate(authority, { commonName: name, usage, names, days: 1 });
    write(`${name}.pem`, pair.certificate);
    write(`${name}.key`, pair.key);
  }
  write('password', 'secret\n');
}

export interface Run {
  readonly seconds: number;
  /** Processor ms by process. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Resident bytes of the relay's processes together. */
  readonly memory: number;
  readonly p50?: number;
  readonly p99?: number;
  /** Of the whole run, its beginning and its end among it. */
  readonly log?: LogSize;
}

export interface PathOptions {
  readonly count: number;
  /** Events per second that the generator offers. */
  readonly rate: number;
  /** One event a write, with latencies; otherwise in blocks. */
  readonly single: boolean;
  /** Part of the events that the policy permits: 0.4 or 1. */
  readonly share: number;
  readonly window: number;
  readonly sealed: boolean;
  readonly audited: boolean;
}

interface RelayOptions extends Pick<PathOptions, 'share' | 'window' | 'sealed' | 'audited'> {
  /** Ports. */
  readonly lower: string;
  readonly upper: string;
}

/**
 * Starts a relay with everything that it needs in `directory`.
 *
 * Unsealed is one that, as root, cannot mount what sandboxes need, and need not.
 */
function startRelay(directory: string, options: RelayOptions): ChildProcess {
  const { lower, upper, window, share, sealed, audited } = options;
  writeFileSync(join(directory, 'policy.yaml'), makePolicy(share === 1));
  const config = join(directory, 'tidegate.yaml');
  writeFileSync(
    config,
    `schema: tidegate/v1
state: ./state
seal: ${sealed ? 'required' : 'preferred'}
lowers:
  plant: { host: 127.0.0.1, port: ${lower}, user: relay, password_file: password }
policies: [policy.yaml]
channels:
  public: { retain: { size: 4GiB, age: 1d } }
uppers:
  portal:
    channel: public
    host: 127.0.0.1
    port: ${upper}
    user: relay
    password_file: password
    window: ${window}
    timestamps: nanoseconds
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: portal.example }
`,
  );
  const own = [
    process.execPath,
    join(programOf(audited), 'supervisor/main.js'),
    'tidegate',
    '-c',
    config,
  ] as const;
  const [command, args] = sealed ? asSupervisor(own) : withParent(own, 'TERM');
  return spawn(command, args, {
    stdio: ['ignore', 'ignore', process.env['BENCH_LOG'] ? 'inherit' : 'ignore'],
  });
}

export interface ConnectionTimes {
  /** Median and worst, ms. */
  readonly lower: string;
  readonly upper: string;
}

/** How long a new connection takes, below and above. */
export async function runConnections(rounds: number, sealed: boolean): Promise<ConnectionTimes> {
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'connections-'));
  await makeCertificates(directory);
  const servers = new Child('connections', [directory, String(rounds)]);
  const [lower, upper] = (await servers.word('port')).split(' ') as [string, string];
  const relay = startRelay(directory, {
    ...{ lower, upper, window: 1, share: 1, sealed },
    audited: true,
  });
  const times = { lower: await servers.word('lower'), upper: await servers.word('upper') };
  relay.kill('SIGTERM');
  await new Promise((resolve) => relay.on('exit', resolve));
  servers.stop();
  rmSync(directory, { recursive: true, force: true });
  return times;
}

/** One run through the whole path; undefined if events were lost: more was offered than it takes. */
export async function runPath(options: PathOptions): Promise<Run | undefined> {
  const { count, rate, single, share, window, sealed, audited } = options;
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'path-'));
  await makeCertificates(directory);
  const generator = new Child('generator', [
    String(count),
    String(rate),
    single ? 'single' : 'bulk',
  ]);
  const expected = Math.round(count * share);
  const sink = new Child('sink', [directory, String(expected), single ? '1' : '0']);
  const lower = await generator.word('port');
  const upper = await sink.word('port');
  const relay = startRelay(directory, { lower, upper, window, share, sealed, audited });
  const state = join(directory, 'state');
  await generator.word('ready');
  await settle(state, relay);
  const processes = readSupervisorStatus(state)!.processes;
  const before = processes.map(({ pid }) => readUsage(pid)!.cpu);
  const helpers = [generator.usage().cpu, sink.usage().cpu];
  generator.process.kill('SIGUSR2');
  const first = BigInt(await generator.word('first'));
  const last = await Promise.race([sink.word('last'), untilLost(state, count)]);
  let run: Run | undefined;
  if (last !== undefined) {
    const cpu: Record<string, number> = {};
    let memory = 0;
    processes.forEach(({ process: role, pid }, i) => {
      const usage = readUsage(pid)!;
      cpu[role] = usage.cpu - before[i]!;
      memory += usage.memory;
    });
    cpu['generator'] = generator.usage().cpu - helpers[0]!;
    cpu['sink'] = sink.usage().cpu - helpers[1]!;
    const seconds = Number(BigInt(last) - first) / 1e9;
    const [p50, , p99] = single ? (await sink.word('p50')).split(' ').map(Number) : [];
    run = { seconds, cpu, memory, ...(single ? { p50: p50!, p99: p99! } : {}) };
    await checkSums(state, count);
  }
  relay.kill('SIGTERM');
  await new Promise((resolve) => relay.on('exit', resolve));
  if (run && audited) run = { ...run, log: sizeOfLog(join(state, 'audit')) };
  generator.stop();
  sink.stop();
  rmSync(directory, { recursive: true, force: true });
  return run;
}

/** Resolves when all events have come to the gate, and some were lost. */
async function untilLost(state: string, count: number): Promise<undefined> {
  for (;;) {
    const plant = readGateStatus(state)?.sources['plant'];
    if (plant?.in === count && Object.keys(plant.lost).length > 0) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Waits until both links are up and quiet. */
async function settle(state: string, relay: ChildProcess): Promise<void> {
  for (;;) {
    if (relay.exitCode !== null) throw new Error('the relay ended');
    const status = readSupervisorStatus(state);
    const links = [...(status?.lowers ?? []), ...(status?.uppers ?? [])];
    const up = links.length === 2 && links.every((link) => link.state === 'up');
    const uppers = status?.processes.some(({ process: role }) => role === 'upper');
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (up && uppers) return;
  }
}

/** A figure without its sums is none: nothing may be lost in a benchmark. */
async function checkSums(state: string, count: number): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const plant = readGateStatus(state)?.sources['plant'];
    if (plant?.in === count && Object.keys(plant.lost).length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const sources = JSON.stringify(readGateStatus(state)?.sources);
  throw new Error(`the sums do not hold: ${sources}`);
}
