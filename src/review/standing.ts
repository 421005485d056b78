/** Which of the rules that match an event decides, by channel; and whether the engine agrees. */
import type { Rule } from '../policy/policy.js';
import type { Facts } from './matching.js';
import { type Place, placeOf } from './place.js';
import type { Verdict } from './rehearsal.js';

/** What is decided for one channel. */
export interface Decision {
  /** `denied`: no rule permits it. `refused`: its value is NaN or an infinity. */
  readonly verdict: 'permitted' | 'forbidden' | 'denied' | 'refused';
  /** The rule that decides; null: none does. */
  readonly rule: string | null;
  readonly place: Place | null;
}

/** A matching rule's part in the decision for one channel. */
export interface Standing {
  readonly channel: string;
  readonly decides: boolean;
  /** The rule that decides instead; null: it is this one. */
  readonly by: string | null;
  readonly words: string;
}

function concerns(rule: Rule, channel: string): boolean {
  return rule.to?.some(({ text }) => text === channel) ?? true;
}

/** @param hits the rules that match, by name: none, where the event is refused */
export function decisionsOf(
  channels: readonly string[],
  hits: readonly Rule[],
  { fields: { notFinite } }: Facts,
): ReadonlyMap<string, Decision> {
  const decide = (channel: string): Decision => {
    if (notFinite) return { verdict: 'refused', rule: null, place: null };
    const mine = hits.filter((rule) => concerns(rule, channel));
    const winner = mine.find(({ effect }) => effect === 'forbid') ?? mine[0];
    if (!winner) return { verdict: 'denied', rule: null, place: null };
    return {
      verdict: winner.effect === 'permit' ? 'permitted' : 'forbidden',
      rule: winner.name,
      place: placeOf(winner.field),
    };
  };
  return new Map(channels.map((channel) => [channel, decide(channel)]));
}

export function standingsOf(
  rule: Rule,
  channels: readonly string[],
  decisions: ReadonlyMap<string, Decision>,
): Standing[] {
  return channels
    .filter((channel) => concerns(rule, channel))
    .map((channel) => {
      const { verdict, rule: winner } = decisions.get(channel)!;
      const decides = winner === rule.name;
      const by = decides ? null : winner;
      return { channel, decides, by, words: wordsOf(rule, channel, verdict, by) };
    });
}

function wordsOf(
  rule: Rule,
  channel: string,
  verdict: Decision['verdict'],
  by: string | null,
): string {
  if (by === null) return `decides for ${channel}`;
  if (rule.effect === 'forbid') return `forbids ${channel} too; ${by} is named, the smaller name`;
  if (verdict === 'forbidden') return `permits ${channel}, but ${by} forbids it`;
  return `permits ${channel} too and sends the same; ${by} decides, the smaller name`;
}

/** Compares what the engine did with what the reasons give; each difference is a bug. */
export function disagreementsOf(
  verdict: Verdict,
  decisions: ReadonlyMap<string, Decision>,
  hits: readonly Rule[],
  { fields: { notFinite } }: Facts,
): string[] {
  const found: string[] = [];
  if (verdict.notFinite !== notFinite) {
    found.push(`the engine ${verdict.notFinite ? 'refuses' : 'takes'} the event's value`);
  }
  for (const [channel, { verdict: expected, rule }] of decisions) {
    const permit = expected === 'permitted' ? rule : null;
    const real = verdict.permitted.get(channel)?.rule ?? null;
    if (permit === real) continue;
    const says = real === null ? 'does not permit it' : `permits it by ${real}`;
    const by = rule === null ? '' : ` by ${rule}`;
    const reasons = `${expected}${by}`;
    found.push(`${channel}: the engine ${says}, the reasons give ${reasons}`);
  }
  const forbid = hits.find(({ effect }) => effect === 'forbid')?.name;
  if (verdict.forbiddenBy !== forbid) {
    found.push(
      `the engine's first forbid is ${verdict.forbiddenBy ?? 'none'}, ` +
        `that of the reasons ${forbid ?? 'none'}`,
    );
  }
  return found;
}
