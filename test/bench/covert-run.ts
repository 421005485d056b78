/** One row of the covert-channel measurement: the processes, where they run, and their ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { asSupervisor, withParent } from '../../src/wire/parent.js';
import { Capture, CAPTURE, now } from './covert-capture.js';
import { decode, type Decoded, makeBits, observe } from './covert-decoder.js';
import type { Modulation } from './covert-upper.js';
import { DIST } from './place.js';

export interface Row {
  /**
   * free: the scheduler places what it likes. one core: everything, the servers too. separated:
   * lower server, lower, valve and gate on one core, all else on another. busy disk: so too, and
   * somebody writes synchronously to the disk of the journal.
   */
  readonly place: 'free' | 'one core' | 'separated' | 'busy disk';
  /** beside: the upper server behaves; somebody else on its core is flooded by the bits. */
  readonly path: 'relay' | 'plain proxy' | 'beside';
  readonly modulation: Modulation;
  readonly lower: 'paced' | 'saturating' | 'redialling';
  /** ms. */
  readonly slot: number;
}

/** Everything must have started, and sent its first event, by then, ms. */
const PATIENCE = 20_000;
/** What a start leaves behind, in the compiler and the caches, has settled by then, ms. */
const SETTLE = 1500;
const STOP_PATIENCE = 3000;
/** Below the journal: what a lower server can see. */
const BELOW = /\/dist\/(lower|valve|gate)\/main\.js$/;
const RELAY_PROCESS = /\/dist\/(lower|valve|gate|dial|upper)\/main\.js$/;

const POLICY = `schema: tidegate-policy/v1
policy: { id: bench, revision: 1 }
rules:
  - { name: some, effect: permit, to: [public], match: { class: 1040 } }
`;

function configuration(lowerPort: number, upperPort: number): string {
  return `schema: tidegate/v1
state: ./state
seal: preferred
lowers:
  plant: { host: 127.0.0.1, port: ${lowerPort}, user: relay, password_file: password }
policies: [policy.yaml]
channels:
  public: { retain: { size: 256MiB, age: 1d } }
uppers:
  portal:
    channel: public
    host: 127.0.0.1
    port: ${upperPort}
    user: relay
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: portal.example }
`;
}

/** The cores that this program may use. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(
    readFileSync('/proc/self/status', 'latin1'),
  )![1]!;
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}

export function pin(pid: number, cores: readonly number[]): void {
  spawnSync('taskset', ['-a', '-c', '-p', cores.join(','), String(pid)], { stdio: 'ignore' });
}

interface Where {
  readonly core?: number | undefined;
  /** Yields to everything else: its processor time is another machine's in life. */
  readonly idle?: boolean;
}

class Processes {
  readonly #all: ChildProcess[] = [];

  /** Starts a process that dies with this one. */
  start(
    command: readonly [string, ...string[]],
    { core, idle = false }: Where,
    output: 'ignore' | 'pipe' | 'ipc',
  ): ChildProcess {
    const full: [string, ...string[]] = [...command];
    if (idle) full.unshift('chrt', '--idle', '0');
    if (core !== undefined) full.unshift('taskset', '-c', String(core));
    const [file, args] = withParent(full, 'KILL');
    const child = spawn(file, args, {
      stdio:
        output === 'ipc'
          ? ['ignore', 'ignore', 'inherit', 'ipc']
          : ['ignore', output, process.env['BENCH_LOG'] === undefined ? 'ignore' : 'inherit'],
    });
    child.on('error', () => undefined);
    this.#all.push(child);
    return child;
  }

  actor(name: string, args: readonly string[], where: Where): ChildProcess {
    const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    return this.start([process.execPath, file, ...args], where, 'ipc');
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#all.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
        const gone = new Promise((resolve) => child.on('exit', resolve));
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE);
        await gone;
        clearTimeout(timer);
      }),
    );
  }
}

