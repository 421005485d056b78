/** The relay as the supervisor sees it: pipes, one gate, and a link for each lower and each upper. */
import { randomInt } from 'node:crypto';
import { closeSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Checked, scopeOfConfig } from '../config/check.js';
import type { Config, LowerConfig, UpperConfig } from '../config/config.js';
import { openSecret } from '../config/secret.js';
import { type Bundle, type PolicyText, writeBundles } from '../wire/bundle.js';
import { lockFile } from '../wire/lock.js';
import type { Logger } from '../wire/log.js';
import { FD } from '../wire/fd.js';
import { openStatus, StatusFile } from '../wire/status.js';
import {
  type CheckerSettings,
  type DialSettings,
  type GateSettings,
  type LowerSettings,
  type Settings,
  type UpperSettings,
} from '../wire/settings.js';
import { describeSeals } from '../seal/available.js';
import { Confines } from '../seal/confine.js';
import { Launcher, type Start } from '../seal/launch.js';
import { makePipes, type Pipe } from '../seal/pipes.js';
import type { Process } from '../seal/process.js';
import type { Role } from '../seal/table.js';
import { openAuditKey, relayName } from './audit-key.js';
import { Credentials } from './credentials.js';
import { openAll, openBoth, openOnce, upperFiles } from './handed.js';
import { endHolders } from './leftovers.js';
import { Link } from './link.js';
import type { Logs } from './logs.js';
import { Reload, Verdicts } from './reload.js';
import { readUsage } from './usage.js';

const STATUS_EVERY = 500;
/** Processes of a supervisor that was killed may hold what is theirs for this many ms. */
const LOCK_PATIENCE = 5000;
/** What holds on for longer than this, ms, is a sandbox that was being made, and is ended. */
const HALF_MADE = 500;
/** A gate that died is started anew after this many ms. */
const GATE_RESTART = 250;
/** Policies kept for a gate that cannot load newer ones. */
const MAX_BUNDLES = 4;
/** Told to stop, the processes have this many ms before they are killed. */
const GRACE = 5000;
/** Between two looks at the machine's name resolution, ms: the next try to dial goes by it. */
const NAMES_EVERY = 250;
/** Between two looks at the files of certificates, ms. */
const CERTIFICATES_EVERY = 1000;

export class Relay {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #pipes: Map<string, Pipe>;
  readonly #launcher: Launcher;
  readonly #confines: Confines;
  readonly #lowers: readonly Link[];
  readonly #uppers: readonly Link[];
  /** Of each upper. */
  readonly #credentials: readonly Credentials[];
  readonly #settings = new Map<string, number>();
  /** The policies in force: the supervisor rewrites what the gate can read only. */
  readonly #bundle: Pipe;
  /** What the gate finds there, the newest first. */
  #bundles: readonly Bundle[] = [];
  readonly #reload: Reload;
  readonly #running = new Map<Process, { process: Role; name?: string; started: number }>();
  readonly #started = Date.now();
  #status: StatusFile | undefined;
  #gate: Process | undefined;
  #gateStarts = 0;
  #gateFailure: string | undefined;
  #statusFailure: string | undefined;
  #stopping = false;

