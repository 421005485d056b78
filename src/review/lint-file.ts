/** Lints of a file as such: what is not used, not tested, not limited in time. */
import { Facts, failureOf } from './matching.js';
import type { Policy, Rule } from '../policy/policy.js';
import { type Finding, warn } from './finding.js';
import { placeOf } from './lint-classes.js';

const DAY = 86_400_000;
/** Days in which an owner can still renew at leisure. */
const SOON = 30;

/** Findings about one file; @param now ms since 1970 */
export function lintFile(policy: Policy, now: number): Finding[] {
  return [...lintLists(policy), ...lintTests(policy), ...lintExpiry(policy, now)];
}

function lintLists({ lists }: Policy): Finding[] {
  return lists
    .filter(({ used }) => !used)
    .map(({ name, field }) => {
      const { line, column } = field.keyError('');
      const message = `no rule uses the list '${name}': a rule that should may match too much`;
      const fix = `match guid: { in: $${name} }, or take the list out`;
      return { ...warn(field, 'unused-list', message, fix), line, column };
    });
}

function lintTests(policy: Policy): Finding[] {
  const { rules, tests } = policy;
  const untested = untestedRules(policy);
  const fix = "add a test whose 'feed' has such an event; see tidegate policy test --help";
  if (tests.length === 0 && rules.length > 0) {
    const message = `policy '${policy.id}' has no tests: nobody knows what its rules do`;
    return [warn(policy.idField, 'untested-rule', message, fix)];
  }
  return untested.map((rule) =>
    warn(rule.field, 'untested-rule', `no test has an event that '${rule.name}' matches`, fix),
  );
}

/** Rules that match no event of any test, by the clock that the test has then. */
function untestedRules({ rules, tests }: Policy): Rule[] {
  const rest = new Set(rules);
  for (const { at, feed } of tests) {
    let now = at;
    for (const { source, repeat, every, at: turned, body } of feed) {
      now = turned ?? now;
      for (let i = 0; i < repeat && rest.size > 0; i++) {
        if (i > 0) now += every;
        const facts = new Facts(body, source ?? onlySource(rules), now);
        if (facts.fields.notFinite) break;
        for (const rule of rest) if (!failureOf(rule, facts)) rest.delete(rule);
        // Only a clock makes the same event match later.
        if (every === 0 || ![...rest].some(hasClock)) {
          now += every * (repeat - 1 - i);
          break;
        }
      }
    }
  }
  return [...rest];
}

/** What an event comes by whose step names no source: there is one name at most. */
function onlySource(rules: readonly Rule[]): string {
  return rules.flatMap(({ sources }) => sources ?? []).at(0)?.text ?? '';
}

function hasClock({ arms }: Rule): boolean {
  return arms.some(({ schedule }) => schedule !== undefined);
}

function lintExpiry(policy: Policy, now: number): Finding[] {
  const { id, expires, expiresField, idField, rules } = policy;
  const findings: Finding[] = [];
  if (expires === Infinity) {
    findings.push(
      warn(
        idField,
        'no-expiry',
        `policy '${id}' never expires: nobody has to look at it again`,
        "add expires: YYYY-MM-DD to 'policy', the last day on which it is valid",
      ),
    );
  } else if (isSoon(expires, now)) {
    const message = `policy '${id}' expires ${when(expires, now)}: the relay then sends nothing`;
    findings.push(warn(expiresField!, 'expires-soon', message, 'review it, then set a later date'));
  }
  for (const rule of rules) {
    const field = placeOf(rule, 'expires');
    const { name, effect } = rule;
    if (rule.expires <= now) {
      // An expired forbid is an error; the compiler says so.
      if (effect === 'forbid') continue;
      const message = `permit '${name}' has expired: it matches nothing any more`;
      findings.push(warn(field, 'permit-expired', message, 'renew it, or take it out'));
    } else if (isSoon(rule.expires, now)) {
      const after =
        effect === 'permit' ? 'it then matches nothing' : 'the relay then refuses the policy';
      const message = `${effect} '${name}' expires ${when(rule.expires, now)}: ${after}`;
      findings.push(warn(field, 'expires-soon', message, 'renew it, or take it out in time'));
    }
  }
  return findings;
}

function isSoon(expires: number, now: number): boolean {
  return expires > now && expires - now <= SOON * DAY;
}

/** The last day is the one before the instant. */
function when(expires: number, now: number): string {
  const days = Math.ceil((expires - now) / DAY) - 1;
  const date = new Date(expires - 1).toISOString().slice(0, 10);
  return days <= 0 ? `today, ${date}` : `in ${days} ${days === 1 ? 'day' : 'days'}, on ${date}`;
}
