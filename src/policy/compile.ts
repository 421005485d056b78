/** Compiles active policies into tables: class and type choose a short list of arms to try. */
import { DocumentError, type Field } from '../document/document.js';
import { didYouMean } from '../document/nearest.js';
import { type Arm, armsMeet, contains, type GuidCube, type NumberSet } from './match.js';
import { compileData, type DataTests } from './data-tests.js';
import type { Policy, Rule } from './policy.js';
import type { Schedule } from './schedule.js';
import { signatureOf } from './signature.js';

/** Bits of a small integer name the channels; V8 keeps 31-bit integers unboxed. */
export const MAX_CHANNELS = 30;
/** Pairs of class group and type group; 16 Mi of them are 64 MiB of table. */
const MAX_PAIRS = 16 * 2 ** 20;
/** Lists that differ, and arms in the lists of all pairs: what compiling may cost. */
const MAX_LISTS = 2 ** 20;
const MAX_ENTRIES = 64 * 2 ** 20;

/** Characters of all rules' names: each segment of a journal holds them. */
const MAX_NAMES = 768 * 1024;

/** A policy, or a forbid, whose last day is over: nothing goes out, by those before it neither. */
export class ExpiredError extends DocumentError {}

function expired(field: Field, message: string): ExpiredError {
  const { file, line, column } = field.error(message);
  return new ExpiredError(file, line, column, message);
}

/** @throws ExpiredError if the policy's last day is over */
export function refuseExpired({ id, expires, expiresField, idField }: Policy, now: number): void {
  if (expires > now) return;
  const last = new Date(expires - 1).toISOString().slice(0, 10);
  throw expired(expiresField ?? idField, `policy '${id}' expired: its last day was ${last}`);
}

/** What the names in policies refer to: the lower links and the channels of the configuration. */
export interface Scope {
  readonly sources: readonly string[];
  readonly channels: readonly string[];
}

/** An arm with its rule and its tests in the form that the engine evaluates. */
export interface CompiledArm {
  readonly rule: number;
  readonly permit: boolean;
  readonly channels: number;
  readonly priorities: number;
  /** One byte per source, 1 if it matches. */
  readonly sources: Uint8Array;
  /** Eight 32-bit words per alternative: value and mask of each of four; empty: every GUID. */
  readonly guids: Int32Array;
  /** What it asks of the data; undefined: nothing. */
  readonly data: DataTests | undefined;
  readonly schedule: Schedule | undefined;
  /** First instant at which it no longer matches, ms since 1970; of a forbid, never. */
  readonly expires: number;
}

export interface Compiled {
  readonly scope: Scope;
  /** By name, so that nothing depends on the order in which they were written. */
  readonly rules: readonly Rule[];
  readonly arms: readonly CompiledArm[];
  readonly classGroup: Uint16Array;
  readonly typeGroup: Uint16Array;
  readonly typeGroups: number;
  /** By class group * typeGroups + type group: where its list begins in `lists`, 0 if it has none. */
  readonly pairs: Int32Array;
  /** A list: how many arms, then their indices; forbids first. */
  readonly lists: Int32Array;
  /** By pair: whether any arm of its list permits. */
  readonly hasPermit: Uint8Array;
  /** By pair: the forbid that class and type alone decide, or -1. */
  readonly covering: Int32Array;
  /** First instant at which one of the policies has expired, ms since 1970. */
  readonly expires: number;
}

/**
 * Brings policies together.
 *
 * @throws DocumentError for an unknown source or channel, a policy id or a rule name used twice, an
 * expired policy, or two permits of one channel that overlap and differ in what they send
 */
