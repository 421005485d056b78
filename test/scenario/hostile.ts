/** Relays with hostile code in place of their processes' own: real supervisor, real sandboxes. */
import { spawnSync } from 'node:child_process';
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
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import ts from 'typescript';
import { relayIdentity, trusted, UPPER_NAME } from '../fake/upper-pki.js';
import { type LogLine, PERMIT_ALL, RunningRelay } from './relay.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));

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
  roles: readonly (Role | 'supervisor' | 'cli')[],
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

export class HostileRelay extends RunningRelay {
  /** Lines of one process, as the supervisor names it. */
  from(name: string): LogLine[] {
    return this.happened((line) => line.from === name);
  }

  /** What the supervisor says of a link. */
  link(name: string, event: string): LogLine[] {
    return this.happened((line) => line['link'] === name && line.event === event);
  }

  /** Open descriptors, sockets among them, and resident bytes of the supervisor itself. */
  usage(): { readonly descriptors: number; readonly sockets: number; readonly memory: number } {
    const proc = `/proc/${this.process.pid!}`;
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`${proc}/status`, 'latin1'))?.[1];
    const open = readdirSync(`${proc}/fd`);
    const sockets = open.filter((fd) => isSocket(`${proc}/fd/${fd}`)).length;
    return { descriptors: open.length, sockets, memory: Number(rss) * 1024 };
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
  const { installation = ROOT, before = [], unsealed = false } = options;
  const relay = new HostileRelay(directory, join(directory, 'tidegate.yaml'), {
    supervisor: join(installation, 'dist', 'supervisor', 'main.js'),
    prefix: before,
    unsealed,
  });
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
