import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DocumentError } from '../../src/document/document.js';
import { parseBody, unpackEvent, type VscpEvent } from '../../src/event/event.js';
import { MAX_BODY } from '../../src/event/layout.js';
import { compilePolicies } from '../../src/policy/compile.js';
import { DEFAULT_DENY, Engine, NOT_FINITE } from '../../src/policy/engine.js';
import { OUTCOMES } from '../../src/policy/outcome.js';
import { parsePolicy } from '../../src/policy/parse.js';
import type { Policy } from '../../src/policy/policy.js';
import { Rehearsal } from '../../src/review/rehearsal.js';
import { naiveFields } from '../event/naive-fields.js';
import { CHANNELS, SOURCES } from './arbitrary.js';
import { bent, type Day, day, policies } from './arbitrary-gate.js';
import { type EmitWords, type NaiveRule, write } from './naive.js';
import { KEY, NaiveGate, type Sending } from './naive-gate.js';
import { keyOf } from './stage.js';
import { runs } from '../arbitrary/runs.js';

const SCOPE = { sources: SOURCES, channels: CHANNELS };
/** The binary form starts anywhere. */
const AT = 3;
const TO = 11;

function pack(event: VscpEvent): Uint8Array {
  const { head, vscpClass, type, obid, datetime, timestamp, guid, data } = event;
  const address = Buffer.from(guid).toString('hex').match(/../g)!.join(':');
  return parseBody([head, vscpClass, type, obid, datetime, timestamp, address, ...data].join());
}

/** undefined for rules that disagree, or ask what no class has. */
function load(files: readonly (readonly NaiveRule[])[], now: number): Policy[] | undefined {
  try {
    const parsed = files
      .map((rules, i) => [rules, `p${i}`] as const)
      .filter(([rules]) => rules.length > 0)
      .map(([rules, id]) => parsePolicy(write(rules, id), `${id}.yaml`));
    compilePolicies(parsed, SCOPE, now);
    return parsed;
  } catch (error) {
    if (error instanceof DocumentError) return undefined;
    throw error;
  }
}

interface Came {
  readonly channel: string;
  readonly rule: string;
  readonly source: string;
  readonly fromWindow: boolean;
  readonly urgent: boolean;
  readonly body: Uint8Array;
}

/** A Level I coding holds the very value, or the nearest float32. */
function assertSame(came: Came, expected: Sending): void {
  const { channel, rule, source, fromWindow, urgent, measured } = expected;
  assert.deepEqual(
    [came.channel, came.rule, came.source, came.fromWindow, came.urgent],
    [channel, rule, source, fromWindow, urgent],
  );
  const { data, ...head } = unpackEvent(came.body);
  const { data: expectedData, ...expectedHead } = expected.event;
  assert.deepEqual(head, expectedHead);
  assert.equal(came.body.length, 44 + data.length);
  if (!measured) {
    assert.deepEqual([...data], [...expectedData]);
    return;
  }
  const { vscpClass, type, guid } = head;
  const fields = naiveFields(vscpClass, type, [...data]);
  const level1 = vscpClass !== 60 && vscpClass < 1024;
  const fits = Number.isInteger(measured.value * 100) && Math.abs(measured.value * 100) < 30_000;
  const { value } = measured;
  // The engine converts doubles, the naive gate what they were printed as: a bit or two of 52.
  const near = (a: number): boolean => Math.abs(fields.value - a) <= Math.abs(a) * 2 ** -51;
  const asSent = !level1 || fits || near(value) ? value : Math.fround(value);
  assert.ok(near(asSent), `${fields.value}, not ${asSent}`);
  if (vscpClass === 522) assert.deepEqual(data.slice(0, 16), guid);
  const { unit, sensor, zone, subzone } = measured;
  assert.equal(fields.unit, unit);
  if (vscpClass !== 60) assert.equal(fields.index, sensor);
  if (vscpClass === 65 || vscpClass > 1023) {
    assert.deepEqual([fields.zone, fields.subzone], [zone, subzone]);
  }
}