export function compilePolicies(policies: readonly Policy[], scope: Scope, now: number): Compiled {
  if (scope.channels.length > MAX_CHANNELS) refuseChannels(policies, scope);
  const ids = new Map<string, Policy>();
  for (const policy of policies) {
    if (ids.has(policy.id)) {
      throw policy.idField.error(`a second policy with the id '${policy.id}'`);
    }
    ids.set(policy.id, policy);
    refuseExpired(policy, now);
  }
  const rules = policies
    .flatMap((policy) => policy.rules)
    .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  for (const rule of rules) {
    checkNames(rule, scope);
    if (rule.effect === 'forbid' && rule.expires <= now) {
      const last = new Date(rule.expires - 1).toISOString().slice(0, 10);
      throw expired(
        rule.places.get('expires')!,
        `forbid '${rule.name}' expired, its last day was ${last}: renew it, or take it out`,
      );
    }
  }
  refuseDisagreement(rules, now);
  const names = rules.reduce((sum, { name }) => sum + name.length, 0);
  if (names > MAX_NAMES) throw rules[0]!.field.error('the names of all rules are too long');
  const pairs = rules.flatMap((rule, index) =>
    rule.expires <= now ? [] : rule.arms.map((arm) => ({ rule, index, arm })),
  );
  // Forbids first, so that a list says early whether anything can still be permitted.
  pairs.sort((a, b) => Number(a.rule.effect === 'permit') - Number(b.rule.effect === 'permit'));
  const arms = pairs.map(({ rule, index, arm }) => compileArm(rule, index, arm, scope));
  const classes = groupNumbers(pairs.map(({ arm }) => arm.classes));
  const types = groupNumbers(pairs.map(({ arm }) => arm.types));
  const tooMany = (): Error =>
    rules[0]!.field.error('the policies name too many different classes and types');
  const entries = arms.reduce(
    (sum, _, i) => sum + classes.groupsOf[i]!.length * types.groupsOf[i]!.length,
    0,
  );
  if (classes.count * types.count > MAX_PAIRS || entries > MAX_ENTRIES) throw tooMany();
  const table = new Int32Array(classes.count * types.count);
  const hasPermit = new Uint8Array(table.length);
  const covering = new Int32Array(table.length).fill(-1);
  const lists = new Lists(arms.length);
  arms.forEach((arm, i) => {
    for (const c of classes.groupsOf[i]!) {
      for (const t of types.groupsOf[i]!) {
        const pair = c * types.count + t;
        table[pair] = lists.extend(table[pair]!, i);
        if (arm.permit) hasPermit[pair] = 1;
        else if (covering[pair] === -1 && decidesAlone(arm)) covering[pair] = arm.rule;
      }
    }
    if (lists.count > MAX_LISTS) throw tooMany();
  });
  return {
    scope,
    rules,
    arms,
    classGroup: classes.group,
    typeGroup: types.group,
    typeGroups: types.count,
    lists: lists.flatten(table),
    pairs: table,
    hasPermit,
    covering,
    expires: Math.min(...policies.map(({ expires }) => expires)),
  };
}

function refuseChannels(policies: readonly Policy[], { channels }: Scope): never {
  const excess = channels[MAX_CHANNELS];
  const names = policies.flatMap(({ rules }) => rules.flatMap(({ to }) => to ?? []));
  const field = names.find(({ text }) => text === excess)?.field ?? policies[0]!.idField;
  throw field.error(`more than ${MAX_CHANNELS} channels: '${excess!}' is one too many`);
}

/** Lists of arms that share their beginnings: list 0 is empty, any other extends one by one arm. */
class Lists {
  readonly #arms: number;
  readonly #shorter = [0];
  readonly #last = [-1];
  readonly #length = [0];
  readonly #longer = new Map<number, number>();

  constructor(arms: number) {
    this.#arms = arms;
  }

  get count(): number {
    return this.#last.length;
  }

  extend(list: number, arm: number): number {
    const key = list * this.#arms + arm;
    let longer = this.#longer.get(key);
    if (longer === undefined) {
      longer = this.#last.length;
      this.#longer.set(key, longer);
      this.#shorter.push(list);
      this.#last.push(arm);
      this.#length.push(this.#length[list]! + 1);
    }
    return longer;
  }

  /** Writes the lists of `table` out one after the other, and into `table` where each begins. */
  flatten(table: Int32Array): Int32Array {
    const starts = new Int32Array(this.count);
    let size = 1;
    for (let pair = 0; pair < table.length; pair++) {
      const list = table[pair]!;
      if (list === 0) continue;
      if (starts[list] === 0) {
        starts[list] = size;
        size += 1 + this.#length[list]!;
      }
      table[pair] = starts[list]!;
    }
    const flat = new Int32Array(size);
    starts.forEach((start, list) => {
      if (start === 0) return;
      flat[start] = this.#length[list]!;
      let rest = list;
      for (let i = start + flat[start]; i > start; i--) {
        flat[i] = this.#last[rest]!;
        rest = this.#shorter[rest]!;
      }
    });
    return flat;
  }
}

function decidesAlone(arm: CompiledArm): boolean {
  return (
    arm.priorities === 0xff &&
    arm.guids.length === 0 &&
    !arm.sources.includes(0) &&
    arm.data === undefined &&
    arm.schedule === undefined
  );
}

function checkNames(rule: Rule, scope: Scope): void {
  for (const { text, field } of rule.to ?? []) {
    if (scope.channels.includes(text)) continue;
    throw field.error(`no channel is named '${text}'${didYouMean(text, scope.channels)}`);
  }
  for (const { text, field } of rule.sources ?? []) {
    if (scope.sources.includes(text)) continue;
    throw field.error(`no lower is named '${text}'${didYouMean(text, scope.sources)}`);
  }
}

