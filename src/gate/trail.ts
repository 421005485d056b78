/** Opens the audit log at the gate's start: what it says of the past, whose it is, and which key signs it. */
import { createPrivateKey, type KeyObject, randomBytes, sign as signBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Start, Void } from '../audit/leaf.js';
import { AuditLog } from '../audit/log.js';
import { Past } from '../audit/past.js';
import { NoScribe, Thread } from '../audit/scribe.js';
import { type Found, inspectLog, LogMismatch } from '../audit/tail.js';
import { PUBLIC_KEY } from '../audit/tiles.js';
import {
  formatVerifier,
  NoteError,
  parseVerifier,
  PEM,
  signNote,
  signerOf,
  verifierOf,
  verifySignatures,
} from '../note/note.js';
import type { Logger } from '../wire/log.js';
import type { GateSettings } from '../wire/settings.js';

/** What the first leaf of a run says of the ledger. */
export type Beginning = Omit<Start, 'kind' | 'boot' | 'previous' | 'relay' | 'key'>;

export class Trail {
  /** Undefined: the log is not what it was, and nothing is added to it. */
  readonly past: Past | undefined;
  /** Of this run. */
  readonly boot = randomBytes(8).toString('hex');
  readonly relay: string;
  /** The public key as a line. */
  readonly key: string;
  readonly #directory: string;
  readonly #pems: readonly string[];
  readonly #keys: readonly KeyObject[];
  readonly #found: Found | undefined;
  readonly #mismatch: string = '';
  readonly #log: Logger;

  /**
   * @param pems private keys: the one that signs, then those that signed before it
   * @throws Error of the file system
   */
  constructor({ directory, relay, host }: GateSettings['audit'], pems: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
    this.#pems = pems.match(PEM) ?? [];
    this.#keys = this.#pems.map((pem) => createPrivateKey(pem));
    const [key] = this.#keys;
    if (!key) throw new Error('the key file of the audit log holds no private key');
    let known: string | undefined;
    try {
      this.#found = inspectLog(directory);
      this.past = new Past(this.#found);
      known = this.#found.checkpoint?.origin ?? this.past.start?.relay;
    } catch (error) {
      if (!(error instanceof LogMismatch || error instanceof NoteError)) throw error;
      this.#mismatch = error.message;
    }
    this.relay = relay ?? known ?? host;
    this.key = formatVerifier(verifierOf(this.relay, key));
    this.#mismatch ||= this.#foreign(known);
    if (this.#mismatch === '') this.#savePublicKey();
    else {
      this.past = this.#found = undefined;
      const why = `the audit log is not what it was: ${this.#mismatch}`;
      log.error({ event: 'audit-mismatch', reason: this.#mismatch }, why);
    }
    const torn = this.#found?.torn ?? 0;
    if (torn > 0) log.warn({ event: 'audit-cut', bytes: torn }, 'cut an unfinished leaf');
  }

  /** The signature of a message that is no note, by the key that signs the log. */
  sign(message: Uint8Array): Uint8Array {
    return signBytes(null, message, this.#keys[0]!);
  }

  /** Begins to write. */
  begin(beginning: Beginning): AuditLog {
    const [relay, key] = [this.relay, this.key];
    const before = this.past?.start;
    const previous = before && {
      previous: { boot: before.boot, start: before.index, ended: this.past.ended },
    };
    const start: Start = { kind: 'start', boot: this.boot, relay, key, ...previous, ...beginning };
    const size = this.#found?.size ?? 0;
    const audit = new AuditLog(this.#scribe(), size, this.past, start);
    if (before && before.key !== key) this.#rotate(audit, before.key);
    if (this.#found && size === 0 && beginning.sequences.some((last) => last > 0)) {
      const text = 'the audit log begins anew: what the journals hold already is in none';
      this.#log.warn({ event: 'audit-begins' }, text);
    }
    return audit;
  }

  /** What the log says is journalled, and is not: after a power cut, or of a batch that it has a part of. */
  gone(journals: readonly string[], sequences: readonly number[]): Void[] {
    return journals.flatMap((name, journal) => {
      const first = sequences[journal]! + 1;
      if ((this.past?.named.get(name) ?? 0) < first) return [];
      return [{ kind: 'void', journal, first, reason: 'the records are not there' }];
    });
  }

  #scribe(): Thread | NoScribe {
    if (!this.#found) return new NoScribe(this.#mismatch);
    const { end } = this.#found;
    const [directory, origin] = [this.#directory, this.relay];
    return new Thread({ directory, origin, keys: this.#pems, end }, (error) => {
      this.#log.fatal({ event: 'failure', err: error }, 'the log cannot be written any more');
      process.exit(1);
    });
  }

  /** Why the log is not this relay's; empty: it is. */
  #foreign(known: string | undefined): string {
    const { checkpoint } = this.#found ?? {};
    if (known !== undefined && known !== this.relay) {
      return `it is of relay '${known}', and this one is '${this.relay}' (audit.relay)`;
    }
    if (!checkpoint) return '';
    const own = this.#keys.map((key) => verifierOf(this.relay, key));
    const before = this.past?.start?.key;
    try {
      const keys = before === undefined ? own : [...own, parseVerifier(before)];
      if (verifySignatures(checkpoint.note, keys).length > 0) return '';
      return 'its checkpoint is signed by no key that is known here';
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** The key before says that this one follows it, if it is still there. */
  #rotate(audit: AuditLog, before: string): void {
    const old = this.#keys
      .slice(1)
      .map((key) => signerOf(this.relay, key))
      .find((signer) => formatVerifier(signer) === before);
    const endorsement = old && { endorsement: signNote(`${this.key}\n`, [old]) };
    audit.note({ kind: 'key', before, key: this.key, ...endorsement });
    if (old) this.#log.info({ event: 'audit-key', key: this.key }, 'another key signs the log');
    else {
      const text = 'another key signs the log, and the one before has not consented';
      this.#log.error({ event: 'audit-key', key: this.key }, text);
    }
  }

  #savePublicKey(): void {
    const path = join(this.#directory, PUBLIC_KEY);
    const text = `${this.key}\n`;
    try {
      if (readFileSync(path, 'utf8') === text) return;
    } catch {
      // Not there yet.
    }
    writeFileSync(`${path}.new`, text, { flush: true });
    renameSync(`${path}.new`, path);
  }
}
