/** Runs the tests of a policy file on a virtual clock, and says what they cover. */
import { DocumentError, type Field } from '../document/document.js';
import { decodeFields, Fields } from '../event/fields.js';
import { unpackEvent, type VscpEvent } from '../event/event.js';
import { formatGuid } from '../event/guid.js';
import { eventPriority } from '../event/event.js';
import { type Compiled, compilePolicies } from '../policy/compile.js';
import { OUTCOMES } from '../policy/outcome.js';
import type { Expected, Policy, TestCase } from '../policy/policy.js';
import { className } from '../policy/tokens.js';
import { unitOf } from '../policy/units.js';
import { Facts, failureOf } from './matching.js';
import { Rehearsal, scopeOf, type Sent, type Verdict } from './rehearsal.js';

/** Something that is not as a test, or the coverage, wants it. */
export interface Complaint {
  readonly field: Field;
  readonly message: string;
}

export interface TestResult {
  readonly test: TestCase;
  /** Empty: passed. */
  readonly complaints: readonly Complaint[];
  readonly fed: number;
  readonly sent: readonly Sent[];
  /** Events that were permitted and not sent, by what became of them, as OUTCOMES has it. */
  readonly kept: Readonly<Record<string, number>>;
}

export interface Coverage {
  /** By rule: events of all tests that it matched, and that it did not. */
  readonly hits: ReadonlyMap<string, number>;
  readonly misses: ReadonlyMap<string, number>;
  /** Rules never hit or never missed. */
  readonly complaints: readonly Complaint[];
}

export interface Trial {
  readonly policy: Policy;
  readonly results: readonly TestResult[];
  readonly coverage: Coverage;
}

/**
 * Runs the tests of one policy, against that policy alone.
 *
 * @throws DocumentError where it does not compile
 */
export function tryPolicy(
  policy: Policy,
  progress: (done: number) => void = () => undefined,
): Trial {
  const hits = new Map(policy.rules.map(({ name }) => [name, 0]));
  const misses = new Map(policy.rules.map(({ name }) => [name, 0]));
  const compile = compiler(policy);
  const results = policy.tests.map((test, i) => {
    const result = attemptTest(policy, compile, test, hits, misses);
    progress(i + 1);
    return result;
  });
  return { policy, results, coverage: { hits, misses, complaints: gaps(policy, hits, misses) } };
}

function gaps(
  { rules }: Policy,
  hits: ReadonlyMap<string, number>,
  misses: ReadonlyMap<string, number>,
): Complaint[] {
  return rules.flatMap(({ name, field, arms }) => {
    if (hits.get(name) === 0) {
      return [{ field, message: `no test has an event that '${name}' matches` }];
    }
    // What matches everything can miss nothing.
    const all = arms.length === 1 && Object.values(arms[0]!).every(isAnything);
    if (misses.get(name) === 0 && !all) {
      return [{ field, message: `no test has an event that '${name}' does not match` }];
    }
    return [];
  });
}

function isAnything(part: unknown): boolean {
  if (part === undefined || part === 0xff) return true;
  return typeof part === 'object' && part !== null && 'mask' in part && part.mask === 0;
}

/** Compiles a policy for an instant: anew only where something in it depends on the time. */
function compiler(policy: Policy): (at: number) => Compiled {
  const scope = scopeOf([policy]);
  const timeless =
    policy.expires === Infinity &&
    policy.rules.every(
      ({ expires, arms }) => expires === Infinity && arms.every((arm) => !arm.schedule),
    );
  const known = new Map<number, Compiled>();
  return (at) => {
    const key = timeless ? 0 : at;
    const compiled = known.get(key) ?? compilePolicies([policy], scope, at);
    known.set(key, compiled);
    return compiled;
  };
}

/** A test that cannot be run as it is written. */
class Unfit extends Error implements Complaint {
  readonly field: Field;

  constructor(field: Field, message: string) {
    super(message);
    this.field = field;
  }
}

/** What is wrong at the test's time, an expired policy for one, is the test's own failure. */
function attemptTest(...args: Parameters<typeof runTest>): TestResult {
  const [, , test] = args;
  try {
    return runTest(...args);
  } catch (error) {
    const nothing = { test, fed: 0, sent: [], kept: {} };
    if (error instanceof Unfit) return { ...nothing, complaints: [error] };
    if (!(error instanceof DocumentError)) throw error;
    const message = `at ${new Date(test.at).toISOString()}: ${error.message}`;
    return { ...nothing, complaints: [{ field: test.field, message }] };
  }
}

function runTest(
  policy: Policy,
  compile: (at: number) => Compiled,
  test: TestCase,
  hits: Map<string, number>,
  misses: Map<string, number>,
): TestResult {
  const rehearsal = new Rehearsal(compile(test.at), test.at);
  const { scope } = rehearsal.compiled;
  const complaints: Complaint[] = [];
  let verdict: Verdict | undefined;
  let fed = 0;
  let touched = false;
  for (const step of test.feed) {
    if (step.at !== undefined) {
      if (step.at < rehearsal.now) throw new Unfit(step.field, "'at' is before the test's clock");
      rehearsal.turnTo(step.at);
    }
    if (step.source === undefined && scope.sources.length > 1) {
      throw new Unfit(step.field, `name the source: ${scope.sources.join(' or ')}`);
    }
    const source = step.source ?? scope.sources[0]!;
    for (let i = 0; i < step.repeat; i++) {
      if (i > 0) rehearsal.turnTo(rehearsal.now + step.every);
      verdict = rehearsal.feed(step.body, source);
      fed++;
      if (i > 0 && step.every === 0) continue;
      const facts = new Facts(step.body, source, rehearsal.now);
      for (const rule of policy.rules) {
        const hit = !verdict.notFinite && failureOf(rule, facts) === undefined;
        if (hit) touched = true;
        const counts = hit ? hits : misses;
        counts.set(rule.name, counts.get(rule.name)! + 1);
      }
    }
  }
  rehearsal.turnTo(rehearsal.now + test.advance);
  if (!touched && verdict?.notFinite !== true) {
    const message =
      'no rule matches any event of this test, so it shows nothing of the policy: feed one that a rule matches as well';
    complaints.push({ field: test.field, message });
  }
  complaints.push(...compare(test, rehearsal, verdict!));
  return { test, complaints, fed, sent: rehearsal.sent, kept: keptBack(rehearsal) };
}

