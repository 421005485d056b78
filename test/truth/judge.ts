/** Whether the sums hold, by the relay's counters and by what was sent and what came. */
import {
  type GateStatus,
  sum,
  type SourceStatus,
  type UpperStatus,
} from '../../src/wire/status.js';
import { SOURCES, UPPERS } from './plan.js';
import { MAX_WAITING, type Source } from './source.js';
import type { Sink } from './sink.js';
import { balance, type World } from './world.js';

/** Of a killed valve: frames that waited, with the reserve for priority 0. */
const VALVE_BUFFER = 12 * 2 ** 20;
/** Sent and unanswered at most. */
const WINDOW = 100;
/** Signs of life that the last status does not know of, bytes. */
const SIGNS = 64;
/** The pipe, both socket buffers at their largest, and what this side had not written. */
const IN_BETWEEN = 64 * 1024 + 6 * 2 ** 20 + 4 * 2 ** 20 + 2 * MAX_WAITING;

export interface SourceSums {
  readonly name: string;
  readonly sent: number;
  readonly status: SourceStatus;
  /** Sent, and not counted by the gate: lines, and bytes. */
  readonly gap: number;
  readonly gapBytes: number;
  /** Connections that were broken, and the most that they can have taken with them, in lines. */
  readonly interrupted: number;
  readonly tails: number;
}

export interface UpperSums {
  readonly name: string;
  readonly journalled: number;
  readonly rewound: number;
  readonly status: UpperStatus;
  /** Distinct events that came, duplicates, and what the log named as sent again. */
  readonly distinct: number;
  readonly duplicates: number;
  readonly named: number;
}

export interface Judgement {
  readonly sources: readonly SourceSums[];
  readonly uppers: readonly UpperSums[];
  readonly gate: GateStatus;
  /** What does not hold; nothing: all is well. */
  readonly faults: readonly string[];
}

/** Judges a world that was drained. */
export function judge(world: World): Judgement {
  const gate = world.relay.gate()!;
  const faults: string[] = [];
  const check = (holds: boolean, what: string): void => {
    if (!holds) faults.push(what);
  };
  const sources = world.sources.map((source) => sumsOfSource(source, gate, world.cuts > 0));
  const uppers = world.sinks.map(({ channel, arrivals }): UpperSums => {
    const name = UPPERS[channel]!;
    const status = world.relay.upper(name)!;
    const { journalled, rewound } = balance(channel, gate, status);
    const { total, duplicates, named } = arrivals;
    return { name, journalled, rewound, status, distinct: total, duplicates, named };
  });

  for (const [i, sums] of sources.entries()) {
    checkSource(world, i, sums, check);
    const { strange } = world.sources[i]!;
    check(strange.length === 0, `source ${sums.name}: ${strange.slice(0, 3).join('; ')}`);
  }
  for (const channel of gate.channels) {
    const { permitted, emitted, absorbed, open, withheld, journalled, beacons = 0 } = channel;
    const rest = sum(absorbed) + open + sum(withheld);
    const text = `channel ${channel.channel}: ${JSON.stringify(channel)}`;
    check(permitted === emitted + rest, `${text}: permitted is not emitted and the rest`);
    check(emitted + beacons === journalled, `${text}: emitted and beacons are not journalled`);
  }
  for (const [i, sums] of uppers.entries()) checkUpper(world, world.sinks[i]!, sums, check);
  for (const line of world.fatal) faults.push(`log: ${JSON.stringify(line)}`);
  return { sources, uppers, gate, faults };
}

const add = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

type Check = (holds: boolean, what: string) => void;

function sumsOfSource(source: Source, gate: GateStatus, cut: boolean): SourceSums {
  const name = SOURCES[source.index]!;
  const status = gate.sources[name]!;
  const broken = source.stretches.filter(({ interrupted }) => interrupted);
  const written = add(source.stretches.map(({ bytes }) => bytes));
  return {
    name,
    sent: source.n,
    status,
    gap: source.n - status.in,
    gapBytes: written - status.bytes,
    interrupted: broken.length,
    // What came above was counted, unless a power cut took that back.
    tails: add(broken.map(({ first, last, seen }) => last - (cut ? first - 1 : seen))),
  };
}

