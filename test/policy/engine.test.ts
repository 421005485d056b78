import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseBody, unpackEvent, type VscpEvent } from '../../src/event/event.js';
import { bodyLength, MAX_BODY } from '../../src/event/layout.js';
import { type Compiled, compilePolicies } from '../../src/policy/compile.js';
import { DEFAULT_DENY, Engine, NOT_FINITE } from '../../src/policy/engine.js';
import { EMITTED } from '../../src/policy/outcome.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { arrivals, CHANNELS, match, rules, SOURCES } from './arbitrary.js';
import {
  decide,
  emit,
  matchesClassAndType,
  type NaiveRule,
  priorityOf,
  saidBy,
  write,
} from './naive.js';
import { runs } from '../arbitrary/runs.js';

const SCOPE = { sources: SOURCES, channels: CHANNELS };
const AT = 7;

function compile(...files: string[]): Compiled {
  return compilePolicies(
    files.map((text, i) => parsePolicy(text, `file${i}.yaml`)),
    SCOPE,
    0,
  );
}

/** The rules in one file or, split at `split`, in two. */
function engineOf(rules: readonly NaiveRule[], split = 0): Engine {
  const cut = split % rules.length;
  const parts = [rules.slice(0, cut), rules.slice(cut)].filter((part) => part.length > 0);
  return beginWith(compile(...parts.map((part, i) => write(part, `p${i}`))));
}

function beginWith(compiled: Compiled): Engine {
  const keyring = (): never => assert.fail('no rule has a key');
  return new Engine(compiled, keyring, { now: 0 });
}

