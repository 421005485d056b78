/** Which keys a log may be signed by: those asked for, and those that they endorse in it. */
import { NoteError, openNote, parseVerifier, type Verifier } from '../note/note.js';
import type { Findings } from './findings.js';
import type { Leaf } from './leaf.js';

export class Keys {
  readonly #findings: Findings;
  readonly trusted: Verifier[];
  /** The line of the key that signs; undefined: no leaf has said it yet. */
  current: string | undefined;
  /** A start has named this key; the next leaf must say since when it signs. */
  #announced: string | undefined;
  /** Rotations that were seen: index of the leaf, the key, and whether the one before consents. */
  readonly rotations: { leaf: number; key: string; endorsed: boolean }[] = [];

  /** @param given those asked for */
  constructor(given: readonly Verifier[], findings: Findings) {
    this.trusted = [...given];
    this.#findings = findings;
  }

  take(leaf: Leaf): void {
    const announced = this.#announced;
    this.#announced = undefined;
    if (announced !== undefined && !(leaf.kind === 'key' && leaf.key === announced)) {
      this.#findings.add(
        'key',
        'the start names another key than the log had, and no leaf says that it was changed',
        leaf.index - 1,
      );
      this.current = announced;
    }
    if (leaf.kind === 'start') {
      if (this.current === undefined) this.current = leaf.key;
      else if (leaf.key !== this.current) this.#announced = leaf.key;
    } else if (leaf.kind === 'key') {
      this.#rotate(leaf.index, leaf.before, leaf.key, leaf.endorsement);
    }
  }

  /** The key that signs now, if it is one to be trusted. */
  signer(): Verifier | undefined {
    return this.current === undefined ? undefined : this.#find(this.current);
  }

  #find(line: string): Verifier | undefined {
    const key = parsed(line);
    return key && this.trusted.find((each) => same(each, key));
  }

  #rotate(leaf: number, before: string, line: string, endorsement: string | undefined): void {
    if (before !== this.current) {
      this.#findings.add('key', 'the key before is said to be another than it was', leaf);
    }
    const key = parsed(line);
    this.current = line;
    if (!key) {
      this.#findings.add('key', 'the new key is no public key', leaf);
      return;
    }
    const by = this.#find(before);
    const wrong = endorsement === undefined ? 'no note' : by && fault(endorsement, line, by);
    const endorsed = by !== undefined && wrong === undefined;
    if (this.rotations.length < 1000) this.rotations.push({ leaf, key: line, endorsed });
    if (this.#find(line)) return;
    if (endorsed) {
      this.trusted.push(key);
      return;
    }
    const why = wrong ?? 'the key before is none that was asked for';
    this.#findings.add(
      'key',
      `from here on the log is signed by ${key.name}+${key.id}, and the key before does not ` +
        `vouch for it: ${why}; if it is right, give it with --key too`,
      leaf,
    );
  }
}

function fault(note: string, line: string, by: Verifier): string | undefined {
  try {
    return openNote(note, [by]).text === `${line}\n` ? undefined : 'its note names another key';
  } catch (error) {
    if (error instanceof NoteError) return error.message;
    throw error;
  }
}

function parsed(line: string): Verifier | undefined {
  try {
    return parseVerifier(line);
  } catch (error) {
    if (error instanceof NoteError) return undefined;
    throw error;
  }
}

const same = (a: Verifier, b: Verifier): boolean =>
  a.name === b.name && a.id === b.id && a.key.equals(b.key);
