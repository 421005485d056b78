/** Policies in force: who signed them, that none is older than the one before, nor beyond its last day. */
import { RELAY } from '../journal/format.js';
import { NoteError } from '../note/note.js';
import { differenceOf } from '../signing/difference.js';
import { lastDayOf, type Manifest, ManifestError, parseManifest } from '../signing/manifest.js';
import {
  namesOf,
  readNote,
  readSigners,
  type Signers,
  signedBy,
  titleOf,
} from '../signing/signers.js';
import type { Findings } from './findings.js';
import type { Activation, Batch, Head, Start } from './leaf.js';

/** Policies whose revisions are remembered. */
const MAX_POLICIES = 100_000;
/** A leaf may be so much later than what it says, ms: disks may stall. */
const LATE = 65_000;

/** Whose signatures were verified. */
export interface Approved {
  /** By the keys that the log itself names, or that were asked for. */
  readonly verified: readonly string[];
  /** By the keys that were asked for. */
  readonly approved: readonly string[];
}

export class Approvals {
  readonly #findings: Findings;
  readonly #approval: Signers | undefined;
  readonly #revisions = new Map<string, number>();
  /** Of the newest policies: the first instant at which one of them is over, ms since 1970. */
  #end = Infinity;

  /** @param approval who must have signed, whatever the log says */
  constructor(findings: Findings, approval: Signers | undefined) {
    this.#findings = findings;
    this.#approval = approval;
  }

  take(leaf: Head & Activation, start: Start): Approved {
    const say = (message: string): void => this.#findings.add('policy', message, leaf.index);
    const approval = this.#approval;
    const demanded = start.signers;
    if (demanded || approval) this.#compareRevisions(leaf);
    for (const { id, revision } of leaf.files) this.#revisions.set(id, revision);
    if (this.#revisions.size > MAX_POLICIES) {
      say(`there are more than ${MAX_POLICIES} policies: their revisions are forgotten`);
      this.#revisions.clear();
    }
    this.#end = overAt(leaf);
    if (Number.isNaN(this.#end)) {
      say('the last day of a policy cannot be read');
      this.#end = Infinity;
    }
    if (leaf.time >= this.#end + LATE) this.#sayOver(leaf.index, 'it puts policies in force');
    const attempt = (find: () => readonly string[]): readonly string[] => {
      try {
        return find();
      } catch (error) {
        if (!(error instanceof ManifestError || error instanceof NoteError)) throw error;
        say(error.message);
        return [];
      }
    };
    const own = demanded ? attempt(() => signersOf(leaf, start)) : [];
    const approved = approval ? attempt(() => whoSigned(leaf, approval)) : [];
    return { verified: [...new Set([...own, ...approved])], approved };
  }

  takeBatch({ index, time, decisions }: Head & Batch): void {
    if (time < this.#end + LATE || decisions.every(({ rule }) => rule === RELAY)) return;
    this.#sayOver(index, 'it forwards events by policies');
  }

  /** Once, of the same policies. */
  #sayOver(leaf: number, what: string): void {
    const message = `${what} whose last day was over: ${lastDayOf(this.#end)}`;
    this.#findings.add('policy', message, leaf);
    if (leaf >= this.#findings.from) this.#end = Infinity;
  }

  #compareRevisions({ index, files }: Head & Activation): void {
    for (const { id, revision } of files) {
      const before = this.#revisions.get(id);
      if (before === undefined || revision >= before) continue;
      const message = `policy ${id} went back from revision ${before} to ${revision}`;
      this.#findings.add('policy', message, index);
    }
  }
}

/**
 * Who has signed policies, of those whom the start before them demands; none where it demands nobody.
 *
 * @throws ManifestError, NoteError if too few have, or others than the leaf names, or something else
 */
export function signersOf(leaf: Activation, { signers }: Start): readonly string[] {
  if (!signers) return [];
  const verified = whoSigned(leaf, readSigners({ ...signers, revoked: [] }));
  const claimed = leaf.signers.find((each) => !verified.includes(titleOf(each)));
  if (!claimed) return verified;
  throw new ManifestError(`the leaf names ${titleOf(claimed)}, who has not signed the manifest`);
}

/** @throws ManifestError where events went out by policies of before the start, or that were over */
export function refuseStale(policies: Head & Activation, start: Head, time: number): void {
  if (policies.index < start.index) {
    throw new ManifestError('the policies were put in force before the start, and not since');
  }
  const end = overAt(policies);
  if (time < end + LATE) return;
  const last = Number.isNaN(end) ? 'cannot be read' : `was over: ${lastDayOf(end)}`;
  throw new ManifestError(`the last day of the policies ${last}`);
}

/** The first instant at which one of the policies is over; NaN: it cannot be read. */
function overAt({ files }: Activation): number {
  return Math.min(...files.map(({ expires }) => endOf(expires)));
}

/** By the manifest in the leaf, which must be of the same policies. @throws ManifestError, NoteError */
function whoSigned({ files, manifest }: Activation, signers: Signers): readonly string[] {
  if (manifest === undefined) {
    throw new ManifestError('the leaf holds no manifest that anybody signed');
  }
  const note = readNote(manifest);
  const { by } = signedBy(note, signers);
  if (by.length < signers.threshold) {
    const names = by.length > 0 ? ` (${namesOf(by)})` : '';
    throw new ManifestError(
      `the policies are signed by ${by.length} of the ${signers.threshold} that are needed${names}`,
    );
  }
  const signed = parseManifest(note.text);
  const difference = differenceOf(signed, found(files, signed));
  if (difference !== undefined) {
    throw new ManifestError(`the manifest that was signed is of other policies: ${difference}`);
  }
  return by.map(titleOf);
}

/** What a leaf has of a manifest; the rest of it is in no leaf. */
function found(files: Activation['files'], { tables, policies }: Manifest): Manifest {
  return {
    tables,
    policies: files.map(({ id, revision, expires, sha256 }) => {
      const end = endOf(expires);
      const keys = policies.find((policy) => policy.id === id)?.keys ?? [];
      return { id, revision, expires: Number.isNaN(end) ? '-' : lastDayOf(end), sha256, keys };
    }),
  };
}

/** The first instant at which it is over; NaN: it says none. */
function endOf(expires: string | undefined): number {
  const end = expires === undefined ? Infinity : Date.parse(expires);
  return end > 0 ? end : NaN;
}
