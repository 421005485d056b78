/** The last decisions, as numbers: which rule decided what class and type, never an event's content. */
import { className, typeName } from '../policy/tokens.js';
import type { Engine } from '../policy/engine.js';

const KEPT = 8;

export class Recent {
  readonly #vscpClass = new Uint16Array(KEPT);
  readonly #type = new Uint16Array(KEPT);
  readonly #source = new Uint16Array(KEPT);
  readonly #rule = new Int32Array(KEPT);
  #count = 0;

  add(vscpClass: number, type: number, source: number, rule: number): void {
    const i = this.#count++ & (KEPT - 1);
    this.#vscpClass[i] = vscpClass;
    this.#type[i] = type;
    this.#source[i] = source;
    this.#rule[i] = rule;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Newest first. */
  describe(engine: Engine) {
    return Array.from({ length: Math.min(KEPT, this.#count) }, (_, age) => {
      const i = (this.#count - 1 - age) & (KEPT - 1);
      const vscpClass = this.#vscpClass[i]!;
      return {
        source: engine.compiled.scope.sources[this.#source[i]!]!,
        class: className(vscpClass),
        type: typeName(vscpClass, this.#type[i]!),
        rule: engine.compiled.rules[this.#rule[i]!]?.name ?? 'default deny',
      };
    });
  }
}