function compare({ expect }: TestCase, rehearsal: Rehearsal, verdict: Verdict): Complaint[] {
  const complaints: Complaint[] = [];
  const { field } = expect;
  const complain = (message: string, at: Field = field): void => {
    complaints.push({ field: at, message });
  };
  const { channels } = rehearsal.compiled.scope;
  if (expect.channel !== undefined && !channels.includes(expect.channel)) {
    throw new Unfit(field, `no rule sends to a channel '${expect.channel}'`);
  }
  if (expect.rule !== undefined) {
    const decided = deciders(verdict, expect.channel);
    if (!decided.includes(expect.rule)) {
      const names = decided.map((name) => name ?? 'none: default deny').join(', ');
      complain(`rule: expected ${expect.rule ?? 'none'}, decided by ${names}`);
    }
  }
  const sent = rehearsal.sent.filter(
    ({ channel }) => expect.channel === undefined || channel === expect.channel,
  );
  if (expect.emitted !== undefined && sent.length !== expect.emitted) {
    complain(`emitted: expected ${expect.emitted}, sent ${sent.length}`);
  }
  if (expect.urgent !== undefined) {
    const others = sent.filter(({ urgent }) => urgent !== expect.urgent).length;
    const lane = expect.urgent ? 'routine' : 'urgent';
    const found =
      sent.length === 0 ? 'sent nothing' : `${others} of ${sent.length} sent as ${lane}`;
    if (others > 0 || sent.length === 0) complain(`urgent: expected ${expect.urgent}, ${found}`);
  }
  for (const kind of ['absorbed', 'withheld'] as const) {
    for (const [reason, expected] of Object.entries(expect[kind])) {
      const found = countOf(rehearsal, `${kind}.${reason}`, expect.channel);
      if (found !== expected) complain(`${kind} ${reason}: expected ${expected}, counted ${found}`);
    }
  }
  if (expect.out) {
    const { all, events } = expect.out;
    const last = sent.slice(-1);
    const chosen = all ? sent : last;
    if (chosen.length !== events.length) {
      complain(`out: expected ${events.length} events, sent ${chosen.length}`);
    }
    chosen.slice(0, events.length).forEach(({ body }, i) => {
      for (const message of differences(events[i]!, body)) complain(message, events[i]!.field);
    });
  }
  return complaints;
}

function keptBack({ counts }: Rehearsal): Record<string, number> {
  const kept: Record<string, number> = {};
  OUTCOMES.forEach((name, i) => {
    const sum = counts.reduce((all, each) => all + each[i]!, 0);
    if (sum > 0 && name !== 'permitted' && name !== 'emitted') kept[name] = sum;
  });
  return kept;
}

/** The rules that decided an event; null: the default. */
function deciders(verdict: Verdict, channel: string | undefined): (string | null)[] {
  const { permitted, forbiddenBy } = verdict;
  const permits = [...permitted]
    .filter(([name]) => channel === undefined || name === channel)
    .map(([, { rule }]) => rule);
  const all = [...new Set(permits), ...(forbiddenBy === undefined ? [] : [forbiddenBy])];
  return all.length > 0 ? all : [null];
}

function countOf(rehearsal: Rehearsal, name: string, channel: string | undefined): number {
  const index = (OUTCOMES as readonly string[]).indexOf(name);
  const { channels } = rehearsal.compiled.scope;
  return rehearsal.counts.reduce(
    (sum, counts, i) =>
      channel === undefined || channels[i] === channel ? sum + counts[index]! : sum,
    0,
  );
}

/** Where an event that was sent is not as expected. */
function differences(expected: Expected, body: Uint8Array): string[] {
  const event = unpackEvent(body);
  const fields = new Fields();
  decodeFields(body, 0, fields);
  const found: string[] = [];
  const check = <T extends string | number>(name: string, wanted: T | undefined, real: T): void => {
    if (wanted !== undefined && wanted !== real) {
      found.push(`${name}: expected ${wanted}, sent ${real}`);
    }
  };
  check('class', expected.class, event.vscpClass);
  check('type', expected.type, event.type);
  check('priority', expected.priority, eventPriority(event));
  check('value', expected.value, fields.value);
  check('unit', expected.unit, nameOfUnit(event, fields.unit));
  check('sensor', expected.sensor, fields.index);
  check('zone', expected.zone, fields.zone);
  check('subzone', expected.subzone, fields.subzone);
  check('data', expected.data && [...expected.data].join(), [...event.data].join());
  check('time', expected.time, event.datetime);
  const { guid } = expected;
  if (guid && !event.guid.every((byte, i) => ((byte ^ guid.value[i]!) & guid.mask[i]!) === 0)) {
    found.push(`guid: expected ${formatGuid(guid.value)}, sent ${formatGuid(event.guid)}`);
  }
  return found;
}

function nameOfUnit({ vscpClass, type }: VscpEvent, code: number): string {
  return unitOf(vscpClass, type, code)?.name ?? `code ${code} of ${className(vscpClass)}`;
}
