/** Looks at a relay from outside: who holds its lock, and what its processes have written. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { holderOf } from '../wire/lock.js';
import {
  type GateStatus,
  type LaneStatus,
  type LinkStatus,
  readStatus,
  type SupervisorStatus,
  type UpperStatus,
} from '../wire/status.js';
import { type Check, ShapeError } from './shape.js';
import { checkGate, checkSupervisor, checkUpper } from './status-shape.js';

/** Nothing written for longer than this, ms: a process hangs, or its disk takes no writes. */
export const STALE = 5000;
/** A time that is further ahead than this, ms, was not this clock's. */
const AHEAD = 2000;

/** What a process has written; neither: nothing yet. */
export interface Seen<T> {
  readonly status?: T;
  /** Why it cannot be taken. */
  readonly broken?: string;
}

export interface Look {
  /** ms since 1970. */
  readonly now: number;
  readonly state: string;
  /** pid of the supervisor that runs; undefined: none does. */
  readonly pid: number | undefined;
  readonly supervisor: Seen<SupervisorStatus>;
  readonly gate: Seen<GateStatus>;
  /** In the order of the configuration that the relay began with. */
  readonly uppers: ReadonlyMap<string, Seen<UpperStatus> & Overtaken>;
}

export interface Overtaken {
  /** Of what has expired: while it is away, so that its own process has not counted it yet. */
  readonly overtaken?: number;
}

/** The files are there, and not for whoever asks. */
export class RightsError extends Error {
  override readonly name = 'RightsError';
}

function see<T>(directory: string, check: Check<T>): Seen<T> {
  try {
    const found = readStatus(directory);
    return found === undefined ? {} : { status: check(found, '') };
  } catch (error) {
    if (error instanceof ShapeError) return { broken: error.message };
    // What JSON.parse says quotes the file.
    if (error instanceof SyntaxError) return { broken: 'it is no JSON' };
    const { code, message } = error as NodeJS.ErrnoException;
    refuseRights(directory, code);
    return { broken: code ?? message };
  }
}

/** @throws RightsError */
function refuseRights(path: string, code: string | undefined): void {
  if (code !== 'EACCES' && code !== 'EPERM') return;
  const way = 'ask as root, or as the user that runs the relay';
  throw new RightsError(`cannot read ${path}: permission denied; ${way}`);
}

/** @throws RightsError: whoever may not open the lock cannot tell whether it is held */
function findHolder(lock: string): number | undefined {
  try {
    accessSync(lock, constants.R_OK);
  } catch (error) {
    refuseRights(lock, (error as NodeJS.ErrnoException).code);
  }
  return holderOf(lock);
}

/**
 * Looks at the relay of a configuration.
 *
 * @throws RightsError
 */
export function lookAt({ state, uppers }: Pick<Config, 'state' | 'uppers'>): Look {
  const supervisor = see(join(state, 'supervisor'), checkSupervisor);
  const pid = findHolder(join(state, 'supervisor', 'lock'));
  const links = supervisor.status?.uppers ?? [];
  const names = (supervisor.status?.uppers ?? uppers).map(({ name }) => name);
  const gate = see(join(state, 'gate'), checkGate);
  const seeUpper = (name: string): Seen<UpperStatus> & Overtaken => {
    const seen = see(join(state, 'upper', name), checkUpper);
    const away = links.some((link) => link.name === name && link.state !== 'up');
    return away && seen.status ? overtake(seen.status, gate.status) : seen;
  };
  return {
    state,
    pid,
    supervisor,
    gate,
    uppers: new Map(names.map((name) => [name, seeUpper(name)])),
    now: Date.now(),
  };
}

/** What retention has taken from an upper that is away: it will count it so when it is back. */
function overtake(
  status: UpperStatus,
  gate: GateStatus | undefined,
): Seen<UpperStatus> & Overtaken {
  const oldest = gate?.channels.find(({ channel }) => channel === status.channel)?.oldest;
  if (!oldest) return { status };
  let overtaken = 0;
  const after = (lane: LaneStatus, first: number): LaneStatus => {
    const gone = Math.max(0, first - 1 - lane.sequence);
    overtaken += gone;
    return { ...lane, sequence: lane.sequence + gone, expired: lane.expired + gone };
  };
  const lanes = {
    routine: after(status.lanes.routine, oldest.routine),
    urgent: after(status.lanes.urgent, oldest.urgent),
  };
  return { status: { ...status, lanes, expired: status.expired + overtaken }, overtaken };
}

/** How long ago a process wrote its status, ms; undefined while that is recent. */
export function staleness({ now }: Look, { time }: { readonly time: number }): number | undefined {
  return now - time > STALE ? now - time : undefined;
}

/** How far a status is ahead of the clock, ms; undefined: it is not. */
export function lead({ now }: Look, { time }: { readonly time: number }): number | undefined {
  return time - now > AHEAD ? time - now : undefined;
}

/** Whether what the processes say is of now. */
export function isRunning(look: Look): boolean {
  const { status } = look.supervisor;
  return look.pid !== undefined && status !== undefined && staleness(look, status) === undefined;
}

export interface LinkLook {
  readonly kind: 'lower' | 'upper';
  readonly name: string;
  /** logging in: connected, and not let in yet; hung: its process writes no status. */
  readonly state: 'up' | 'connecting' | 'logging in' | 'hung';
  readonly since: number;
  readonly connections: number;
  /** Why its last connection ended. */
  readonly cause?: string;
}

/** A lower link is up when the supervisor says so; an upper one if its process says so as well. */
export function linksOf(look: Look): LinkLook[] {
  const { lowers, uppers } = look.supervisor.status ?? { lowers: [], uppers: [] };
  return [
    ...lowers.map((link) => ({ ...link, kind: 'lower' as const })),
    ...uppers.map((link) => ({ ...link, kind: 'upper' as const, state: upperState(look, link) })),
  ];
}

function upperState(look: Look, link: LinkStatus): LinkLook['state'] {
  if (link.state !== 'up') return 'connecting';
  const { status } = look.uppers.get(link.name) ?? {};
  if (status && staleness(look, status) === undefined) {
    return status.state === 'up' ? 'up' : 'logging in';
  }
  return look.now - link.since > STALE ? 'hung' : 'logging in';
}

export interface Backlog {
  readonly routine: number;
  readonly urgent: number;
}

/** Records that wait for an upper; undefined where the statuses do not tell. */
export function backlogOf(look: Look, upper: UpperStatus): Backlog | undefined {
  const channel = look.gate.status?.channels.find((each) => each.channel === upper.channel);
  if (!channel) return undefined;
  const pending = (lane: keyof UpperStatus['lanes'], journalled: number): number => {
    const { answered, refused, expired, rewound } = upper.lanes[lane];
    // The two statuses are of different moments.
    return Math.max(0, journalled + rewound - answered - refused - expired);
  };
  return {
    routine: pending('routine', channel.journalled - channel.urgent),
    urgent: pending('urgent', channel.urgent),
  };
}
