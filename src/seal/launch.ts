/** Starts processes: user, sandbox, filter, descriptors, a cleared environment, death with ours. */
import { type ChildProcess, spawn, spawnSync, type StdioOptions } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { FD } from '../wire/fd.js';
import type { RawHandle } from '../wire/handover.js';
import { SETPRIV, whileParent, withParent } from '../wire/parent.js';
import { architecture, explainFailure, findBubblewrap, findObstacle, isRoot } from './available.js';
import { compileFilter } from './filters.js';
import { Process } from './process.js';
import { type Peer, PERL, receiver } from './receive.js';
import { bubblewrap, type Mount, plainCommand, type Program, sealedProgram } from './sandbox.js';
import { checkGrants, type Role, ROLES, SURROUNDINGS } from './table.js';
import { boundView, plainView, type View } from './view.js';

/** What a process is started with. */
export interface Start {
  readonly role: Role;
  readonly args: readonly string[];
  /** Its own user and group, if the launcher is root. */
  readonly uid: number;
  readonly gid: number;
  /** Its files, beside those that every process of its role has. */
  readonly mounts: readonly Mount[];
  readonly log: number;
  /** Its connection: one that is at hand, or one that a dialling process has sent. */
  readonly socket?: RawHandle | Handed;
  /** By descriptor number. */
  readonly files?: Readonly<Record<number, number>>;
  /** Whether it dials: it has messages with the supervisor, and a way out for connections. */
  readonly dials?: boolean;
}

/** A connection on its way, which only its worker's receiver takes in. */
export interface Handed {
  /** The supervisor's end of the dialling process's way out; never read here. */
  readonly channel: Socket;
  readonly number: number;
  readonly peer: Peer;
}

/** A process that dropped its user has none of root's rights, nor a way back to them. */
function dropTo(uid: number, gid: number, command: readonly string[]): [string, ...string[]] {
  return [
    SETPRIV,
    ...['--reuid', String(uid), '--regid', String(gid), '--clear-groups'],
    ...['--inh-caps=-all', '--bounding-set=-all', '--'],
    ...command,
  ];
}

const PRLIMIT = '/usr/bin/prlimit';

/** What it may write to cannot grow beyond a bound: a hostile process must not fill the gate's disk. */
function bounded(role: Role, command: readonly string[]): [string, ...string[]] {
  const { fileSize } = SURROUNDINGS[role];
  if (fileSize === undefined) return command as [string, ...string[]];
  return [PRLIMIT, `--fsize=${fileSize}:${fileSize}`, '--', ...command];
}

/** A worker whose connection has been sent to it begins by taking it in, under its own user. */
function received(
  { socket }: Pick<Start, 'socket'>,
  command: [string, ...string[]],
): [string, ...string[]] {
  if (!socket || !('channel' in socket)) return command;
  return receiver(architecture()!, socket, command);
}

/** Owns nothing: what it can read, every user can. */
const NOBODY = 65_534;
const ENVIRONMENT = { TZ: 'UTC' };
/**
 * Of a dialling process: how glibc asks name servers (resolv.conf(5)), so that one that hung is asked
 * anew within 1 s of its return; and where Node.js finds the channel by which it can send connections.
 */
const DIALLING = {
  RES_OPTIONS: 'timeout:1 attempts:2',
  NODE_CHANNEL_FD: String(FD.handles),
  NODE_CHANNEL_SERIALIZATION_MODE: 'json',
};

const O_CLOEXEC = 0o2000000;

/** What this process was started with, beyond its own three descriptors, its children would have. */
function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= 2) continue;
    try {
      const info = readFileSync(`/proc/self/fdinfo/${name}`, 'latin1');
      const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)![1]!, 8);
      if ((flags & O_CLOEXEC) === 0) closeSync(fd);
    } catch {
      // The one by which the list was read.
    }
  }
}

export class Launcher {
  /** Why processes are started without sandboxes; undefined: they have them. */
  readonly obstacle: string | undefined;
  readonly view: View;
  readonly #filters = new Map<Role, number>();
  readonly #programs = new Map<Role, Program>();
  readonly #directory: string;

  /**
   * @param directory for this user alone; what is written there is removed at once
   * @param substitute what runs in place of a role's process: an auditor's probe
   */
  constructor(directory: string, substitute?: (role: Role) => Program) {
    this.#directory = directory;
    if (architecture() === undefined)
      throw new Error(`tidegate needs x64 or arm64, not ${process.arch}`);
    if (!existsSync(PERL)) throw new Error('perl is not installed: apt-get install perl-base');
    closeInherited();
    let obstacle = findObstacle();
    let view = plainView(directory);
    try {
      if (obstacle === undefined && isRoot()) view = boundView();
    } catch (error) {
      obstacle = `what the sandboxes need cannot be mounted: ${(error as Error).message}`;
    }
    this.view = view;
    if (obstacle === undefined) {
      for (const role of ROLES) {
        this.#filters.set(role, this.#keep(compileFilter(role, architecture()!).program));
        const { command, mounts } = (substitute ?? sealedProgram)(role);
        this.#programs.set(role, { command, mounts: mounts.map((mount) => this.#placed(mount)) });
      }
      obstacle = this.#tryOut();
    }
    this.obstacle = obstacle;
  }

