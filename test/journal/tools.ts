/** What the tests of the journal share: records as values, written, read back and compared. */
import fc from 'fast-check';
import { readdirSync } from 'node:fs';
import { parseBody } from '../../src/event/event.js';
import { bodyLength } from '../../src/event/layout.js';
import { bodyOf, readU64, RULE, segmentName, SEQUENCE, SOURCE } from '../../src/journal/format.js';
import type { JournalReader } from '../../src/journal/reader.js';
import { type JournalOptions, JournalWriter } from '../../src/journal/writer.js';
import { fields, spell, spelling } from '../arbitrary/event.js';

export interface Entry {
  readonly source: number;
  readonly rule: number;
  readonly body: Uint8Array;
}

export const entry: fc.Arbitrary<Entry> = fc.record({
  source: fc.nat(65535),
  rule: fc.nat(65535),
  body: fc.tuple(fields, spelling).map(([event, how]) => parseBody(spell(event, how))),
});

/** A small event that is like no other: `n` is its timestamp. */
export function numbered(n: number): Entry {
  const guid = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
  return { source: n % 3, rule: n % 5, body: parseBody(`96,10,6,0,,${n},${guid},1,2,3`) };
}

export const FOREVER = { size: Infinity, age: Infinity };

export function openWriter(
  directory: string,
  options: Partial<JournalOptions> = {},
): JournalWriter {
  return JournalWriter.open(directory, {
    channel: 'public',
    sources: ['north', 'south'],
    rules: ['p/a', 'p/b'],
    counters: ['in', 'out', 'lost'],
    segmentBytes: 2 ** 24,
    retain: FOREVER,
    ...options,
  });
}

export function append(writer: JournalWriter, entries: readonly Entry[]): void {
  for (const { source, rule, body } of entries) {
    writer.buffer.set(body, writer.bodyAt);
    writer.append(body.length, source, rule);
  }
}

export const COUNTERS = [Float64Array.of(10, 2, 0), Float64Array.of(2 ** 53 - 1, 0, 0.5)];

let batches = 0;

/** A whole batch: records, then the mark. */
export function write(writer: JournalWriter, entries: readonly Entry[]): void {
  append(writer, entries);
  writer.flush();
  writer.commit(++batches, 1_795_336_886_892, COUNTERS);
}

/** What a record says, with its sequence, in a form that compares well. */
export function describe(sequence: number, { source, rule, body }: Entry): string {
  return `${sequence} ${source} ${rule} ${Buffer.from(body).toString('hex')}`;
}

/** Entries as they must come out when the first of them has sequence `first`. */
export function expected(entries: readonly Entry[], first = 1): string[] {
  return entries.map((each, i) => describe(first + i, each));
}

function bodyAt(buffer: Buffer, at: number): Uint8Array {
  return buffer.subarray(at, at + bodyLength(buffer, at));
}

/** The records of the delivery that `read` has just made. */
export function delivered({ buffer, offsets }: JournalReader, count: number): string[] {
  return Array.from(offsets.subarray(0, count), (at) =>
    describe(readU64(buffer, at + SEQUENCE), {
      source: buffer.readUInt16BE(at + SOURCE),
      rule: buffer.readUInt16BE(at + RULE),
      body: bodyAt(buffer, bodyOf(buffer, at)),
    }),
  );
}

/** Reads all that is there now. */
export function drain(reader: JournalReader): string[] {
  const seen: string[] = [];
  for (let count; (count = reader.read()) > 0;) seen.push(...delivered(reader, count));
  return seen;
}

/** Names of the segments, oldest first. */
export function segments(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.tgj'))
    .sort((a, b) => a.slice(17).localeCompare(b.slice(17)) || a.localeCompare(b));
}

export { segmentName };
