/** What a leaf is judged by: the start and the policies that it refers to. */
import { BEACON_CLASS, BEACON_TYPE } from '../beacon/beacon.js';
import { RELAY } from '../journal/format.js';
import type { Findings } from './findings.js';
import type { Activation, Decision, Head, Leaf, Start } from './leaf.js';

export interface Scene {
  readonly start: Head & Start;
  /** In force; undefined: none yet. */
  readonly policies: (Head & Activation) | undefined;
}

/** Names that a leaf refers to are there: the newest of their kind, and long enough. */
export function checkNames(leaf: Leaf, { start, policies }: Scene, findings: Findings): boolean {
  const wrong = (message: string): false => {
    findings.add('names', message, leaf.index);
    return false;
  };
  if (leaf.start !== start.index) {
    return wrong(`it refers to the start at ${leaf.start}, and the newest is at ${start.index}`);
  }
  const newest = policies?.index;
  if (leaf.policies !== undefined && leaf.policies !== newest && leaf.kind !== 'policies') {
    return wrong(
      `it refers to the policies at ${leaf.policies}, and ` +
        (newest === undefined ? 'none are in force' : `the newest are at ${newest}`),
    );
  }
  // The relay's own records need none.
  if (leaf.kind === 'batch' && leaf.decisions.some(({ rule }) => rule !== RELAY)) {
    if (leaf.policies === undefined) return wrong('it forwards events, and refers to no policies');
    // Whose signatures they need may be another matter since.
    if (leaf.policies < start.index) {
      return wrong('it forwards events by policies that no leaf since the start puts in force');
    }
  }
  if (leaf.kind === 'batch' && !leaf.decisions.every(isOwnOrRuled)) {
    return wrong("it says that an event is the relay's own, and it is no beacon");
  }
  const what = strangerIn(leaf, { start, policies });
  return what === undefined || wrong(`it refers to ${what} that its names do not have`);
}

/** What the relay sends of its own are beacons: no policy permits them, and no sum counts them. */
function isOwnOrRuled({ rule, source, vscpClass, type }: Decision): boolean {
  if (rule !== RELAY) return true;
  return source === RELAY && vscpClass === BEACON_CLASS && type === BEACON_TYPE;
}

/** A leaf has room for so many bytes of names of rules, about; of more the first ones are in it. */
const MAX_NAMES = 31 * 1024;

/** How many rules there are; Infinity where not all of them have found room. */
function rulesOf(policies: Activation | undefined): number {
  const names = policies?.rules ?? [];
  const bytes = names.reduce((sum, name) => sum + Buffer.byteLength(name) + 3, 0);
  return bytes > MAX_NAMES ? Infinity : names.length;
}

/** The first number that no name stands for. */
function strangerIn(leaf: Leaf, { start, policies }: Scene): string | undefined {
  const { sources, channels, journals, counters, outcomes } = start;
  const rules = rulesOf(policies);
  const fits = (vectors: readonly (readonly number[])[], owners: number, width: number): boolean =>
    vectors.length === owners && vectors.every((vector) => vector.length === width);
  const whole = (each: {
    readonly counts: readonly (readonly number[])[];
    readonly sums: readonly (readonly number[])[];
  }): string | undefined => {
    if (!fits(each.counts, sources.length, counters.length)) return 'counters of sources';
    return fits(each.sums, channels.length, outcomes.length) ? undefined : 'sums of channels';
  };
  switch (leaf.kind) {
    case 'start':
    case 'heartbeat':
      return whole(leaf) ?? (leaf.sequences.length === journals.length ? undefined : 'journals');
    case 'stop':
      return whole(leaf);
    case 'batch': {
      const ruled = leaf.decisions.filter(({ rule }) => rule !== RELAY);
      if (ruled.some(({ source }) => source >= sources.length)) return 'a source';
      if (ruled.some(({ rule }) => rule >= rules)) return 'a rule';
      if (leaf.ranges.some(({ journal }) => journal >= journals.length)) return 'a journal';
      if (leaf.counts.some(([i, k]) => i >= sources.length || k >= counters.length)) {
        return 'a counter of a source';
      }
      if (leaf.sums.some(([i, k]) => i >= channels.length || k >= outcomes.length)) {
        return 'a sum of a channel';
      }
      return leaf.sequences.length === (leaf.last ? journals.length : 0) ? undefined : 'journals';
    }
    case 'denials':
      if (leaf.denied.some(({ source }) => source >= sources.length)) return 'a source';
      return leaf.denied.some(({ rule }) => rule !== undefined && rule >= rules)
        ? 'a rule'
        : undefined;
    case 'loss':
      return leaf.source < sources.length ? undefined : 'a source';
    case 'void':
      return leaf.journal < journals.length ? undefined : 'a journal';
    default:
      return undefined;
  }
}
