/** The policies in force: taken from the supervisor's file at the start, and whenever it changes. */
import { compilePolicies, ExpiredError, type Scope } from '../policy/compile.js';
import type { Keyring } from '../policy/pseudonym.js';
import { Engine } from '../policy/engine.js';
import { parsePolicy } from '../policy/parse.js';
import type { Policy } from '../policy/policy.js';
import { Budget } from '../policy/streams.js';
import { type Bundle, digestOf, readBundles, readMark } from '../wire/bundle.js';
import { sha256Of } from '../signing/manifest.js';
import { type SignerRules, titleOf } from '../signing/signers.js';
import { type Checked, checkManifest } from '../signing/verify.js';
import { hmacOf } from '../wire/hmac.js';
import { MAX_BEHIND } from '../journal/format.js';
import type { Logger } from '../wire/log.js';
import type { PolicyStatus } from '../wire/status.js';

/** Of what a leaf says of policies, less the names of their rules: a leaf takes 64 KiB. */
const MAX_DESCRIBED = 30 * 1024;

/** What was put in force, and by whom. */
export interface Activation {
  readonly status: PolicyStatus;
  readonly ruleNames: readonly string[];
  readonly files: readonly {
    readonly id: string;
    readonly revision: number;
    /** First instant at which it is no longer valid, ms since 1970; Infinity if it never expires. */
    readonly expires: number;
    /** Of the file's bytes, in hex. */
    readonly sha256: string;
  }[];
  /** Who signed them; none where nobody must. */
  readonly signers: readonly { readonly name: string; readonly id: string }[];
  /** The signed note. */
  readonly manifest?: string;
}

interface Loaded {
  readonly engine: Engine;
  readonly activation: Activation;
}

export interface Signing {
  /** Who must have signed; undefined: nobody. */
  readonly signers?: SignerRules | undefined;
  /** Revisions of the policies that were in force last, by their ids, before this gate. */
  readonly last?: ReadonlyMap<string, number> | undefined;
  /** Why those are not known, though there may have been some; undefined: they are. */
  readonly unknown?: string | undefined;
}

export class Policies {
  /** Why none is in force; undefined: some are. */
  closed: string | undefined;
  /** That decides first; if none is in force, it permits nothing. */
  readonly first: Engine;
  /** Of those in force. */
  #activation: Activation;
  /** With what was refused since. */
  #status: PolicyStatus;
  readonly #fd: number;
  readonly #scope: Scope;
  readonly #log: Logger;
  readonly #signers: SignerRules | undefined;
  readonly #unknown: string | undefined;
  /** The last revision that was in force, by policy. */
  readonly #last: Map<string, number>;
  /** What one engine hands on to the next counts for both. */
  readonly #budget = new Budget();
  #mark: string;

  /**
   * Takes the newest policies that may be put in force; if there are none, `closed` says why.
   *
   * @param fd of the supervisor's file
   * @throws Error where the file is torn
   */
  constructor(fd: number, scope: Scope, log: Logger, { signers, last, unknown }: Signing = {}) {
    this.#fd = fd;
    this.#scope = scope;
    this.#log = log;
    this.#signers = signers;
    this.#unknown = unknown;
    this.#last = new Map(last);
    this.#mark = readMark(fd);
    const bundles = readBundles(fd);
    if (bundles.length === 0) throw new Error('the policies are being rewritten');
    const { engine, activation, status } = this.#loadFirst(bundles, Date.now());
    this.first = engine;
    this.#activation = activation;
    this.#status = status;
    this.#note(activation);
  }

  /** Of those in force, and of what came later and was refused. */
  get status(): PolicyStatus {
    return this.#status;
  }

  /** What is in force, and who signed it. */
  get activation(): Activation {
    return this.#activation;
  }

  /** The last revisions that were in force; undefined: they are not known. */
  get revisions(): ReadonlyMap<string, number> | undefined {
    return this.#unknown === undefined ? this.#last : undefined;
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

  /** What is in force, for the log. */
  get described(): object {
    const { status, signers } = this.#activation;
    return { ...status, ...(signers.length > 0 ? { signers: signers.map(titleOf) } : {}) };
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
      const { engine, activation } = this.#load(bundle, now, this.#last);
      replace(engine);
      this.closed = undefined;
      this.#activation = activation;
      this.#status = activation.status;
      this.#note(activation);
      this.#log.info({ event: 'policies', ...this.described }, 'deciding by other policies');
    } catch (error) {
      this.#status = this.#refuse(this.#status, bundle, error, now);
    }
  }

