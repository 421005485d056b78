/** Relays with hostile code in place of their processes' own: real supervisor, real sandboxes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import ts from 'typescript';
import { asSupervisor } from '../../src/wire/parent.js';
import {
  type GateStatus,
  readGateStatus,
  readSupervisorStatus,
  readUpperStatus,
  type SupervisorStatus,
  type UpperStatus,
} from '../../src/wire/status.js';
import { relayIdentity, trusted, UPPER_NAME } from '../fake/upper-pki.js';
import { type LogLine, PERMIT_ALL } from './relay.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
const PATIENCE = 45_000;
const TICK = 20;
const STOP_PATIENCE = 15_000;

export const ROLES = ['lower', 'valve', 'gate', 'dial', 'upper'] as const;
export type Role = (typeof ROLES)[number];

/** Whether sandboxes as root's can be had here; ends the test as skipped where not. */
export function canSeal(t: Test): boolean {
  const able =
    process.getuid?.() === 0 &&
    existsSync('/usr/bin/bwrap') &&
    spawnSync('unshare', ['--mount', 'true']).status === 0;
  if (able) return true;
  if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw new Error('no sandboxes as root here');
  t.plan(0, 'needs root, bubblewrap and the right to make mount namespaces');
  return false;
}

/** Makes JavaScript that runs in the place of a main program of a TypeScript file beside this one. */
export function compile(file: string): string {
  const text = readFileSync(join(HERE, file), 'utf8').replaceAll("'../../src/", "'../");
  return ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  }).outputText;
}

/**
 * Copies the built relay and puts hostile code in place of some main programs; the honest one stands
 * beside it as honest.js.
 *
 * @param code a TypeScript file beside this one
 * @param notes what the hostile code reads as dist/notes.json
 */
