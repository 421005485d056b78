/** A proof of one decision in one file: whoever has it and the log's public key needs nothing else. */
import { openNote, parseNote, type Verifier } from '../note/note.js';
import { parseCheckpoint } from './checkpoint.js';
import { type LogDirectory, LogError } from './directory.js';
import {
  type Activation,
  type Batch,
  decodeLeaf,
  type Head,
  type Leaf,
  type Start,
} from './leaf.js';
import { hashLeaf } from './merkle.js';
import { eventIn, oddRecord, type Opening, opens } from './opening.js';
import { proveInclusion, rootByInclusion } from './proofs.js';
import { findVoids, standing, walkLog } from './walk.js';

const SCHEMA = 'tidegate-audit-proof/v1';
/** Characters of a file, at most. */
export const MAX_PROOF = 32 * 1024 * 1024;

/** Bytes are in base64. */
export interface LeafProof {
  readonly index: number;
  readonly leaf: string;
  readonly proof: readonly string[];
}

export interface ProofFile {
  readonly schema: typeof SCHEMA;
  /** Of which the record is: `public`, `public/urgent`. */
  readonly journal: string;
  readonly sequence: number;
  /** The signed note. */
  readonly checkpoint: string;
  readonly batch: LeafProof;
  /** What the batch refers to. */
  readonly start: LeafProof;
  readonly policies: LeafProof;
  /** The content, if it is shown. */
  readonly opened?: { readonly opening: string; readonly records: string };
}

/** A proof that proves nothing, with the reason. */
export class ProofError extends Error {
  override readonly name = 'ProofError';
}

/** What a proof proves. */
export interface Proven {
  readonly origin: string;
  readonly size: number;
  readonly signed: readonly string[];
  readonly leaf: number;
  /** ms since 1970. */
  readonly time: number;
  readonly clock: Head['clock'];
  readonly boot: string;
  readonly journal: string;
  readonly sequence: number;
  readonly rule: number;
  readonly source: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly start: Head & Start;
  readonly policies: Head & Activation;
  /** As VSCP servers write it, if it is shown. */
  readonly event?: string;
}

/** Where a record is in the log, and the range of its leaf. */
export interface Located {
  readonly batch: Head & Batch;
  readonly range: Batch['ranges'][number];
}

/**
 * Finds the leaf that names a record.
 *
 * @throws LogError if none does, or its batch is not whole, or was taken back
 */
export function locate(
  log: LogDirectory,
  size: number,
  journal: string,
  sequence: number,
): Located {
  const voids = findVoids(log, size);
  let found: Located | undefined;
  let whole = false;
  const known = new Set<string>();
  for (const { leaf, scene } of walkLog(log, size)) {
    if (leaf.kind === 'start') for (const name of leaf.journals) known.add(name);
    if (leaf.kind !== 'batch') continue;
    if (found?.batch.batch === leaf.batch && leaf.last) whole = true;
    for (const range of leaf.ranges) {
      if (scene.start.journals[range.journal] !== journal) continue;
      const { first } = range;
      if (sequence < first || sequence >= first + standing(voids, leaf.index, journal, range)) {
        continue;
      }
      found = { batch: leaf, range };
      whole = leaf.last;
    }
  }
  if (found && whole) return found;
  if (!known.has(journal)) {
    throw new LogError(`no journal ${journal} in the log; there: ${[...known].join(', ')}`);
  }
  if (found) throw new LogError(`the batch of ${journal} ${sequence} is not whole in the log yet`);
  throw new LogError(`no leaf names ${journal} ${sequence}`);
}

