/** The counters of record in a journal's marks: their sums hold, and none of them goes down. */
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

/** The vectors of one kind in the marks of a segment. */
class Group {
  readonly what: string;
  readonly owners: readonly string[];
  readonly names: readonly string[];
  /** Places in a vector: of the whole, of its parts; none where it has not the names of a gate. */
  readonly #whole: number;
  readonly #parts: readonly number[];
  readonly #sum: string;
  readonly growing: readonly number[];

  constructor(
    what: string,
    owners: readonly string[],
    names: readonly string[],
    whole: string,
    parts: readonly string[],
  ) {
    this.what = what;
    this.owners = owners;
    this.names = names;
    this.#sum = parts.join(' + ');
    const known = names.includes('permitted') && parts.slice(0, 2).every((p) => names.includes(p));
    this.#whole = known ? names.indexOf(whole) : -1;
    const indices = [...names.keys()];
    this.#parts = indices.filter((i) =>
      parts.some((part) => names[i] === part || names[i]!.startsWith(`${part}.`)),
    );
    this.growing = indices.filter((i) => GROWING.test(names[i]!));
  }

  unbalanced(vectors: readonly Float64Array[], wrong: string[]): void {
    if (this.#whole < 0) return;
    this.owners.forEach((owner, i) => {
      const vector = vectors[i]!;
      const whole = vector[this.#whole]!;
      let sum = 0;
      for (const part of this.#parts) sum += vector[part]!;
      if (whole === sum) return;
      const name = this.names[this.#whole];
      wrong.push(`${this.what} '${owner}': ${name} is ${whole}, but ${this.#sum} is ${sum}`);
    });
  }
}

interface Before {
  readonly header: SegmentHeader;
  readonly groups: readonly [Group, Group];
  readonly mark: Mark;
}

function groupsOf(header: SegmentHeader): readonly [Group, Group] {
  const { sources, counters, channels = [], outcomes = [] } = header;
  return [
    new Group('source', sources, counters, 'in', ['permitted', 'denied', 'malformed', 'lost']),
    new Group('channel', channels, outcomes, 'permitted', [
      EMITTED,
      'open',
      'absorbed',
      'withheld',
    ]),
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
    sources.unbalanced(mark.counters, wrong);
    channels.unbalanced(mark.outcomes, wrong);
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
