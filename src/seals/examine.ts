/**
 * The auditor's examination: the real sandboxes of a configuration with a probe in each, which tries
 * everything that is forbidden, while descriptors and namespaces are looked at from outside.
 */
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { architecture, describeSeals, isRoot } from '../seal/available.js';
import { type Confinement, Confines } from '../seal/confine.js';
import { Launcher } from '../seal/launch.js';
import { makePipes, type Pipe } from '../seal/pipes.js';
import type { Process } from '../seal/process.js';
import { PERL } from '../seal/receive.js';
import { numbersOf, type Role, WRITTEN } from '../seal/table.js';
import { readLines, type Source } from '../wire/descriptor.js';
import { FD } from '../wire/fd.js';
import type { SealStatus } from '../wire/status.js';
import { type Attempt, attemptsOf, fatalAttempts, type Scene } from './attempts.js';
import { type Expectation, inspect, keeperIsBusy } from './inspect.js';
import { Peer } from './peer.js';
import { LOADER, nameAnswer, writeProbe } from './probe.js';

export interface Finding {
  readonly process: Role | 'nftables';
  /** Of its lower or upper; the gate has none. */
  readonly name?: string;
  readonly attempt: string;
  readonly answer: string;
  readonly held: boolean;
}

export interface Examination {
  readonly seals: readonly Finding[];
  /** What a relay's own processes cannot enforce: where lower and dial may connect to. */
  readonly outside: readonly Finding[];
  readonly inForce: readonly SealStatus[];
}

/** A probe that says nothing for this many ms is given up. */
const PATIENCE = 10_000;
/** A connection that was not made after this many ms is not made. */
const EGRESS = 1000;

/** bubblewrap's own process has closed what it does not need after so many ms, or it does not. */
const SETTLED = 1000;

const PROBES = '/tidegate/probes';

/** One process of the relay, under examination. */
interface Subject {
  readonly role: Role;
  readonly index: number;
  readonly name: string | undefined;
  /** Of its log pipe and its probe. */
  readonly key: string;
}

function subjectsOf(config: Config): Subject[] {
  const linked = (role: Role, links: readonly { readonly name: string }[]): Subject[] =>
    links.map(({ name }, index) => ({ role, index, name, key: `${role}-${name}` }));
  return [
    ...linked('lower', config.lowers),
    ...linked('valve', config.lowers),
    { role: 'gate', index: 0, name: undefined, key: 'gate' },
    { role: 'checker', index: 0, name: undefined, key: 'checker' },
    ...linked('dial', config.uppers),
    ...linked('upper', config.uppers),
  ];
}

/**
 * Examines every process of a configuration. Nothing of the relay is touched: its state is a
 * temporary one, its secrets are not read, its servers are not connected to.
 *
 * @param progress called before each process
 * @throws Error if there can be no sandboxes at all: that is no examination
 */