/** Rules that end at once send in an order that nobody promises: compared by rule and channel. */
function assertSent(came: readonly Came[], expected: readonly Sending[]): void {
  const group = <T extends { channel: string; rule: string }>(
    list: readonly T[],
  ): Map<string, T[]> => {
    const groups = new Map<string, T[]>();
    for (const item of list) {
      const name = `${item.channel} ${item.rule}`;
      groups.set(name, [...(groups.get(name) ?? []), item]);
    }
    return groups;
  };
  const [one, two] = [group(came), group(expected)];
  assert.deepEqual([...one.keys()].sort(), [...two.keys()].sort());
  for (const [name, list] of one) {
    const others = two.get(name)!;
    assert.equal(list.length, others.length, name);
    list.forEach((item, i) => assertSame(item, others[i]!));
  }
}

/** What is not 0, by name. */
function named(counts: Float64Array): Record<string, number> {
  assert.ok(counts.every((count) => count >= 0));
  const [permitted, ...rest] = counts;
  assert.equal(
    permitted,
    rest.reduce((sum, count) => sum + count, 0),
  );
  return Object.fromEntries(
    OUTCOMES.map((name, i) => [name, counts[i]!] as const).filter(([, count]) => count !== 0),
  );
}

/** The engine with a sink of its own, in buffers of which it must touch nothing else. */
class Plain {
  readonly engine: Engine;
  readonly came: Came[] = [];
  readonly counts = CHANNELS.map(() => new Float64Array(OUTCOMES.length));
  readonly #out = new Uint8Array(TO + MAX_BODY + TO).fill(0xbb);
  #open = -1;

  constructor(parsed: readonly Policy[], now: number, settled: boolean) {
    const compiled = compilePolicies(parsed, SCOPE, now);
    this.engine = new Engine(compiled, keyOf(KEY), { now, settled });
  }

