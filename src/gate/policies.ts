/** The policies in force: taken from the supervisor's file at the start, and whenever it changes. */
import { compilePolicies, type Scope } from '../policy/compile.js';
import type { Keyring } from '../policy/pseudonym.js';
import { Engine } from '../policy/engine.js';
import { parsePolicy } from '../policy/parse.js';
import { type Bundle, digestOf, readBundle, readMark } from '../wire/bundle.js';
import { hmacOf } from '../wire/hmac.js';
import type { PolicyStatus } from '../wire/status.js';

/** Policies that have been loaded, and not yet taken. */
export interface Loaded {
  readonly engine: Engine;
  readonly status: PolicyStatus;
}

export class Policies {
  /** Of those in force. */
  status: PolicyStatus;
  /** That decides first. */
  readonly first: Engine;
  readonly #fd: number;
  readonly #scope: Scope;
  #mark: string;

  /**
   * @param fd of the supervisor's file
   * @throws Error where policies do not load, or the file is torn
   */
  constructor(fd: number, scope: Scope) {
    this.#fd = fd;
    this.#scope = scope;
    this.#mark = readMark(fd);
    const bundle = readBundle(fd);
    if (!bundle) throw new Error('the policies are being rewritten');
    ({ engine: this.first, status: this.status } = this.#load(bundle, Date.now()));
  }

  /** Loads other policies, once, if the supervisor has handed some on; refuses what is wrong. */
  changed(now: number): Loaded | undefined {
    const mark = readMark(this.#fd);
    if (mark === this.#mark) return undefined;
    const bundle = readBundle(this.#fd);
    if (!bundle) return undefined;
    this.#mark = mark;
    try {
      return this.#load(bundle, now);
    } catch (error) {
      this.refuse(digestOf(bundle.policies), (error as Error).message, now);
      return undefined;
    }
  }

  /** Those in force stay. */
  refuse(digest: string, reason: string, time: number): void {
    this.status = { ...this.status, refused: { digest, reason, time } };
  }

  #load({ policies, keys }: Bundle, now: number): Loaded {
    const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
    const engine = new Engine(compilePolicies(parsed, this.#scope, now), keyring(keys), { now });
    const status = {
      digest: digestOf(policies),
      since: now,
      policies: parsed.map(({ id, revision }) => ({ id, revision })),
    };
    return { engine, status };
  }
}

function keyring(keys: Bundle['keys']): Keyring {
  return (path) => {
    const key = Object.hasOwn(keys, path) ? keys[path] : undefined;
    if (key === undefined) throw new Error(`the key ${path} was not handed on`);
    return hmacOf(key);
  };
}
