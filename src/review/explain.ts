/** Why policies decide an event as they do: the engine's verdict, and a reason for every rule. */
import { type Compiled, compilePolicies, MAX_CHANNELS, type Scope } from '../policy/compile.js';
import type { Policy, Rule } from '../policy/policy.js';
import { type Description, describeEvent } from './description.js';
import { explainFailure, type Failure } from './failure.js';
import { Facts, failureOf } from './matching.js';
import { type Place, placeOf } from './place.js';
import { Rehearsal, type Verdict } from './rehearsal.js';
import { type Sending, sendingOf, windowBegin } from './sending.js';
import {
  type Decision,
  decisionsOf,
  disagreementsOf,
  type Standing,
  standingsOf,
} from './standing.js';
import { instantText } from './words.js';

/** A rule beside an event. */
export interface RuleReport {
  readonly rule: string;
  readonly effect: 'permit' | 'forbid';
  readonly reason: string | null;
  readonly place: Place;
  readonly matches: boolean;
  /** The first predicate that fails; null: it matches, or no rule was asked. */
  readonly failure: Failure | null;
  /** By channel: whether it decides, or what beats it. */
  readonly standings: readonly Standing[];
}

export interface ChannelReport extends Decision {
  readonly channel: string;
  /** What becomes of the event; null: it is not permitted. */
  readonly sending: Sending | null;
}

export interface Explanation {
  readonly event: Description;
  readonly source: string;
  /** The relay's clock, UTC. */
  readonly at: string;
  readonly channels: readonly ChannelReport[];
  /** By name. */
  readonly rules: readonly RuleReport[];
  /** Where the engine and the reasons say different things: a bug of tidegate. */
  readonly disagreements: readonly string[];
}

/** With more of them a window is not rehearsed: its samples cost time. */
const MAX_SAMPLES = 1000;

/** Explains events one by one, each as if it were the first that comes. */
export class Explainer {
  readonly scope: Scope;
  readonly #compiled: Compiled;
  readonly #at: number;
  readonly #rules: readonly Rule[];
  #rehearsal: Rehearsal;

  /**
   * @param policies all active together
   * @param at the relay's clock, ms since 1970
   * @throws DocumentError where the relay would not load them
   */
  constructor(policies: readonly Policy[], scope: Scope, at: number) {
    if (scope.channels.length > MAX_CHANNELS) {
      throw new Error(
        `the policies name ${scope.channels.length} channels; at most ${MAX_CHANNELS}`,
      );
    }
    this.scope = scope;
    this.#at = at;
    this.#compiled = compilePolicies(policies, scope, at);
    this.#rehearsal = this.#begin();
    this.#rules = this.#compiled.rules;
  }

  /**
   * @param body the event's binary form
   * @param source a name of the scope
   */
  explain(body: Uint8Array, source: string): Explanation {
    if (!this.scope.sources.includes(source)) throw new Error(`no source is named '${source}'`);
    const facts = new Facts(body, source, this.#at);
    const verdict = this.#rehearsal.feed(body, source);
    const failures = new Map(this.#rules.map((rule) => [rule, failureOf(rule, facts)]));
    const asked = !verdict.notFinite;
    const hits = asked ? this.#rules.filter((rule) => failures.get(rule) === undefined) : [];
    const decisions = decisionsOf(this.scope.channels, hits, facts);
    const explanation = {
      event: describeEvent(facts),
      source,
      at: instantText(this.#at),
      channels: this.scope.channels.map((channel) => ({
        channel,
        ...decisions.get(channel)!,
        sending: this.#sendingOf(channel, verdict, facts),
      })),
      rules: this.#rules.map((rule) => {
        const failed = failures.get(rule);
        return {
          rule: rule.name,
          effect: rule.effect,
          reason: rule.reason ?? null,
          place: placeOf(rule.field),
          matches: hits.includes(rule),
          failure: asked && failed ? explainFailure(rule, facts, failed) : null,
          standings: hits.includes(rule) ? standingsOf(rule, this.scope.channels, decisions) : [],
        };
      }),
      disagreements: disagreementsOf(verdict, decisions, hits, facts),
    };
    this.#forget(verdict);
    return explanation;
  }

  #begin(): Rehearsal {
    return new Rehearsal(this.#compiled, this.#at);
  }

  /** Deadbands, rates and windows remember what was fed, and a window's end turns the clock. */
  #forget({ permitted }: Verdict): void {
    this.#rehearsal.sent.length = 0;
    const remembers = [...permitted.values()].some(({ rule: name }) => {
      const { emit, limits } = this.#ruleOf(name);
      return emit.window !== undefined || emit.deadband !== undefined || limits.rate !== undefined;
    });
    if (remembers) this.#rehearsal = this.#begin();
  }

  #ruleOf(name: string): Rule {
    return this.#rules.find((rule) => rule.name === name)!;
  }

  #sendingOf(channel: string, { permitted }: Verdict, facts: Facts): Sending | null {
    const passed = permitted.get(channel);
    if (!passed) return null;
    const rule = this.#ruleOf(passed.rule);
    const { window } = rule.emit;
    if (!window || passed.outcome !== 'open') {
      const sent = this.#rehearsal.sent.find((each) => each.channel === channel);
      return sendingOf(rule, facts, passed.outcome, sent, 0);
    }
    const samples = window.minSamples > MAX_SAMPLES ? 1 : window.minSamples;
    const ends = windowBegin(rule, this.#at) + window.every;
    const rehearsal = this.#begin();
    for (let i = 0; i < samples; i++) rehearsal.feed(facts.body, facts.source);
    rehearsal.turnTo(ends);
    const sent = rehearsal.sent.find((each) => each.channel === channel && each.rule === rule.name);
    return sendingOf(rule, facts, passed.outcome, sent, samples);
  }
}
