/**
 * The status of the processes: what each writes, four times a second, into a file of two slots.
 *
 * No socket leads into a process: who wants to know reads files.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { openSlots, readNewest, Slots } from './slots.js';

export interface Loss {
  /** ms since 1970. */
  readonly time: number;
  /** A reason of `lost`, or of `withheld`. */
  readonly reason: string;
  /** Events that it has cost since the one before. */
  readonly count: number;
}

export interface SourceStatus {
  readonly in: number;
  readonly permitted: number;
  readonly denied: number;
  /** By kind and by reason; those that are zero are left out. */
  readonly malformed: Readonly<Record<string, number>>;
  readonly lost: Readonly<Record<string, number>>;
  readonly connections: number;
  /** Connections whose valve was killed: what it had read and not framed is in no counter. */
  readonly interruptions: number;
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
  /** Records in both lanes, ever. */
  readonly journalled: number;
  /** Of them, those in the urgent lane. */
  readonly urgent: number;
  /** By lane: sequence of the oldest one that retention has left; absent in a status of an older gate. */
  readonly oldest?: { readonly routine: number; readonly urgent: number };
  /** permitted = emitted + absorbed + open + withheld; journalled = emitted + beacons. */
  readonly permitted: number;
  readonly emitted: number;
  /** By kind and by reason; those that are zero are left out. */
  readonly absorbed: Readonly<Record<string, number>>;
  /** Samples in windows that have not ended. */
  readonly open: number;
  readonly withheld: Readonly<Record<string, number>>;
  /** The relay's own events; absent in a status of an older gate. */
  readonly beacons?: number;
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
  /** Why nothing goes out, and since when. */
  readonly reason?: string;
  readonly since?: number;
  /** Events a second by source, and records a second by channel, over ten seconds. */
  readonly rates: {
    readonly sources: Readonly<Record<string, { readonly in: number; readonly permitted: number }>>;
    readonly channels: Readonly<Record<string, number>>;
  };
  /** By source, what this gate lost last. */
  readonly losses: Readonly<Record<string, Loss>>;
  /** By channel: records that a power cut took, as the start found; absent in a status of an older gate. */
  readonly gone?: Readonly<Record<string, Loss>>;
  readonly sources: Readonly<Record<string, SourceStatus>>;
  /** The counters of record that this gate continued at its start. */
  readonly continued: Readonly<Record<string, SourceStatus>>;
  readonly channels: readonly ChannelStatus[];
  readonly policy: PolicyStatus;
  /** The log of decisions: whose it is, its leaves, how many a checkpoint of this run signs. */
  readonly audit?: { readonly relay: string; readonly leaves: number; readonly signed: number };
  readonly recent: {
    readonly permitted: readonly Decision[];
    readonly denied: readonly Decision[];
  };
}

/** How far an upper has come in one lane of its channel's journal. */
export interface LaneStatus {
  /** Sequence of the last record that is done with. */
  readonly sequence: number;
  readonly answered: number;
  readonly refused: number;
  /** Deleted by retention before they were sent. */
  readonly expired: number;
  readonly resent: number;
  /** Done with, and then taken back from the journal by a power cut. */
  readonly rewound: number;
}

/** journalled + rewound = answered + refused + expired + pending, of which each is a sum of lanes. */
export interface UpperStatus extends Omit<LaneStatus, 'sequence'> {
  readonly started: number;
  readonly time: number;
  readonly state: 'connecting' | 'up' | 'down';
  readonly channel: string;
  readonly lanes: { readonly routine: LaneStatus; readonly urgent: LaneStatus };
  /** Answers a second, over ten seconds. */
  readonly rate: number;
  /** SENDs that are owed an answer. */
  readonly outstanding: number;
  readonly stray: number;
  readonly discarded: number;
  /** When the server's certificate expires, ms since 1970. */
  readonly peerExpires?: number;
  /** What it missed last, and why: `expired`. */
  readonly loss?: Loss;
}

/** A certificate of the configuration, as it is in use. */
export interface CertificateStatus {
  /** Name of the upper. */
  readonly upper: string;
  /** cert: the relay's own; ca: of the authority. */
  readonly part: 'cert' | 'ca';
  readonly file: string;
  /** ms since 1970. */
  readonly expires: number;
  /** Why the file's newer content was not taken. */
  readonly refused?: string;
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
  readonly gate: { readonly state: 'up' | 'down'; readonly starts: number };
  readonly certificates: readonly CertificateStatus[];
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

/** Room for a status: 64 lowers, 64 uppers, 30 channels. */
const STATUS_BYTES = 256 * 1024;
const STATUS = 'status';

/** Opens, or makes, the status file of a directory for writing. */
export function openStatus(directory: string): number {
  return openSlots(join(directory, STATUS), STATUS_BYTES);
}

export class StatusFile {
  readonly #slots: Slots;

  /** @throws Error of the file system */
  constructor(fd: number) {
    this.#slots = new Slots(fd, STATUS_BYTES);
  }

  /** @throws Error of the file system, or RangeError: then the status before stands */
  save(status: object): void {
    this.#slots.save(Buffer.from(JSON.stringify(status)));
  }
}

/**
 * What a directory's status file holds, which may be anything; undefined while there is none.
 *
 * @throws Error of the file system; Error where there is no file, or what is in it is no JSON
 */
export function readStatus(directory: string): unknown {
  // An upper that was taken over may put a FIFO or a link in its file's place.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(join(directory, STATUS), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) throw new Error('it is no file');
    const newest = readNewest(fd, STATUS_BYTES);
    return newest && (JSON.parse(newest.payload.toString()) as unknown);
  } finally {
    closeSync(fd);
  }
}

function read(directory: string): unknown {
  try {
    return readStatus(directory);
  } catch {
    return undefined;
  }
}

/** undefined while there is none. */
export function readGateStatus(state: string): GateStatus | undefined {
  return read(join(state, 'gate')) as GateStatus | undefined;
}

/** What an upper says of itself: one that was taken over may say anything. */
export function readUpperStatus(state: string, name: string): UpperStatus | undefined {
  return read(join(state, 'upper', name)) as UpperStatus | undefined;
}

export function readSupervisorStatus(state: string): SupervisorStatus | undefined {
  return read(join(state, 'supervisor')) as SupervisorStatus | undefined;
}

/** Adds up the counters of one kind. */
export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
