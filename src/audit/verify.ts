/**
 * Verifies a log: all leaves are read, the root is derived from them alone, and each leaf is judged.
 *
 * In bounded memory, a bundle at a time, while a gate writes or not; nothing in the files is believed.
 */
import { NoteError, openNote, parseNote, type Verifier, verifySignatures } from '../note/note.js';
import type { Signers } from '../signing/signers.js';
import { Approvals, type Approved } from './approvals.js';
import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import { Counting } from './counting.js';
import { type Begins, type Clock, Course, type Down, type Span } from './course.js';
import { Derivation, type Witness } from './derive.js';
import { LogDirectory, LogError } from './directory.js';
import { type Finding, Findings } from './findings.js';
import { Keys } from './keys.js';
import { decodeLeaf, type Leaf, LeafError } from './leaf.js';
import { checkNames } from './scene.js';
import { Sequences } from './sequences.js';
import { type Amount, Tally } from './tally.js';
import { bundlePath, WIDTH } from './tiles.js';
import { unsignedLeaves } from './walk.js';

export interface VerifyOptions {
  /** Public keys that are trusted. */
  readonly keys: readonly Verifier[];
  /** An older checkpoint, a signed note: only what is wrong from there on is said. */
  readonly since?: string;
  readonly witnesses?: readonly Witness[];
  /** Who must have signed policies, whatever the log says. */
  readonly approval?: Signers;
  /** Times without a leaf are told, and no fault. */
  readonly allowGaps?: boolean;
  /** That the journals hold records before the log's first is told, and no fault. */
  readonly beginsLate?: boolean;
  /** Called often: leaves, of all. */
  readonly progress?: (done: number, total: number) => void;
}

/** Policies that have been put in force. */
export interface PoliciesSeen extends Approved {
  readonly leaf: number;
  readonly time: number;
  readonly digest: string;
  readonly files: readonly { readonly id: string; readonly revision: number }[];
  /** As the leaf has it. */
  readonly signers: readonly string[];
}

export interface Verdict {
  readonly origin: string;
  readonly size: number;
  /** Base64. */
  readonly root: string;
  /** Keys that have signed the checkpoint and are trusted. */
  readonly signed: readonly string[];
  /** The first leaf that was judged. */
  readonly since: number;
  /** Leaves behind the checkpoint, which nobody has signed yet. */
  readonly unsigned: number;
  /** Of the first and the last leaf, ms since 1970. */
  readonly from?: number;
  readonly to?: number;
  /** Undefined: nothing went before this log. */
  readonly begins?: Begins;
  /** Of the last leaf; undefined: there is none. */
  readonly end?: { readonly time: number; readonly stop: boolean };
  readonly clock: Clock;
  readonly kinds: Readonly<Record<string, number>>;
  readonly boots: number;
  readonly down: readonly Down[];
  readonly gaps: readonly Span[];
  readonly policies: readonly PoliciesSeen[];
  readonly keys: Keys['rotations'];
  /** By channel and rule, source and rule, source and reason. */
  readonly forwarded: readonly Amount[];
  readonly denied: readonly Amount[];
  readonly lost: readonly Amount[];
  readonly witnesses: number;
  /** Up to MAX_FINDINGS. */
  readonly findings: readonly Finding[];
  readonly faults: number;
}

/** Activations that are listed. */
const MAX_POLICIES = 1000;

/** Judges leaves one after the other. */
class Judge {
  readonly tally = new Tally();
  readonly policies: PoliciesSeen[] = [];
  readonly course: Course;
  readonly #findings: Findings;
  readonly #keys: Keys;
  readonly #approvals: Approvals;
  readonly #sequences: Sequences;
  readonly #counting: Counting;

  constructor(findings: Findings, keys: Keys, options: VerifyOptions) {
    const { allowGaps = false, beginsLate = false } = options;
    this.#findings = findings;
    this.#keys = keys;
    this.course = new Course(findings, { gaps: allowGaps, late: beginsLate });
    this.#approvals = new Approvals(findings, options.approval);
    this.#sequences = new Sequences(findings);
    this.#counting = new Counting(findings, this.#sequences);
  }

