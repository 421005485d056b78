/** Who explains events of any source: one that no policy names needs a scope that has it. */
import { didYouMean } from '../document/nearest.js';
import type { Scope } from '../policy/compile.js';
import type { Policy } from '../policy/policy.js';
import { Explainer, type Explanation } from '../review/explain.js';
import { scopeOf } from '../review/rehearsal.js';
import { UsageError } from './arguments.js';

export class Desk {
  readonly #policies: readonly Policy[];
  readonly #at: number;
  readonly #source: string | undefined;
  #scope: Scope;
  #explainer: Explainer;

  /**
   * @param source that all events came by; undefined: the one they come with, or the only one
   * @throws DocumentError where the relay would not load the policies
   */
  constructor(policies: readonly Policy[], at: number, source: string | undefined) {
    this.#policies = policies;
    this.#at = at;
    this.#source = source;
    this.#scope = scopeOf(policies);
    this.#explainer = new Explainer(policies, this.#scope, at);
  }

  /** What is odd about the source that was asked for. */
  get hint(): string | undefined {
    const known = this.#scope.sources;
    if (this.#source === undefined || known.includes(this.#source)) return undefined;
    if (!this.#policies.some(({ rules }) => rules.some(({ sources }) => sources))) return undefined;
    const nearest = didYouMean(this.#source, known) || `; named: ${known.join(', ')}`;
    return `no rule names the source '${this.#source}'${nearest}`;
  }

  explain(body: Uint8Array, from: string | undefined): Explanation {
    const source = this.#source ?? from ?? this.#only();
    if (!this.#scope.sources.includes(source)) {
      this.#scope = { ...this.#scope, sources: [...this.#scope.sources, source] };
      this.#explainer = new Explainer(this.#policies, this.#scope, this.#at);
    }
    return this.#explainer.explain(body, source);
  }

  #only(): string {
    const { sources } = this.#scope;
    const [source = 'lower', second] = sources;
    if (second === undefined) return source;
    throw new UsageError(`which link did it come by? --source ${sources.join(' or ')}`);
  }
}
