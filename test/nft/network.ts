/** A relay's machine and a server's: two network namespaces and a cable between them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { SERVER } from './server.js';

const CLIENT = readFileSync(new URL('client.pl', import.meta.url), 'utf8');
const PATIENCE = 60_000;

export interface Heard {
  readonly port: number;
  readonly id: number;
  readonly kind: string;
  readonly text?: string;
}

export interface Network {
  /** What the servers got so far. */
  readonly heard: readonly Heard[];
  /** Loads a ruleset where the relay runs, or at the server. */
  load(ruleset: string, where?: 'relay' | 'server'): void;
  /** Counters of the table that are not 0. */
  alarms(): Record<string, number>;
  nft(...args: string[]): string;
  /** Sets a kernel setting where the relay runs: `net.ipv4.name=value`. */
  sysctl(setting: string): void;
  /** Runs the client as a user. */
  client(uid: number, address: string, port: number, ...steps: string[]): Promise<string[]>;
  /** Runs the client at the server's, as root. */
  remote(address: string, port: number, ...steps: string[]): Promise<string[]>;
  /** Runs JavaScript with Node.js where the relay runs. */
  node(script: string): Promise<string[]>;
  /** Text of each connection to a port that was made from `from` on. */
  texts(port: number, from?: number): string[];
  /** Whether somebody listens where the relay runs. */
  listens(port: number): boolean;
  until(condition: () => boolean): Promise<boolean>;
}

/**
 * Makes the namespaces, or ends the test as skipped where that is not allowed.
 *
 * @throws Error instead if TIDEGATE_REQUIRE_ALL says that no test may be skipped
 */
export async function makeNetwork(
  t: Test,
  addresses: readonly string[],
  ports: readonly number[],
): Promise<Network | undefined> {
  const relay = `tidegate-r${process.pid}`;
  const server = `tidegate-s${process.pid}`;
  const ip = (...args: string[]): string => execFileSync('ip', args, { stdio: 'pipe' }).toString();
  const remove = (): void => {
    for (const name of [relay, server]) spawnSync('ip', ['netns', 'del', name]);
  };
  t.teardown(remove);
  try {
    execFileSync('nft', ['--version'], { stdio: 'pipe' });
    execFileSync('perl', ['-e', '1'], { stdio: 'pipe' });
    for (const name of [relay, server]) ip('netns', 'add', name);
    ip(
      '-n',
      relay,
      'link',
      'add',
      'cable',
      'type',
      'veth',
      'peer',
      'name',
      'cable',
      'netns',
      server,
    );
    const ends = { [relay]: ['192.0.2.100/24', '2001:db8::100/64'], [server]: addresses };
    for (const [name, own] of Object.entries(ends)) {
      for (const device of ['lo', 'cable']) ip('-n', name, 'link', 'set', device, 'up');
      for (const address of own) {
        const nodad = address.includes(':') ? ['nodad'] : [];
        ip('-n', name, 'addr', 'add', address, 'dev', 'cable', ...nodad);
      }
    }
    execFileSync('ip', ['netns', 'exec', relay, 'nft', 'list', 'ruleset'], { stdio: 'pipe' });
  } catch (error) {
    if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw error;
    t.plan(0, `needs nft, perl, iproute2 and the right to make network namespaces`);
    return undefined;
  }

  const run = async (name: string, command: readonly string[]): Promise<string[]> => {
    const child = spawn('ip', ['netns', 'exec', name, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    const code = await new Promise((done) => child.on('close', done));
    if (code !== 0) lines.push(`exit ${String(code)}`);
    return lines;
  };
  const until = async (condition: () => boolean): Promise<boolean> => {
    const deadline = Date.now() + PATIENCE;
    while (!condition() && Date.now() < deadline) await sleep(10);
    return condition();
  };

  const heard: Heard[] = [];
  const arguments_ = ['--input-type=module', '-e', SERVER, ...ports.map(String)];
  const child = spawn('ip', ['netns', 'exec', server, process.execPath, ...arguments_], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  createInterface(child.stdout).on('line', (line) => heard.push(JSON.parse(line) as Heard));
  await until(() => heard.length >= ports.length);

  const nft = (name: string, args: readonly string[], input?: string): string =>
    execFileSync('ip', ['netns', 'exec', name, 'nft', ...args], {
      ...(input === undefined ? {} : { input }),
      stdio: 'pipe',
    }).toString();

  return {
    heard,
    until,
    load: (ruleset, where = 'relay') =>
      void nft(where === 'relay' ? relay : server, ['-f', '-'], ruleset),
    nft: (...args) => nft(relay, args),
    sysctl(setting) {
      const [name, value] = setting.split('=') as [string, string];
      const path = `/proc/sys/${name.replaceAll('.', '/')}`;
      const write = `open F, '>', '${path}' or die; print F ${value}`;
      execFileSync('ip', ['netns', 'exec', relay, 'perl', '-e', write]);
    },
    alarms() {
      const text = nft(relay, ['-j', 'list', 'counters', 'table', 'inet', 'tidegate']);
      const all = JSON.parse(text) as {
        nftables: { counter?: { name: string; packets: number } }[];
      };
      return Object.fromEntries(
        all.nftables.flatMap(({ counter }) =>
          counter && counter.packets > 0 ? [[counter.name, counter.packets]] : [],
        ),
      );
    },
    listens: (port) => ip('netns', 'exec', relay, 'ss', '-Hltn', 'sport', '=', String(port)) !== '',
    client: (uid, address, port, ...steps) =>
      run(relay, [
        ...['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'],
        ...['perl', '-e', CLIENT, '--', address, String(port), ...steps],
      ]),
    remote: (address, port, ...steps) =>
      run(server, ['perl', '-e', CLIENT, '--', address, String(port), ...steps]),
    node: (script) => run(relay, [process.execPath, '--input-type=module', '-e', script]),
    texts(port, from = 0) {
      const found = new Map<number, string>();
      for (const each of heard.slice(from)) {
        if (each.port !== port) continue;
        if (each.kind === 'connected') found.set(each.id, '');
        const before = found.get(each.id);
        if (before !== undefined) found.set(each.id, before + (each.text ?? ''));
      }
      return [...found.values()];
    },
  };
}
