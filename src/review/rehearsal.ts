/** Policies at work without a relay: events in, a virtual clock, and what would be sent. */
import { MAX_BODY } from '../event/layout.js';
import type { Compiled, Scope } from '../policy/compile.js';
import { DEFAULT_DENY, Engine, NOT_FINITE } from '../policy/engine.js';
import { OUTCOMES, type Sink } from '../policy/outcome.js';
import type { Policy } from '../policy/policy.js';
import { hmacOf } from '../wire/hmac.js';

/** What stands for every key file, so that anybody can reproduce a test's pseudonyms. */
export const TEST_KEY = 'tidegate-policy-test-key';

/** The names that policies and their tests use: there is no configuration to ask. */
export function scopeOf(policies: readonly Policy[]): Scope {
  const sources = new Set<string>();
  const channels = new Set<string>();
  for (const { rules, tests } of policies) {
    for (const rule of rules) {
      for (const { text } of rule.sources ?? []) sources.add(text);
      for (const { text } of rule.to ?? []) channels.add(text);
    }
    for (const { feed } of tests) for (const { source } of feed) if (source) sources.add(source);
  }
  return {
    sources: sources.size > 0 ? [...sources] : ['lower'],
    channels: channels.size > 0 ? [...channels] : ['channel'],
  };
}

export interface Sent {
  readonly channel: string;
  readonly rule: string;
  readonly source: string;
  readonly body: Uint8Array;
  readonly fromWindow: boolean;
  readonly urgent: boolean;
  /** When it was sent, ms since 1970. */
  readonly at: number;
}

/** What became of an event that was fed. */
export interface Verdict {
  /** Its value is NaN or an infinity: refused before any rule was asked. */
  readonly notFinite: boolean;
  /** By channel that it is permitted for: the rule, and what became of it there, of OUTCOMES. */
  readonly permitted: ReadonlyMap<string, { readonly rule: string; readonly outcome: string }>;
  /** The first forbid that matches. */
  readonly forbiddenBy: string | undefined;
}

export class Rehearsal {
  readonly compiled: Compiled;
  readonly engine: Engine;
  /** In order. */
  readonly sent: Sent[] = [];
  /** By channel, in the order of the scope: numbers of OUTCOMES. */
  readonly counts: readonly Float64Array[];
  #now: number;
  readonly #sink: Sink;

  /** @param at where the clock begins, ms since 1970: the policies were compiled for then */
  constructor(compiled: Compiled, at: number) {
    this.#now = at;
    this.compiled = compiled;
    this.engine = new Engine(this.compiled, () => hmacOf(TEST_KEY), { now: at, settled: true });
    this.counts = compiled.scope.channels.map(() => new Float64Array(OUTCOMES.length));
    this.#sink = this.#makeSink();
  }

  get now(): number {
    return this.#now;
  }

  /** Lets time pass, and windows end when they do. */
  turnTo(now: number): void {
    const until = Math.min(now, this.compiled.expires - 1);
    for (let end = this.engine.nextEnd(); end <= until; end = this.engine.nextEnd()) {
      this.#now = end;
      this.engine.advance(end, this.#sink);
    }
    this.#now = now;
    if (this.#expired) this.engine.interrupt(this.#sink);
    else this.engine.advance(now, this.#sink);
  }

  /** After its last day nothing goes out by any policy. */
  get #expired(): boolean {
    return this.#now >= this.compiled.expires;
  }

  /** @param source a name of the scope */
  feed(body: Uint8Array, source: string): Verdict {
    const { scope, rules } = this.compiled;
    const { engine } = this;
    const index = scope.sources.indexOf(source);
    const permitted = new Map<string, { rule: string; outcome: string }>();
    if (this.#expired) return { notFinite: false, permitted, forbiddenBy: undefined };
    const bits = engine.decide(body, 0, index);
    const forbiddenBy = engine.deniedBy === DEFAULT_DENY ? undefined : rules[engine.deniedBy]!.name;
    if (bits === NOT_FINITE) return { notFinite: true, permitted, forbiddenBy: undefined };
    scope.channels.forEach((name, channel) => {
      if ((bits & (1 << channel)) === 0) return;
      this.#sink.open(channel);
      const outcome = engine.pass(body, 0, channel, index, this.#sink);
      this.#sink.count(channel, 0, 1);
      this.#sink.count(channel, outcome, 1);
      const rule = rules[engine.permittedBy[channel]!]!.name;
      permitted.set(name, { rule, outcome: OUTCOMES[outcome]! });
    });
    return { notFinite: false, permitted, forbiddenBy };
  }

  #makeSink(): Sink {
    const { sources, channels } = this.compiled.scope;
    const buffer = new Uint8Array(MAX_BODY);
    let open = 0;
    return {
      buffer,
      at: 0,
      open: (channel) => {
        open = channel;
        return true;
      },
      append: (length, source, rule, fromWindow, urgent) => {
        this.sent.push({
          channel: channels[open]!,
          rule: this.compiled.rules[rule]!.name,
          source: sources[source]!,
          body: buffer.slice(0, length),
          fromWindow,
          urgent,
          at: this.#now,
        });
      },
      count: (channel, outcome, events) => (this.counts[channel]![outcome]! += events),
    };
  }
}
