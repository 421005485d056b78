/** The counters of record in a journal's marks: their sums hold, and none of them goes down. */
import { Group } from './balance.js';
import { LANES, laneOf, type Mark, type SegmentHeader } from './format.js';

/** Those that only grow; others belong to a connection, or say how many there are now. */
const GROWING = new RegExp(
  '^(?:in|permitted|denied|emitted|connections|interruptions)$|' +
    '^(?:malformed|lost|absorbed|withheld)\\.',
);
const EMITTED = 'emitted';
/** The relay's own events, which are journalled too. */
const BEACONS = 'beacons';
const INTERRUPTED = 'withheld.interrupted';

interface Before {
  readonly header: SegmentHeader;
  readonly groups: readonly [Group, Group];
  readonly mark: Mark;
}

function groupsOf(header: SegmentHeader): readonly [Group, Group] {
  const { sources, counters, channels = [], outcomes = [] } = header;
  const group = (
    what: 'source' | 'channel',
    owners: readonly string[],
    names: readonly string[],
    whole: string,
    parts: readonly string[],
  ): Group => {
    // A header that has not the names of a gate has no sums.
    const known = names.includes('permitted') && parts.slice(0, 2).every((p) => names.includes(p));
    return new Group(what, owners, names, known ? whole : undefined, parts, GROWING);
  };
  const lines = ['permitted', 'denied', 'malformed', 'lost'];
  const events = [EMITTED, 'open', 'absorbed', 'withheld'];
  return [
    group('source', sources, counters, 'in', lines),
    group('channel', channels, outcomes, 'permitted', events),
  ];
}

export class Sums {
  #before: Before | undefined;
  /** By channel: what is emitted beyond what is journalled, since records were deleted by hand. */
  readonly #beyond = new Map<string, number>();

  /**
   * Takes the next mark of a journal.
   *
   * @param begins whether it is the first of its epoch
   * @returns what is wrong with it
   */
  check(header: SegmentHeader, mark: Mark, begins: boolean): string[] {
    const before = this.#before;
    const groups = before?.header === header ? before.groups : groupsOf(header);
    const wrong: string[] = [];
    const [sources, channels] = groups;
    wrong.push(...sources.unbalanced(mark.counters), ...channels.unbalanced(mark.outcomes));
    if (before) {
      const [oldSources, oldChannels] = before.groups;
      fallen(oldSources, before.mark.counters, sources, mark.counters, false, wrong);
      fallen(oldChannels, before.mark.outcomes, channels, mark.outcomes, begins, wrong);
    }
    this.#checkJournalled(header, mark, channels, begins, wrong);
    this.#before = { header, groups, mark };
    return wrong;
  }

  #checkJournalled(
    { journals = [] }: SegmentHeader,
    { sequences, outcomes }: Mark,
    { owners, names }: Group,
    begins: boolean,
    wrong: string[],
  ): void {
    const emitted = names.indexOf(EMITTED);
    if (emitted < 0) return;
    owners.forEach((owner, i) => {
      let beyond = outcomes[i]![emitted]! + (outcomes[i]![names.indexOf(BEACONS)] ?? 0);
      for (const lane of LANES) beyond -= sequences[journals.indexOf(laneOf(owner, lane))] ?? NaN;
      if (Number.isNaN(beyond)) return;
      // Whoever deletes a journal by hand makes its sequences begin anew, with a new gate.
      if (!begins && beyond !== (this.#beyond.get(owner) ?? beyond)) {
        wrong.push(`channel '${owner}': emitted has grown by other than what was journalled`);
      }
      this.#beyond.set(owner, beyond);
    });
  }
}

/** Counters that are lower than in the mark before; a new gate may take back what is emitted. */
function fallen(
  old: Group,
  before: readonly Float64Array[],
  group: Group,
  now: readonly Float64Array[],
  begins: boolean,
  wrong: string[],
): void {
  const same = old === group;
  group.owners.forEach((owner, i) => {
    const [was, is] = [before[same ? i : old.owners.indexOf(owner)], now[i]!];
    if (!was) return;
    for (const k of group.growing) {
      const name = group.names[k]!;
      const earlier = was[same ? k : old.names.indexOf(name)];
      if (earlier === undefined || is[k]! >= earlier) continue;
      // What a power cut took from the journal counts as withheld from then on.
      const taken = begins && name === EMITTED ? group.names.indexOf(INTERRUPTED) : -1;
      const back =
        is[taken] === undefined ? 0 : is[taken] - (was[old.names.indexOf(INTERRUPTED)] ?? 0);
      if (is[k]! + back >= earlier) continue;
      wrong.push(`${group.what} '${owner}': ${name} went down from ${earlier} to ${is[k]!}`);
    }
  });
}
