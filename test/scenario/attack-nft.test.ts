/** The real relay behind its packet filter, in a network of namespaces: honest, then hostile. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { buildLogin } from '../../src/link/login.js';
import { BURST, RATE } from '../../src/nft/lower.js';
import { budgetOf, loginLines } from '../../src/nft/script.js';
import { trusted, upperIdentity } from '../fake/upper-pki.js';
import { canSeal, compile, type HostileRelay, makeInstallation, startHostile } from './hostile.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const [BELOW, BELOW_6, ABOVE] = ['192.0.2.2', '2001:db8:1::2', '198.51.100.2'] as const;
const UP = 9700;
const LOGIN = { user: 'admin', password: 'secret', filter: undefined, mask: undefined };
const SCRIPT = buildLogin(LOGIN).bytes.toString();
const LINES = loginLines(LOGIN, LOGIN.password.length);

interface Heard {
  readonly kind: string;
  readonly port?: number;
  readonly id?: number;
  readonly text?: string;
  readonly numbers?: readonly number[];
}

class World {
  readonly heard: Heard[] = [];
  readonly relay = `tidegate-ar${process.pid}`;
  readonly #names = { below: `tidegate-al${process.pid}`, above: `tidegate-au${process.pid}` };
  readonly #children: ChildProcess[] = [];

  constructor() {
    const { below, above } = this.#names;
    for (const name of [this.relay, below, above]) ip('netns', 'add', name);
    for (const [device, other] of Object.entries(this.#names)) {
      const there = ['peer', 'name', 'cable', 'netns', other];
      ip('-n', this.relay, 'link', 'add', device, 'type', 'veth', ...there);
    }
    for (const [name, device, ...addresses] of [
      [this.relay, 'lo'],
      [this.relay, 'below', '192.0.2.1/24', '2001:db8:1::1/64'],
      [this.relay, 'above', '198.51.100.1/24'],
      [below, 'cable', `${BELOW}/24`, `${BELOW_6}/64`],
      [above, 'cable', `${ABOVE}/24`],
    ] as const) {
      ip('-n', name, 'link', 'set', device, 'up');
      for (const address of addresses) {
        const nodad = address.includes(':') ? ['nodad'] : [];
        ip('-n', name, 'addr', 'add', address, 'dev', device, ...nodad);
      }
    }
  }

  /** Starts a server where it belongs. */
  serve(where: 'below' | 'above', program: string, ...args: string[]): void {
    const inside = ['netns', 'exec', this.#names[where], process.execPath, program, ...args];
    const child = spawn('ip', inside, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    createInterface(child.stdout).on('line', (line) => this.heard.push(JSON.parse(line) as Heard));
  }

  inRelay(file: string, args: readonly string[], input = ''): string {
    const command = ['netns', 'exec', this.relay, file, ...args];
    return execFileSync('ip', command, { input, stdio: 'pipe' }).toString();
  }

  /** Counters that are not 0. */
  alarms(): Record<string, number> {
    const text = this.inRelay('nft', ['-j', 'list', 'counters', 'table', 'inet', 'tidegate']);
    const { nftables } = JSON.parse(text) as {
      nftables: { counter?: { name: string; packets: number } }[];
    };
    return Object.fromEntries(
      nftables.flatMap(({ counter }) =>
        counter && counter.packets > 0 ? [[counter.name, counter.packets]] : [],
      ),
    );
  }

  /** What each connection to a port brought. */
  texts(port: number): string[] {
    const found: string[] = [];
    for (const { kind, port: where, id, text } of this.heard) {
      if (where !== port || id === undefined) continue;
      found[id - 1] = kind === 'connected' ? '' : found[id - 1]! + text!;
    }
    return found;
  }

  /** Numbers of events that came up, of those that a lower server's port sent. */
  arrived(port: number): number[] {
    const numbers = this.heard.flatMap(({ numbers = [] }) => numbers);
    return numbers.filter((n) => Math.floor(n / 1_000_000) === port % 100);
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of [this.relay, ...Object.values(this.#names)]) {
      spawnSync('ip', ['netns', 'del', name]);
    }
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

function makeWorld(t: Test): World | undefined {
  try {
    execFileSync('nft', ['--version'], { stdio: 'pipe' });
    const world = new World();
    t.teardown(() => world.close());
    world.inRelay('nft', ['list', 'ruleset']);
    return world;
  } catch (error) {
    if (process.env['TIDEGATE_REQUIRE_ALL'] === '1') throw error;
    t.plan(0, 'needs nft, iproute2 and the right to make network namespaces');
    return undefined;
  }
}

interface Place {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Starts servers and a relay behind its own ruleset. */
async function start(
  t: Test,
  world: World,
  lowers: readonly Place[],
  uppers: readonly Place[],
  installation?: string,
): Promise<HostileRelay> {
  const directory = join(t.testdirName, 'servers');
  mkdirSync(directory, { recursive: true });
  const program = join(directory, 'servers.mjs');
  writeFileSync(program, compile('hostile-servers.ts'));
  const [ca, own] = await Promise.all([trusted(), upperIdentity('none')]);
  writeFileSync(join(directory, 'ca.pem'), ca.certificate);
  writeFileSync(join(directory, 'upper.pem'), own.certificate);
  writeFileSync(join(directory, 'upper.key'), own.key);
  const before = world.heard.length;
  for (const host of [BELOW, BELOW_6]) {
    const ports = lowers.filter((lower) => lower.host === host).map(({ port }) => String(port));
    world.serve('below', program, 'lower', host, ...ports);
  }
  world.serve('above', program, 'upper', ABOVE, String(UP), directory);
  const relay = await startHostile(t, {
    ...(installation === undefined ? {} : { installation }),
    before: ['ip', 'netns', 'exec', world.relay],
    lowers,
    uppers,
    ready: (at) => {
      const config = join(at, 'tidegate.yaml');
      const rules = world.inRelay(process.execPath, [CLI, 'nft', '-c', config]);
      world.inRelay('nft', ['-f', '-'], rules);
    },
  });
  const listening = (): number => world.heard.slice(before).filter(isListening).length;
  await relay.until(() => listening() === lowers.length + 1, 'the servers listen');
  return relay;
}

const isListening = ({ kind }: Heard): boolean => kind === 'listening';
const ordered = (numbers: readonly number[]): boolean =>
  numbers.every((n, i) => i === 0 || n === numbers[i - 1]! + 1);

if (canSeal(t)) {
  await t.test('behind its packet filter the relay works, and nothing is counted', async (t) => {
    const world = makeWorld(t);
    if (!world) return;
    const lowers = [
      { name: 'four', host: BELOW, port: 9601 },
      { name: 'six', host: BELOW_6, port: 9602 },
    ];
    const relay = await start(t, world, lowers, [{ name: 'portal', host: ABOVE, port: UP }]);
    for (const { name, port } of lowers) {
      await relay.until(() => world.arrived(port).length >= 50, `events of ${name} come up`);
      t.ok(ordered(world.arrived(port)), 'once each, in order');
      t.strictSame(world.texts(port), [SCRIPT], name);
    }
    t.strictSame(world.alarms(), {});
    t.equal(await relay.stop(), 0);
    t.strictSame(world.alarms(), {}, 'not at its end either');
  });

  await t.test('behind it hostile processes send down no more than a login', async (t) => {
    const world = makeWorld(t);
    if (!world) return;
    const lowers = [
      { name: 'plain', host: BELOW, port: 9601 },
      { name: 'plain-6', host: BELOW_6, port: 9602 },
      { name: 'insist-4', host: BELOW, port: 9603 },
      { name: 'insist-6', host: BELOW_6, port: 9604 },
      { name: 'long-4', host: BELOW, port: 9605 },
      { name: 'twice-4', host: BELOW, port: 9606 },
      { name: 'bytes-6', host: BELOW_6, port: 9607 },
      { name: 'send-4', host: BELOW, port: 9608 },
      { name: 'send-6', host: BELOW_6, port: 9609 },
      { name: 'often-4', host: BELOW, port: 9610 },
      { name: 'away-4', host: BELOW, port: 9611 },
    ] as const;
    const port = (name: (typeof lowers)[number]['name']): number =>
      lowers.find((lower) => lower.name === name)!.port;
    const uppers = [
      { name: 'portal', host: ABOVE, port: UP },
      { name: 'stray', host: ABOVE, port: UP },
    ];
    const installation = makeInstallation(t, 'hostile-dialling.ts', ['lower', 'dial'], {
      places: [...lowers, ...uppers, { host: ABOVE, port: UP + 1 }],
    });
    const begun = performance.now();
    const relay = await start(t, world, lowers, uppers, installation);
    let alarms: Record<string, number> = {};
    for (const counter of [
      'lower/insist-4/budget',
      'lower/insist-6/budget',
      'lower/long-4/payload',
      'lower/twice-4/payload',
      'lower/bytes-6/payload',
      'lower/send-4/payload',
      'lower/send-6/payload',
      'lower/often-4/rate',
      'lower/away-4/elsewhere',
      'lower/plain/stranger',
      'lower/plain-6/stranger',
      'dial/stray',
    ]) {
      await relay.until(() => ((alarms = world.alarms())[counter] ?? 0) > 0, `${counter} counts`);
      t.ok(alarms[counter]! > 0, `${counter}: ${alarms[counter]!} packets`);
    }
    for (const name of ['plain', 'plain-6'] as const) {
      const from = world.arrived(port(name)).length;
      await relay.until(() => world.arrived(port(name)).length >= from + 50, `${name} goes on`);
      t.ok(ordered(world.arrived(port(name))), `${name}: once each, in order`);
      t.strictSame(world.texts(port(name)), [SCRIPT], `${name}: its login`);
      for (const reason of ['payload', 'budget', 'form', 'rate', 'elsewhere', 'orphan']) {
        t.notOk(`lower/${name}/${reason}` in alarms, `${name}: ${reason} stays 0`);
      }
    }
    for (const name of ['insist-4', 'insist-6'] as const) {
      const family = name.endsWith('6') ? 6 : 4;
      const budget = budgetOf(LINES, [{ family, text: '' }]);
      for (const text of world.texts(port(name))) {
        t.match(text, /^(USER admin\r\n)+$/, `${name}: lines of its login`);
        t.ok(text.length <= budget, `${name}: ${text.length} of ${budget} bytes`);
      }
    }
    for (const name of ['send-4', 'send-6'] as const) {
      t.strictSame(world.texts(port(name)), [SCRIPT], `${name}: its login`);
    }
    for (const name of ['long-4', 'twice-4', 'bytes-6', 'often-4', 'away-4'] as const) {
      t.strictSame([...new Set(world.texts(port(name)))].join(''), '', `${name}: not a byte`);
    }
    const times = world.texts(port('often-4')).length;
    const most = BURST + (RATE * (performance.now() - begun)) / 1000 + 1;
    t.ok(times >= RATE && times <= most, `connected ${times} times, at most ${Math.ceil(most)}`);
    t.strictSame(
      world.heard.filter(({ kind }) => kind === 'datagram'),
      [],
      'no datagram',
    );
    t.strictSame(
      Object.keys(alarms).filter((name) => /^(valve|gate|upper|relay|fragments)/.test(name)),
      [],
      'the others have no sockets of their own',
    );
    t.equal(await relay.stop(), 0);
  });
}
