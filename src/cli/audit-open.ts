/** Opens what a log commits to, with the journals that still hold it. */
import { join } from 'node:path';
import type { LogDirectory } from '../audit/directory.js';
import { type Opening, opens } from '../audit/opening.js';
import { findVoids, standing, walkLog } from '../audit/walk.js';
import { readU32 } from '../event/layout.js';
import { openingOf } from '../journal/commitment.js';
import { LENGTH, readU64, type SegmentHeader, SEQUENCE } from '../journal/format.js';
import { JournalReader } from '../journal/reader.js';

/** Records of one journal, from its oldest on. */
class Cursor {
  readonly #reader: JournalReader;
  #count = 0;
  #next = 0;

  constructor(directory: string, from: number) {
    // An epoch beyond all others: a cursor that no power cut of the journal has overtaken.
    this.#reader = new JournalReader(directory, { epoch: Infinity, sequence: from - 1 });
  }

  /**
   * What opens a range.
   *
   * @returns undefined if not all of it is there; 'unsalted' if its segment holds no salt
   * @throws Error of the file system
   */
  take(first: number, count: number): Opening | 'unsalted' | undefined {
    const records: Uint8Array[] = [];
    let salt: string | undefined;
    for (let wanted = first; wanted < first + count;) {
      if (this.#next === this.#count) {
        this.#count = this.#reader.read();
        this.#next = 0;
        if (this.#count === 0) return undefined;
      }
      const { buffer, offsets, header } = this.#reader;
      const at = offsets[this.#next]!;
      const sequence = readU64(buffer, at + SEQUENCE);
      if (sequence > wanted) return undefined;
      this.#next++;
      if (sequence < wanted) continue;
      if (wanted === first) salt = saltOf(header);
      records.push(Uint8Array.from(buffer.subarray(at, at + readU32(buffer, at + LENGTH))));
      wanted++;
    }
    if (salt === undefined) return 'unsalted';
    return { opening: openingOf(salt, first), records: Buffer.concat(records) };
  }

  close(): void {
    this.#reader.close();
  }
}

function saltOf(header: SegmentHeader | undefined): string | undefined {
  const salt: unknown = header?.salt;
  return typeof salt === 'string' && /^[0-9a-f]+$/.test(salt) ? salt : undefined;
}

/** Opens one range; undefined if the journal does not hold it any more, or not with a salt. */
export function openRange(
  journals: string,
  name: string,
  { first, count }: { readonly first: number; readonly count: number },
): Opening | undefined {
  const cursor = new Cursor(join(journals, name), first);
  try {
    const made = cursor.take(first, count);
    return made === 'unsalted' ? undefined : made;
  } finally {
    cursor.close();
  }
}

export interface Opened {
  /** Ranges: as the log commits to them, others, those that the journals do not hold any more. */
  right: number;
  readonly wrong: { readonly leaf: number; readonly message: string }[];
  gone: number;
  unsalted: number;
}

/**
 * Opens all that journals still hold.
 *
 * @throws LogError, or Error of the file system
 */
export function openAll(log: LogDirectory, size: number, journals: string): Opened {
  const voids = findVoids(log, size);
  const cursors = new Map<string, Cursor>();
  const opened: Opened = { right: 0, wrong: [], gone: 0, unsalted: 0 };
  try {
    for (const { leaf, scene } of walkLog(log, size)) {
      if (leaf.kind !== 'batch') continue;
      for (const range of leaf.ranges) {
        const name = scene.start.journals[range.journal]!;
        const { first, count } = range;
        if (count === 0 || standing(voids, leaf.index, name, range) < count) continue;
        // A name of a log is a path here: nothing but that of a channel and its lane.
        if (!/^[^/.][^/]*(\/urgent)?$/.test(name)) continue;
        const cursor = cursors.get(name) ?? new Cursor(join(journals, name), first);
        cursors.set(name, cursor);
        const made = cursor.take(first, count);
        if (made === undefined) opened.gone++;
        else if (made === 'unsalted') opened.unsalted++;
        else if (opens(range, made)) opened.right++;
        else if (opened.wrong.length < 200) {
          const records = `${name} ${first} to ${first + count - 1}`;
          const message = `${records}: the journal holds other records`;
          opened.wrong.push({ leaf: leaf.index, message });
        }
      }
    }
    return opened;
  } finally {
    for (const cursor of cursors.values()) cursor.close();
  }
}