  take(bytes: Uint8Array, index: number): void {
    let leaf: Leaf;
    try {
      leaf = decodeLeaf(bytes);
    } catch (error) {
      if (!(error instanceof LeafError)) throw error;
      this.#findings.add('leaf', error.message, index);
      return;
    }
    if (leaf.index !== index) {
      this.#findings.add('index', `it says that it is leaf ${leaf.index}`, index);
      return;
    }
    const scene = this.course.take(leaf);
    this.#keys.take(leaf);
    if (!scene || !checkNames(leaf, scene, this.#findings)) return;
    this.#sequences.take(leaf);
    this.#counting.take(leaf, scene);
    const seen = index >= this.#findings.from;
    if (leaf.kind === 'batch') this.#approvals.takeBatch(leaf);
    if (leaf.kind === 'policies') {
      const approved = this.#approvals.take(leaf, scene.start);
      const { time, digest, files } = leaf;
      const signers = leaf.signers.map(({ name, id }) => `${name}+${id}`);
      if (seen && this.policies.length < MAX_POLICIES) {
        this.policies.push({ leaf: index, time, digest, files, signers, ...approved });
      }
    }
    if (seen) this.tally.take(leaf, scene);
  }
}

/**
 * Verifies the log in a directory.
 *
 * @throws LogError if there is none, or Error of the file system
 */
export function verifyLog(directory: string, options: VerifyOptions): Verdict {
  const log = new LogDirectory(directory);
  const findings = new Findings();
  const text = log.checkpoint();
  const checkpoint = opened(text, 'checkpoint', findings);
  const since = options.since === undefined ? undefined : opened(options.since, 'since', findings);
  const size = checkpoint?.size ?? 0;
  const begin = since && since.size <= size ? since.size : 0;
  findings.from = begin;
  const keys = new Keys(options.keys, findings);
  const judge = new Judge(findings, keys, options);
  const witnesses = [...(options.witnesses ?? []), ...(since ? [since] : [])];
  const derivation = new Derivation(log, findings, witnesses);
  let trustedThen: Verifier[] = [...options.keys];
  readLeaves(log, size, findings, (bytes, index) => {
    derivation.add(bytes);
    judge.take(bytes, index);
    if (index === begin - 1) trustedThen = [...keys.trusted];
    if (index % WIDTH === 0) options.progress?.(index, size);
  });
  derivation.finish();
  if (since && options.since !== undefined) checkSince(options.since, trustedThen, findings);
  if (checkpoint && derivation.size === size) {
    if (Buffer.compare(derivation.root(), checkpoint.root) !== 0) {
      findings.add('root', 'the leaves are not those that the checkpoint signs');
    }
  }
  const signed = checkpoint ? signatures(text, checkpoint, keys, findings) : [];
  const { tally, course } = judge;
  return {
    origin: checkpoint?.origin ?? '',
    size,
    root: Buffer.from(checkpoint?.root ?? []).toString('base64'),
    signed,
    since: begin,
    unsigned: unsignedLeaves(log, size, findings),
    ...(tally.from !== undefined && { from: tally.from, to: tally.to! }),
    ...(course.begins && { begins: course.begins }),
    ...(course.end && { end: course.end }),
    clock: course.clock,
    kinds: tally.kinds,
    boots: course.boots,
    down: course.down,
    gaps: course.gaps,
    policies: judge.policies,
    keys: keys.rotations,
    forwarded: tally.forwarded,
    denied: tally.denied,
    lost: tally.lost,
    witnesses: options.witnesses?.length ?? 0,
    findings: findings.list,
    faults: findings.count,
  };
}

function opened(text: string, what: 'checkpoint' | 'since', findings: Findings) {
  try {
    return parseCheckpoint(parseNote(text).text);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    findings.add(what, error.message);
    return undefined;
  }
}

function readLeaves(
  log: LogDirectory,
  size: number,
  findings: Findings,
  take: (bytes: Uint8Array, index: number) => void,
): void {
  for (let index = 0; index < size;) {
    const bundle = Math.floor(index / WIDTH);
    const width = Math.min(WIDTH, size - index);
    let leaves: Uint8Array[] | undefined;
    let why = 'is not there';
    try {
      leaves = log.bundle(bundle, width);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      why = 'is no file, or too large';
    }
    if (leaves?.length === width) {
      for (const bytes of leaves) take(bytes, index++);
      continue;
    }
    const rest = `: leaves ${index} to ${size - 1} were not verified`;
    const path = bundlePath(bundle, width);
    if (leaves) findings.add('bundle', `${path} does not hold the ${width} leaves${rest}`);
    else findings.add('missing', `${path} ${why}${rest}`);
    return;
  }
}

/** An older checkpoint counts only if a key has signed it that was trusted by then. */
function checkSince(note: string, keys: readonly Verifier[], findings: Findings): void {
  try {
    openNote(note, keys);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    findings.add('since', `the older checkpoint: ${error.message}`);
  }
}

/** Who has signed; the key that signs now must be among them. */
function signatures(
  text: string,
  { origin }: Checkpoint,
  keys: Keys,
  findings: Findings,
): string[] {
  try {
    const by = verifySignatures(parseNote(text), keys.trusted);
    const now = keys.signer();
    const names = by.map(({ name, id }) => `${name}+${id}`);
    if (by.length === 0) {
      const signed = parseNote(text).signatures.map(({ name, id }) => `${name}+${id}`);
      findings.add(
        'signature',
        `the checkpoint is signed by ${signed.join(', ')}, by no key asked for`,
      );
    } else if (keys.current !== undefined && !(now && by.includes(now))) {
      findings.add('signature', 'the checkpoint is not signed by the key that the log names last');
    } else if (by.some(({ name }) => name !== origin)) {
      findings.add('signature', `the key has another name than the log, ${origin}`);
    }
    return names;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    findings.add('signature', error.message);
    return [];
  }
}