export function makeInstallation(
  t: Test,
  code: string,
  roles: readonly Role[],
  notes: Readonly<Record<string, unknown>>,
): string {
  const root = join(t.testdir({}), 'installation');
  cpSync(join(ROOT, 'dist'), join(root, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const hostile = compile(code);
  for (const role of roles) {
    const main = join(root, 'dist', role, 'main.js');
    renameSync(main, join(root, 'dist', role, 'honest.js'));
    writeFileSync(main, hostile);
  }
  writeFileSync(join(root, 'dist', 'notes.json'), JSON.stringify(notes));
  return root;
}

export interface HostileOptions {
  /** As makeInstallation() returns it; the relay's own if not given. */
  readonly installation?: string;
  /** Put before the command line of the supervisor. */
  readonly before?: readonly string[];
  /** As an operator who can have no sandboxes. */
  readonly unsealed?: boolean;
  readonly lowers: readonly {
    readonly name: string;
    readonly host?: string;
    readonly port: number;
  }[];
  readonly uppers: readonly {
    readonly name: string;
    readonly host?: string;
    readonly port: number;
    readonly window?: number;
  }[];
  readonly policy?: string;
  /** Called with the relay's directory when its configuration stands there. */
  readonly ready?: (directory: string) => void;
}

export class HostileRelay {
  readonly log: LogLine[] = [];
  readonly directory: string;
  readonly state: string;
  readonly process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #over = false;

  constructor(directory: string, options: HostileOptions) {
    this.directory = directory;
    this.state = join(directory, 'state');
    const entry = join(options.installation ?? ROOT, 'dist', 'supervisor', 'main.js');
    const config = join(directory, 'tidegate.yaml');
    const inner = [process.execPath, entry, 'tidegate', '-c', config] as const;
    const [file, args] = options.unsealed ? [inner[0], inner.slice(1)] : asSupervisor(inner);
    const [first, ...rest] = [...(options.before ?? []), file, ...args];
    this.process = spawn(first!, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    let tail = '';
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (tail + text).split('\n');
      tail = lines.pop()!;
      for (const line of lines) this.log.push(parseLine(line));
    });
    this.#ended = new Promise((resolve) => {
      this.process.on('close', (code) => {
        this.#over = true;
        resolve(code);
      });
    });
  }

  get over(): boolean {
    return this.#over;
  }

  gate(): GateStatus | undefined {
    return readGateStatus(this.state);
  }

  upper(name: string): UpperStatus | undefined {
    return readUpperStatus(this.state, name);
  }

  supervisor(): SupervisorStatus | undefined {
    return readSupervisorStatus(this.state);
  }

  /** Lines of one process, as the supervisor names it. */
  from(name: string): LogLine[] {
    return this.log.filter((line) => line.from === name);
  }

  /** What the supervisor says of a link. */
  link(name: string, event: string): LogLine[] {
    return this.log.filter((line) => line['link'] === name && line.event === event);
  }

  /** Open descriptors, sockets among them, and resident bytes of the supervisor itself. */
  usage(): { readonly descriptors: number; readonly sockets: number; readonly memory: number } {
    const proc = `/proc/${this.process.pid!}`;
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`${proc}/status`, 'latin1'))?.[1];
    const open = readdirSync(`${proc}/fd`);
    const sockets = open.filter((fd) => isSocket(`${proc}/fd/${fd}`)).length;
    return { descriptors: open.length, sockets, memory: Number(rss) * 1024 };
  }

  async until(condition: () => boolean, what: string, patience = PATIENCE): Promise<void> {
    const deadline = Date.now() + patience;
    while (!condition()) {
      if (this.#over || Date.now() > deadline) {
        const reason = this.#over ? 'the relay ended' : `not within ${patience} ms`;
        const last = this.log.slice(-12).map((line) => JSON.stringify(line).slice(0, 400));
        throw new Error([`${what}: ${reason}`, ...last].join('\n'));
      }
      await sleep(TICK);
    }
  }

  async untilUp(names: readonly string[]): Promise<void> {
    const down = (): string[] => {
      const { lowers = [], uppers = [] } = this.supervisor() ?? {};
      const up = [...lowers, ...uppers].filter(({ state }) => state === 'up');
      return names.filter((name) => !up.some((link) => link.name === name));
    };
    await this.until(() => down().length === 0, `${names.join(', ')} come up`);
  }

  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_PATIENCE);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:');
  } catch {
    // Closed since.
    return false;
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 'none', msg: line };
  }
}

/** Writes a configuration into a fresh directory and starts the relay on it. */
export async function startHostile(t: Test, options: HostileOptions): Promise<HostileRelay> {
  const directory = join(t.testdirName, 'relay');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'state'), { recursive: true });
  const [ca, own] = await Promise.all([trusted(), relayIdentity()]);
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  write('ca.pem', ca.certificate);
  write('relay.pem', own.certificate);
  write('relay.key', own.key);
  write('password', 'secret');
  write('policy.yaml', options.policy ?? PERMIT_ALL);
  write('tidegate.yaml', configuration(options));
  options.ready?.(directory);
  const relay = new HostileRelay(directory, options);
  t.teardown(() => relay.stop());
  return relay;
}

function configuration({ unsealed = false, lowers, uppers }: HostileOptions): string {
  const tls = `{ ca: ca.pem, cert: relay.pem, key: relay.key, servername: ${UPPER_NAME} }`;
  const entry = (name: string, host = '127.0.0.1', port: number, user: string): string =>
    `  ${name}: { host: '${host}', port: ${port}, user: ${user}, password_file: password`;
  return [
    'schema: tidegate/v1',
    'state: ./state',
    `seal: ${unsealed ? 'preferred' : 'required'}`,
    'lowers:',
    ...lowers.map(({ name, host, port }) => `${entry(name, host, port, 'admin')} }`),
    'policies: [policy.yaml]',
    'channels: { public: { retain: { size: 64MiB, age: 1d } } }',
    'uppers:',
    ...uppers.map(
      ({ name, host, port, window = 100 }) =>
        `${entry(name, host, port, 'relay')}, channel: public, window: ${window}, tls: ${tls} }`,
    ),
    '',
  ].join('\n');
}
