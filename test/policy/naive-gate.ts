/** The naive evaluator with a memory: what permits send, keep back and count, event by event. */
import { createHmac } from 'node:crypto';
import type { VscpEvent } from '../../src/event/event.js';
import {
  compare,
  converted,
  decide,
  decimal,
  exactly,
  type EmitWords,
  type Key,
  type NaiveRule,
  nearest,
  over,
  priorityOf,
  type Pseudonym,
  type Ratio,
  saidBy,
  times,
  UNITS,
} from './naive.js';

export const KEY = 'tidegate-policy-test-key';

/** An event with its measurement told apart from its bytes. */
export interface Sending {
  readonly channel: string;
  readonly rule: string;
  readonly source: string;
  readonly fromWindow: boolean;
  readonly urgent: boolean;
  /** Without data, if it measures. */
  readonly event: VscpEvent;
  readonly measured:
    | {
        readonly value: number;
        readonly unit: number;
        readonly sensor: number;
        readonly zone: number;
        readonly subzone: number;
      }
    | undefined;
}

interface Stream {
  readonly event: VscpEvent;
  source: string;
  head: number;
  values: number[];
}

interface Memory {
  begun: number | undefined;
  barred: number;
  streams: Map<string, Stream>;
  last: Map<string, { value: Ratio; at: number }>;
  /** Tokens that are there at `filled`. */
  tokens: Ratio;
  filled: number;
}

const TIMES: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export function duration(text: string): number {
  const [, count, unit] = /^(\d+)([a-z]+)$/.exec(text)!;
  return Number(count) * TIMES[unit!]!;
}

/** "3/s" as tokens per ms. */
function perMs(rate: string): Ratio {
  const [count, unit] = rate.split('/');
  return over(decimal(Number(count)), [BigInt(TIMES[unit!]!), 1n]);
}

function byteOf(words: EmitWords['sensor'], own: number): number {
  if (typeof words === 'number') return words;
  return words === 'keep' && own >= 0 ? own : 0;
}

function guidBytes(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(32, '0'), 'hex'));
}

function pseudonym({ pseudonym: { prefix } }: Pseudonym, guid: Uint8Array): Uint8Array {
  const [bytes, bits] = prefix.split('/');
  const text = bytes!.replaceAll(':', '').padEnd(32, '0');
  const digest = createHmac('sha256', KEY).update(guid).digest('hex');
  const hidden = BigInt(`0x${digest}`) >> (128n + BigInt(bits!));
  return guidBytes(BigInt(`0x${text}`) | hidden);
}

/** Half away from zero, of the decimals as they are written. */
function rounded(value: number, step: number): number {
  const [n, d] = over(decimal(value), decimal(step));
  const size = n < 0n ? -n : n;
  const whole = (2n * size + d) / (2n * d);
  const multiple = nearest(times([n < 0n ? -whole : whole, 1n], decimal(step)));
  return multiple === 0 ? 0 : multiple;
}

/** Seconds since 1970 that an event says. */
function secondsOf({ datetime, timestamp }: VscpEvent): number | undefined {
  if (datetime) return Date.parse(`${datetime.replace('Z', '')}Z`) / 1000;
  return timestamp < 1n << 32n ? undefined : Number(timestamp / 1_000_000_000n);
}

const isoSeconds = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

export class NaiveGate {
  readonly counts: ReadonlyMap<string, Record<string, number>>;
  readonly sent: Sending[] = [];
  /** Tokens so near to one that doubles may see it otherwise. */
  close = 0;
  clock: number;
  behind = false;
  readonly #rules: readonly NaiveRule[];
  readonly #channels: readonly string[];
  readonly #memories = new Map<string, Memory>();
  readonly #settled: boolean;
  readonly #begun: number;
  #now: number;
  /** Only stands while the clock goes back. */
  #elapsed: number;

  /** @param rules by their full names, in order */
  constructor(
    rules: readonly NaiveRule[],
    channels: readonly string[],
    now: number,
    settled: boolean,
  ) {
    this.#rules = rules;
    this.#channels = channels;
    this.#settled = settled;
    this.#begun = this.#now = this.#elapsed = this.clock = now;
    this.counts = new Map(channels.map((channel) => [channel, {}]));
  }

