/** The counters of events and records: what came in, what became of it, how far it has gone. */
import { MALFORMED_KINDS } from '../event/malformed.js';
import { OUTCOMES } from '../policy/outcome.js';
import type { ChannelStatus, LaneStatus, SourceStatus, UpperStatus } from '../wire/status.js';
import { counter, gauge, inUnit, type Labels, sample, time } from '../metrics/family.js';
import type { Family, Sample } from '../metrics/text.js';
import { backlogOf, isRunning, type Look } from './status-look.js';

type Counts = Readonly<Record<string, number>>;

/** Of the gate's counters: a series that is there from the beginning shows its first increase. */
export const LOST = ['overflow', 'torn', 'restart', 'interrupted', 'journal', 'audit'] as const;

const outcomes = (kind: string): string[] =>
  OUTCOMES.filter((name) => name.startsWith(`${kind}.`)).map((name) => name.slice(kind.length + 1));
const ABSORBED = outcomes('absorbed');
const WITHHELD = outcomes('withheld');

/** One sample for each reason; those that a status leaves out are zero. */
function byReason(labels: Labels, known: readonly string[], counts: Counts): Sample[] {
  const all = { ...Object.fromEntries(known.map((reason) => [reason, 0])), ...counts };
  return Object.entries(all).map(([reason, value]) => sample({ ...labels, reason }, value));
}

export function describeSources({ gate, uppers }: Look): Family[] {
  const sources = Object.entries(gate.status?.sources ?? {});
  const each = (pick: (source: SourceStatus) => number): Sample[] =>
    sources.map(([source, status]) => sample({ source }, pick(status)));
  const reasons = (known: readonly string[], pick: (source: SourceStatus) => Counts): Sample[] =>
    sources.flatMap(([source, status]) => byReason({ source }, known, pick(status)));
  const losses = Object.entries(gate.status?.losses ?? {});
  return [
    counter(
      'events_received',
      'Events of a lower server: the sum of permitted, denied, malformed and lost',
      each((source) => source.in),
    ),
    counter(
      'events_permitted',
      'Events that some channel permits',
      each(({ permitted }) => permitted),
    ),
    counter(
      'events_denied',
      'Events that no rule permits',
      each(({ denied }) => denied),
    ),
    counter(
      'events_malformed',
      'Lines that are no event, by the first field that is wrong',
      reasons(MALFORMED_KINDS, ({ malformed }) => malformed),
    ),
    counter(
      'events_lost',
      'Events that were read and neither permitted nor denied',
      reasons(LOST, ({ lost }) => lost),
    ),
    time('last_loss', 'When events of a lower server, or records for an upper, were lost last', [
      ...losses.map(([source, loss]) => sample({ source }, loss.time / 1000)),
      ...[...uppers].flatMap(([upper, { status }]) =>
        status?.loss ? [sample({ upper }, status.loss.time / 1000)] : [],
      ),
    ]),
    counter(
      'interruptions',
      'Connections whose valve was killed: what it had not framed is in no counter',
      each(({ interruptions }) => interruptions),
    ),
    counter(
      'lower_connections',
      'Connections read from',
      each(({ connections }) => connections),
    ),
    counter(
      'signs_of_life',
      'Lines that only say that the server lives',
      each(({ alive }) => alive),
    ),
    inUnit(
      counter(
        'received_bytes',
        'Bytes of a lower server',
        each(({ bytes }) => bytes),
      ),
      'bytes',
    ),
  ];
}

export function describeChannels({ gate }: Look): Family[] {
  const channels = gate.status?.channels ?? [];
  const each = (pick: (channel: ChannelStatus) => number): Sample[] =>
    channels.map((status) => sample({ channel: status.channel }, pick(status)));
  const reasons = (known: readonly string[], pick: (channel: ChannelStatus) => Counts): Sample[] =>
    channels.flatMap((status) => byReason({ channel: status.channel }, known, pick(status)));
  return [
    counter(
      'channel_permitted',
      'Events permitted for a channel: the sum of emitted, absorbed, open and withheld',
      each(({ permitted }) => permitted),
    ),
    counter(
      'channel_emitted',
      'Events for which something was sent',
      each(({ emitted }) => emitted),
    ),
    counter(
      'channel_absorbed',
      'Events that windows and deadbands have taken in',
      reasons(ABSORBED, ({ absorbed }) => absorbed),
    ),
    counter(
      'channel_withheld',
      'Events that were permitted and not sent',
      reasons(WITHHELD, ({ withheld }) => withheld),
    ),
    gauge(
      'channel_open',
      'Samples in windows that have not ended',
      each(({ open }) => open),
    ),
    counter(
      'channel_beacons',
      "The relay's own events",
      each(({ beacons = 0 }) => beacons),
    ),
    counter(
      'journalled',
      'Records in the journal of a channel, ever',
      channels.flatMap(({ channel, journalled, urgent }) => [
        sample({ channel, lane: 'routine' }, Math.max(0, journalled - urgent)),
        sample({ channel, lane: 'urgent' }, urgent),
      ]),
    ),
  ];
}

const LANES = ['routine', 'urgent'] as const;

export function describeUppers(look: Look): Family[] {
  const running = isRunning(look);
  const uppers = [...look.uppers].flatMap(([upper, { status }]) =>
    status ? [{ upper, status }] : [],
  );
  const each = (pick: (upper: UpperStatus) => number): Sample[] =>
    uppers.map(({ upper, status }) => sample({ upper }, pick(status)));
  const lanes = (pick: (lane: LaneStatus) => number): Sample[] =>
    uppers.flatMap(({ upper, status }) =>
      LANES.map((lane) => sample({ upper, lane }, pick(status.lanes[lane]))),
    );
  return [
    counter(
      'upper_answered',
      'Records that an upper server took',
      lanes((lane) => lane.answered),
    ),
    counter(
      'upper_refused',
      'Records that an upper server refused',
      lanes((lane) => lane.refused),
    ),
    counter(
      'upper_expired',
      'Records that retention deleted before they were sent: lost to this upper',
      lanes((lane) => lane.expired),
    ),
    counter(
      'upper_resent',
      'Records that were sent again',
      lanes((lane) => lane.resent),
    ),
    counter(
      'upper_rewound',
      'Records that were done with and that a power cut took back from the journal',
      lanes((lane) => lane.rewound),
    ),
    gauge(
      'upper_pending',
      'Records that wait for an upper',
      uppers.flatMap(({ upper, status }) => {
        const backlog = backlogOf(look, status);
        return backlog ? LANES.map((lane) => sample({ upper, lane }, backlog[lane])) : [];
      }),
    ),
    gauge(
      'upper_outstanding',
      'Records that were sent and have no answer yet',
      running ? each(({ outstanding }) => outstanding) : [],
    ),
    counter(
      'upper_stray',
      'Answers of an upper server to nothing',
      each(({ stray }) => stray),
    ),
    inUnit(
      counter(
        'upper_discarded_bytes',
        'Bytes of an upper server that were no answers',
        each(({ discarded }) => discarded),
      ),
      'bytes',
    ),
  ];
}