/** Full names of rules in `engine`, those of the naive evaluator's rules. */
function fullNames(engine: Engine, rules: readonly NaiveRule[]): string[] {
  const names = new Set(rules.map(({ name }) => name));
  return engine.compiled.rules
    .map(({ name }) => name)
    .filter((name) => names.has(name.replace(/^p\d\//, '')))
    .sort();
}

/** The binary form, not at the start of a buffer. */
function pack(event: VscpEvent): Uint8Array {
  const { head, vscpClass, type, obid, datetime, timestamp, guid, data } = event;
  const address = Buffer.from(guid).toString('hex').match(/../g)!.join(':');
  const body = parseBody(
    [head, vscpClass, type, obid, datetime, timestamp, address, ...data].join(),
  );
  const buffer = new Uint8Array(MAX_BODY + 2 * AT).fill(0xaa);
  buffer.set(body, AT);
  return buffer;
}

function ruleName(engine: Engine, index: number): string {
  return engine.compiled.rules[index]!.name.replace(/^p\d\//, '');
}

/** What the engine says, in the words of the naive evaluator. */
function permitted(engine: Engine, buffer: Uint8Array, source: number): string[] {
  const bits = engine.decide(buffer, AT, source);
  return CHANNELS.filter((_, i) => (bits & (1 << i)) !== 0);
}

/** What the engine sends for a channel after it has decided, as bytes and as an event. */
function sent(
  engine: Engine,
  buffer: Uint8Array,
  source: number,
  channel: number,
): [string, VscpEvent, urgent: boolean] {
  const out = new Uint8Array(MAX_BODY + 2 * AT).fill(0xbb);
  const appended: (number | boolean)[][] = [];
  const outcome = engine.pass(buffer, AT, channel, source, {
    buffer: out,
    at: 5,
    open: () => assert.fail('the caller has opened it'),
    append: (...what) => appended.push(what),
    count: () => assert.fail('the caller counts what is passed'),
  });
  assert.equal(outcome, EMITTED);
  const length = bodyLength(out, 5);
  const [[, , , , urgent] = []] = appended;
  assert.deepEqual(appended, [[length, source, engine.permittedBy[channel]!, false, urgent]]);
  assert.ok(out.subarray(0, 5).every((byte) => byte === 0xbb));
  assert.ok(out.subarray(5 + MAX_BODY).every((byte) => byte === 0xbb));
  const hex = Buffer.from(out.subarray(5, 5 + length)).toString('hex');
  return [hex, unpackEvent(out, 5), urgent === true];
}

const arriving = rules.chain((rules) =>
  fc.tuple(fc.constant(rules), arrivals(rules.map(({ match }) => match))),
);

await t.test('it decides, names its rules and rebuilds as the naive evaluator does', (t) => {
  const seen = {
    ...{ permitted: 0, denied: 0, forbidden: 0, partly: 0, several: 0, skipped: 0 },
    ...{ byRule: 0, byPriority: 0, routine: 0 },
  };
  fc.assert(
    fc.property(arriving, fc.nat(9), ([rules, events], split) => {
      const engine = engineOf(rules, split);
      for (const { event, source } of events) {
        const buffer = pack(event);
        if (saidBy(event).notFinite) {
          assert.equal(engine.decide(buffer, AT, source), NOT_FINITE);
          continue;
        }
        const before = buffer.slice();
        const { permits, forbids } = decide(rules, CHANNELS, event, SOURCES[source]!);
        const channels = permitted(engine, buffer, source);
        assert.deepEqual(channels, [...permits.keys()]);
        assert.deepEqual(buffer, before, 'deciding changes nothing');
        for (const channel of channels) {
          const number = CHANNELS.indexOf(channel as 'open');
          const index = engine.permittedBy[number]!;
          const [first] = fullNames(engine, permits.get(channel)!);
          assert.equal(engine.compiled.rules[index]!.name, first, `permits ${channel}`);
          const by = permits.get(channel)!.find(({ name }) => name === ruleName(engine, index));
          const [, out, urgent] = sent(engine, buffer, source, number);
          const expected = emit(event, by!.emit);
          assert.deepEqual(out, expected);
          assert.equal(urgent, by!.urgent === true || priorityOf(expected) === 0);
          seen[by!.urgent ? 'byRule' : urgent ? 'byPriority' : 'routine']++;
          assert.deepEqual(buffer, before, 'passing changes nothing');
        }
        if (channels.length === 0) {
          const [first] = fullNames(engine, forbids);
          if (forbids.length === 0) assert.equal(engine.deniedBy, DEFAULT_DENY);
          else assert.equal(engine.compiled.rules[engine.deniedBy]!.name, first);
        }
        const possible = rules.some(
          ({ effect, match }) =>
            effect === 'permit' && matchesClassAndType(match, event.vscpClass, event.type),
        );
        const can = engine.canPermit(event.vscpClass, event.type);
        assert.equal(can, possible);
        if (channels.length > 0) assert.ok(can, 'never false where decide permits');
        if (!can && engine.deniedBy !== DEFAULT_DENY) {
          const by = ruleName(engine, engine.deniedBy);
          assert.ok(forbids.some(({ name }) => name === by));
        }
        seen.permitted += Number(channels.length > 0);
        seen.denied += Number(channels.length === 0);
        seen.forbidden += Number(forbids.length > 0);
        seen.partly += Number(forbids.length > 0 && channels.length > 0);
        seen.several += Number([...permits.values()].some((by) => by.length > 1));
        seen.skipped += Number(!can);
      }
    }),
    { numRuns: runs(300) },
  );
  for (const [what, count] of Object.entries(seen)) t.ok(count > 40, `${what}: ${count}`);
  t.end();
});

await t.test('each predicate alone decides as the naive evaluator does', (t) => {
  const single = match.chain((match) => fc.tuple(fc.constant(match), arrivals([match])));
  let hits = 0;
  fc.assert(
    fc.property(single, ([match, events]) => {
      const rule: NaiveRule = { name: 'only', effect: 'permit', to: ['open'], match };
      const engine = engineOf([rule]);
      for (const { event, source } of events) {
        if (saidBy(event).notFinite) continue;
        const expected = decide([rule], CHANNELS, event, SOURCES[source]!);
        assert.deepEqual(permitted(engine, pack(event), source), [...expected.permits.keys()]);
        hits += expected.permits.size;
      }
    }),
    { numRuns: runs(300) },
  );
  t.ok(hits > 400, `${hits} events match`);
  t.end();
});

await t.test('the order of rules changes neither a decision nor a byte that is sent', (t) => {
  const shuffled = arriving.chain(([rules, events]) =>
    fc.tuple(
      fc.constant(rules),
      fc.shuffledSubarray(rules, { minLength: rules.length, maxLength: rules.length }),
      fc.constant(events),
    ),
  );
  let compared = 0;
  fc.assert(
    fc.property(shuffled, fc.nat(9), ([first, second, events], split) => {
      const engines = [engineOf(first), engineOf(second, split)] as const;
      for (const { event, source } of events) {
        if (saidBy(event).notFinite) continue;
        const buffer = pack(event);
        const [one, other] = engines.map((engine) =>
          permitted(engine, buffer, source).map((channel) => {
            const number = CHANNELS.indexOf(channel as 'open');
            return [channel, ...sent(engine, buffer, source, number)];
          }),
        );
        assert.deepEqual(one, other);
        compared += one!.length;
      }
    }),
    { numRuns: runs(200) },
  );
  t.ok(compared > 400, `${compared} events sent`);
  t.end();
});

const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

function decideLine(policy: string, line: string): [bits: number, deniedBy: number] {
  const engine = beginWith(compile(policy));
  const bits = engine.decide(parseBody(line), 0, 0);
  return [bits, engine.deniedBy];
}

function file(...rules: string[]): string {
  return `schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules:
${rules.map((rule) => `  - ${rule}\n`).join('')}`;
}

await t.test('a forbid with to: stands against its channels only, one without against all', (t) => {
  const all = '{ name: all, effect: permit, to: [open, press, board], match: { any: true } }';
  const line = `0,2,1,0,,0,${GUID}`;
  const forbid = (to: string) => `{ name: no, effect: forbid, ${to}match: { class: "@SECURITY" } }`;
  t.same(decideLine(file(all), line), [7, DEFAULT_DENY]);
  t.equal(decideLine(file(all, forbid('to: press, ')), line)[0], 5);
  t.equal(decideLine(file(all, forbid('to: [open, board], ')), line)[0], 2);
  t.same(decideLine(file(all, forbid('')), line), [0, 1]);
  t.same(decideLine(file(all, forbid('')), `0,3,1,0,,0,${GUID}`), [7, DEFAULT_DENY]);
  t.end();
});

await t.test('thirty channels have a bit each', (t) => {
  const channels = Array.from({ length: 30 }, (_, i) => `c${i}`);
  const text = file(
    ...channels.map((c) => `{ name: ${c}, effect: permit, to: ${c}, match: { any: true } }`),
    '{ name: no, effect: forbid, to: [c0, c29], match: { class: 2 } }',
  );
  const scope = { sources: ['s'], channels };
  const engine = beginWith(compilePolicies([parsePolicy(text, 'f')], scope, 0));
  t.equal(engine.decide(parseBody(`0,3,1,0,,0,${GUID}`), 0, 0), 2 ** 30 - 1);
  t.same(
    [...engine.permittedBy].map((index) => engine.compiled.rules[index]!.name),
    channels.map((c) => `p/${c}`),
  );
  t.equal(engine.decide(parseBody(`0,2,1,0,,0,${GUID}`), 0, 0), 2 ** 29 - 2);
  t.end();
});

await t.test('urgent is what a rule says or what is sent with priority 0, whatever came', (t) => {
  const cases: [words: string, head: number, urgent: boolean][] = [
    ['', 0, true],
    ['', 31, true],
    ['', 32, false],
    ['', 255, false],
    ['', 0x8000, true],
    ['urgent: true', 224, true],
    ['urgent: false', 224, false],
    ['urgent: false', 0, true],
    ['emit: { guid: keep, priority: zero }', 224, true],
    ['emit: { guid: keep, priority: 1 }', 0, false],
    ['emit: { guid: "::1", priority: 0 }', 224, true],
    ['emit: { guid: "::1" }', 0, true],
    ['emit: { guid: "::1" }', 224, false],
    ['urgent: true, emit: { guid: "::1", priority: 7 }', 224, true],
  ];
  for (const [words, head, expected] of cases) {
    const rule = `{ name: r, effect: permit, to: open, match: { any: true }, ${words} }`;
    const other = '{ name: a, effect: permit, to: press, match: { any: true }, urgent: true }';
    const engine = beginWith(compile(file(other, rule)));
    const buffer = new Uint8Array(AT + MAX_BODY);
    buffer.set(parseBody(`${head},10,6,7,,0,${GUID},138,1,7`), AT);
    t.equal(engine.decide(buffer, AT, 0), 3);
    t.equal(sent(engine, buffer, 0, 0)[2], expected, `${words} of head ${head}`);
    t.equal(sent(engine, buffer, 0, 1)[2], true, 'each channel by its own rule');
  }
  t.end();
});

await t.test('what is not named in emit is zero, except the priority', (t) => {
  const line = `255,10,6,7,2026-11-22T10:00:00Z,99,${GUID},138,1,7`;
  const zero = '00:'.repeat(15) + '00';
  const cases: [string, string][] = [
    ['', `224,10,6,0,2026-11-22T10:00:00Z,99,${GUID},138,1,7`],
    ['emit: { time: zero }', `224,10,6,0,,0,${zero}`],
    ['emit: { data: keep }', `224,10,6,0,,0,${zero},138,1,7`],
    ['emit: { guid: keep, priority: zero }', `0,10,6,0,,0,${GUID}`],
    ['emit: { time: keep, priority: keep }', `224,10,6,0,2026-11-22T10:00:00Z,99,${zero}`],
  ];
  for (const [words, expected] of cases) {
    const rule = `{ name: r, effect: permit, to: open, match: { any: true }, ${words} }`;
    const engine = beginWith(compile(file(rule)));
    const buffer = new Uint8Array(AT + MAX_BODY);
    buffer.set(parseBody(line), AT);
    t.same(engine.decide(buffer, AT, 0), 1);
    const hex = Buffer.from(parseBody(expected)).toString('hex');
    t.equal(sent(engine, buffer, 0, 0)[0], hex, words);
  }
  t.end();
});