  get sink() {
    return {
      buffer: this.#out,
      at: TO,
      open: (channel: number) => {
        this.#open = channel;
        return true;
      },
      append: (
        length: number,
        source: number,
        rule: number,
        fromWindow: boolean,
        urgent: boolean,
      ) => {
        assert.ok(this.#out.subarray(0, TO).every((byte) => byte === 0xbb));
        assert.ok(this.#out.subarray(TO + MAX_BODY).every((byte) => byte === 0xbb));
        this.came.push({
          channel: CHANNELS[this.#open]!,
          rule: this.engine.compiled.rules[rule]!.name,
          source: SOURCES[source]!,
          fromWindow,
          urgent,
          body: this.#out.slice(TO, TO + length),
        });
        this.#out.fill(0xcc, TO, TO + MAX_BODY);
      },
      count: (channel: number, outcome: number, events: number) => {
        this.counts[channel]![outcome]! += events;
      },
    };
  }

  /** What the naive gate's `feed` says, but of the forbids the first alone. */
  feed(event: VscpEvent, source: number) {
    const body = pack(event);
    const buffer = new Uint8Array(AT + MAX_BODY + AT).fill(0xaa);
    buffer.set(body, AT);
    const before = buffer.slice();
    const { engine, sink } = this;
    const bits = engine.decide(buffer, AT, source);
    const permitted = new Map<string, { rule: string; outcome: string }>();
    if (bits === NOT_FINITE) return undefined;
    const { deniedBy } = engine;
    if (bits !== 0) assert.ok(engine.canPermit(event.vscpClass, event.type));
    CHANNELS.forEach((name, channel) => {
      if ((bits & (1 << channel)) === 0) return;
      sink.open(channel);
      const outcome = engine.pass(buffer, AT, channel, source, sink);
      this.counts[channel]![0]!++;
      this.counts[channel]![outcome]!++;
      const rule = engine.compiled.rules[engine.permittedBy[channel]!]!.name;
      permitted.set(name, { rule, outcome: OUTCOMES[outcome]! });
    });
    assert.deepEqual(buffer, before, 'neither deciding nor passing changes the event');
    const by = deniedBy === DEFAULT_DENY ? undefined : engine.compiled.rules[deniedBy]!.name;
    return { permitted, forbiddenBy: by };
  }
}

/** Full names, in their order. */
function fullNames(files: readonly (readonly NaiveRule[])[]): NaiveRule[] {
  return files
    .flatMap((rules, i) => rules.map((rule) => ({ ...rule, name: `p${i}/${rule.name}` })))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** How long a day may take: what a deadband remembers for longer is not of this language. */
const LONGEST = 20 * 3_600_000;

function timesOf({ start, steps }: Day): number[] {
  let now = start;
  return steps.map(({ step }) => (now += now + step - start > LONGEST ? Math.min(step, 1) : step));
}

const split = (rules: readonly NaiveRule[], at: number): NaiveRule[][] => [
  rules.slice(0, at % (rules.length + 1)),
  rules.slice(at % (rules.length + 1)),
];

/** What an emit says, to know that all of it was met. */
function wordsOf({ guid, time, value, data, ...rest }: EmitWords): string[] {
  return [
    `guid ${typeof guid === 'object' ? 'pseudonym' : (guid?.slice(0, 4) ?? 'none')}`,
    `time ${typeof time === 'object' ? `floor ${time.of ?? 'event'}` : (time ?? 'none')}`,
    ...(typeof value === 'object' ? Object.keys(value) : [`value ${value ?? 'none'}`]),
    ...(typeof value === 'object' && value.fn ? [value.fn] : []),
    `data ${typeof data === 'object' ? 'bytes' : (data ?? 'none')}`,
    ...Object.keys(rest),
  ];
}

await t.test('it decides, sends and counts as the naive evaluator does, all day long', (t) => {
  const seen: Record<string, number> = {};
  const see = (what: string, count = 1) => (seen[what] = (seen[what] ?? 0) + count);
  fc.assert(
    fc.property(policies, day, fc.boolean(), fc.nat(9), (rules, day, settled, at) => {
      const files = split(rules, at);
      const parsed = load(files, day.start);
      see(parsed ? 'loaded' : 'refused');
      if (!parsed) return;
      const plain = new Plain(parsed, day.start, settled);
      const ordered = fullNames(files);
      const naive = new NaiveGate(ordered, CHANNELS, day.start, settled);
      const events = bent(day.events, rules);
      timesOf(day).forEach((now, i) => {
        const { event: number, source } = day.steps[i]!;
        const event = events[number]!;
        assert.ok(plain.engine.advance(now, plain.sink));
        naive.advance(now);
        assert.equal(plain.engine.behind, naive.behind);
        assert.equal(plain.engine.nextEnd(), naive.nextEnd);
        const said = plain.feed(event, source);
        const reported = (channel: string) => said?.permitted.get(channel)?.outcome;
        const expected = naive.feed(event, SOURCES[source]!, reported);
        assert.deepEqual(said?.permitted, expected?.permitted);
        if (said?.permitted.size === 0) assert.equal(said.forbiddenBy, expected!.forbids[0]);
        see(!said ? 'not finite' : said.permitted.size > 0 ? 'permitted' : 'denied');
        for (const { outcome } of said?.permitted.values() ?? []) see(outcome);
        if (naive.behind) see('behind');
        if (said?.permitted.size && expected!.forbids.length > 0) see('forbidden in part');
        assertSent(
          plain.came.splice(0),
          naive.sent.splice(0).map((sending) => {
            const { emit, urgent } = ordered.find(({ name }) => name === sending.rule)!;
            const how = sending.fromWindow ? 'window' : 'at once';
            see(how);
            if (sending.measured) see(`measured ${sending.event.vscpClass}`);
            if (!sending.urgent) see(`${how}, routine`);
            else see(`${how}, urgent by its ${urgent ? 'rule' : 'priority'}`);
            for (const what of wordsOf(emit ?? {})) see(what);
            return sending;
          }),
        );
        CHANNELS.forEach((name, channel) => {
          assert.deepEqual(named(plain.counts[channel]!), naive.numbers(name));
        });
      });
      see('close to a token', naive.close);
      for (const counts of naive.counts.values()) {
        for (const [what, count] of Object.entries(counts)) see(`sum of ${what}`, count);
      }
    }),
    { numRuns: runs(300) },
  );
  t.comment(JSON.stringify(seen));
  for (const what of [
    'permitted',
    'denied',
    'not finite',
    'behind',
    'forbidden in part',
    'emitted',
    'absorbed.deadband',
    'open',
    'withheld.rate',
    'withheld.size',
    'withheld.conversion',
    'withheld.interrupted',
    'window',
    'at once',
    'sum of absorbed.window',
    ...[10, 60, 65, 522, 1040, 1060].map((n) => `measured ${n}`),
    ...['pseudonym', 'keep', 'ff:f', 'zero', 'none'].map((guid) => `guid ${guid}`),
    ...['floor event', 'floor relay', 'relay', 'keep', 'zero'].map((time) => `time ${time}`),
    ...['mean', 'min', 'max', 'last', 'unit', 'round', 'clamp', 'value keep', 'data bytes'],
    ...['routine', 'urgent by its rule', 'urgent by its priority'].map((way) => `at once, ${way}`),
    ...['priority', 'class', 'type', 'sensor', 'zone', 'subzone', 'deadband'],
  ]) {
    t.ok((seen[what] ?? 0) > 1, `${what}: ${seen[what]}`);
  }
  for (const way of ['routine', 'urgent by its rule', 'urgent by its priority']) {
    t.ok(seen[`window, ${way}`]! > 0, `window, ${way}: ${seen[`window, ${way}`]}`);
  }
  t.ok(seen['loaded']! > 200, `${seen['loaded']} of the policies load`);
  t.end();
});

await t.test('a rehearsal is the same, with windows that end on time', (t) => {
  const seen = { sent: 0, windows: 0, late: 0, permitted: 0, forbidden: 0 };
  fc.assert(
    fc.property(policies, day, fc.nat(9), (rules, day, at) => {
      const files = split(rules, at);
      const parsed = load(files, day.start);
      if (!parsed) return;
      const rehearsal = new Rehearsal(compilePolicies(parsed, SCOPE, day.start), day.start);
      const naive = new NaiveGate(fullNames(files), CHANNELS, day.start, true);
      const events = bent(day.events, rules);
      timesOf(day).forEach((now, i) => {
        const { event: number, source } = day.steps[i]!;
        const event = events[number]!;
        rehearsal.turnTo(now);
        for (let end = naive.nextEnd; end <= now; end = naive.nextEnd) {
          naive.advance(end);
          seen.late += Number(end < now);
        }
        naive.advance(now);
        const verdict = rehearsal.feed(pack(event), SOURCES[source]!);
        const reported = (channel: string) => verdict.permitted.get(channel)?.outcome;
        const expected = naive.feed(event, SOURCES[source]!, reported);
        assert.equal(verdict.notFinite, expected === undefined);
        assert.deepEqual(verdict.permitted, expected?.permitted ?? new Map());
        if (verdict.permitted.size === 0) {
          assert.equal(verdict.forbiddenBy, expected?.forbids[0]);
          seen.forbidden += Number(verdict.forbiddenBy !== undefined);
        }
        seen.permitted += verdict.permitted.size;
      });
      seen.sent += naive.sent.length;
      seen.windows += naive.sent.filter(({ fromWindow }) => fromWindow).length;
      assertSent(rehearsal.sent, naive.sent);
      CHANNELS.forEach((name, channel) => {
        assert.deepEqual(named(rehearsal.counts[channel]!), naive.numbers(name));
      });
    }),
    { numRuns: runs(100) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 5, `${what}: ${count}`);
  t.end();
});

await t.test('rules and files in another order send the same and count the same', (t) => {
  const shuffled = policies.chain((rules) =>
    fc.tuple(
      fc.constant(rules),
      fc.shuffledSubarray(rules, { minLength: rules.length, maxLength: rules.length }),
    ),
  );
  const seen = { sent: 0, files: 0 };
  fc.assert(
    fc.property(shuffled, day, fc.nat(9), ([rules, others], day, at) => {
      const [first, second] = split(rules, at);
      const belongs = new Set(first);
      const parts = [
        others.filter((rule) => belongs.has(rule)),
        others.filter((rule) => !belongs.has(rule)),
      ];
      const parsed = load([first!, second!], day.start);
      const other = load(parts, day.start)?.reverse();
      assert.equal(parsed === undefined, other === undefined);
      if (!parsed || !other) return;
      seen.files += Number(parsed.length > 1);
      const [one, two] = [parsed, other].map((policies) => new Plain(policies, day.start, true));
      const events = bent(day.events, rules);
      timesOf(day).forEach((now, i) => {
        const { event: number, source } = day.steps[i]!;
        for (const plain of [one!, two!]) plain.engine.advance(now, plain.sink);
        assert.deepEqual(one!.feed(events[number]!, source), two!.feed(events[number]!, source));
      });
      assert.deepEqual(one!.came, two!.came);
      assert.deepEqual(one!.counts, two!.counts);
      seen.sent += one!.came.length;
    }),
    { numRuns: runs(60) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 5, `${what}: ${count}`);
  t.end();
});
