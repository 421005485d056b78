/** Deciding alone, from an event's binary form: what a rule costs, with and without work on values. */
import { randomBytes } from 'node:crypto';
import { parseBody } from '../../src/event/event.js';
import { MAX_BODY } from '../../src/event/layout.js';
import { compilePolicies } from '../../src/policy/compile.js';
import { Engine } from '../../src/policy/engine.js';
import type { Sink } from '../../src/policy/outcome.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { hmacOf } from '../../src/wire/hmac.js';

const SENSORS = 2000;
const EMIT =
  '{ class: CLASS2.MEASUREMENT_FLOAT, sensor: keep, time: keep, ' +
  'guid: { pseudonym: { key_file: key, prefix: "02:52:4C:59/32" } }, ' +
  'value: { unit: celsius, round: 0.5 } }';
const WINDOW = EMIT.replace('time: keep', 'time: { floor: 15m }')
  .replace('{ unit', '{ fn: mean, unit')
  .replace(/ }$/, ', window: { every: 15m, per: [guid, sensor] } }');

/** 200 rules: one that permits the temperatures of a subnet, 199 of other types and classes. */
function makePolicy(emit: string, more = ''): string {
  const rules = [
    `{ name: t, effect: permit, to: public, emit: ${emit}, match: { source: plant, ` +
      `class: CLASS1.MEASUREMENT, type: TEMPERATURE, guid: "FF:FF:FF:FF:FF:FF:FF:FE:B8:27/80", ` +
      `value: { unit: celsius, ge: -40, le: 60 } ${more}} }`,
  ];
  for (let i = 0; rules.length < 200; i++) {
    const effect = i % 3 === 0 ? 'effect: forbid' : 'effect: permit, to: public';
    rules.push(`{ name: r${i}, ${effect}, match: { class: ${100 + (i % 40)}, type: ${i} } }`);
  }
  const list = rules.map((rule) => `  - ${rule}\n`).join('');
  return `schema: tidegate-policy/v1\npolicy: { id: bench, revision: 1 }\nrules:\n${list}`;
}

function engineOf(policy: string): Engine {
  const compiled = compilePolicies(
    [parsePolicy(policy, 'bench.yaml')],
    { sources: ['plant'], channels: ['public'] },
    Date.now(),
  );
  return new Engine(compiled, () => hmacOf(randomBytes(32).toString('hex')), { now: Date.now() });
}

/** Temperatures of many sensors, in celsius with a decimal; of a subnet that is permitted, or not. */
function events(inside: boolean): Uint8Array[] {
  return Array.from({ length: SENSORS }, (_, i) => {
    const node = `${(i >> 8).toString(16)}:${(i & 255).toString(16)}`;
    const guid = `FF:FF:FF:FF:FF:FF:FF:FE:${inside ? 'B8' : 'B9'}:27:EB:10:01:02:${node}`;
    return parseBody(`96,10,6,0,2026-11-22T08:00:00Z,0,${guid},0x88,0x81,${i & 1},${i & 127}`);
  });
}

/** Of processor time, whatever else the machine does. */
function nanoseconds(count: number, work: (i: number) => void): number {
  for (let i = 0; i < count / 4; i++) work(i);
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) work(i);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / count;
}

export interface EngineFigure {
  readonly name: string;
  readonly ns: number;
}

/** @returns what one event costs, by kind */
export function runEngine(count: number): EngineFigure[] {
  const buffer = new Uint8Array(MAX_BODY);
  let taken = 0;
  const sink: Sink = {
    buffer,
    at: 0,
    open: () => true,
    append: (length) => (taken += length),
    count: () => undefined,
  };
  const [inside, outside] = [events(true), events(false)];
  const pass = (engine: Engine, bodies: readonly Uint8Array[]) => (i: number) => {
    const body = bodies[i % SENSORS]!;
    if (engine.decide(body, 0, 0) === 1) engine.pass(body, 0, 0, 0, sink);
  };
  const value = engineOf(makePolicy(EMIT));
  const kept = engineOf(makePolicy('{ guid: keep, time: keep, data: keep }'));
  const window = engineOf(makePolicy(WINDOW));
  const figures = [
    { name: 'denied by class and type', ns: nanoseconds(count, () => value.canPermit(100, 7)) },
    {
      name: 'denied by GUID, after all of its rules',
      ns: nanoseconds(count, pass(value, outside)),
    },
    { name: 'permitted as it is', ns: nanoseconds(count, pass(kept, inside)) },
    { name: 'permitted, rounded, with a pseudonym', ns: nanoseconds(count, pass(value, inside)) },
    { name: 'permitted into a window', ns: nanoseconds(count, pass(window, inside)) },
  ];
  if (taken === 0) throw new Error('nothing was permitted');
  return figures;
}
