/**
 * Replaces the policies of a running relay: asked by a signal, checked in a sandbox, handed to the
 * gate; what is refused changes nothing.
 */
import { loadKeys, readPolicies } from '../config/check.js';
import { type Config, loadConfig } from '../config/config.js';
import { differences } from '../config/difference.js';
import { checkSigned, readManifest } from '../config/signers.js';
import type { Process } from '../seal/process.js';
import { revisionsOf } from '../signing/manifest.js';
import { type Bundle, digestOf, type PolicyText } from '../wire/bundle.js';
import { readDescriptor } from '../wire/descriptor.js';
import type { Logger } from '../wire/log.js';
import type { ReloadStatus } from '../wire/status.js';

/** A check that takes longer, ms, is ended, and the policies are refused. */
const PATIENCE = 60_000;

/** Characters of what a check says that are kept. */
const MAX_VERDICT = 16 * 1024;

export interface ReloadParts {
  /** As the relay was started. */
  readonly config: Config;
  /** That it was started with. */
  readonly policies: readonly PolicyText[];
  readonly log: Logger;
  /** Starts the process that checks, which writes what is wrong to `lines`. */
  check(policies: readonly PolicyText[], lines: (text: string) => void): Process;
  /** Makes policies those in force, for this gate and the next ones. */
  hand(bundle: Bundle): void;
  changed(): void;
}

/** What was read for one reload: what is checked is what is handed on. */
interface Found {
  readonly config: Config;
  readonly policies: readonly PolicyText[];
  readonly manifest: string | undefined;
}

export class Reload {
  #status: ReloadStatus | undefined;
  #count = 0;
  /** Asked for while one is going on. */
  #again = false;
  readonly #parts: ReloadParts;
  /** Of all that was handed on, by policy: the gate falls back to nothing lower. */
  #revisions: ReadonlyMap<string, number>;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#revisions = revisionsOf(parts.policies);
  }

  /** Of the last one; undefined while none was asked for. */
  get status(): ReloadStatus | undefined {
    return this.#status;
  }

  ask(): void {
    if (this.#status?.state === 'checking') {
      this.#again = true;
      return;
    }
    this.#count++;
    this.#tell('checking');
    try {
      const next = loadConfig(this.#parts.config.file);
      const differing = differences(this.#parts.config, next);
      if (differing.length > 0) {
        throw new Error(
          `restart needed: a reload replaces policies only, and ${differing.join(', ')} differ`,
        );
      }
      this.#check({ config: next, policies: readPolicies(next), manifest: readManifest(next) });
    } catch (error) {
      this.#refuse((error as Error).message);
    }
  }

  #check(found: Found): void {
    let said = '';
    const child = this.#parts.check(found.policies, (text) => (said += text));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, PATIENCE);
    child.onGone((code, _, error) => {
      clearTimeout(timer);
      // Its last words may still be in the pipe.
      setImmediate(() => {
        if (code === 0) this.#hand(found);
        else if (late) this.#refuse(`the check took longer than ${PATIENCE / 1000} s`);
        else if (said !== '') this.#refuse(said.trim());
        else this.#refuse(error?.message ?? 'the check ended without a verdict');
      });
    });
  }

  #hand({ config, policies, manifest }: Found): void {
    try {
      const keys = loadKeys(policies);
      const last = this.#revisions;
      checkSigned(config, { manifest, policies, keys, now: Date.now(), last });
      this.#parts.hand({ number: this.#count, policies, keys, manifest });
      this.#revisions = new Map([...last, ...revisionsOf(policies)]);
      const digest = digestOf(policies);
      this.#tell('handed', { digest });
      this.#parts.log.info({ event: 'reload', digest }, 'policies handed on');
      this.#repeat();
    } catch (error) {
      this.#refuse((error as Error).message);
    }
  }

  #refuse(reason: string): void {
    this.#parts.log.error(
      { event: 'reload-refused', reason },
      'policies refused: the old ones stay',
    );
    this.#tell('refused', { reason });
    this.#repeat();
  }

  #repeat(): void {
    if (!this.#again) return;
    this.#again = false;
    this.ask();
  }

  #tell(state: ReloadStatus['state'], more: Pick<ReloadStatus, 'digest' | 'reason'> = {}): void {
    this.#status = { count: this.#count, state, time: Date.now(), ...more };
    this.#parts.changed();
  }
}

/** What checks say, in one pipe for life: of the one that is going on, and not too much. */
export class Verdicts {
  #room = 0;
  #said: (text: string) => void = () => undefined;

  /** @param fd the pipe's read end */
  constructor(fd: number) {
    readDescriptor(fd, 16 * 1024, {
      data: (chunk) => {
        const text = Buffer.from(chunk).toString('utf8').slice(0, this.#room);
        this.#room -= text.length;
        this.#said(text);
      },
      ended: () => undefined,
    });
  }

  follow(said: (text: string) => void): void {
    this.#room = MAX_VERDICT;
    this.#said = said;
  }
}