  #count(channel: string, outcome: string, events: number): void {
    const counts = this.counts.get(channel)!;
    counts[outcome] = (counts[outcome] ?? 0) + events;
  }

  #memory(rule: NaiveRule, channel: string): Memory {
    const name = `${rule.name} ${channel}`;
    let memory = this.#memories.get(name);
    if (!memory) {
      const burst = BigInt(this.#burst(rule));
      memory = {
        begun: undefined,
        barred: -Infinity,
        streams: new Map(),
        last: new Map(),
        tokens: this.#settled ? [burst, 1n] : [0n, 1n],
        filled: this.#begun,
      };
      this.#memories.set(name, memory);
    }
    return memory;
  }

  #burst({ limits }: NaiveRule): number {
    if (!limits?.rate) return 0;
    return limits.burst ?? Math.max(1, Math.floor(Number(limits.rate.split('/')[0])));
  }

  *#windows(): Generator<[NaiveRule, string, Memory, end: number]> {
    for (const rule of this.#rules) {
      if (!rule.emit?.window) continue;
      for (const channel of this.#channels) {
        const memory = this.#memories.get(`${rule.name} ${channel}`);
        if (memory?.begun === undefined) continue;
        yield [rule, channel, memory, memory.begun + duration(rule.emit.window.every)];
      }
    }
  }

  /** What is not 0 of a channel. */
  numbers(channel: string): Record<string, number> {
    const pairs = Object.entries(this.counts.get(channel)!);
    return Object.fromEntries(pairs.filter(([, count]) => count !== 0));
  }

  /** When the next window ends. */
  get nextEnd(): number {
    return Math.min(...[...this.#windows()].map(([, , , end]) => end));
  }

  advance(now: number): void {
    const behind = now < this.clock - 1000;
    for (const [rule, channel, memory, end] of [...this.#windows()]) {
      if (!(behind && !this.behind) && now < lastInstant(rule)) continue;
      for (const { values } of memory.streams.values()) {
        this.#count(channel, 'open', -values.length);
        this.#count(channel, 'withheld.interrupted', values.length);
      }
      memory.begun = undefined;
      memory.barred = end;
      memory.streams.clear();
    }
    this.behind = behind;
    this.#elapsed += Math.max(0, now - this.#now);
    this.#now = now;
    this.clock = Math.max(this.clock, now);
    for (const [rule, channel, memory, end] of [...this.#windows()]) {
      if (end > this.clock) continue;
      for (const stream of memory.streams.values()) this.#end(rule, channel, memory, stream);
      memory.streams.clear();
      memory.begun = undefined;
    }
  }

  #end(rule: NaiveRule, channel: string, memory: Memory, stream: Stream): void {
    const { values, source, head } = stream;
    this.#count(channel, 'open', -values.length);
    if (values.length < (rule.emit!.window!.min_samples ?? 1)) {
      this.#count(channel, 'absorbed.window', values.length);
      return;
    }
    const { fn } = rule.emit!.value as { fn: string };
    const value = {
      mean: values.reduce((sum, one) => sum + one) / values.length,
      min: Math.min(...values),
      max: Math.max(...values),
      last: values.at(-1)!,
    }[fn as 'mean'];
    const event = { ...stream.event, head };
    const made = this.#make(rule, event, value, memory.begun!);
    const outcome = made ? this.#limit(rule, memory, made, () => true) : 'withheld.conversion';
    this.#count(channel, 'absorbed.window', values.length - 1);
    this.#count(channel, outcome, 1);
    if (outcome === 'emitted') {
      this.#send(rule, channel, source, made!, true);
    }
  }

  /**
   * @param reported by channel, what the engine made of it: asked where tokens are too near to 1
   * @returns undefined for a value that is no number
   */
  feed(
    event: VscpEvent,
    source: string,
    reported: (channel: string) => string | undefined,
  ): { permitted: Map<string, { rule: string; outcome: string }>; forbids: string[] } | undefined {
    if (saidBy(event).notFinite) return undefined;
    const { permits, forbids } = decide(this.#rules, this.#channels, event, source, this.#now);
    const permitted = new Map<string, { rule: string; outcome: string }>();
    for (const [channel, [rule]] of permits) {
      const outcome = this.#pass(rule!, channel, event, source, () => reported(channel));
      this.#count(channel, 'permitted', 1);
      this.#count(channel, outcome, 1);
      permitted.set(channel, { rule: rule!.name, outcome });
    }
    return { permitted, forbids: forbids.map(({ name }) => name) };
  }

  #send(
    rule: NaiveRule,
    channel: string,
    source: string,
    made: Pick<Sending, 'event' | 'measured'>,
    fromWindow: boolean,
  ): void {
    const urgent = rule.urgent === true || priorityOf(made.event) === 0;
    this.sent.push({ ...made, channel, rule: rule.name, source, fromWindow, urgent });
  }

  /** The event's value in a unit; the nearest double. */
  #value(event: VscpEvent, unit: string): number | undefined {
    const said = saidBy(event);
    if (Number.isNaN(said.value) || said.unit === undefined) return undefined;
    const value = converted(said.value, said.unit, unit);
    return value && nearest(value);
  }

  #pass(
    rule: NaiveRule,
    channel: string,
    event: VscpEvent,
    source: string,
    reported: () => string | undefined,
  ): string {
    const words = rule.emit ?? {};
    const memory = this.#memory(rule, channel);
    let value = 0;
    if (words.value !== undefined) {
      const own =
        words.value === 'keep' ? saidBy(event).value : this.#value(event, words.value.unit);
      if (own === undefined || Number.isNaN(own)) return 'withheld.conversion';
      value = own;
    }
    if (words.window) {
      const every = duration(words.window.every);
      const begins = Math.floor(this.clock / every) * every;
      if (this.behind || begins < memory.barred) return 'withheld.interrupted';
      memory.begun ??= begins;
      const key = this.#key(rule, words.window.per, event, source);
      const stream = memory.streams.get(key);
      if (stream) {
        stream.values.push(value);
        stream.source = source;
        stream.head = event.head;
      } else memory.streams.set(key, { event, source, head: event.head, values: [value] });
      return 'open';
    }
    const made = this.#make(rule, event, value, this.#now);
    if (!made) return 'withheld.conversion';
    const outcome = this.#limit(
      rule,
      memory,
      made,
      () => this.#moved(rule, memory, event, source),
      reported,
    );
    if (outcome === 'emitted') {
      this.#send(rule, channel, source, made, false);
    }
    return outcome;
  }

  #key(rule: NaiveRule, per: readonly Key[], event: VscpEvent, source: string): string {
    const { index, zone, subzone } = saidBy(event);
    const all: Record<Key, string | number> = {
      guid: Buffer.from(event.guid).toString('hex'),
      sensor: index,
      zone,
      subzone,
      source,
    };
    const vscpClass = rule.emit?.class === undefined ? event.vscpClass : 'sent';
    return [vscpClass, event.type, ...per.map((part) => `${part}=${all[part]}`)].join();
  }

  /** Why a deadband keeps the event back, or how to remember that it did not. */
  #moved(rule: NaiveRule, memory: Memory, event: VscpEvent, source: string): string | (() => void) {
    const { unit, change, refresh, per = ['guid', 'sensor'] } = rule.emit!.deadband!;
    const value = this.#value(event, unit);
    if (value === undefined) return 'withheld.conversion';
    const key = this.#key(rule, per, event, source);
    const last = memory.last.get(key);
    if (last) {
      const [n, d] = times(last.value, [-1n, 1n]);
      const difference = exactly(value);
      const moved: Ratio = [difference[0] * d + n * difference[1], d * difference[1]];
      const size: Ratio = [moved[0] < 0n ? -moved[0] : moved[0], moved[1]];
      const still = compare(size, decimal(change)) < 0;
      const due = refresh !== undefined && this.#elapsed - last.at >= duration(refresh);
      if (still && !due) return 'absorbed.deadband';
    }
    const at = this.#elapsed;
    return () => memory.last.set(key, { value: exactly(value), at });
  }

  #limit(
    rule: NaiveRule,
    memory: Memory,
    made: Pick<Sending, 'event' | 'measured'>,
    moved: () => string | (() => void) | true,
    reported: () => string | undefined = () => undefined,
  ): string {
    const size = made.measured ? measuredSize(made.event.vscpClass) : made.event.data.length;
    const room = rule.emit?.class === undefined ? 512 : roomOf(rule.emit.class);
    if (size > Math.min(room, rule.limits?.size ?? 512)) return 'withheld.size';
    const remember = rule.emit?.deadband ? moved() : true;
    if (typeof remember === 'string') return remember;
    if (rule.limits?.rate) {
      const { rate } = rule.limits;
      const most: Ratio = [BigInt(this.#burst(rule)), 1n];
      const passed: Ratio = [BigInt(this.#elapsed - memory.filled), 1n];
      const [n, d] = times(passed, perMs(rate));
      const [a, b] = memory.tokens;
      let tokens: Ratio = [a * d + n * b, b * d];
      if (compare(tokens, most) > 0) tokens = most;
      memory.filled = this.#elapsed;
      memory.tokens = tokens;
      let has = compare(tokens, [1n, 1n]) >= 0;
      if (Math.abs(nearest(tokens) - 1) < 1e-9 && reported() !== undefined) {
        this.close++;
        has = reported() !== 'withheld.rate';
      }
      if (!has) return 'withheld.rate';
      memory.tokens = compare(tokens, [1n, 1n]) < 0 ? [0n, 1n] : [tokens[0] - tokens[1], tokens[1]];
    }
    if (remember !== true) remember();
    return 'emitted';
  }

  /** What is sent; undefined if a field cannot be as the rule says. */
  #make(
    rule: NaiveRule,
    event: VscpEvent,
    value: number,
    relay: number,
  ): Pick<Sending, 'event' | 'measured'> | undefined {
    const words: EmitWords = rule.emit ?? { guid: 'keep', time: 'keep', data: 'keep' };
    const { priority = 'keep', guid = 'zero', data = 'zero' } = words;
    const kept = priority === 'keep' ? priorityOf(event) : priority === 'zero' ? 0 : priority;
    const time = this.#time(words, event, relay);
    if (!time) return undefined;
    const address =
      typeof guid === 'object'
        ? pseudonym(guid, event.guid)
        : guid === 'keep'
          ? event.guid
          : guid === 'zero'
            ? new Uint8Array(16)
            : guidBytes(BigInt(`0x${guid.replaceAll(':', '')}`));
    const out: VscpEvent = {
      head: kept * 32,
      vscpClass: words.class ?? event.vscpClass,
      type: words.type ?? event.type,
      obid: 0,
      ...time,
      guid: address,
      data: data === 'keep' ? event.data : Uint8Array.from(data === 'zero' ? [] : data),
    };
    if (words.value === undefined) return { event: out, measured: undefined };
    const measured = this.#measure(words, event, out, value);
    return measured && { event: { ...out, data: new Uint8Array(0) }, measured };
  }

  #time(
    { time = 'zero', window }: EmitWords,
    event: VscpEvent,
    relay: number,
  ): Pick<VscpEvent, 'datetime' | 'timestamp'> | undefined {
    if (time === 'keep') return { datetime: event.datetime, timestamp: event.timestamp };
    if (time === 'zero') return { datetime: '', timestamp: 0n };
    let seconds: number | undefined = Math.floor(this.#now / 1000);
    if (time !== 'relay') {
      const ofRelay = time.of === 'relay' || window !== undefined;
      seconds = ofRelay ? Math.floor(relay / 1000) : secondsOf(event);
      if (seconds === undefined) return undefined;
      const step = duration(time.floor) / 1000;
      seconds = Math.floor(seconds / step) * step;
    }
    return { datetime: isoSeconds(seconds), timestamp: 0n };
  }

  #measure(
    words: EmitWords,
    event: VscpEvent,
    { vscpClass, type }: VscpEvent,
    value: number,
  ): Sending['measured'] {
    const said = saidBy(event);
    let sent = value;
    let unit = said.code;
    if (words.value !== 'keep') {
      const { clamp, round, unit: name } = words.value!;
      unit = UNITS[type]!.indexOf(name);
      if (clamp?.ge !== undefined) sent = Math.max(sent, clamp.ge);
      if (clamp?.le !== undefined) sent = Math.min(sent, clamp.le);
      if (round !== undefined) sent = rounded(sent, round);
    }
    const sensor = byteOf(words.sensor, said.index);
    const zone = byteOf(words.zone, said.zone);
    const subzone = byteOf(words.subzone, said.subzone);
    // A coding byte of Level I has three bits for the sensor.
    if ((vscpClass === 10 || vscpClass === 522) && sensor > 7) return undefined;
    if (vscpClass === 60 && unit !== 0) return undefined;
    return { value: sent, unit, sensor, zone, subzone };
  }
}

/** Level I events have 8 bytes, their mirrors a GUID more. */
function roomOf(vscpClass: number): number {
  if (vscpClass >= 1024) return 512;
  return vscpClass < 512 ? 8 : 24;
}

/** Index, zone, subzone, unit and a float64; others are as long as their number is. */
function measuredSize(vscpClass: number): number {
  return vscpClass === 1060 ? 12 : 0;
}

/** When a rule has expired: its last day is UTC's. */
function lastInstant({ expires }: NaiveRule): number {
  return expires === undefined ? Infinity : Date.parse(`${expires}T00:00:00Z`) + 86_400_000;
}
