/** fast-check generators of rules and events of one small world, so that they often meet. */
import fc from 'fast-check';
import type { VscpEvent } from '../../src/event/event.js';
import {
  CLASS_WORDS,
  classesOf,
  type EmitWords,
  guidOf,
  type Match,
  type NaiveRule,
  type Pattern,
  type Quad,
  TYPE_WORDS,
} from './naive.js';

export const SOURCES = ['plant-a', 'plant-b', 'plant-c'] as const;
export const CHANNELS = ['open', 'press', 'board'] as const;

const CLASSES = [0, 1, 2, 10, 20, 60, 65, 512, 513, 514, 522, 1024, 1034, 1040, 1060, 65535];
const TYPES = [0, 1, 2, 6, 7, 255, 256, 65535];
const ALL = (1n << 128n) - 1n;

/** Subnets that share beginnings and ends. */
const GUIDS = [
  0xfffffffffffffffeb827eb1001020001n,
  0xfffffffffffffffeb827eb1001020002n,
  0xfffffffffffffffeb827eb1101020001n,
  0xfffffffffffffffeb827eb2001020001n,
  0x7ffffffffffffffeb827eb1001020001n,
  0x80000000000000000000000000000001n,
  0x00000000000000000000000000000001n,
  0n,
];

const guid = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...GUIDS) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...GUIDS), fc.nat(127))
      .map(([value, bit]) => value ^ (1n << BigInt(bit))),
  },
);

function hex(value: bigint): string[] {
  return value.toString(16).padStart(32, '0').match(/../g)!;
}

/** A whole GUID in one of the spellings of the specification. */
const whole = fc.tuple(guid, fc.nat(5)).map(([value, form]): Pattern => {
  const pairs = hex(value);
  const text = pairs.join('');
  const cuts = [0, 8, 12, 16, 20, 32];
  const dashed = cuts
    .slice(1)
    .map((end, i) => text.slice(cuts[i], end))
    .join('-');
  const last = pairs.slice(-4);
  const start = pairs.slice(0, 12).join('');
  const spellings = [
    pairs.join(':'),
    pairs.join(':').toUpperCase(),
    pairs.map((pair) => Number.parseInt(pair, 16).toString(16)).join(':'),
    `{${dashed}}`,
    start === 'f'.repeat(24) ? `::${last.join(':')}` : dashed,
    start === '0'.repeat(24) ? `-:${last.join(':')}` : pairs.join(','),
  ];
  return { text: spellings[form]!, value, mask: ALL };
});

const prefix = fc
  .tuple(guid, fc.integer({ min: 1, max: 128 }), fc.nat(15))
  .map(([value, bits, more]): Pattern => {
    const mask = ALL ^ ((1n << BigInt(128 - bits)) - 1n);
    const pairs = hex(value & mask);
    const bytes = Math.max(Math.ceil(bits / 8), 16 - more);
    return { text: `${pairs.slice(0, bytes).join(':')}/${bits}`, value: value & mask, mask };
  });

const masked = fc
  .tuple(guid, fc.array(fc.nat(127), { minLength: 1, maxLength: 12 }))
  .map(([value, bits]): Pattern => {
    const mask = bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
    return { text: '', value, mask };
  });

const someGuids: fc.Arbitrary<NonNullable<Match['guid']>> = fc.oneof(
  fc.record({
    form: fc.constantFrom('many' as const, 'in' as const, 'list' as const),
    patterns: fc.array(fc.oneof(whole, prefix), { minLength: 1, maxLength: 4 }),
  }),
  fc.oneof(whole, prefix).map((one) => ({ form: 'one' as const, patterns: [one] })),
  masked.map((one) => ({ form: 'mask' as const, patterns: [one] })),
);

function some<T>(from: readonly T[], most: number): fc.Arbitrary<T[]> {
  return fc.subarray([...from], { minLength: 1, maxLength: most });
}

const classWord = fc.oneof(
  fc.constantFrom(...Object.keys(CLASS_WORDS)),
  fc.constantFrom(...CLASSES),
);

interface Pair {
  readonly classes?: readonly (string | number)[];
  readonly types?: readonly (string | number)[];
}

/** Classes with types: a token only where every class has it. */
const classAndType = fc
  .tuple(
    fc.option(fc.array(classWord, { minLength: 1, maxLength: 4 }), { nil: undefined }),
    fc.option(some(TYPES, 4), { nil: undefined }),
    fc.option(fc.constantFrom(...Object.keys(TYPE_WORDS)), { nil: undefined }),
  )
  .map(([classes, types, word]): Pair => {
    const fits =
      classes && word && classesOf(classes).every((n) => TYPE_WORDS[word]![1].includes(n));
    const both = fits ? [...(types ?? []), word] : types;
    return { ...(classes && { classes }), ...(both && { types: both }) };
  });

const scopedPair = fc
  .tuple(fc.constantFrom(...Object.keys(TYPE_WORDS)), fc.nat(100))
  .map(([word, n]): Pair => {
    const holders = TYPE_WORDS[word]![1];
    return { classes: [...new Set([holders[n % holders.length]!, holders[0]!])], types: [word] };
  });

const full: fc.Arbitrary<bigint> = fc.oneof(
  fc.constant(0n),
  fc.constant(ALL),
  masked.map(({ mask }) => mask),
  prefix.map(({ mask }) => mask),
);

const number = fc.oneof(fc.constantFrom(...CLASSES), fc.constantFrom(...TYPES));
// Few different bits: every distinct mask doubles the groups of numbers.
const mask = fc.constantFrom(0, 0, 0xffff, 0xffff, 0xfff0, 0x3ff, 1);

