/** Statuses of a relay that is well, to be changed by tests, and a state directory that holds them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Look } from '../../src/cli/status-look.js';
import {
  type GateStatus,
  type LaneStatus,
  openStatus,
  StatusFile,
  type SupervisorStatus,
  type UpperStatus,
} from '../../src/wire/status.js';
import { lockFile } from '../../src/wire/lock.js';

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

/** 2026-06-01T12:00:00Z. */
export const NOON = 1_780_315_200_000;
const MINUTE = 60_000;
const DAY = 86_400_000;

export interface Statuses {
  supervisor: Mutable<SupervisorStatus>;
  gate: Mutable<GateStatus>;
  portal: Mutable<UpperStatus>;
}

function lane(answered: number): LaneStatus {
  return { sequence: answered, answered, refused: 0, expired: 0, resent: 0, rewound: 0 };
}

/** Two lowers, one of which is busy, one upper that has 150 records to send, 50 of them urgent. */
export function wellStatuses(now = NOON): Statuses {
  const started = now - 3 * DAY - 4 * 60 * MINUTE;
  const quiet = {
    in: 0,
    permitted: 0,
    denied: 0,
    malformed: {},
    lost: {},
    connections: 1,
    interruptions: 0,
    alive: 7,
    bytes: 100,
  };
  const link = { state: 'up', since: started + 1000, connections: 1, script: 0 } as const;
  const kinds = [
    ['supervisor', undefined],
    ['gate', undefined],
    ['lower', 'plant-a'],
    ['valve', 'plant-a'],
    ['lower', 'plant-b'],
    ['valve', 'plant-b'],
    ['dial', 'portal'],
    ['upper', 'portal'],
  ] as const;
  const statuses: Statuses = {
    supervisor: {
      time: now - 300,
      config: '/etc/tidegate/tidegate.yaml',
      seals: (['users', 'namespaces', 'filters'] as const).map((seal) => ({ seal, inForce: true })),
      gate: { state: 'up', starts: 1 },
      certificates: [
        { upper: 'portal', part: 'cert', file: 'tls/relay.pem', expires: now + 90.5 * DAY },
        { upper: 'portal', part: 'ca', file: 'tls/ca.pem', expires: now + 3600.5 * DAY },
      ],
      lowers: [
        { ...link, name: 'plant-a', script: 52 },
        { ...link, name: 'plant-b', script: 52 },
      ],
      uppers: [{ ...link, name: 'portal', connections: 3, cause: 'eof' }],
      processes: kinds.map(([process, name], i) => ({
        process,
        ...(name === undefined ? {} : { name }),
        pid: 4711 + i,
        started,
        memory: (60 + i) * 2 ** 20,
        cpu: 12_000 + 1000 * i,
      })),
    },
    gate: {
      started,
      time: now - 100,
      forwarding: true,
      rates: {
        sources: { 'plant-a': { in: 120, permitted: 40.25 }, 'plant-b': { in: 0, permitted: 0 } },
        channels: { public: 2.5 },
      },
      losses: {
        'plant-a': { time: now - 61 * MINUTE, reason: 'overflow', count: 12 },
      },
      sources: {
        'plant-a': {
          in: 1_234_567,
          permitted: 400_000,
          denied: 834_545,
          malformed: { head: 3, guid: 4 },
          lost: { overflow: 12, restart: 3 },
          connections: 1,
          interruptions: 1,
          alive: 9000,
          bytes: 123_456_789,
        },
        'plant-b': quiet,
      },
      continued: { 'plant-a': quiet, 'plant-b': quiet },
      channels: [
        {
          channel: 'public',
          journalled: 25_000,
          urgent: 1050,
          permitted: 400_000,
          emitted: 25_000,
          absorbed: { window: 374_000 },
          open: 990,
          withheld: { rate: 10 },
          beacons: 0,
        },
      ],
      policy: {
        number: 2,
        digest: '3f2a9c01b2d4'.padEnd(64, '0'),
        since: now - 130 * MINUTE,
        policies: [
          { id: 'public-climate', revision: 3 },
          { id: 'alarms', revision: 1 },
        ],
      },
      audit: { relay: 'relay.example', leaves: 52_117, signed: 52_096 },
      recent: { permitted: [], denied: [] },
    },
    portal: {
      started,
      time: now - 200,
      state: 'up',
      channel: 'public',
      lanes: { routine: { ...lane(23_850), resent: 16 }, urgent: lane(1000) },
      answered: 24_850,
      refused: 0,
      expired: 0,
      resent: 16,
      rewound: 0,
      rate: 2.5,
      outstanding: 16,
      stray: 0,
      discarded: 0,
      peerExpires: now + 45.5 * DAY,
    },
  };
  return statuses;
}

/** What is seen of such a relay. */
export function lookOf(change: (statuses: Statuses) => void = () => undefined): Look {
  const statuses = wellStatuses();
  change(statuses);
  return {
    now: NOON,
    state: '/var/lib/tidegate',
    pid: 4711,
    supervisor: { status: statuses.supervisor },
    gate: { status: statuses.gate },
    uppers: new Map([['portal', { status: statuses.portal }]]),
  };
}

const CONFIG = `schema: tidegate/v1
state: ./state
lowers:
  plant-a: { host: 127.0.0.1, port: 9598, user: relay, password_file: password }
  plant-b: { host: 127.0.0.1, port: 9599, user: relay, password_file: password }
policies: [policy.yaml]
channels: { public: {} }
uppers:
  portal:
    channel: public
    host: upper.example
    port: 9600
    user: tidegate
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: upper.example }
`;

/** A configuration and its state directory, with nothing in it. */
export class RelayFiles {
  readonly config: string;
  readonly state: string;

  constructor(t: Test) {
    const directory = t.testdir({ 'tidegate.yaml': CONFIG });
    this.config = join(directory, 'tidegate.yaml');
    this.state = join(directory, 'state');
    for (const each of ['supervisor', 'gate', 'upper/portal']) {
      mkdirSync(join(this.state, each), { recursive: true });
    }
  }

  /** Writes as a process does; `who` is a part of the state directory. */
  write(who: 'supervisor' | 'gate' | 'upper/portal', status: object): void {
    new StatusFile(openStatus(join(this.state, who))).save(status);
  }

  writeAll({ supervisor, gate, portal }: Statuses): void {
    this.write('supervisor', supervisor);
    this.write('gate', gate);
    this.write('upper/portal', portal);
  }

  /** From now on this process is the relay's supervisor. */
  lock(): void {
    lockFile(join(this.state, 'supervisor', 'lock'));
  }

  /** Of a relay that has ended: the lock that nobody holds. */
  leaveLock(): void {
    writeFileSync(join(this.state, 'supervisor', 'lock'), '4711\n');
  }
}
