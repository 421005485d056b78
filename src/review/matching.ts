/** Why a rule does not match an event: the first predicate that fails, told by name. */
import { Fields, decodeFields } from '../event/fields.js';
import { CLASS, GUID, HEAD, priorityOf, readU16, SIZE, TYPE } from '../event/layout.js';
import { type Arm, contains, MISSING } from '../policy/match.js';
import type { Rule } from '../policy/policy.js';
import { isOpen } from '../policy/schedule.js';

/** Keys of `match`, in the order in which an explanation tries them; and the rule's own end. */
export type Predicate =
  | 'expires'
  | 'source'
  | 'class'
  | 'type'
  | 'priority'
  | 'raw'
  | 'guid'
  | 'sensor'
  | 'zone'
  | 'subzone'
  | 'unit'
  | 'value'
  | 'size'
  | 'time';

/** An event as rules see it. */
export class Facts {
  readonly body: Uint8Array;
  readonly source: string;
  /** The relay's clock, ms since 1970. */
  readonly now: number;
  readonly fields = new Fields();

  constructor(body: Uint8Array, source: string, now: number) {
    this.body = body;
    this.source = source;
    this.now = now;
    decodeFields(body, 0, this.fields);
  }

  get vscpClass(): number {
    return readU16(this.body, CLASS);
  }

  get type(): number {
    return readU16(this.body, TYPE);
  }

  get priority(): number {
    return priorityOf(readU16(this.body, HEAD));
  }

  get size(): number {
    return readU16(this.body, SIZE);
  }
}

/** The tests of an arm, in order. */
const TESTS: readonly (readonly [Predicate, (arm: Arm, facts: Facts) => boolean])[] = [
  ['source', (arm, { source }) => arm.sources?.has(source) ?? true],
  ['class', (arm, { vscpClass }) => contains(arm.classes, vscpClass)],
  ['type', (arm, { type }) => contains(arm.types, type)],
  ['priority', (arm, { priority }) => (arm.priorities & (1 << priority)) !== 0],
  ['guid', matchesGuid],
  ['sensor', (arm, { fields }) => arm.sensors?.has(fields.index) ?? true],
  ['zone', (arm, { fields }) => arm.zones?.has(fields.zone) ?? true],
  ['subzone', (arm, { fields }) => arm.subzones?.has(fields.subzone) ?? true],
  ['unit', (arm, { fields }) => arm.units?.has(fields.unit) ?? true],
  ['value', matchesValue],
  ['size', (arm, { size }) => !arm.sizes || (arm.sizes[0] <= size && size <= arm.sizes[1])],
  ['time', (arm, { now }) => !arm.schedule || isOpen(arm.schedule, now)],
];

function matchesGuid({ guids }: Arm, { body }: Facts): boolean {
  return (
    guids?.some(({ value, mask }) =>
      value.every((byte, i) => ((byte ^ body[GUID + i]!) & mask[i]!) === 0),
    ) ?? true
  );
}

function matchesValue({ values }: Arm, { fields }: Facts): boolean {
  if (!values) return true;
  const interval = values.intervals.get(fields.unit);
  if (fields.unit === MISSING || Number.isNaN(fields.value) || !interval) return values.otherwise;
  return interval[0] <= fields.value && fields.value <= interval[1];
}

const HEADER: readonly Predicate[] = ['class', 'type', 'priority', 'guid'];

/**
 * The predicate of a rule that fails, of the arm that gets furthest.
 *
 * @returns undefined if the rule matches
 */
export function failureOf(rule: Rule, facts: Facts): Predicate | undefined {
  if (rule.effect === 'permit' && facts.now >= rule.expires) return 'expires';
  let furthest = -1;
  for (const arm of rule.arms) {
    const failed = TESTS.findIndex(([, test]) => !test(arm, facts));
    if (failed < 0) return undefined;
    furthest = Math.max(furthest, failed);
  }
  const [predicate] = TESTS[furthest]!;
  return rule.places.has('match.raw') && HEADER.includes(predicate) ? 'raw' : predicate;
}
