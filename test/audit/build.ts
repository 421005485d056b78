/**
 * Makes logs as a gate does, by other means: a naive tree, and a story that leaves are made of.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BatchEncoder, encodeDenials, encodePlain, type Heading } from '../../src/audit/encode.js';
import type { Denials, Plain, Start } from '../../src/audit/leaf.js';
import { BEACON_CLASS, BEACON_TYPE } from '../../src/beacon/beacon.js';
import { parseBody } from '../../src/event/event.js';
import { commitmentOf, openingOf } from '../../src/journal/commitment.js';
import {
  BODY,
  EVENT,
  formatHeader,
  RELAY,
  RULE,
  sealRecord,
  segmentName,
  type SegmentHeader,
  SEQUENCE,
  SOURCE,
  URGENT,
  URGENT_BODY,
  writeMark,
  writeU64,
} from '../../src/journal/format.js';
import { formatVerifier, type Signer, signerOf, signNote } from '../../src/note/note.js';

export function makeSigner(name = 'relay.example'): Signer {
  return signerOf(name, generateKeyPairSync('ed25519').privateKey);
}

const sha = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const leafHash = (leaf: Uint8Array): Buffer => sha(Uint8Array.of(0), leaf);

/** The root as RFC 6962, 2.1 writes it down. */
export function treeHash(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return sha();
  if (hashes.length === 1) return hashes[0]!;
  let k = 1;
  while (2 * k < hashes.length) k *= 2;
  return sha(Uint8Array.of(1), treeHash(hashes.slice(0, k)), treeHash(hashes.slice(k)));
}

/** Three digits a part, an x before all but the last. */
function numbered(index: number): string {
  const parts = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    parts.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return parts.join('/');
}

export function checkpointOf(leaves: readonly Uint8Array[], signers: readonly Signer[]): string {
  const root = Buffer.from(treeHash(leaves.map(leafHash))).toString('base64');
  return signNote(`${signers[0]!.name}\n${leaves.length}\n${root}\n`, signers);
}

const place = (path: string, bytes: Uint8Array | string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
};

const framed = (leaf: Uint8Array): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(leaf.length);
  return Buffer.concat([length, leaf]);
};

/**
 * Writes a log's directory.
 *
 * @param unsigned leaves behind the checkpoint
 */
export function writeLog(
  directory: string,
  leaves: readonly Uint8Array[],
  signers: readonly Signer[],
  unsigned: readonly Uint8Array[] = [],
): void {
  const pieces = <T>(all: readonly T[]): T[][] =>
    Array.from({ length: Math.ceil(all.length / 256) }, (_, i) =>
      all.slice(256 * i, 256 * i + 256),
    );
  const part = (all: readonly unknown[]): string => (all.length < 256 ? `.p/${all.length}` : '');
  pieces(leaves).forEach((some, i) => {
    const path = `tile/entries/${numbered(i)}${part(some)}`;
    place(join(directory, path), Buffer.concat(some.map(framed)));
  });
  let hashes: Uint8Array[] = leaves.map(leafHash);
  for (let level = 0; hashes.length > 0; level++) {
    const tiles = pieces(hashes);
    tiles.forEach((some, i) => {
      place(join(directory, `tile/${level}/${numbered(i)}${part(some)}`), Buffer.concat(some));
    });
    hashes = tiles.filter((some) => some.length === 256).map(treeHash);
  }
  place(join(directory, 'checkpoint'), checkpointOf(leaves, signers));
  place(join(directory, 'key.pub'), `${formatVerifier(signers[0]!)}\n`);
  const open = [...leaves.slice(leaves.length - (leaves.length % 256)), ...unsigned];
  place(join(directory, 'leaves'), Buffer.concat([...open.map(framed), Buffer.alloc(100)]));
}

export const BEGUN = Date.UTC(2026, 5, 1, 12);
export const SOURCES = ['north', 'south'];
export const CHANNELS = ['public', 'archive'];
export const JOURNALS = ['public/urgent', 'archive/urgent', 'public', 'archive'];
export const RULES = ['p/a', 'p/b', 'p/c'];
const COUNTERS = [
  'generation',
  'in',
  'permitted',
  'denied',
  'malformed.head',
  'lost.overflow',
  'lost.journal',
];
const OUTCOMES = [
  'permitted',
  'emitted',
  'absorbed.window',
  'open',
  'withheld.rate',
  'withheld.interrupted',
];
export const SALT = '00112233445566778899aabbccddeeff';
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';

