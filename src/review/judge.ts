/** Whether policies may be put in force together: everything that is wrong, a line each. */
import { DocumentError } from '../document/document.js';
import { compilePolicies, type Scope } from '../policy/compile.js';
import { parsePolicy } from '../policy/parse.js';
import type { Policy } from '../policy/policy.js';
import type { PolicyText } from '../wire/bundle.js';
import { tryPolicy } from './trial.js';

/** @returns `file:line:column: message` lines; empty: they load together, and their tests pass */
export function judge(texts: readonly PolicyText[], scope: Scope, now: number): string[] {
  const problems: DocumentError[] = [];
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  const policies = texts
    .map(({ file, text }) => attempt(() => parsePolicy(text, file, problems)))
    .filter((policy) => policy !== undefined);
  if (problems.length === 0) attempt(() => compilePolicies(policies, scope, now));
  if (problems.length > 0) return problems.map(({ message }) => message);
  return policies
    .flatMap((policy) => failures(policy, attempt))
    .concat(problems.map(({ message }) => message));
}

function failures(policy: Policy, attempt: <T>(work: () => T) => T | undefined): string[] {
  const { results } = attempt(() => tryPolicy(policy)) ?? { results: [] };
  return results.flatMap(({ test, complaints }) =>
    complaints.map(({ field, message }) => field.error(`test '${test.name}': ${message}`).message),
  );
}