  /** What a gate has refused stays in the file: what was in force before is behind it. */
  #loadFirst(bundles: readonly Bundle[], now: number): Loaded & { status: PolicyStatus } {
    const floors = this.#floors(bundles);
    let first: unknown;
    for (const [i, bundle] of bundles.entries()) {
      try {
        const { engine, activation } = this.#load(bundle, now, floors[i]!);
        let { status } = activation;
        if (i > 0) status = this.#refuse(status, bundles[0]!, first, now);
        return { engine, activation, status };
      } catch (error) {
        first ??= error;
        // These were in force until their last day: by those before them nothing goes out.
        if (!(error instanceof ExpiredError)) continue;
        if (i > 0) this.#log.error({ event: 'policies-refused' }, error.message);
        first = error;
        break;
      }
    }
    this.closed = `no policy is in force: ${(first as Error).message}`;
    const { engine, activation } = this.#loadNone(now);
    const status = this.#refuse(activation.status, bundles[0]!, first, now);
    return { engine, activation, status };
  }

  /** By bundle: the last revisions that were in force when it came. */
  #floors(bundles: readonly Bundle[]): ReadonlyMap<string, number>[] {
    let last: ReadonlyMap<string, number> = this.#last;
    if (!this.#signers) return bundles.map(() => last);
    const floors = bundles.toReversed().map((bundle) => {
      const floor = last;
      try {
        // Whatever the clock says now: they may have been in force until their last day.
        const parsed = parse(bundle);
        this.#check(bundle, parsed, 0, floor);
        last = new Map([...floor, ...parsed.map(({ id, revision }) => [id, revision] as const)]);
      } catch {
        // They were refused then as well.
      }
      return floor;
    });
    return floors.reverse();
  }

  #loadNone(now: number): Loaded {
    const compiled = compilePolicies([], this.#scope, now);
    const engine = new Engine(compiled, keyring({}), { now, budget: this.#budget });
    const status = { number: 0, digest: digestOf([]), since: now, policies: [] };
    return { engine, activation: { status, ruleNames: [], files: [], signers: [] } };
  }

  #refuse(status: PolicyStatus, bundle: Bundle, error: unknown, time: number): PolicyStatus {
    const reason = (error as Error).message;
    const refused = { number: bundle.number, digest: digestOf(bundle.policies), reason, time };
    const words = this.closed === undefined ? 'the policies before stay' : 'nothing is in force';
    this.#log.error({ event: 'policies-refused', ...refused }, words);
    return { ...status, refused };
  }

  #load(bundle: Bundle, now: number, last: ReadonlyMap<string, number>): Loaded {
    const { number, policies, keys, manifest } = bundle;
    const parsed = parse(bundle);
    const signers = this.#check(bundle, parsed, now, last)?.signers ?? [];
    const compiled = compilePolicies(parsed, this.#scope, now);
    const engine = new Engine(compiled, keyring(keys), { now, budget: this.#budget });
    const files = parsed.map(({ id, revision, expires }, i) => {
      return { id, revision, expires, sha256: sha256Of(policies[i]!.text) };
    });
    const status = {
      number,
      digest: digestOf(policies),
      since: now,
      policies: parsed.map(({ id, revision }) => ({ id, revision })),
    };
    const { ruleNames } = engine;
    const note = signers.length > 0 && manifest !== undefined ? { manifest } : {};
    const bytes = Buffer.byteLength(JSON.stringify({ files, signers, ...note }));
    if (bytes > MAX_DESCRIBED) {
      throw new Error(
        `there are too many policies for the audit log: what names and signs them takes ${bytes} ` +
          `bytes, and may take ${MAX_DESCRIBED}`,
      );
    }
    return { engine, activation: { status, ruleNames, files, signers, ...note } };
  }

  /** Not by what the supervisor says of them. */
  #check(
    { policies, keys, manifest }: Bundle,
    parsed: readonly Policy[],
    now: number,
    last: ReadonlyMap<string, number>,
  ): Checked | undefined {
    const signers = this.#signers;
    if (signers && this.#unknown !== undefined) throw new Error(this.#unknown);
    return signers && checkManifest({ manifest, policies, parsed, keys, signers, now, last });
  }

  #note({ files }: Activation): void {
    for (const { id, revision } of files) this.#last.set(id, revision);
  }
}

function parse({ policies }: Bundle): Policy[] {
  return policies.map(({ file, text }) => parsePolicy(text, file));
}

function keyring(keys: Bundle['keys']): Keyring {
  return (path) => {
    const key = Object.hasOwn(keys, path) ? keys[path] : undefined;
    if (key === undefined) throw new Error(`the key ${path} was not handed on`);
    return hmacOf(key);
  };
}