/** An event that goes out. */
export interface Sent {
  readonly journal?: string;
  readonly rule?: number;
  readonly source?: number;
  readonly line?: string;
}

/** What a gate would log, a leaf at a time; a test may make it say what no gate says. */
export class Story {
  readonly leaves: Buffer[] = [];
  readonly signer: Signer;
  time = BEGUN;
  clock: Heading['clock'] = 'steady';
  startAt = 0;
  policiesAt: number | undefined;
  batch = 0;
  boots = 0;
  ended = false;
  counts = SOURCES.map(() => new Float64Array(COUNTERS.length));
  sums = CHANNELS.map(() => new Float64Array(OUTCOMES.length));
  sequences = new Float64Array(JOURNALS.length);
  encoder!: BatchEncoder;
  readonly records = new Map<string, Buffer[]>();
  #number = 0;

  constructor(signer: Signer = makeSigner()) {
    this.signer = signer;
  }

  get heading(): Heading {
    return {
      time: this.time,
      clock: this.clock,
      start: this.startAt,
      policies: this.policiesAt,
    };
  }

  plain(own: Plain, time = this.time): this {
    const head = { ...this.heading, time, index: this.leaves.length };
    this.leaves.push(Buffer.from(encodePlain(head, own)));
    return this;
  }

  whole() {
    return {
      counts: this.counts.map((vector) => [...vector]),
      sums: this.sums.map((vector) => [...vector]),
    };
  }

  count(source: number, name: string, by: number): this {
    this.counts[source]![COUNTERS.indexOf(name)]! += by;
    return this;
  }

  sum(channel: number, name: string, by: number): this {
    this.sums[channel]![OUTCOMES.indexOf(name)]! += by;
    return this;
  }

  start(more: Partial<Start> = {}): this {
    const boot = (n: number): string => String(n).padStart(16, '0');
    const previous =
      this.boots === 0
        ? {}
        : { previous: { boot: boot(this.boots), start: this.startAt, ended: this.ended } };
    this.startAt = this.leaves.length;
    this.ended = false;
    this.encoder = new BatchEncoder(this.counts, this.sums);
    return this.plain({
      kind: 'start',
      boot: boot(++this.boots),
      ...previous,
      relay: this.signer.name,
      key: formatVerifier(this.signer),
      sources: SOURCES,
      channels: CHANNELS,
      journals: JOURNALS,
      counters: COUNTERS,
      outcomes: OUTCOMES,
      ...this.whole(),
      sequences: [...this.sequences],
      ...more,
    });
  }

  policies(revision = 1, more: object = {}): this {
    this.policiesAt = this.leaves.length;
    return this.plain({
      kind: 'policies',
      digest: 'd'.repeat(64),
      files: [{ id: 'p', revision, sha256: 'a'.repeat(64) }],
      rules: RULES,
      signers: [],
      ...more,
    });
  }

  heartbeat(): this {
    this.time += 60_000;
    return this.plain({
      kind: 'heartbeat',
      ...this.whole(),
      sequences: [...this.sequences],
      forwarding: true,
    });
  }

  stop(): this {
    this.plain({ kind: 'stop', ...this.whole() });
    this.ended = true;
    return this;
  }

  deny(source: number, rule: number | undefined, count: number): this {
    this.count(source, 'in', count).count(source, 'denied', count);
    return this.denials([{ source, rule, count }]);
  }

  denials(denied: Denials['denied']): this {
    const head = { ...this.heading, index: this.leaves.length };
    const since = this.time - 1000;
    this.leaves.push(Buffer.from(encodeDenials(head, { kind: 'denials', since, denied })));
    return this;
  }

  lose(source: number, reason: string, count: number): this {
    this.count(source, 'in', count).count(source, `lost.${reason}`, count);
    return this.plain({ kind: 'loss', source, reason, count });
  }

