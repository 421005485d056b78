/** Policies in force: who signed them, and that none is older than the one before. */
import { NoteError, parseNote, rawKey, verifySignatures } from '../note/note.js';
import type { Verifier } from '../note/note.js';
import type { Findings } from './findings.js';
import type { Activation, Head, Start } from './leaf.js';

/** What an auditor demands of policies. */
export interface Approval {
  readonly signers: readonly Verifier[];
  /** Distinct keys. */
  readonly threshold: number;
}

/** Policies whose revisions are remembered. */
const MAX_POLICIES = 10_000;

export class Approvals {
  readonly #findings: Findings;
  readonly #approval: Approval | undefined;
  readonly #revisions = new Map<string, number>();

  constructor(findings: Findings, approval: Approval | undefined) {
    this.#findings = findings;
    this.#approval = approval;
  }

  /** @returns the names of those whose signatures were verified */
  take(leaf: Head & Activation, start: Start): string[] {
    const say = (message: string): void => this.#findings.add('policy', message, leaf.index);
    const { signers, files, manifest } = leaf;
    if (start.signers) {
      this.#compareRevisions(leaf);
      const distinct = new Set(signers.map(({ name, id }) => `${name}+${id}`));
      const known = new Set(
        start.signers.keys.map((line) => line.split('+').slice(0, 2).join('+')),
      );
      const right = [...distinct].filter((each) => known.has(each));
      if (right.length < start.signers.threshold) {
        const need = `${start.signers.threshold} of the relay's signers`;
        say(`the policies need ${need}, and have ${right.length}`);
      }
    }
    for (const { id, revision } of files) {
      if (this.#revisions.size < MAX_POLICIES) this.#revisions.set(id, revision);
    }
    if (!this.#approval) return [];
    if (manifest === undefined) {
      say('the leaf holds no manifest that anybody signed');
      return [];
    }
    try {
      const note = parseNote(manifest);
      const by = verifySignatures(note, this.#approval.signers);
      const keys = new Set(by.map(({ key }) => rawKey(key).toString('hex')));
      if (keys.size < this.#approval.threshold) {
        say(`the manifest is signed by ${keys.size} of the keys, not ${this.#approval.threshold}`);
      }
      if (!names(note.text, files)) say('the manifest that was signed is of other policies');
      return by.map(({ name, id }) => `${name}+${id}`);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      say(`the manifest: ${error.message}`);
      return [];
    }
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

/** Whether the lines `policy ID REVISION EXPIRES SHA256` of a manifest are these files alone. */
function names(text: string, files: Activation['files']): boolean {
  const lines = text.split('\n').filter((line) => line.startsWith('policy '));
  const said = lines.map((line) => {
    const words = line.split(' ');
    return `${words[1]} ${words[2]} ${words.at(-1)}`;
  });
  const are = files.map(({ id, revision, sha256 }) => `${id} ${revision} ${sha256}`);
  return said.length === are.length && said.every((each, i) => each === are[i]);
}
