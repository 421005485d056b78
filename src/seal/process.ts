/** A started process: what was spawned may be its sandbox's keeper, not the process itself. */
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { FD } from '../wire/fd.js';

/** bubblewrap ends with the signal's number above this, as shells do. */
const SIGNALLED = 128;

type Gone = (code: number | null, signal: NodeJS.Signals | null, error?: Error) => void;

export class Process {
  /** What was spawned. */
  readonly spawned: ChildProcess;
  /** Messages with a process that dials; undefined for one that could not be started, too. */
  readonly messages: Socket | undefined;
  /** The way out of its connections: for a worker to inherit, never read by this process. */
  readonly handles: Socket | undefined;
  readonly #sealed: boolean;
  #pid: number | undefined;
  #waiting: 'SIGTERM' | 'SIGKILL' | undefined;
  #known: (pid: number) => void = () => undefined;

  constructor(spawned: ChildProcess, sealed: boolean) {
    this.spawned = spawned;
    this.#sealed = sealed;
    // Without descriptors to spare there is no child, and an error is to come.
    const { stdio = [] } = spawned as { readonly stdio?: readonly unknown[] };
    spawned.on('error', () => undefined);
    this.messages = (stdio[FD.messages] as Socket | null) ?? undefined;
    this.handles = (stdio[FD.handles] as Socket | null) ?? undefined;
    if (this.handles) neverRead(this.handles);
    for (const socket of [this.messages, this.handles]) socket?.on('error', () => undefined);
    if (!sealed) this.#pid = spawned.pid;
    else if (spawned.pid !== undefined) this.#learn(stdio[FD.info] as Readable);
    spawned.on('exit', () => {
      this.#pid = undefined;
      // Nobody reads the way out to its end; connections that are still in it end here.
      for (const socket of [this.messages, this.handles]) socket?.destroy();
    });
  }

  /** Of the process itself; undefined until it is known, and when it is gone. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Calls back when the process's number is known. */
  onPid(known: (pid: number) => void): void {
    this.#known = known;
    if (this.#pid !== undefined) known(this.#pid);
  }

  /**
   * Calls back once when the process is gone, be it that it ended or that it could not be started:
   * then there is an error and no exit.
   */
  onGone(gone: Gone): void {
    let called = false;
    const once: Gone = (code, signal, error) => {
      if (called) return;
      called = true;
      gone(code, signal, error);
    };
    this.spawned.on('exit', (code, signal) => {
      const number = this.#sealed && code !== null && code > SIGNALLED ? code - SIGNALLED : 0;
      if (number === 0) once(code, signal);
      else once(null, nameOf(number));
    });
    this.spawned.on('error', (error) => {
      if (this.spawned.pid === undefined) once(null, null, error);
    });
  }

  /** Signals the process itself: its keeper would die of a signal without passing it on. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    // A keeper that dies takes its process with it (--die-with-parent).
    if (signal === 'SIGKILL') this.spawned.kill('SIGKILL');
    if (this.#pid === undefined) {
      this.#waiting = signal;
      return;
    }
    try {
      process.kill(this.#pid, signal);
    } catch {
      // It is gone.
    }
  }

  /**
   * bubblewrap says, as JSON, which process it has made: `{ "child-pid": 17, ... }`. It is heard to
   * the end: it would die of a closed pipe.
   */
  #learn(info: Readable): void {
    let text = '';
    info.setEncoding('utf8');
    info.on('data', (chunk: string) => {
      text += chunk;
      const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
      if (pid === undefined || this.#pid !== undefined || this.spawned.exitCode !== null) return;
      this.#pid = Number(pid);
      this.#known(this.#pid);
      if (this.#waiting) this.kill(this.#waiting);
    });
    info.on('error', () => undefined);
  }
}

/** Node.js begins to read a child's pipe at once; this takes effect before anything can come. */
function neverRead(socket: Socket): void {
  const handle = (socket as unknown as { _handle: { reading: boolean; readStop(): number } })
    ._handle;
  handle.reading = false;
  handle.readStop();
}

function nameOf(number: number): NodeJS.Signals | null {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found ? (found[0] as NodeJS.Signals) : null;
}
