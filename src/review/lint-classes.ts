/** Lints of what is let out: dangerous classes, forbids that stop less or more than they seem. */
import type { Field } from '../document/document.js';
import { carries } from '../event/carries.js';
import {
  type Arm,
  armsMeet,
  EVERY,
  MISSING,
  type NumberSet,
  type Period,
} from '../policy/match.js';
import type { Rule } from '../policy/policy.js';
import { few, type Finding, showClass, warn } from './finding.js';
import { aliasesOf, familyWith, type Hazard, HAZARDS } from './hazards.js';
import type { Reach } from './reach.js';

/** Where a rule says something, or the rule. */
export function placeOf({ places, field }: Rule, ...keys: readonly string[]): Field {
  for (const key of keys) {
    const place = places.get(key);
    if (place) return place;
  }
  return field;
}

/** Permits of classes that nobody lets out on purpose, and of everything. */
export function lintPermit(rule: Rule, reach: Reach): Finding[] {
  const findings = HAZARDS.flatMap((hazard) => lintHazard(rule, hazard, reach));
  const any = rule.places.get('match.any');
  if (any) {
    findings.push(
      warn(
        any,
        'permit-any',
        `permit '${rule.name}' lets out whatever no forbid names, also what is connected tomorrow`,
        'name the classes, types and GUIDs that are wanted: what nothing permits stays inside',
      ),
    );
    if (rule.urgent || rule.emit.priority === 0) {
      const message =
        `permit '${rule.name}' sends everything as urgent: what must not wait stands in line ` +
        'behind all the rest';
      const fix = rule.urgent
        ? 'name what must not wait, and permit the rest by rules that match none of it'
        : 'keep the priority, or send 1 to 7: 0 is the highest, and urgent';
      const field = placeOf(rule, rule.urgent ? 'urgent' : 'emit.priority');
      findings.push(warn(field, 'urgent-any', message, fix));
    }
  }
  return findings;
}

function lintHazard(rule: Rule, hazard: Hazard, reach: Reach): Finding[] {
  const { emit } = rule;
  const { code, what } = hazard;
  if (emit.class !== undefined && hazard.classes.includes(emit.class) && !hazard.inData) {
    const field = placeOf(rule, 'emit.class');
    const message = `permit '${rule.name}' sends ${showClass(emit.class)}: ${what}`;
    return [warn(field, code, message, "send a class that only tells: leave 'emit.class' out")];
  }
  const dataOnly = hazard.inData || emit.class !== undefined;
  if (dataOnly && emit.data !== 'keep') return [];
  const open = reach.classes(rule, hazard.classes, hazard.types);
  if (open.length === 0) return [];
  const field = placeOf(rule, 'match.class', 'match.raw', 'match.any');
  return [
    warn(
      field,
      code,
      `permit '${rule.name}' lets ${few(open.map(showClass))} out: ${what}`,
      `permit what is wanted by class and type, or add a rule that forbids ${hazard.forbid}`,
    ),
  ];
}

/** Patterns that are compared pair by pair. */
const SHORT = 16;

/** A family that is stopped under some of its names only. */
interface Gap {
  readonly bare: number;
  readonly open: Set<number>;
  readonly by: Set<string>;
}

/** Forbids by bare class whose events some permit lets out under another class. */
export function lintForbid(
  rule: Rule,
  permits: readonly Rule[],
  reach: Reach,
  period: Period,
): Finding[] {
  const gaps = rule.arms.flatMap((arm) =>
    (listed(arm.classes) ?? []).flatMap((bare) => gapOf(rule, arm, bare, permits, reach, period)),
  );
  const findings = lintMissing(rule);
  if (gaps.length === 0) return findings;
  const bare = [...new Set(gaps.map((gap) => gap.bare))];
  const open = new Set(gaps.flatMap((gap) => [...gap.open]));
  const by = new Set(gaps.flatMap((gap) => [...gap.by]));
  findings.push(
    warn(
      placeOf(rule, 'match.class', 'match.raw'),
      'alias-open',
      `forbid '${rule.name}' stops ${few(bare.map(showClass))}, but the same events get out as ` +
        `${few([...open].sort((a, b) => a - b).map(showClass))} by permit ` +
        few([...by].map((name) => `'${name}'`)),
      `write class: ${writeFamilies(bare)} in place of ${few(bare.map(showClass))}: all classes ` +
        'that carry them',
    ),
  );
  return findings;
}

