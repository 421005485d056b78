/** Finds hazards in policies by what they mean together, not by how they are written. */
import { DocumentError } from '../document/document.js';
import { compilePolicies } from '../policy/compile.js';
import type { Policy } from '../policy/policy.js';
import { type Finding, refusal, warn } from './finding.js';
import { lintForbid, lintPermit, placeOf } from './lint-classes.js';
import { lintEmit } from './lint-emit.js';
import { lintFile } from './lint-file.js';
import { lintUnits } from './lint-units.js';
import { Reach } from './reach.js';
import { scopeOf } from './rehearsal.js';

export type { Finding } from './finding.js';

/** Schedules repeat within it. */
const YEAR = 366 * 86_400_000;

/**
 * What is dangerous in policies that one relay loads together. A finding is a warning; what keeps
 * them from loading together is the one error.
 *
 * @param now ms since 1970: what has expired, and what soon will
 * @returns by file in the given order, then by place
 */
export function lint(policies: readonly Policy[], now: number): Finding[] {
  const reach = new Reach(policies);
  const rules = policies.flatMap((policy) => policy.rules);
  const permits = rules.filter(({ effect, expires }) => effect === 'permit' && expires > now);
  const findings = loadErrors(policies, now);
  for (const rule of permits) {
    if (!reach.some(rule, {})) {
      const message = `permit '${rule.name}' sends nothing: forbids stop all that it matches`;
      findings.push(warn(placeOf(rule), 'permit-dead', message, 'narrow the forbids, or drop it'));
      continue;
    }
    findings.push(...lintPermit(rule, reach), ...lintEmit(rule, reach), ...lintUnits(rule));
  }
  for (const rule of rules) {
    if (rule.effect !== 'forbid') continue;
    findings.push(...lintForbid(rule, permits, reach, { from: now, until: now + YEAR }));
    findings.push(...lintUnits(rule));
  }
  for (const policy of policies) findings.push(...lintFile(policy, now));
  const files = [...new Set(policies.map(({ idField }) => idField.file))];
  const rank = new Map(files.map((file, i) => [file, i]));
  return findings.sort(
    (a, b) =>
      rank.get(a.file)! - rank.get(b.file)! ||
      a.line - b.line ||
      a.column - b.column ||
      (a.code < b.code ? -1 : 1),
  );
}

/** Why the relay would not load the policies together: the first reason. */
export function loadErrors(policies: readonly Policy[], now: number): Finding[] {
  try {
    compilePolicies(policies, scopeOf(policies), now);
    return [];
  } catch (error) {
    if (error instanceof DocumentError) return [refusal(error, 'not-loadable')];
    throw error;
  }
}