function checkSource(world: World, i: number, sums: SourceSums, check: Check): void {
  const { name, status, gap, gapBytes, interrupted, tails } = sums;
  const { in: all, permitted, denied, malformed, lost } = status;
  const text = `source ${name}: ${JSON.stringify(sums)}`;
  const bad = sum(malformed);
  check(all === permitted + denied + bad + sum(lost), `${text}: in is not the sum of its parts`);
  check(gap >= 0, `${text}: more was counted than sent`);
  const whole = gap === 0 && gapBytes <= SIGNS;
  check(interrupted > 0 || whole, `${text}: a gap without interruption`);
  check(gap <= tails, `${text}: a gap longer than what interrupted connections were sent`);
  const bound = interrupted * (VALVE_BUFFER + IN_BETWEEN) + SIGNS;
  check(gapBytes <= bound, `${text}: a gap of more than ${bound} bytes`);

  const { plan, sources, sinks } = world;
  const sent = { both: 0, one: 0, two: 0, denied: 0, malformed: 0 };
  for (let n = 1; n <= sources[i]!.n; n++) sent[plan.kind(i, n)]++;
  const [north, south] = sinks.map(({ arrivals }) => arrivals.distinct[i]!);
  const came = north!.one + south!.two + Math.max(north!.both, south!.both);
  const expired = UPPERS.some((upper) => world.relay.upper(upper)!.expired > 0);
  const taken = add(world.taken);
  const exact = !expired && world.cuts === 0;
  check(
    !exact || north!.both === south!.both,
    `${text}: ${north!.both} and ${south!.both} of both`,
  );
  check(!exact || permitted === came, `${text}: ${came} came of what was permitted`);
  // After a power cut the gate may find that records are not there, and says so.
  const channels = world.cuts > 0 ? world.relay.gate()!.channels : [];
  const withheld = add(channels.map((channel) => sum(channel.withheld)));
  check(
    expired || permitted <= came + withheld,
    `${text}: only ${came} came of what was permitted`,
  );
  check(came <= permitted + taken, `${text}: ${came} came, a power cut took ${taken} at most`);
  const permittable = sent.both + sent.one + sent.two;
  check(permitted <= permittable, `${text}: permitted what may not be (${permittable} may)`);
  check(denied <= sent.denied, `${text}: denied what is permitted (${sent.denied} are not)`);
  // A line that a broken connection cut off is lost, and no other kind.
  check(bad <= sent.malformed, `${text}: malformed is what was well-formed (${sent.malformed})`);
}

function checkUpper(world: World, sink: Sink, sums: UpperSums, check: Check): void {
  const { name, journalled, status, distinct } = sums;
  const { refused, expired } = status;
  const { arrivals, channel } = sink;
  const text = `upper ${name}: ${JSON.stringify(sums)}`;
  const { unsettled } = balance(channel, world.relay.gate()!, status);
  check(unsettled === 0, `${text}: what was journalled is not answered, refused or expired`);
  const spare = distinct - (journalled - expired);
  // Taken back by a power cut after it was sent, or expired while it was on its way.
  const most = (expired > 0 ? WINDOW : 0) + world.taken[channel]!;
  check(spare >= 0, `${text}: ${-spare} of what was journalled never came`);
  check(spare <= most, `${text}: ${spare} came that were not journalled`);
  if (world.cuts === 0) check(refused === sink.refused, `${text}: ${sink.refused} were refused`);
  check(sink.wrong === 0, `${text}: ${sink.wrong} wrong lines: ${sink.wrongs.join(' | ')}`);
  check(arrivals.disordered === 0, `${text}: out of order: ${arrivals.examples.join('; ')}`);
  // With a supervisor that is killed the log is cut off: the counter knows what it would have said,
  // unless a power cut has taken that back as well.
  const uncounted = world.cuts > 0 ? WINDOW : 0;
  const unlogged = world.starts > 1 ? Math.max(uncounted, status.resent - arrivals.named) : 0;
  if (world.cuts === 0) {
    check(arrivals.duplicates <= status.resent, `${text}: more came again than was counted`);
  }
  if (expired > 0) return;
  arrivals.settle(true);
  const { unnamed, examples } = arrivals;
  check(unnamed <= unlogged, `${text}: ${unnamed} came again unnamed: ${examples.join('; ')}`);
}

/** The sums in lines for people. */
export function describeJudgement({ sources, uppers, gate }: Judgement): string[] {
  const some = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(' ') || '0';
  return [
    ...sources.map(
      ({ name, sent, status, gap, gapBytes, interrupted, tails }) =>
        `source ${name}: sent ${sent}, in ${status.in} = permitted ${status.permitted} + denied ` +
        `${status.denied} + malformed ${sum(status.malformed)} + lost (${some(status.lost)}); gap ` +
        `${gap} lines, ${gapBytes} bytes, of ${interrupted} interrupted connections (${tails} lines)`,
    ),
    ...gate.channels.map(
      ({ channel, permitted, emitted, absorbed, open, withheld, journalled }) =>
        `channel ${channel}: permitted ${permitted} = emitted ${emitted} + absorbed ` +
        `${sum(absorbed)} + open ${open} + withheld ${sum(withheld)}; journalled ${journalled}`,
    ),
    ...uppers.map(
      ({ name, journalled, rewound, status, distinct, duplicates, named }) =>
        `upper ${name}: journalled ${journalled} + rewound ${rewound} = answered ` +
        `${status.answered} + refused ${status.refused} + expired ${status.expired}; came ` +
        `${distinct}, again ${duplicates} of ${named} named`,
    ),
  ];
}