export async function examine(
  config: Config,
  progress: (subject: string, done: number, of: number) => void,
): Promise<Examination> {
  const scratch = mkdtempSync(join(tmpdir(), 'tidegate-seals-'));
  chmodSync(scratch, 0o755);
  try {
    return await new Examiner(config, scratch).run(progress);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

class Examiner {
  readonly #config: Config;
  readonly #subjects: readonly Subject[];
  readonly #probes: string;
  readonly #launcher: Launcher;
  readonly #confines: Confines;
  readonly #pipes: ReadonlyMap<string, Pipe>;
  readonly #placeholder: string;

  constructor(config: Config, scratch: string) {
    this.#config = { ...config, state: join(scratch, 'state') };
    this.#subjects = subjectsOf(config);
    this.#probes = join(scratch, 'probes');
    mkdirSync(this.#probes);
    this.#write('loader.pl', LOADER);
    this.#placeholder = join(scratch, 'placeholder');
    writeFileSync(this.#placeholder, 'nothing secret\n');
    const run = join(scratch, 'run');
    this.#pipes = makePipes(run, [
      ...this.#subjects.map(({ key }) => key),
      ...config.lowers.map(({ name }) => `pipe ${name}`),
    ]);
    this.#launcher = new Launcher(run, () => ({
      command: [PERL, join(PROBES, 'loader.pl')],
      mounts: [{ source: this.#probes, target: PROBES }],
    }));
    const { obstacle } = this.#launcher;
    if (obstacle !== undefined) throw new Error(`there are no seals: ${obstacle}`);
    this.#confines = new Confines(this.#config, this.#launcher);
    for (const { name } of config.channels) {
      writeFileSync(join(this.#config.state, 'journal', name, 'segment'), '');
    }
  }

  async run(progress: (subject: string, done: number, of: number) => void): Promise<Examination> {
    const seals: Finding[] = [];
    const outside: Finding[] = [];
    const peer = await Peer.open();
    for (const [i, subject] of this.#subjects.entries()) {
      const { role, name } = subject;
      progress(name === undefined ? role : `${role} ${name}`, i, this.#subjects.length);
      seals.push(...(await this.#examine(subject, peer)));
      if (role === 'lower' || role === 'dial') outside.push(await this.#egress(subject, peer));
    }
    peer.close();
    for (const source of this.#followed.values()) source.close();
    return { seals, outside, inForce: describeSeals(undefined) };
  }

  /** What the probe of a process knows; paths are those inside its sandbox. */
  #scene({ role, index }: Subject, { mounts }: Confinement): Scene {
    const { state } = this.#confines;
    const own = mounts.map(({ target }) => target);
    const all = [
      state.gate.path,
      ...this.#config.channels.map((_, i) => state.journal(i).path),
      ...this.#config.uppers.map(({ name }) => join(this.#config.state, 'upper', name)),
    ];
    const { lowers, uppers, file } = this.#config;
    const secrets = [
      ...lowers.filter((_, i) => role !== 'lower' || i !== index).map((each) => each.password.path),
      ...uppers.flatMap((each) => [each.password.path, each.tls.key.path]),
    ];
    const foreign = [file, ...new Set(secrets), ...all.filter((path) => !own.includes(path))];
    return {
      architecture: architecture()!,
      pid: process.pid,
      foreign,
      writable: mounts.filter(({ writable }) => writable === true).map(({ target }) => target),
      readable: mounts
        .filter(({ writable, target }) => writable !== true && all.includes(target))
        .map(({ target }) => target),
      servers: [
        ...lowers.map((each) => [`lower ${each.name}`, each.host, each.port] as const),
        ...uppers.map((each) => [`upper ${each.name}`, each.host, each.port] as const),
      ],
    };
  }

  async #examine(subject: Subject, peer: Peer): Promise<Finding[]> {
    const { role, name, index } = subject;
    const confinement = this.#confines.of(role, index);
    const scene = this.#scene(subject, confinement);
    const attempts = attemptsOf(role, scene, FD.pipe);
    const findings: Finding[] = [];
    const note = (attempt: string, answer: string, held: boolean): void => {
      const of = name === undefined ? { process: role } : { process: role, name };
      findings.push({ ...of, attempt, answer, held });
    };
    const taken = peer.taken;
    const { answers } = await this.#try(subject, attempts, peer, (pid) => {
      for (const found of inspect(pid, this.#expect(subject, confinement))) {
        note(found.what, found.answer, found.held);
      }
    });
    attempts.forEach(({ name: what, held }, i) => {
      const answer = answers.get(i);
      const named = answer === undefined ? 'no answer' : nameAnswer(answer);
      note(what, named, held.includes(named) || (held[0] === 'ok' && named.startsWith('ok')));
    });
    if (role === 'valve') {
      const bytes = peer.taken - taken;
      note('bytes that came out of the other end of fd 0', String(bytes), bytes === 0);
    }
    for (const attempt of fatalAttempts(scene)) {
      const { signal } = await this.#try(subject, [attempt], peer);
      note(attempt.name, signal === 'SIGSYS' ? 'killed' : 'not killed', signal === 'SIGSYS');
    }
    return findings;
  }

  /** Whether a dialling process can connect to what is none of its servers. */
  async #egress(subject: Subject, peer: Peer): Promise<Finding> {
    const { role, name } = subject;
    const before = peer.accepted;
    const code = `reach('127.0.0.1', ${peer.port})`;
    await this.#try(subject, [{ name: '', code, held: [] }], peer, undefined, EGRESS);
    const reached = peer.accepted > before;
    return {
      process: role,
      ...(name === undefined ? {} : { name }),
      attempt: `connect to what is none of its servers (127.0.0.1:${peer.port})`,
      answer: reached ? 'connected' : `not within ${EGRESS} ms`,
      held: !reached,
    };
  }

  #expect({ role }: Subject, { uid, mounts }: Confinement): Expectation {
    const numbers = numbersOf(role);
    const pipes = role === 'gate' ? this.#config.lowers.length : role === 'valve' ? 1 : 0;
    const connected = role === 'valve' || role === 'upper';
    const channel = role === 'lower' || role === 'dial';
    return {
      descriptors: [
        connected ? '0 socket rw' : '0 /dev/null r',
        ...['1 pipe w', '2 pipe w'],
        ...numbers.filter((fd) => fd < FD.pipe).map((fd) => `${fd} file r`),
        ...Array.from({ length: pipes }, (_, i) => {
          return `${FD.pipe + i} pipe ${role === 'gate' ? 'r' : 'w'}`;
        }),
        ...numbers
          .filter((fd) => fd > FD.pipe)
          .map((fd) => `${fd} file ${WRITTEN.includes(fd) ? 'rw' : 'r'}`),
        ...(channel ? [`${FD.messages} socket rw`, `${FD.handles} socket rw`] : []),
      ],
      keeper: [connected ? '0 socket rw' : '0 /dev/null r', '1 pipe w', '2 pipe w'],
      uid: isRoot() ? uid : process.getuid!(),
      network: channel,
      environment: channel
        ? ['NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'PWD', 'RES_OPTIONS', 'TZ']
        : ['PWD', 'TZ'],
      writable: mounts.filter(({ writable }) => writable === true).map(({ target }) => target),
    };
  }

  /** Starts a probe in a process's sandbox, has it looked at, and lets it try. */
  async #try(
    subject: Subject,
    attempts: readonly Attempt[],
    peer: Peer,
    look?: (pid: number) => void,
    patience = PATIENCE,
  ): Promise<{ answers: Map<number, string>; signal: string | null }> {
    this.#write(`${subject.key}.pl`, writeProbe(attempts, architecture()!));
    const answers = new Map<number, string>();
    const { read } = this.#pipes.get(subject.key)!;
    const child = await this.#start(subject, peer);
    const outcome = await new Promise<string | null>((resolve) => {
      const timer = setTimeout(() => finish(null), patience);
      const finish = (signal: string | null): void => {
        clearTimeout(timer);
        resolve(signal);
      };
      child.onGone((_, signal) => finish(signal));
      this.#listen = (line) => {
        const [index, answer] = line.split('\t');
        if (line === 'ready') {
          // Which process it is may become known only after its first word.
          child.onPid((pid) => void this.#begin(pid, look));
        } else if (line === 'done') finish(null);
        else if (answer !== undefined) answers.set(Number(index), answer);
      };
      this.#follow(subject.key, read);
    });
    this.#listen = () => undefined;
    await new Promise<void>((resolve) => {
      if (child.spawned.exitCode !== null || child.spawned.signalCode !== null) resolve();
      else {
        child.onGone(() => resolve());
        child.kill('SIGKILL');
      }
    });
    return { answers, signal: outcome };
  }

  /** Has a probe looked at, once its keeper has done what it does at the start, and lets it go. */
  async #begin(pid: number, look: ((pid: number) => void) | undefined): Promise<void> {
    for (let waited = 0; look && keeperIsBusy(pid) && waited < SETTLED; waited += 5) {
      await sleep(5);
    }
    look?.(pid);
    process.kill(pid, 'SIGUSR1');
  }

  #listen: (line: string) => void = () => undefined;
  readonly #followed = new Map<string, Source>();

  /** Reads a log pipe for as long as the examination lasts, a line at a time. */
  #follow(key: string, fd: number): void {
    if (this.#followed.has(key)) return;
    const source = readLines(fd, { line: (line) => this.#listen(line), ended: () => undefined });
    this.#followed.set(key, source);
  }

  async #start(subject: Subject, peer: Peer): Promise<Process> {
    const { role, index, key } = subject;
    const files: Record<number, number> = {};
    const opened: number[] = [];
    for (const fd of numbersOf(role)) {
      if (fd === FD.pipe) continue;
      files[fd] = openSync(this.#placeholder, WRITTEN.includes(fd) ? 'r+' : 'r');
      opened.push(files[fd]);
    }
    const pipe = (i: number): Pipe => this.#pipes.get(`pipe ${this.#config.lowers[i]!.name}`)!;
    if (role === 'valve') files[FD.pipe] = pipe(index).write;
    if (role === 'gate') {
      this.#config.lowers.forEach((_, i) => (files[FD.pipe + i] = pipe(i).read));
    }
    const connection = role === 'valve' || role === 'upper' ? await peer.connect() : undefined;
    try {
      return this.#launcher.launch({
        ...this.#confines.of(role, index),
        args: [key],
        log: this.#pipes.get(key)!.write,
        files,
        ...(connection ? { socket: connection.handle } : {}),
        dials: role === 'lower' || role === 'dial',
      });
    } finally {
      for (const fd of opened) closeSync(fd);
      connection?.release();
    }
  }

  #write(name: string, text: string): void {
    const path = join(this.#probes, name);
    writeFileSync(path, text);
    chmodSync(path, 0o644);
  }
}