/** Rules have no order, so two permits that match one event must send the same. */
function refuseDisagreement(rules: readonly Rule[], now: number): void {
  const permits = rules
    .filter(({ effect, expires }) => effect === 'permit' && expires > now)
    .map((rule) => ({ rule, sends: signatureOf([rule.emit, rule.limits, rule.urgent]) }));
  permits.forEach(({ rule: a, sends }, i) => {
    for (const { rule: b, sends: other } of permits.slice(i + 1)) {
      if (sends === other) continue;
      const shared = a.to?.find(({ text }) => b.to?.some((name) => name.text === text));
      if (shared === undefined) continue;
      const until = Math.min(a.expires, b.expires);
      if (a.arms.some((x) => b.arms.some((y) => armsMeet(x, y, { from: now, until })))) {
        const keys = ['emit', 'limits', 'urgent'] as const;
        const what = keys.find((key) => signatureOf(a[key]) !== signatureOf(b[key]))!;
        throw b.field.error(
          `permits '${a.name}' and '${b.name}' match the same events for channel ` +
            `'${shared.text}' but differ in ${what}`,
        );
      }
    }
  });
}

function compileArm(rule: Rule, index: number, arm: Arm, scope: Scope): CompiledArm {
  const named = rule.to?.map(({ text }) => text) ?? scope.channels;
  return {
    rule: index,
    permit: rule.effect === 'permit',
    channels: named.reduce((bits, name) => bits | (1 << scope.channels.indexOf(name)), 0),
    priorities: arm.priorities,
    sources: Uint8Array.from(scope.sources, (name) => Number(arm.sources?.has(name) ?? true)),
    guids: wordsOf(arm.guids ?? NO_CUBES),
    data: compileData(arm),
    schedule: arm.schedule,
    expires: rule.effect === 'permit' ? rule.expires : Infinity,
  };
}

const NO_CUBES: readonly GuidCube[] = [];
/** Rules that share a list share its words. */
const WORDS = new WeakMap<readonly GuidCube[], Int32Array>();

function wordsOf(cubes: readonly GuidCube[]): Int32Array {
  let words = WORDS.get(cubes);
  if (!words) {
    words = new Int32Array(cubes.length * 8);
    for (const [i, { value, mask }] of cubes.entries()) {
      const [values, masks] = [value, mask].map((b) => new DataView(b.buffer, b.byteOffset));
      for (let word = 0; word < 4; word++) {
        words[8 * i + 2 * word] = values!.getInt32(4 * word);
        words[8 * i + 2 * word + 1] = masks!.getInt32(4 * word);
      }
    }
    WORDS.set(cubes, words);
  }
  return words;
}

interface Groups {
  /** By number: its group; numbers of a group are in exactly the same sets. */
  readonly group: Uint16Array;
  readonly count: number;
  /** By set: the groups inside it. */
  readonly groupsOf: readonly (readonly number[])[];
}

/** Partitions 0..65535 by the sets that each number is in. */
function groupNumbers(sets: readonly NumberSet[]): Groups {
  const group = new Uint16Array(65536);
  const sizes = [65536];
  const distinct = new Map(sets.map((set) => [setKey(set), set]));
  for (const set of distinct.values()) {
    if ('mask' in set && set.mask === 0) continue;
    const inside = 'values' in set ? [...set.values] : matching(set);
    const taken = new Map<number, number>();
    for (const n of inside) taken.set(group[n]!, (taken.get(group[n]!) ?? 0) + 1);
    const split = new Map<number, number>();
    for (const [old, part] of taken) {
      if (part === sizes[old]) continue;
      sizes[old]! -= part;
      split.set(old, sizes.push(part) - 1);
    }
    for (const n of inside) group[n] = split.get(group[n]!) ?? group[n]!;
  }
  const count = sizes.length;
  const sample = new Int32Array(count);
  group.forEach((id, n) => (sample[id] = n));
  const inside = new Map<string, number[]>();
  for (const [key, set] of distinct) {
    inside.set(
      key,
      [...sample.keys()].filter((id) => contains(set, sample[id]!)),
    );
  }
  return { group, count, groupsOf: sets.map((set) => inside.get(setKey(set))!) };
}

function setKey(set: NumberSet): string {
  return 'values' in set
    ? [...set.values].sort((a, b) => a - b).join()
    : `${set.value}&${set.mask}`;
}

function matching(set: NumberSet): number[] {
  const numbers: number[] = [];
  for (let n = 0; n < 65536; n++) if (contains(set, n)) numbers.push(n);
  return numbers;
}