/** The classes with all of their aliases, as `class` takes them. */
function writeFamilies(classes: readonly number[]): string {
  const items = classes.map((n) => {
    const family = familyWith(n);
    return family === undefined ? `${n}, ${n ^ 512}` : `"${family}"`;
  });
  const list = [...new Set(items)].join(', ');
  return list.includes(',') ? `[${list}]` : list;
}

function gapOf(
  rule: Rule,
  arm: Arm,
  bare: number,
  permits: readonly Rule[],
  reach: Reach,
  period: Period,
): Gap[] {
  const gap: Gap = { bare, open: new Set(), by: new Set() };
  const channels = rule.to && new Set(rule.to.map(({ text }) => text));
  const own = new Set(rule.arms.flatMap(({ classes }) => listed(classes) ?? []));
  const aliases = aliasesOf(bare, arm.types).filter(([alias]) => !own.has(alias));
  // Of long lists of GUIDs the reach is quicker.
  const guids = arm.guids && arm.guids.length > SHORT ? undefined : arm.guids;
  const elsewhere = (classes: readonly number[], types: NumberSet): Arm => ({
    ...arm,
    classes: { values: new Set(classes) },
    types,
    guids,
  });
  const anyAlias = elsewhere(
    aliases.map(([alias]) => alias),
    EVERY,
  );
  const meets = (permit: Rule, other: Arm): boolean =>
    permit.arms.some((its) => armsMeet(its, other, period));
  const near = permits.filter((permit) => meets(permit, anyAlias));
  for (const [alias, types] of aliases) {
    for (const permit of near) {
      if (!meets(permit, elsewhere([alias], types))) continue;
      if (!reach.some(permit, { ...arm, types, classes: [alias], channels })) continue;
      gap.open.add(alias);
      gap.by.add(permit.name);
    }
  }
  return gap.open.size > 0 ? [gap] : [];
}

/** The classes of a set that a person would list. */
function listed(set: NumberSet): readonly number[] | undefined {
  if ('values' in set) return [...set.values];
  return set.mask === 0xffff ? [set.value] : undefined;
}

/** A forbid holds where the field is missing: by a field alone it stops all that have none. */
function lintMissing(rule: Rule): Finding[] {
  for (const [key, set] of [
    ['sensor', 'sensors'],
    ['zone', 'zones'],
    ['subzone', 'subzones'],
  ] as const) {
    const arms = rule.arms.filter((arm) => arm[set]?.has(MISSING));
    const classes = arms.flatMap(({ classes }) => listed(classes) ?? []);
    const every = arms.some((arm) => !listed(arm.classes));
    if (arms.length === 0 || (!every && classes.some((n) => hasField(n, key)))) continue;
    const which = every
      ? `every event that has no ${key}`
      : `all of ${few(classes.map(showClass))}, which have no ${key}`;
    return [
      warn(
        placeOf(rule, `match.${key}`),
        'forbid-by-missing',
        `forbid '${rule.name}' stops ${which}, because a field that is missing satisfies it`,
        `add the classes whose events have a ${key}, as class: "@MEASUREMENT"`,
      ),
    ];
  }
  return [];
}

function hasField(vscpClass: number, key: 'sensor' | 'zone' | 'subzone'): boolean {
  const has = carries(vscpClass);
  return key === 'sensor' ? has?.index === true : has?.zone === true;
}