const raw: fc.Arbitrary<{ filter: Quad; mask: Quad }> = fc
  .record({
    filter: fc.record({ priority: fc.nat(7), vscpClass: number, type: number, guid }),
    mask: fc.record({
      priority: fc.constantFrom(0, 0, 7, 4, 1),
      vscpClass: mask,
      type: mask,
      guid: full,
    }),
  })
  .filter(({ mask: m }) => m.priority + m.vscpClass + m.type > 0 || m.guid > 0n);

const priorities = fc.array(fc.nat(7), { minLength: 1, maxLength: 6 });

/** Every kind of predicate, each of them there or not. */
export const match: fc.Arbitrary<Match> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.oneof({ weight: 3, arbitrary: classAndType }, { weight: 2, arbitrary: scopedPair }),
        fc.record({ sources: some(SOURCES, 2), priorities, guid: someGuids }, { requiredKeys: [] }),
      )
      .map(([pair, rest]): Match => ({ ...pair, ...rest })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ raw, sources: some(SOURCES, 2) }, { requiredKeys: ['raw'] }),
  },
);

const word = fc.constantFrom('keep', 'zero');

/** `emit`, or none. */
export const emitWords: fc.Arbitrary<EmitWords | undefined> = fc.option(
  fc
    .record({ priority: word, guid: word, time: word, data: word }, { requiredKeys: [] })
    .filter((words) => Object.keys(words).length > 0),
  { nil: undefined },
);

type Draft = Omit<NaiveRule, 'name'>;

/** Rules that load: permits that share a channel share their emit, and whether they are urgent. */
export const rules: fc.Arbitrary<NaiveRule[]> = fc
  .tuple(emitWords, emitWords, fc.subarray([true, false]))
  .chain(([first, second, urgencies]) => {
    const forbid = fc.record(
      {
        effect: fc.constant('forbid' as const),
        to: some(CHANNELS, 2),
        match,
      },
      { requiredKeys: ['effect', 'match'] },
    );
    const permit = fc
      .tuple(match, fc.oneof(some(['open', 'press'], 2), fc.constant(['board'])))
      .map(([what, to]): Draft => {
        const words = to[0] === 'board' ? second : first;
        const urgent = urgencies[to[0] === 'board' ? 1 : 0];
        return {
          effect: 'permit',
          to,
          match: what,
          ...(words && { emit: words }),
          ...(urgent !== undefined && { urgent }),
        };
      });
    const draft: fc.Arbitrary<Draft> = fc.oneof(
      { weight: 3, arbitrary: permit },
      { weight: 1, arbitrary: forbid },
    );
    return fc.array(draft, { minLength: 1, maxLength: 9, size: 'max' });
  })
  .map((drafts) => drafts.map((draft, i) => ({ ...draft, name: `r${i}` })));

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from(hex(value), (pair) => Number.parseInt(pair, 16));
}

const data = fc.array(fc.nat(255), { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes));

/** Events of the same world. */
const event: fc.Arbitrary<VscpEvent> = fc.record({
  head: fc.nat(65535),
  vscpClass: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...CLASSES) },
    { weight: 1, arbitrary: fc.nat(65535) },
  ),
  type: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(0, 1, 1, 2, 6, 6, 7, 255, 256, 65535) },
    { weight: 1, arbitrary: fc.nat(65535) },
  ),
  obid: fc.nat(0xffffffff),
  datetime: fc.constantFrom('', '2026-11-22T10:00:00', '2026-11-22T10:00:00Z'),
  timestamp: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  guid: guid.map(bytesOf),
  data,
});

export interface Arrival {
  readonly event: VscpEvent;
  /** Index into SOURCES. */
  readonly source: number;
}

/** An event bent until a match takes it, or nearly: what `skip` names stays as it was. */
function bend({ event, source }: Arrival, match: Match, n: number, skip: number): Arrival {
  const pick = <T>(from: readonly T[]): T => from[n % from.length]!;
  const { sources, classes, types, priorities, guid, raw } = match;
  let { head, vscpClass, type } = event;
  let address = guidOf(event);
  if (classes) vscpClass = pick(classesOf(classes));
  if (types) {
    const word = pick(types);
    type = typeof word === 'number' ? word : TYPE_WORDS[word]![0];
  }
  const pattern = guid && pick(guid.patterns);
  if (pattern) address = (address & ~pattern.mask) | (pattern.value & pattern.mask);
  if (priorities) head = (head & ~0xe0) | (pick(priorities) << 5);
  if (raw) {
    const { filter, mask } = raw;
    vscpClass = (vscpClass & ~mask.vscpClass) | (filter.vscpClass & mask.vscpClass);
    type = (type & ~mask.type) | (filter.type & mask.type);
    address = (address & ~mask.guid) | (filter.guid & mask.guid);
    head = (head & ~(mask.priority << 5)) | ((filter.priority & mask.priority) << 5);
  }
  return {
    event: {
      ...event,
      head: skip === 1 ? event.head : head,
      vscpClass: skip === 2 ? event.vscpClass : vscpClass,
      type: skip === 3 ? event.type : type,
      guid: skip === 4 ? event.guid : bytesOf(address & ALL),
    },
    source: skip === 5 || !sources ? source : SOURCES.indexOf(pick(sources) as 'plant-a'),
  };
}

/** Events that come close to what some of the matches say. */
export function arrivals(matches: readonly Match[]): fc.Arbitrary<Arrival[]> {
  const one = fc
    .tuple(
      fc.record({ event, source: fc.nat(SOURCES.length - 1) }),
      fc.nat(),
      fc.nat(99),
      fc.nat(8),
    )
    .map(([arrival, which, n, skip]) =>
      skip === 6 ? arrival : bend(arrival, matches[which % matches.length]!, n, skip),
    );
  return fc.array(one, { minLength: 16, maxLength: 16 });
}