  /** @throws Error of the file system, or if the state is in use: nothing has been started then */
  constructor(config: Config, checked: Checked, log: Logger, logs: Logs) {
    this.#config = config;
    this.#log = log;
    const own = join(config.state, 'supervisor');
    mkdirSync(own, { recursive: true, mode: 0o700 });
    lockFile(join(own, 'lock'));
    this.#awaitEarlier();
    const pipes = config.lowers.map(({ name }) => `pipe ${name}`);
    const writers = [
      'gate',
      ...config.lowers.flatMap(({ name }) => [`lower ${name}`, `valve ${name}`]),
      ...config.uppers.flatMap(({ name }) => [`dial ${name}`, `upper ${name}`]),
    ];
    const run = join(config.state, 'run');
    this.#pipes = makePipes(run, [...pipes, ...writers, 'verdict']);
    this.#bundle = openBoth(join(run, 'policies'));
    const { policies, keys, manifest } = checked;
    this.#hand({ number: 0, policies, keys, manifest });
    this.#launcher = new Launcher(run);
    this.#reportSeals();
    this.#confines = new Confines(config, this.#launcher);
    for (const name of writers) logs.collect(this.#pipe(name).read, name);
    const verdicts = new Verdicts(this.#pipe('verdict').read);
    this.#reload = new Reload({
      config,
      policies,
      log,
      check: (policies, lines) => {
        verdicts.follow(lines);
        return this.#check(policies);
      },
      hand: (bundle) => this.#hand(bundle),
      changed: () => this.#writeStatus(),
    });
    this.#lowers = config.lowers.map((lower, i) => this.#lowerLink(lower, i));
    this.#credentials = config.uppers.map(
      (upper) => new Credentials(upper, log.child({ link: `upper ${upper.name}` })),
    );
    this.#uppers = config.uppers.map((upper, i) => this.#upperLink(upper, i));
  }

  /**
   * What a killed supervisor's processes hold, they give up within moments of its death.
   *
   * @throws Error that names who holds it if they do not
   */
  #awaitEarlier(): void {
    const { state, uppers } = this.#config;
    const directories = uppers.map(({ name }) => join(state, 'upper', name));
    for (const directory of directories) mkdirSync(directory, { recursive: true, mode: 0o700 });
    const locks = [this.#gateLock, ...directories.map((directory) => join(directory, 'lock'))];
    const started = Date.now();
    for (const lock of locks) {
      for (let free = false; !free;) {
        try {
          closeSync(lockFile(lock));
          free = true;
        } catch (error) {
          const waited = Date.now() - started;
          if (waited > LOCK_PATIENCE) throw error;
          if (waited > HALF_MADE && existsSync(lock)) endHolders(lock);
        }
      }
    }
  }

  /** In a directory that no other process can write to. */
  get #gateLock(): string {
    return join(this.#config.state, 'supervisor', 'gate.lock');
  }

  start(): void {
    this.#startGate();
    for (const link of [...this.#lowers, ...this.#uppers]) link.start();
    setInterval(() => this.#writeStatus(), STATUS_EVERY);
    setInterval(() => this.#confines.refreshNames(), NAMES_EVERY);
    setInterval(() => this.#refreshCertificates(), CERTIFICATES_EVERY);
    this.#writeStatus();
  }

  /** Ends all processes in the order of the flow, so that what was read is decided and journalled. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const deadline = Date.now() + GRACE;
    for (const link of this.#lowers) link.stop();
    await this.#untilGone(() => this.#lowers.flatMap((link) => link.processes), deadline);
    for (const { name } of this.#config.lowers) {
      const { read, write } = this.#pipe(`pipe ${name}`);
      closeSync(write);
      closeSync(read);
    }
    await this.#untilGone(() => (this.#gate ? [this.#gate] : []), deadline);
    for (const link of this.#uppers) link.stop();
    await this.#untilGone(() => this.#uppers.flatMap((link) => link.processes), deadline);
    this.#writeStatus();
  }

  /** Reads the policies anew, and puts them in force if nothing is wrong with them. */
  reload(): void {
    if (!this.#stopping) this.#reload.ask();
  }

  /**
   * Puts policies in front of those before, which a gate falls back to where it cannot load them.
   *
   * @throws Error of the file system: then those before are still in force
   */
  #hand(bundle: Bundle): void {
    const before = this.#bundles;
    try {
      this.#bundles = [bundle, ...before].slice(0, MAX_BUNDLES);
      writeBundles(this.#bundle.write, this.#bundles);
    } catch (error) {
      this.#bundles = before;
      writeBundles(this.#bundle.write, before);
      throw error;
    }
  }

  #check(policies: readonly PolicyText[]): Process {
    const settings: CheckerSettings = { policies, ...scopeOfConfig(this.#config) };
    const path = join(this.#config.state, 'run', 'checked');
    const fd = openOnce(path, JSON.stringify({ checker: settings }));
    try {
      const start = { ...this.#confines.of('checker'), args: [], files: { [FD.settings]: fd } };
      const child = this.#launcher.launch({ ...start, log: this.#pipe('verdict').write });
      this.#note(child, 'checker');
      return child;
    } finally {
      closeSync(fd);
    }
  }

  async #untilGone(processes: () => readonly Process[], deadline: number): Promise<void> {
    while (processes().length > 0) {
      if (Date.now() > deadline) for (const child of processes()) child.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** @throws Error where a seal that is required cannot be had */
  #reportSeals(): void {
    const { obstacle } = this.#launcher;
    const seals = describeSeals(obstacle);
    if (obstacle !== undefined && this.#config.seal === 'required') {
      const way = "or set 'seal: preferred' to run without (deploy/README.md says what is lost)";
      throw new Error(`${this.#config.file}: the relay cannot be sealed: ${obstacle}; ${way}`);
    }
    for (const { seal, inForce, reason } of seals) {
      if (!inForce) this.#log.warn({ event: 'unsealed', seal }, reason ?? 'not in force');
    }
    const held = seals.filter(({ inForce }) => inForce).map(({ seal }) => seal);
    this.#log.info({ event: 'seals', seals: held }, `seals in force: ${held.join(', ') || 'none'}`);
  }

  #pipe(name: string): Pipe {
    return this.#pipes.get(name)!;
  }

  /** An open file with a process's settings, made once: a full disk must not stop a reconnection. */
  #settingsFile(name: string, settings: Partial<Settings>): number {
    let fd = this.#settings.get(name);
    if (fd === undefined) {
      fd = openOnce(join(this.#config.state, 'run', 'settings'), JSON.stringify(settings));
      this.#settings.set(name, fd);
    }
    return fd;
  }

  #launch(
    name: string | undefined,
    start: Omit<Start, 'log' | 'args'> & { args?: readonly string[] },
    opened: readonly number[] = [],
  ): Process {
    const { role } = start;
    const key = name === undefined ? role : `${role} ${name}`;
    const args = [...(name === undefined ? [] : [name]), ...(start.args ?? [])];
    let child;
    try {
      child = this.#launcher.launch({ ...start, args, log: this.#pipe(key).write });
    } finally {
      for (const fd of opened) closeSync(fd);
    }
    this.#note(child, role, name);
    return child;
  }

  #note(child: Process, process: Role, name?: string): void {
    const known = { process, ...(name === undefined ? {} : { name }), started: Date.now() };
    this.#running.set(child, known);
    child.onGone(() => this.#running.delete(child));
  }

  #startGate(): void {
    const config = this.#config;
    const { policySigners: rules } = config;
    const settings: GateSettings = {
      sources: config.lowers.map(({ name }) => name),
      channels: config.channels.map(({ name, retain, beacon }, i) => ({
        ...{ name, retain, beacon },
        directory: this.#confines.state.journal(i).path,
      })),
      directory: this.#confines.state.gate.path,
      audit: {
        directory: this.#confines.state.audit.path,
        relay: config.audit.relay,
        host: relayName(),
      },
      ...(rules && {
        signers: { keys: rules.keys, threshold: rules.threshold, revoked: rules.revoked },
      }),
    };
    const opened = openAll({
      [FD.lock]: () => lockFile(this.#gateLock),
      [FD.key]: () => openAuditKey(config),
    });
    const files: Record<number, number> = {
      [FD.settings]: this.#settingsFile('gate', { gate: settings }),
      [FD.policies]: this.#bundle.read,
      ...opened,
    };
    config.lowers.forEach(({ name }, i) => {
      files[FD.pipe + i] = this.#pipe(`pipe ${name}`).read;
    });
    const gate = this.#launch(
      undefined,
      { ...this.#confines.of('gate'), files },
      Object.values(opened),
    );
    this.#gate = gate;
    this.#gateStarts++;
    this.#gateFailure = undefined;
    gate.onGone((code, signal, error) => {
      this.#gate = undefined;
      if (this.#stopping) return;
      const what = error?.message ?? 'the gate died';
      this.#log.error({ event: 'died', code, signal }, `${what}: nothing goes out`);
      this.#startGateLater();
    });
  }

  /** A gate that cannot be started, for want of descriptors for one, is tried again. */
  #startGateLater(): void {
    setTimeout(() => {
      if (this.#stopping) return;
      try {
        this.#startGate();
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.#gateFailure) this.#log.error({ event: 'failure' }, message);
        this.#gateFailure = message;
        this.#startGateLater();
      }
    }, GATE_RESTART);
  }

  #lowerLink(lower: LowerConfig, index: number): Link {
    const { name, host, port, user, filter, mask, password } = lower;
    const settings: LowerSettings = { name, host, port, user, filter, mask };
    return new Link(
      {
        name,
        log: this.#log.child({ link: `lower ${name}` }),
        peer: { host, port },
        dialler: () => {
          const secret = openSecret(password.field, password.path);
          const files = {
            [FD.settings]: this.#settingsFile(`lower ${name}`, { lower: settings }),
            [FD.password]: secret,
          };
          const start = { ...this.#confines.of('lower', index), files, dials: true };
          return this.#launch(name, start, [secret]);
        },
        worker: (socket, generation) => {
          const files = { [FD.pipe]: this.#pipe(`pipe ${name}`).write };
          const args = [String(generation)];
          const start = { ...this.#confines.of('valve', index), args, socket, files };
          return this.#launch(name, start);
        },
      },
      randomInt(2 ** 32),
    );
  }

  /** A connection that is up ends when what is outstanding is answered, and the next has the others. */
  #refreshCertificates(): void {
    const now = Date.now();
    this.#credentials.forEach((credentials, i) => {
      if (credentials.refresh(now)) this.#uppers[i]!.renew();
    });
  }

  #upperLink(upper: UpperConfig, index: number): Link {
    const { name, channel, host, port, user, window, timestamps, drain, tls } = upper;
    const settings: UpperSettings = {
      name,
      channel,
      journal: this.#confines.state.journal(this.#confines.channelOf(index)).path,
      user,
      window,
      timestamps,
      drain,
      servername: tls.servername,
    };
    const dialSettings: DialSettings = { name, host, port };
    return new Link(
      {
        name,
        log: this.#log.child({ link: `upper ${name}` }),
        peer: { host, port },
        dialler: () => {
          const files = {
            [FD.settings]: this.#settingsFile(`dial ${name}`, { dial: dialSettings }),
          };
          return this.#launch(name, { ...this.#confines.of('dial', index), files, dials: true });
        },
        worker: (socket) => {
          const { ca, cert, key } = this.#credentials[index]!.files;
          const opened = openAll({
            // Opened anew for each connection: a changed file counts.
            [FD.password]: () => openSecret(upper.password.field, upper.password.path),
            ...upperFiles(join(this.#config.state, 'upper', name)),
          });
          const files = {
            ...opened,
            ...{ [FD.ca]: ca, [FD.cert]: cert, [FD.key]: key },
            [FD.settings]: this.#settingsFile(`upper ${name}`, { upper: settings }),
          };
          const start = { ...this.#confines.of('upper', index), socket, files };
          return this.#launch(name, start, Object.values(opened));
        },
      },
      0,
    );
  }

  #writeStatus(): void {
    const processes = [
      { process: 'supervisor', started: this.#started, pid: process.pid },
      // A process whose number is not known yet is not there yet.
      ...[...this.#running].flatMap(([{ pid }, known]) =>
        pid === undefined ? [] : [{ ...known, pid }],
      ),
    ];
    try {
      this.#status ??= new StatusFile(openStatus(join(this.#config.state, 'supervisor')));
      this.#status.save({
        process: 'supervisor',
        time: Date.now(),
        config: resolve(this.#config.file),
        ...(this.#reload.status ? { reload: this.#reload.status } : {}),
        seals: describeSeals(this.#launcher.obstacle),
        certificates: this.#credentials.flatMap(({ status }) => status),
        gate: { state: this.#gate ? 'up' : 'down', starts: this.#gateStarts },
        lowers: this.#lowers.map((link) => link.describe()),
        uppers: this.#uppers.map((link) => link.describe()),
        processes: processes.map((known) => ({ ...known, ...readUsage(known.pid) })),
      });
      this.#statusFailure = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#statusFailure) {
        this.#log.error({ event: 'status' }, `cannot write the status: ${message}`);
      }
      this.#statusFailure = message;
    }
  }
}