/** @throws LogError if the log's tiles do not give the root that its checkpoint signs */
export function makeProof(
  log: LogDirectory,
  journal: string,
  sequence: number,
  open?: (range: Located['range']) => Opening,
): ProofFile {
  const checkpoint = log.checkpoint();
  const { size, root } = parseCheckpoint(parseNote(checkpoint).text);
  const { batch, range } = locate(log, size, journal, sequence);
  const hashes = log.hashes(size);
  const prove = (index: number): LeafProof => {
    const leaf = log.leaf(index, size);
    const proof = proveInclusion(index, size, hashes);
    const own = rootByInclusion(index, size, hashLeaf(leaf), proof);
    if (!own || Buffer.compare(own, root) !== 0) {
      throw new LogError('leaves, tiles and checkpoint do not fit: see tidegate audit verify');
    }
    return { index, leaf: base64(leaf), proof: proof.map(base64) };
  };
  if (batch.policies === undefined) {
    throw new LogError(`${journal} ${sequence} is the relay's own, before any policies`);
  }
  const opened = open?.(range);
  return {
    schema: SCHEMA,
    journal,
    sequence,
    checkpoint,
    batch: prove(batch.index),
    start: prove(batch.start),
    policies: prove(batch.policies),
    ...(opened && {
      opened: { opening: base64(opened.opening), records: base64(opened.records) },
    }),
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * Checks a proof.
 *
 * @param text of the file
 * @throws ProofError, NoteError or LeafError: then it proves nothing
 */
export function checkProof(text: string, keys: readonly Verifier[]): Proven {
  const file = parseProof(text);
  const { text: signedText, by } = openNote(file.checkpoint, keys);
  const { origin, size, root } = parseCheckpoint(signedText);
  if (by.some(({ name }) => name !== origin)) {
    throw new ProofError(`the key has another name than the log, ${origin}`);
  }
  const leaf = (what: string, { index, leaf, proof }: LeafProof): Leaf => {
    const bytes = Buffer.from(leaf, 'base64');
    const hashes = proof.map((each) => Buffer.from(each, 'base64'));
    const own = rootByInclusion(index, size, hashLeaf(bytes), hashes);
    if (!own || Buffer.compare(own, root) !== 0) {
      throw new ProofError(`the leaf of the ${what} is not in the log that is signed`);
    }
    const decoded = decodeLeaf(bytes);
    if (decoded.index !== index)
      throw new ProofError(`the leaf of the ${what} is of another place`);
    return decoded;
  };
  const batch = leaf('batch', file.batch);
  const start = leaf('start', file.start);
  const policies = leaf('policies', file.policies);
  if (batch.kind !== 'batch') throw new ProofError(`leaf ${batch.index} is no batch`);
  if (start.kind !== 'start' || start.index !== batch.start) {
    throw new ProofError('the start is not the one that the batch refers to');
  }
  if (policies.kind !== 'policies' || policies.index !== batch.policies) {
    throw new ProofError('the policies are not those that the batch refers to');
  }
  const { journal, sequence } = file;
  const range = batch.ranges.find(
    (each) =>
      start.journals[each.journal] === journal &&
      sequence >= each.first &&
      sequence < each.first + each.count,
  );
  if (!range) throw new ProofError(`leaf ${batch.index} does not name ${journal} ${sequence}`);
  const decision = batch.decisions[range.of[sequence - range.first]!]!;
  return {
    origin,
    size,
    signed: by.map(({ name, id }) => `${name}+${id}`),
    leaf: batch.index,
    time: batch.time,
    clock: batch.clock,
    boot: start.boot,
    journal,
    sequence,
    ...decision,
    start,
    policies,
    ...(file.opened && { event: openedEvent(file.opened, batch, range, sequence) }),
  };
}

function openedEvent(
  { opening, records }: NonNullable<ProofFile['opened']>,
  { decisions }: Batch,
  range: Located['range'],
  sequence: number,
): string {
  const made = {
    opening: Buffer.from(opening, 'base64'),
    records: Buffer.from(records, 'base64'),
  };
  if (!opens(range, made)) throw new ProofError('the content is not what the log commits to');
  const odd = oddRecord(range, decisions, made.records);
  if (odd !== undefined) {
    throw new ProofError(
      `the content of record ${odd} has another rule, source, class or type than the leaf says`,
    );
  }
  const event = eventIn(made.records, sequence);
  if (event === undefined) throw new ProofError('the content does not hold the record');
  return event;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isPlace = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

function fieldsOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new ProofError(`the proof's ${what} is missing or wrong`);
}

/** @throws ProofError if it has not the shape of a proof */
function parseProof(text: string): ProofFile {
  if (text.length > MAX_PROOF) throw new ProofError('the proof is too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProofError('the proof is no JSON');
  }
  const file = fieldsOf(value, 'object');
  if (file['schema'] !== SCHEMA) throw new ProofError(`the proof's schema is not ${SCHEMA}`);
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new ProofError(`the proof's ${what} is missing or wrong`);
  };
  check(isText(file['journal']), 'journal');
  check(isPlace(file['sequence']), 'sequence');
  check(isText(file['checkpoint']), 'checkpoint');
  for (const what of ['batch', 'start', 'policies']) {
    const { index, leaf, proof } = fieldsOf(file[what], what);
    check(isPlace(index) && isText(leaf), what);
    check(Array.isArray(proof) && proof.length <= 64 && proof.every(isText), what);
  }
  if (file['opened'] !== undefined) {
    const { opening, records } = fieldsOf(file['opened'], 'content');
    check(isText(opening) && isText(records), 'content');
  }
  return file as unknown as ProofFile;
}
