/** What a permit lets out: exact sets of its arms, minus what forbids stop by the header alone. */
import { type Arm, contains, type GuidCube, type NumberSet } from '../policy/match.js';
import type { Policy, Rule } from '../policy/policy.js';
import { ClassGroups } from './class-groups.js';
import { Cubes } from '../policy/cubes.js';

/** Events by their header; what is not named is anything. */
export interface Region {
  readonly classes?: readonly number[] | undefined;
  readonly types?: NumberSet | undefined;
  readonly priorities?: number | undefined;
  readonly sources?: ReadonlySet<string> | undefined;
  readonly guids?: readonly GuidCube[] | undefined;
  readonly channels?: ReadonlySet<string> | undefined;
}

/** A part of an arm, of some GUIDs, that a forbid stops wholly or is taken to let pass. */
interface Atom {
  readonly type: NumberSet;
  readonly priority: number;
  /** undefined: every source. */
  readonly source: string | undefined;
}

interface Forbid {
  readonly arm: Arm;
  /** undefined: all channels. */
  readonly to: ReadonlySet<string> | undefined;
}

/** Forbids of one class and channel: those of every GUID, and the others by their patterns. */
interface Forbids {
  readonly everywhere: readonly Arm[];
  readonly somewhere: Cubes<GuidCube & { readonly arm: Arm }>;
}

const EVERY_GUID: GuidCube = { value: new Uint8Array(16), mask: new Uint8Array(16) };

/**
 * Sound: what it says does not get out does not. A forbid that looks at the data or the clock, or
 * several that stop an event only together by its GUID, are taken to stop nothing.
 */
export class Reach {
  readonly #forbids: readonly Forbid[];
  readonly #groups: ClassGroups;
  /** By group of classes and channel. */
  readonly #stopping = new Map<string, Forbids>();
  readonly #cubes = new WeakMap<readonly GuidCube[], Cubes<GuidCube>>();

  constructor(policies: readonly Policy[]) {
    this.#forbids = policies
      .flatMap(({ rules }) => rules)
      .filter(({ effect }) => effect === 'forbid')
      .flatMap(({ arms, to }) => {
        const channels = to && new Set(to.map(({ text }) => text));
        return arms.filter(headerAlone).map((arm) => ({ arm, to: channels }));
      });
    this.#groups = new ClassGroups(this.#forbids.map(({ arm }) => arm.classes));
  }

  /** Whether a permit lets out some event of a region. */
  some(rule: Rule, region: Region): boolean {
    return rule.arms.some((arm) => {
      const classes =
        region.classes?.filter((n) => contains(arm.classes, n)) ??
        this.#groups.samples(arm.classes);
      for (const vscpClass of classes) {
        if (this.#passes(rule, arm, vscpClass, region)) return true;
      }
      return false;
    });
  }

  /** Those classes of a region of which a permit lets out some event. */
  classes(rule: Rule, classes: readonly number[], types?: NumberSet): number[] {
    return classes.filter((vscpClass) => this.some(rule, { classes: [vscpClass], types }));
  }

  #passes(rule: Rule, arm: Arm, vscpClass: number, region: Region): boolean {
    return (rule.to ?? []).some(({ text }) => {
      if (region.channels?.has(text) === false) return false;
      const forbids = this.#forbidsOf(vscpClass, text);
      for (const guid of this.#guids(arm.guids, region.guids)) {
        const stopping = [...forbids.everywhere];
        for (const { arm: forbid } of forbids.somewhere.holding(guid)) stopping.push(forbid);
        for (const atom of atomsOf(arm, region)) {
          if (!stopping.some((forbid) => stops(forbid, atom))) return true;
        }
      }
      return false;
    });
  }

  #forbidsOf(vscpClass: number, channel: string): Forbids {
    const key = `${this.#groups.of(vscpClass)} ${channel}`;
    let forbids = this.#stopping.get(key);
    if (!forbids) {
      const arms = this.#forbids
        .filter(({ arm, to }) => (to?.has(channel) ?? true) && contains(arm.classes, vscpClass))
        .map(({ arm }) => arm);
      const cubes = arms.flatMap((arm) => arm.guids?.map((cube) => ({ ...cube, arm })) ?? []);
      forbids = { everywhere: arms.filter(({ guids }) => !guids), somewhere: new Cubes(cubes) };
      this.#stopping.set(key, forbids);
    }
    return forbids;
  }

  #indexed(guids: readonly GuidCube[]): Cubes<GuidCube> {
    let cubes = this.#cubes.get(guids);
    if (!cubes) {
      cubes = new Cubes(guids);
      this.#cubes.set(guids, cubes);
    }
    return cubes;
  }

  *#guids(
    a: readonly GuidCube[] | undefined,
    b: readonly GuidCube[] | undefined,
  ): Generator<GuidCube> {
    if (!a || !b) yield* a ?? b ?? [EVERY_GUID];
    else {
      const [few, many] = a.length < b.length ? [a, b] : [b, a];
      for (const cube of few) {
        for (const other of this.#indexed(many).meeting(cube)) yield both(cube, other);
      }
    }
  }
}

function* atomsOf(arm: Arm, region: Region): Generator<Atom> {
  const priorities = arm.priorities & (region.priorities ?? 0xff);
  const named = arm.sources ?? region.sources;
  const sources = named && [...named].filter((name) => region.sources?.has(name) ?? true);
  for (const type of typesOf(arm.types, region.types)) {
    for (const source of sources ?? [undefined]) {
      for (let priority = 0; priority < 8; priority++) {
        if ((priorities & (1 << priority)) !== 0) yield { type, priority, source };
      }
    }
  }
}

function headerAlone(arm: Arm): boolean {
  const { sensors, zones, subzones, units, values, sizes, schedule } = arm;
  return !(sensors ?? zones ?? subzones ?? units ?? values ?? sizes ?? schedule);
}

/** Types in both sets: one by one where either lists them. */
function typesOf(a: NumberSet, b: NumberSet | undefined): readonly NumberSet[] {
  if (!b) return 'values' in a ? [...a.values].map(single) : [a];
  if ('values' in a) return [...a.values].filter((n) => contains(b, n)).map(single);
  if ('values' in b) return [...b.values].filter((n) => contains(a, n)).map(single);
  if (((a.value ^ b.value) & a.mask & b.mask) !== 0) return [];
  return [{ value: (a.value & a.mask) | (b.value & b.mask), mask: a.mask | b.mask }];
}

function single(n: number): NumberSet {
  return { value: n, mask: 0xffff };
}

/** What is in both of two cubes that meet. */
function both(a: GuidCube, b: GuidCube): GuidCube {
  return {
    value: a.value.map((byte, i) => (byte & a.mask[i]!) | (b.value[i]! & b.mask[i]!)),
    mask: a.mask.map((byte, i) => byte | b.mask[i]!),
  };
}

/** Whether a forbid that holds for the GUIDs stops all of an atom. */
function stops(forbid: Arm, { type, priority, source }: Atom): boolean {
  return (
    (forbid.priorities & (1 << priority)) !== 0 &&
    holds(forbid.types, type) &&
    (!forbid.sources || (source !== undefined && forbid.sources.has(source)))
  );
}

/** Whether a set holds all of another that is one number or ternary. */
function holds(set: NumberSet, part: NumberSet): boolean {
  if (!('mask' in part)) return false;
  if ('values' in set) return part.mask === 0xffff && set.values.has(part.value);
  return (set.mask & ~part.mask) === 0 && ((set.value ^ part.value) & set.mask) === 0;
}
