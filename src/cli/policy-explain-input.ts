/** The events of `tidegate policy explain`: from arguments, lines, or the journal of a channel. */
import { statSync } from 'node:fs';
import { decodeEvent } from '../event/decode.js';
import { bodyLength, MAX_BODY, readU16 } from '../event/layout.js';
import { type MalformedKind, malformedKind } from '../event/malformed.js';
import { bodyOf, readU64, RELAY, RULE, SEQUENCE, SOURCE } from '../journal/format.js';
import { JournalReader } from '../journal/reader.js';

/** Longest line: beyond it, what follows is passed over up to the line's end. */
export const MAX_LINE = 4096;

/** Where an event stood, in words and as data. */
export interface Origin {
  readonly from: 'event' | 'stdin' | 'journal';
  /** From 1; of a journal, the sequence. */
  readonly number: number;
  /** Of a journal: the channel, and the rule that sent the record. */
  readonly channel?: string;
  readonly rule?: string;
}

export type Item =
  | { readonly origin: Origin; readonly body: Uint8Array; readonly source?: string }
  | { readonly origin: Origin; readonly malformed: MalformedKind; readonly text: string };

function itemOf(origin: Origin, line: Uint8Array): Item {
  const body = new Uint8Array(MAX_BODY);
  const tooLong = line.length > MAX_LINE;
  const length = tooLong ? 0 : decodeEvent(line, 0, line.length, body, 0);
  if (!tooLong && length > 0) return { origin, body: body.slice(0, length) };
  const text = Buffer.from(line.subarray(0, 60)).toString('utf8');
  return { origin, malformed: tooLong ? 'too-long' : malformedKind(length), text };
}

/** The events of `--event LINE`. */
export function* argumentItems(lines: readonly string[]): Generator<Item> {
  for (const [i, line] of lines.entries()) {
    // A character that is no ASCII stays malformed as its bytes in UTF-8 are.
    yield itemOf({ from: 'event', number: i + 1 }, Buffer.from(line));
  }
}

const LINE_FEED = 10;
const RETURN = 13;

/** One event a line; empty lines are passed over. Holds one line and one chunk at a time. */
export async function* lineItems(
  input: AsyncIterable<string | Uint8Array>,
): AsyncGenerator<Item, void> {
  const line = new Uint8Array(MAX_LINE + 2);
  let length = 0;
  let number = 1;
  const take = (): Item | undefined => {
    if (length > 0 && line[length - 1] === RETURN) length--;
    return length === 0 ? undefined : itemOf({ from: 'stdin', number }, line.slice(0, length));
  };
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (const byte of bytes) {
      if (byte !== LINE_FEED) {
        // One byte beyond the longest line and its return says that it is too long.
        if (length < line.length) line[length++] = byte;
        continue;
      }
      const item = take();
      if (item) yield item;
      length = 0;
      number++;
    }
  }
  const last = take();
  if (last) yield last;
}

/** What a journal's header says at a place, if it says a name there. */
function nameAt(names: unknown, i: number): string | undefined {
  const name: unknown = Array.isArray(names) ? names[i] : undefined;
  return typeof name === 'string' ? name : undefined;
}

/**
 * Records of a channel's journal, as events that come in again.
 *
 * @param from the first sequence
 * @throws Error of the file system
 */
export function* recordItems(directory: string, from: number): Generator<Item> {
  // To a reader, a directory that is not there is a journal that is still to be written.
  statSync(directory);
  // An epoch beyond all others: a cursor that no power cut of the journal has overtaken.
  const reader = new JournalReader(directory, { epoch: Infinity, sequence: from - 1 });
  try {
    for (let count = reader.read(); count > 0; count = reader.read()) {
      const { buffer, header } = reader;
      for (const at of reader.offsets.subarray(0, count)) {
        // The relay's own events never come in.
        if (readU16(buffer, at + SOURCE) === RELAY) continue;
        const body = bodyOf(buffer, at);
        const source = nameAt(header?.sources, readU16(buffer, at + SOURCE));
        const rule = nameAt(header?.rules, readU16(buffer, at + RULE));
        yield {
          origin: {
            from: 'journal',
            number: readU64(buffer, at + SEQUENCE),
            ...(typeof header?.channel === 'string' && { channel: header.channel }),
            ...(rule !== undefined && { rule }),
          },
          body: Uint8Array.from(buffer.subarray(body, body + bodyLength(buffer, body))),
          ...(source !== undefined && { source }),
        };
      }
    }
  } finally {
    reader.close();
  }
}
