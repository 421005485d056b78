/** The shapes of the statuses: one that was written by a process taken over may hold anything. */
import type {
  CertificateStatus,
  ChannelStatus,
  Decision,
  GateStatus,
  LaneStatus,
  LinkStatus,
  Loss,
  PolicyStatus,
  ReloadStatus,
  SealStatus,
  SourceStatus,
  SupervisorStatus,
  UpperStatus,
} from '../wire/status.js';
import {
  line,
  lines,
  list,
  matching,
  measure,
  oneOf,
  optional,
  quantity,
  record,
  shape,
  truth,
} from './shape.js';

/** As the configuration and the policies have names. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const WORD = /^[a-z][a-z-]{0,31}$/;
const ROOM = 300;
const MAX_LINKS = 64;
const MAX_CHANNELS = 64;
const MAX_PROCESSES = 512;
const MAX_POLICIES = 4096;
const MAX_WORDS = 64;

const name = matching(NAME);
const word = matching(WORD);
const digest = matching(/^[0-9a-f]{1,64}$/);
const counts = record(WORD, quantity, MAX_WORDS);

const loss = shape<Loss>({ time: measure, reason: word, count: quantity });

const source = shape<SourceStatus>({
  in: quantity,
  permitted: quantity,
  denied: quantity,
  malformed: counts,
  lost: counts,
  connections: quantity,
  interruptions: quantity,
  alive: quantity,
  bytes: quantity,
});
const sources = record(NAME, source, MAX_LINKS);

const channel = shape<ChannelStatus>({
  channel: name,
  journalled: quantity,
  urgent: quantity,
  oldest: optional(shape({ routine: quantity, urgent: quantity })),
  permitted: quantity,
  emitted: quantity,
  absorbed: counts,
  open: quantity,
  withheld: counts,
  beacons: optional(quantity),
});

const refusedPolicies = shape<NonNullable<PolicyStatus['refused']>>({
  number: quantity,
  digest,
  reason: lines(20, ROOM),
  time: measure,
});

const policy = shape<PolicyStatus>({
  number: quantity,
  digest,
  since: measure,
  policies: list(shape({ id: name, revision: quantity }), MAX_POLICIES),
  refused: optional(refusedPolicies),
});

const decisions = list(
  shape<Decision>({ source: line(64), class: line(64), type: line(64), rule: line(200) }),
  64,
);

/** @throws ShapeError naming the first field that is wrong */
export const checkGate = shape<GateStatus>({
  started: measure,
  time: measure,
  forwarding: truth,
  reason: optional(line(ROOM)),
  since: optional(measure),
  rates: shape<GateStatus['rates']>({
    sources: record(NAME, shape({ in: measure, permitted: measure }), MAX_LINKS),
    channels: record(NAME, measure, MAX_CHANNELS),
  }),
  losses: record(NAME, loss, MAX_LINKS),
  gone: optional(record(NAME, loss, MAX_CHANNELS)),
  sources,
  continued: sources,
  channels: list(channel, MAX_CHANNELS),
  policy,
  audit: optional(shape({ relay: line(64), leaves: quantity, signed: quantity })),
  recent: shape<GateStatus['recent']>({ permitted: decisions, denied: decisions }),
});

const LANE = {
  answered: quantity,
  refused: quantity,
  expired: quantity,
  resent: quantity,
  rewound: quantity,
};
const lane = shape<LaneStatus>({ sequence: quantity, ...LANE });

/** @throws ShapeError naming the first field that is wrong */
export const checkUpper = shape<UpperStatus>({
  started: measure,
  time: measure,
  state: oneOf('connecting', 'up', 'down'),
  channel: name,
  lanes: shape<UpperStatus['lanes']>({ routine: lane, urgent: lane }),
  ...LANE,
  rate: measure,
  outstanding: quantity,
  stray: quantity,
  discarded: quantity,
  peerExpires: optional(measure),
  loss: optional(loss),
});

const link = shape<LinkStatus>({
  name,
  state: oneOf('connecting', 'up'),
  since: measure,
  connections: quantity,
  script: quantity,
  cause: optional(word),
});

/** @throws ShapeError naming the first field that is wrong */
export const checkSupervisor = shape<SupervisorStatus>({
  time: measure,
  config: line(ROOM),
  reload: optional(
    shape<ReloadStatus>({
      count: quantity,
      state: oneOf('checking', 'refused', 'handed'),
      time: measure,
      digest: optional(digest),
      reason: optional(lines(20, ROOM)),
    }),
  ),
  seals: list(
    shape<SealStatus>({
      seal: oneOf('users', 'namespaces', 'filters'),
      inForce: truth,
      reason: optional(line(ROOM)),
    }),
    8,
  ),
  gate: shape<SupervisorStatus['gate']>({ state: oneOf('up', 'down'), starts: quantity }),
  certificates: list(
    shape<CertificateStatus>({
      upper: name,
      part: oneOf('cert', 'ca'),
      file: line(ROOM),
      expires: measure,
      refused: optional(line(ROOM)),
    }),
    4 * MAX_LINKS,
  ),
  lowers: list(link, MAX_LINKS),
  uppers: list(link, MAX_LINKS),
  processes: list(
    shape<SupervisorStatus['processes'][number]>({
      process: word,
      name: optional(name),
      pid: quantity,
      started: measure,
      memory: optional(quantity),
      cpu: optional(measure),
    }),
    MAX_PROCESSES,
  ),
});
