/** An engine on a stage: policies from text, events in words, and a sink that remembers. */
import { createHmac } from 'node:crypto';
import { parseBody, unpackEvent, type VscpEvent } from '../../src/event/event.js';
import { MAX_BODY } from '../../src/event/layout.js';
import { compilePolicies } from '../../src/policy/compile.js';
import type { Keyring } from '../../src/policy/pseudonym.js';
import { type Beginning, Engine } from '../../src/policy/engine.js';
import { OUTCOMES, type Sink } from '../../src/policy/outcome.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { naiveFields } from '../event/naive-fields.js';

export const SCOPE = { sources: ['north', 'south'], channels: ['open', 'press'] };

/** Midnight, so a multiple of every window of this file. */
export const T0 = Date.parse('2026-06-01T00:00:00Z');
export const HOUR = 3_600_000;

export interface Emitted {
  readonly channel: number;
  readonly source: number;
  readonly rule: string;
  readonly fromWindow: boolean;
  readonly urgent: boolean;
  readonly event: VscpEvent;
  /** What its data says. */
  readonly value: number;
  readonly sensor: number;
  /** The machine's clock when it was sent. */
  readonly at: number;
}

export const keyOf =
  (key: string): Keyring =>
  () =>
  (bytes) =>
    createHmac('sha256', key).update(bytes).digest();

export class Stage {
  engine: Engine;
  /** In order. */
  readonly emitted: Emitted[] = [];
  readonly counts = SCOPE.channels.map(() => new Float64Array(OUTCOMES.length));
  /** How often `open` still says yes. */
  room = Infinity;
  now: number;
  readonly sink: Sink;

  constructor(engine: Engine, now: number) {
    this.engine = engine;
    this.now = now;
    const buffer = new Uint8Array(MAX_BODY);
    let channel = -1;
    this.sink = {
      buffer,
      at: 0,
      open: (number) => {
        if (this.room <= 0) return false;
        this.room--;
        channel = number;
        return true;
      },
      append: (length, source, rule, fromWindow, urgent) => {
        const event = unpackEvent(buffer);
        const { value, index } = naiveFields(event.vscpClass, event.type, [...event.data]);
        if (event.data.length + 44 !== length) throw new Error('another length than its size says');
        this.emitted.push({
          channel,
          source,
          rule: this.engine.compiled.rules[rule]!.name,
          fromWindow,
          urgent,
          event,
          value,
          sensor: index,
          at: this.now,
        });
      },
      count: (number, outcome, events) => (this.counts[number]![outcome]! += events),
    };
  }

  advance(now: number): boolean {
    this.now = now;
    return this.engine.advance(now, this.sink);
  }

  /** Decides an event and passes it on; what became of it, by channel. */
  feed(body: Uint8Array, source = 0): (string | undefined)[] {
    const bits = this.engine.decide(body, 0, source);
    return SCOPE.channels.map((_, channel) => {
      if ((bits & (1 << channel)) === 0) return undefined;
      this.sink.open(channel);
      const outcome = this.engine.pass(body, 0, channel, source, this.sink);
      this.counts[channel]![0]!++;
      this.counts[channel]![outcome]!++;
      return OUTCOMES[outcome];
    });
  }

  /** Advances, then feeds; what became of it on the first channel. */
  at(now: number, body: Uint8Array, source = 0): string | undefined {
    this.advance(now);
    return this.feed(body, source)[0];
  }

  /** Numbers of the first channel that are not 0. */
  get numbers(): Record<string, number> {
    const pairs = OUTCOMES.map((name, i) => [name, this.counts[0]![i]!] as const);
    return Object.fromEntries(pairs.filter(([, count]) => count !== 0));
  }

  get values(): number[] {
    return this.emitted.map(({ value }) => value);
  }

  /** permitted - emitted - absorbed - open - withheld, by channel: 0, and nothing below it. */
  get balance(): number[] {
    return this.counts.map((counts) => {
      if (counts.some((count) => count < 0)) return -Infinity;
      return counts.reduce((sum, count, i) => (i === 0 ? count : sum - count), 0);
    });
  }
}

/** Rules as YAML flow maps, in one file per argument. */
export function engineOf(
  files: readonly (readonly string[])[],
  beginning: Beginning,
  keyring: Keyring = keyOf('key'),
): Engine {
  const policies = files.map((rules, i) => {
    const head = `schema: tidegate-policy/v1\npolicy: { id: p${i}, revision: 1 }\nrules:\n`;
    return parsePolicy(head + rules.map((rule) => `  - ${rule}\n`).join(''), `p${i}.yaml`);
  });
  return new Engine(compilePolicies(policies, SCOPE, beginning.now), keyring, beginning);
}

export function stageOf(rules: readonly string[], now = T0, settled = true): Stage {
  return new Stage(engineOf([rules], { now, settled }), now);
}

/** A temperature in celsius of class 1060. */
export function celsius(
  value: number,
  { sensor = 0, guid = 1, time = '', zone = 0 } = {},
): Uint8Array {
  const bytes = [...new Uint8Array(new Float64Array([value]).buffer)].reverse();
  const data = [sensor, zone, 0, 1, ...bytes];
  return parseBody(`96,1060,6,0,${time},0,${'00:'.repeat(15)}0${guid},${data.join()}`);
}
