/** The status files of the processes, as those who read them need them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SourceStatus {
  readonly in: number;
  readonly permitted: number;
  readonly denied: number;
  /** By kind and by reason; those that are zero are left out. */
  readonly malformed: Readonly<Record<string, number>>;
  readonly lost: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly alive: number;
  readonly bytes: number;
}

export interface Decision {
  readonly source: string;
  readonly class: string;
  readonly type: string;
  readonly rule: string;
}

export interface ChannelStatus {
  readonly channel: string;
  readonly journalled: number;
  /** permitted = emitted + absorbed + open + withheld; emitted is what was journalled. */
  readonly permitted: number;
  readonly emitted: number;
  /** By kind and by reason; those that are zero are left out. */
  readonly absorbed: Readonly<Record<string, number>>;
  /** Samples in windows that have not ended. */
  readonly open: number;
  readonly withheld: Readonly<Record<string, number>>;
}

/** The policies in force. */
export interface PolicyStatus {
  /** Of the reload that put them in force; 0: the relay began with them. */
  readonly number: number;
  /** SHA-256 of their texts, in hex. */
  readonly digest: string;
  /** In force since then, ms since 1970. */
  readonly since: number;
  readonly policies: readonly { readonly id: string; readonly revision: number }[];
  /** Policies that came later, and why they were not taken. */
  readonly refused?: {
    readonly number: number;
    readonly digest: string;
    readonly reason: string;
    readonly time: number;
  };
}

/** The last reload that was asked for. */
export interface ReloadStatus {
  /** Reloads asked for since the supervisor began. */
  readonly count: number;
  /** handed: checked, and on its way to the gate, whose status has the last word. */
  readonly state: 'checking' | 'refused' | 'handed';
  readonly time: number;
  /** Of what was handed on. */
  readonly digest?: string;
  /** Why it was refused; lines. */
  readonly reason?: string;
}

export interface GateStatus {
  /** ms since 1970; another one is another gate. */
  readonly started: number;
  readonly time: number;
  readonly forwarding: boolean;
  readonly reason?: string;
  readonly sources: Readonly<Record<string, SourceStatus>>;
  /** The counters of record that this gate continued at its start. */
  readonly continued: Readonly<Record<string, SourceStatus>>;
  readonly channels: readonly ChannelStatus[];
  readonly policy: PolicyStatus;
  readonly recent: {
    readonly permitted: readonly Decision[];
    readonly denied: readonly Decision[];
  };
}

export interface UpperStatus {
  readonly time: number;
  readonly state: 'connecting' | 'up' | 'down';
  readonly sequence: number;
  readonly answered: number;
  readonly refused: number;
  readonly expired: number;
  readonly resent: number;
  readonly stray: number;
  readonly discarded: number;
}

export interface SealStatus {
  /** users: one for each process; namespaces: bubblewrap's; filters: of system calls. */
  readonly seal: 'users' | 'namespaces' | 'filters';
  readonly inForce: boolean;
  /** Why it is not. */
  readonly reason?: string;
}

export interface SupervisorStatus {
  readonly time: number;
  /** Path of the configuration. */
  readonly config: string;
  readonly reload?: ReloadStatus;
  readonly seals: readonly SealStatus[];
  readonly lowers: readonly LinkStatus[];
  readonly uppers: readonly LinkStatus[];
  readonly processes: readonly {
    readonly process: string;
    readonly name?: string;
    readonly pid: number;
    readonly started: number;
    /** Resident bytes, and processor time in ms. */
    readonly memory?: number;
    readonly cpu?: number;
  }[];
}

export interface LinkStatus {
  readonly name: string;
  readonly state: 'connecting' | 'up';
  /** ms since 1970. */
  readonly since: number;
  readonly connections: number;
  /** Bytes written to the server's connections by the dialling process: the login scripts. */
  readonly script: number;
  /** Why the last connection ended. */
  readonly cause?: string;
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** undefined while there is none. */
export function readGateStatus(state: string): GateStatus | undefined {
  return read(join(state, 'gate', 'status.json')) as GateStatus | undefined;
}

export function readUpperStatus(state: string, name: string): UpperStatus | undefined {
  return read(join(state, 'upper', name, 'status.json')) as UpperStatus | undefined;
}

export function readSupervisorStatus(state: string): SupervisorStatus | undefined {
  return read(join(state, 'supervisor', 'status.json')) as SupervisorStatus | undefined;
}

/** Adds up the counters of one kind. */
export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