  /** Whether processes are started in sandboxes. */
  get sealed(): boolean {
    return this.obstacle === undefined;
  }

  /**
   * Starts a process in a session of its own, so that a terminal's Ctrl-C reaches the supervisor
   * alone. The kernel kills it when the supervisor dies, whatever it is doing.
   *
   * @throws Error if it would not have what the process table says
   */
  launch(start: Start): Process {
    const { role, args, log, socket, files = {}, dials = false } = start;
    const numbers = Object.keys(files).map(Number);
    checkGrants(role, numbers, socket !== undefined, dials);
    const stdio: unknown[] = Array.from({ length: FD.handles + 1 }, () => 'ignore');
    for (const [fd, file] of Object.entries(files)) stdio[Number(fd)] = file;
    if (socket && 'channel' in socket) stdio[FD.handles] = socket.channel;
    else if (socket) stdio[FD.socket] = socket;
    stdio[1] = log;
    stdio[FD.log] = log;
    if (dials) {
      stdio[FD.messages] = 'pipe';
      stdio[FD.handles] = 'pipe';
    }
    if (!this.sealed) {
      const command = bounded(role, received(start, [...plainCommand(role), ...args]));
      const [file, rest] = withParent(whileParent(command), 'KILL');
      return new Process(this.#spawn([file, ...rest], stdio, dials), false);
    }
    const command = this.#command(start, this.#programs.get(role)!);
    const filter = this.#reopen(role);
    try {
      stdio[FD.filter] = filter;
      stdio[FD.info] = 'pipe';
      return new Process(this.#spawn(command, stdio, dials), true);
    } finally {
      closeSync(filter);
    }
  }

  #spawn(
    [file, ...args]: readonly [string, ...string[]],
    stdio: readonly unknown[],
    dials: boolean,
  ): ChildProcess {
    return spawn(file, args, {
      stdio: stdio as StdioOptions,
      env: dials ? { ...ENVIRONMENT, ...DIALLING } : ENVIRONMENT,
      cwd: '/',
      detached: true,
    });
  }

  #command(start: Omit<Start, 'log'>, program: Program): [string, ...string[]] {
    const { role, args, mounts, uid, gid, dials = false } = start;
    const sandbox = bubblewrap(
      findBubblewrap()!,
      role,
      [...program.command, ...args],
      [...program.mounts, ...mounts],
      { ...ENVIRONMENT, ...(dials ? DIALLING : {}) },
    );
    const inner = whileParent(bounded(role, received(start, sandbox)));
    // A change of users would clear the signal.
    const [file, rest] = withParent(inner, 'KILL');
    return isRoot() ? dropTo(uid, gid, [file, ...rest]) : [file, ...rest];
  }

  /** One sandbox, to know that there can be any, and that its user can read the program. */
  #tryOut(): string | undefined {
    const { command, mounts } = this.#programs.get('valve')!;
    const [node, entry] = command;
    const readable = { command: ['/usr/bin/test', '-x', node!, '-a', '-r', entry!], mounts };
    const start = { role: 'valve', args: [], mounts: [], uid: NOBODY, gid: NOBODY } as const;
    const [file, ...args] = this.#command(start, readable);
    const stdio: ('ignore' | 'pipe' | number)[] = Array.from(
      { length: FD.info + 1 },
      () => 'ignore',
    );
    const filter = this.#reopen('valve');
    stdio[2] = 'pipe';
    stdio[FD.filter] = filter;
    stdio[FD.info] = 'pipe';
    const { status, stderr, error } = spawnSync(file, args, { stdio, env: {}, encoding: 'utf8' });
    closeSync(filter);
    if (error) return explainFailure(error.message);
    if (status === 0) return undefined;
    const words = stderr.trim();
    return words === ''
      ? `other users cannot read ${node!} or this installation: chmod -R go+rX on it`
      : explainFailure(words);
  }

  #placed(mount: Mount): Mount {
    const name = `program${mount.target.replaceAll('/', '-')}`;
    return { ...mount, source: this.#place(mount.source, name) };
  }

  readonly #places = new Map<string, string>();
  #place(source: string, name: string): string {
    const known = this.#places.get(source) ?? this.view.place(source, name);
    this.#places.set(source, known);
    return known;
  }

  #keep(bytes: Buffer): number {
    const path = join(this.#directory, 'filter');
    writeFileSync(path, bytes, { mode: 0o600 });
    const fd = openSync(path, 'r');
    unlinkSync(path);
    return fd;
  }

  /** bubblewrap reads a filter to its end: each needs an open file of its own. */
  #reopen(role: Role): number {
    return openSync(`/proc/self/fd/${this.#filters.get(role)!}`, 'r');
  }
}