  /** A batch; `parts` gets its leaves before they are in the log. */
  forward(
    sent: readonly Sent[],
    parts: (leaves: Buffer[]) => Buffer[] = (all) => all,
    index: number = this.leaves.length,
  ): this {
    this.time += 10;
    const pending = JOURNALS.flatMap((name, journal) => {
      const own = sent.filter((each) => (each.journal ?? 'public') === name);
      if (own.length === 0) return [];
      const first = this.sequences[journal]! + 1;
      const records = own.map((each) => this.#record(journal, each));
      const bytes = Buffer.concat(records);
      this.records.set(name, [...(this.records.get(name) ?? []), ...records]);
      const commit = (at: number, from: number, to: number): Uint8Array =>
        commitmentOf(openingOf(SALT, at), bytes, from, to);
      return [{ journal, first, count: own.length, bytes, commit }];
    });
    const leaves: Buffer[] = [];
    const sums = {
      batch: ++this.batch,
      counts: this.counts,
      sums: this.sums,
      sequences: this.sequences,
    };
    this.encoder.encode(index, this.heading, pending, sums, (leaf) => {
      leaves.push(Buffer.from(leaf));
    });
    this.encoder.logged(sums);
    this.leaves.push(...parts(leaves));
    return this;
  }

  #record(journal: number, { rule = 0, source = 0, line }: Sent): Buffer {
    const name = JOURNALS[journal]!;
    const urgent = name.endsWith('/urgent');
    const kind = rule === RELAY ? `${BEACON_CLASS},${BEACON_TYPE}` : '10,6';
    const body = parseBody(line ?? `96,${kind},0,,${++this.#number},${GUID},1,2,3`);
    const from = urgent ? URGENT_BODY : BODY;
    const record = Buffer.alloc(from + body.length + 4);
    record.writeUInt16BE(source, SOURCE);
    record.writeUInt16BE(rule, RULE);
    writeU64(record, SEQUENCE, ++this.sequences[journal]!);
    record.set(body, from);
    sealRecord(record, 0, record.length, urgent ? URGENT : EVENT);
    if (rule !== RELAY) {
      this.count(source, 'in', 1).count(source, 'permitted', 1);
      const channel = CHANNELS.indexOf(name.replace('/urgent', ''));
      this.sum(channel, 'permitted', 1).sum(channel, 'emitted', 1);
    }
    return record;
  }

  /** The last records of a journal are void, as a disk has refused to keep their batch. */
  takeBack(name: string, count: number, source = 0): this {
    const journal = JOURNALS.indexOf(name);
    this.sequences[journal]! -= count;
    this.records.get(name)?.splice(-count);
    this.count(source, 'permitted', -count).count(source, 'lost.journal', count);
    const channel = CHANNELS.indexOf(name.replace('/urgent', ''));
    this.sum(channel, 'permitted', -count).sum(channel, 'emitted', -count);
    return this.voids(journal);
  }

  voids(journal: number, first: number = this.sequences[journal]! + 1): this {
    return this.plain({ kind: 'void', journal, first, reason: 'EIO' });
  }

  write(directory: string, signers: readonly Signer[] = [this.signer]): this {
    writeLog(directory, this.leaves, signers);
    return this;
  }

  /** The journals as they would be: a segment each, without as many of the oldest records. */
  writeJournals(directory: string, expired = 0): void {
    for (const [name, records] of this.records) {
      const [channel = '', lane] = name.split('/');
      const header = {
        version: 1,
        channel,
        ...(lane === 'urgent' && { lane }),
        epoch: 1,
        first: 1 + expired,
        created: BEGUN,
        sources: SOURCES,
        rules: RULES,
        counters: [],
        salt: SALT,
      } as SegmentHeader;
      const mark = Buffer.alloc(1024);
      const length = writeMark(mark, 0, {
        sequence: records.length,
        batch: 1,
        time: this.time,
        counters: [],
        outcomes: [],
        sequences: new Float64Array(),
      });
      place(
        join(directory, name, segmentName(1 + expired, 1)),
        Buffer.concat([formatHeader(header), ...records.slice(expired), mark.subarray(0, length)]),
      );
    }
  }
}

/** Two runs, the first one killed: forwards, denials, losses, a void, heartbeats, policies. */
export function longStory(signer?: Signer, rounds = 4): Story {
  const story = new Story(signer).start().policies(1);
  for (let i = 0; i < rounds; i++) {
    story.forward([
      {},
      { rule: 1, source: 1 },
      { journal: 'archive' },
      { journal: 'public/urgent' },
    ]);
    story.deny(i % 2, i % 3 === 0 ? undefined : 2, 3).lose(0, 'overflow', 2);
    story.heartbeat();
  }
  story
    .forward([{}, {}])
    .takeBack('public', 2)
    .forward([{ rule: 2 }]);
  story.time += 300_000;
  story.start().policies(2);
  for (let i = 0; i < rounds; i++) {
    story.forward([{ source: 1 }, { source: 1 }, { rule: RELAY, source: RELAY }]).heartbeat();
  }
  return story.stop();
}
