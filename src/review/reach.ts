/** What a permit lets out: exact sets of its arms, minus what forbids stop by the header alone. */
import { type Arm, contains, cubesMeet, type GuidCube, type NumberSet } from '../policy/match.js';
import type { Policy, Rule } from '../policy/policy.js';

/** Events by their header; what is not named is anything. */
export interface Region {
  readonly classes?: readonly number[] | undefined;
  readonly types?: NumberSet | undefined;
  readonly priorities?: number | undefined;
  readonly sources?: ReadonlySet<string> | undefined;
  readonly guids?: readonly GuidCube[] | undefined;
  readonly channels?: ReadonlySet<string> | undefined;
}

/** A part of an arm that a forbid stops wholly, or is taken to let pass. */
interface Atom {
  readonly type: NumberSet;
  readonly priority: number;
  readonly guid: GuidCube;
  /** undefined: every source. */
  readonly source: string | undefined;
}

interface Forbid {
  readonly arm: Arm;
  /** undefined: all channels. */
  readonly to: ReadonlySet<string> | undefined;
}

const EVERY_GUID: GuidCube = { value: new Uint8Array(16), mask: new Uint8Array(16) };

/**
 * Sound: what it says does not get out does not. A forbid that looks at the data or the clock, or
 * several that stop an event only together by its GUID, are taken to stop nothing.
 */
export class Reach {
  readonly #forbids: readonly Forbid[];
  readonly #byClass = new Map<number, readonly Forbid[]>();

  constructor(policies: readonly Policy[]) {
    this.#forbids = policies
      .flatMap(({ rules }) => rules)
      .filter(({ effect }) => effect === 'forbid')
      .flatMap(({ arms, to }) => {
        const channels = to && new Set(to.map(({ text }) => text));
        return arms.filter(headerAlone).map((arm) => ({ arm, to: channels }));
      });
  }

  /** Whether a permit lets out some event of a region. */
  some(rule: Rule, region: Region): boolean {
    return rule.arms.some((arm) => {
      for (const vscpClass of classesIn(arm, region)) {
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
    const atoms = atomsOf(arm, region);
    if (atoms.length === 0) return false;
    return (rule.to ?? []).some(({ text }) => {
      if (region.channels?.has(text) === false) return false;
      const forbids = this.#forbidsOf(vscpClass).filter(({ to }) => to?.has(text) ?? true);
      return atoms.some((atom) => !forbids.some((forbid) => stops(forbid.arm, atom)));
    });
  }

  #forbidsOf(vscpClass: number): readonly Forbid[] {
    let forbids = this.#byClass.get(vscpClass);
    if (!forbids) {
      forbids = this.#forbids.filter(({ arm }) => contains(arm.classes, vscpClass));
      this.#byClass.set(vscpClass, forbids);
    }
    return forbids;
  }
}

function headerAlone(arm: Arm): boolean {
  const { sensors, zones, subzones, units, values, sizes, schedule } = arm;
  return !(sensors ?? zones ?? subzones ?? units ?? values ?? sizes ?? schedule);
}

function* classesIn(arm: Arm, region: Region): Generator<number> {
  if (region.classes) {
    for (const n of region.classes) if (contains(arm.classes, n)) yield n;
  } else if ('values' in arm.classes) yield* arm.classes.values;
  else for (let n = 0; n < 65536; n++) if (contains(arm.classes, n)) yield n;
}

function atomsOf(arm: Arm, region: Region): Atom[] {
  const priorities = arm.priorities & (region.priorities ?? 0xff);
  const types = typesOf(arm.types, region.types);
  const sources = arm.sources ?? region.sources;
  const named = sources && [...sources].filter((name) => region.sources?.has(name) ?? true);
  const guids = (arm.guids ?? [EVERY_GUID]).flatMap((a) =>
    (region.guids ?? [EVERY_GUID]).filter((b) => cubesMeet(a, b)).map((b) => both(a, b)),
  );
  const atoms: Atom[] = [];
  for (const type of types) {
    for (let priority = 0; priority < 8; priority++) {
      if ((priorities & (1 << priority)) === 0) continue;
      for (const guid of guids) {
        for (const source of named ?? [undefined]) atoms.push({ type, priority, guid, source });
      }
    }
  }
  return atoms;
}

/** Types in both sets: one by one where either lists them. */
function typesOf(a: NumberSet, b: NumberSet | undefined): NumberSet[] {
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

function stops(forbid: Arm, { type, priority, guid, source }: Atom): boolean {
  return (
    (forbid.priorities & (1 << priority)) !== 0 &&
    holds(forbid.types, type) &&
    (forbid.guids?.some((cube) => inside(guid, cube)) ?? true) &&
    (!forbid.sources || (source !== undefined && forbid.sources.has(source)))
  );
}

/** Whether a set holds all of another that is one number or ternary. */
function holds(set: NumberSet, part: NumberSet): boolean {
  if (!('mask' in part)) return false;
  if ('values' in set) return part.mask === 0xffff && set.values.has(part.value);
  return (set.mask & ~part.mask) === 0 && ((set.value ^ part.value) & set.mask) === 0;
}

function inside(part: GuidCube, cube: GuidCube): boolean {
  return part.value.every(
    (byte, i) =>
      (cube.mask[i]! & ~part.mask[i]!) === 0 && ((byte ^ cube.value[i]!) & cube.mask[i]!) === 0,
  );
}
