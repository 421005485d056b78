/** The policies in force: taken from the supervisor's file at the start, and whenever it changes. */
import { compilePolicies, ExpiredError, type Scope } from '../policy/compile.js';
import type { Keyring } from '../policy/pseudonym.js';
import { Engine } from '../policy/engine.js';
import { parsePolicy } from '../policy/parse.js';
import { Budget } from '../policy/streams.js';
import { type Bundle, digestOf, readBundles, readMark } from '../wire/bundle.js';
import { hmacOf } from '../wire/hmac.js';
import { MAX_BEHIND } from '../journal/format.js';
import type { Logger } from '../wire/log.js';
import type { PolicyStatus } from '../wire/status.js';

interface Loaded {
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
  readonly #log: Logger;
  /** What one engine hands on to the next counts for both. */
  readonly #budget = new Budget();
  #mark: string;

  /**
   * @param fd of the supervisor's file
   * @throws Error where no policies load, or the file is torn
   */
  constructor(fd: number, scope: Scope, log: Logger) {
    this.#fd = fd;
    this.#scope = scope;
    this.#log = log;
    this.#mark = readMark(fd);
    const [newest, ...before] = readBundles(fd);
    if (!newest) throw new Error('the policies are being rewritten');
    ({ engine: this.first, status: this.status } = this.#loadFirst(newest, before, Date.now()));
  }

  /** What a gate before this one has sent for a window is not sent for it again. */
  resumeClock(last: number, now: number): void {
    if (last <= now) return;
    const behind = { event: 'clock', behind: last - now };
    if (last - now < MAX_BEHIND) {
      this.first.notBefore(last);
      this.#log.warn(behind, 'the clock has been set back: windows wait until it has caught up');
    } else {
      this.#log.error(behind, 'the clock was far ahead at the last mark: it is not waited for');
    }
  }

  /**
   * Takes other policies, once, if the supervisor has handed some on; refuses what is wrong.
   *
   * @param replace puts an engine in the place of the one before, between two batches; what it throws
   * refuses the policies
   */
  takeChanged(now: number, replace: (engine: Engine) => void): void {
    const mark = readMark(this.#fd);
    if (mark === this.#mark) return;
    const [bundle] = readBundles(this.#fd);
    if (!bundle) return;
    this.#mark = mark;
    try {
      const { engine, status } = this.#load(bundle, now);
      replace(engine);
      this.status = status;
      this.#log.info({ event: 'policies', ...status }, 'deciding by other policies');
    } catch (error) {
      this.status = this.#refuse(this.status, bundle, error, now);
    }
  }

  /** What a gate has refused stays in the file: what was in force before is behind it. */
  #loadFirst(newest: Bundle, before: readonly Bundle[], now: number): Loaded {
    try {
      return this.#load(newest, now);
    } catch (error) {
      // These were in force until their last day.
      if (error instanceof ExpiredError) throw error;
      for (const bundle of before) {
        try {
          const { engine, status } = this.#load(bundle, now);
          return { engine, status: this.#refuse(status, newest, error, now) };
        } catch {
          // The one before that, then.
        }
      }
      throw error;
    }
  }

  #refuse(status: PolicyStatus, bundle: Bundle, error: unknown, time: number): PolicyStatus {
    const reason = (error as Error).message;
    const refused = { number: bundle.number, digest: digestOf(bundle.policies), reason, time };
    this.#log.error({ event: 'policies-refused', ...refused }, 'the policies before stay');
    return { ...status, refused };
  }

  #load({ number, policies, keys }: Bundle, now: number): Loaded {
    const parsed = policies.map(({ file, text }) => parsePolicy(text, file));
    const compiled = compilePolicies(parsed, this.#scope, now);
    const engine = new Engine(compiled, keyring(keys), { now, budget: this.#budget });
    const status = {
      number,
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