function word<T>(child: ChildProcess, name: string, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: not in time`)), PATIENCE);
    child.on('message', (message: Record<string, T>) => {
      if (!(name in message)) return;
      clearTimeout(timer);
      resolve(message[name]!);
    });
    child.on('exit', () => reject(new Error(`${what}: the process ended`)));
  });
}

/** Moves the relay's processes below the journal to a core of their own, whenever one starts. */
class Pinner {
  readonly #root: number;
  readonly #core: number;
  readonly #known = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(root: number, core: number) {
    this.#root = root;
    this.#core = core;
    this.#timer = setInterval(() => this.#look(), 5);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const entry of readdirSync('/proc')) {
      const looks = this.#known.get(entry) ?? 0;
      // A process that has just been forked does not show yet what it will be.
      if (!/^\d/.test(entry) || looks > 20) continue;
      this.#known.set(entry, looks + 1);
      const words = readWords(entry);
      if (!words.some((text) => RELAY_PROCESS.test(text)) || !this.#isOurs(entry)) continue;
      this.#known.set(entry, Infinity);
      if (words.some((text) => BELOW.test(text))) pin(Number(entry), [this.#core]);
    }
  }

  #isOurs(entry: string): boolean {
    for (let pid = entry, depth = 0; depth < 6; depth++) {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        pid = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]!;
      } catch {
        return false;
      }
      if (Number(pid) === this.#root) return true;
    }
    return false;
  }
}

function readWords(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

/** Why a row cannot be measured on this machine; undefined if it can. */
export function missing({ place }: Row, cores: readonly number[]): string | undefined {
  if (place === 'free') return undefined;
  if (!existsSync('/usr/bin/taskset')) return 'no taskset';
  return place !== 'one core' && cores.length < 2 ? 'one core only' : undefined;
}

/**
 * Measures one row.
 *
 * @param certificates a directory with what `makeCertificates` makes; the row's own is made in it
 * @throws Error if something did not start, or packets were not captured
 */
export async function measure(
  row: Row,
  seconds: number,
  certificates: string,
  random: () => number,
): Promise<Decoded> {
  const { place, path, modulation, lower: mode, slot } = row;
  const cores = allowedCores();
  const own = place === 'free' ? cores : [cores.at(-1)!];
  const below = place === 'free' ? undefined : cores[0]!;
  const above = place === 'free' ? undefined : place === 'one core' ? cores[0]! : cores[1]!;
  pin(process.pid, own);
  const count = 4 * Math.ceil((seconds * 1000) / slot / 4);
  const { bits, halves } = makeBits(count, random);
  const directory = mkdtempSync(join(certificates, 'row-'));
  const processes = new Processes();
  let pinner: Pinner | undefined;
  try {
    const lower = processes.actor('covert-lower', [mode], { core: below });
    const apart = place === 'separated' || place === 'busy disk' || mode === 'saturating';
    const serve = (how: Modulation): ChildProcess =>
      processes.actor('covert-upper', [certificates, how, String(slot), bits.join('')], {
        core: above,
        idle: !apart && existsSync('/usr/bin/chrt'),
      });
    const upper = serve(path === 'beside' ? 'none' : modulation);
    const met = word(upper, 'met', 'the first event above');
    met.catch(() => undefined);
    const [lowerPort, upperPort] = await Promise.all([
      word<number>(lower, 'port', 'the lower server'),
      word<number>(upper, 'port', 'the upper server'),
    ]);
    const perl = processes.start(
      ['perl', '-e', CAPTURE, String(lowerPort)],
      { core: below },
      'pipe',
    );
    const capture = new Capture(perl);
    await capture.ready;
    if (path !== 'plain proxy') {
      for (const name of ['ca.pem', 'relay.pem', 'relay.key', 'password']) {
        writeFileSync(join(directory, name), readFileSync(join(certificates, name)), {
          mode: 0o600,
        });
      }
      writeFileSync(join(directory, 'policy.yaml'), POLICY);
      const config = join(directory, 'tidegate.yaml');
      writeFileSync(config, configuration(lowerPort, upperPort));
      const entry = join(DIST, 'supervisor/main.js');
      const [file, args] = asSupervisor([process.execPath, entry, 'tidegate', '-c', config]);
      const relay = processes.start([file, ...args], { core: above }, 'ignore');
      if (below !== above) pinner = new Pinner(relay.pid!, below!);
    } else {
      const plain = fileURLToPath(new URL('./plain.js', import.meta.url));
      const args = [certificates, String(lowerPort), String(upperPort)];
      processes.start([process.execPath, plain, ...args], { core: below }, 'ignore');
    }
    if (place === 'busy disk') {
      const file = join(directory, 'busy');
      const writing = `while :; do dd if=/dev/zero of='${file}' bs=64k count=400 oflag=dsync; done`;
      processes.start(['sh', '-c', writing], { core: above }, 'ignore');
    }
    const senders = [upper];
    if (path === 'beside') {
      const other = serve(modulation);
      const port = await word<number>(other, 'port', 'the other upper server');
      processes.actor('covert-bystander', [certificates, String(port)], { core: above });
      senders.push(other);
    }
    await met;
    await sleep(SETTLE);
    const start = now() + 100;
    for (const sender of senders) sender.send({ start });
    // The last slot may show one slot later.
    await sleep(100 + (count + 1) * slot + 50);
    const seen = observe(await capture.end());
    return decode(seen, { bits, halves, start, slot });
  } finally {
    pinner?.stop();
    await processes.end();
    rmSync(directory, { recursive: true, force: true });
  }
}
