/** What a log signs: its origin, how many leaves it has, and their root (C2SP tlog-checkpoint). */
import { NoteError } from '../note/note.js';
import { HASH_BYTES } from './merkle.js';

export interface Checkpoint {
  /** The log's name, and that of its key. */
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** The text of a note. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}

/** Parses the text of a note; lines behind the root are extensions, and passed over. @throws NoteError */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...rest] = text.split('\n');
  const hash = Buffer.from(root, 'base64');
  const whole = /^(0|[1-9]\d{0,15})$/.test(size) && Number.isSafeInteger(Number(size));
  if (origin === '' || !whole || rest.pop() !== '' || rest.includes('')) {
    throw new NoteError('the note is no checkpoint: origin, size, root, a line each');
  }
  if (hash.length !== HASH_BYTES || hash.toString('base64') !== root) {
    throw new NoteError('the root of the checkpoint is no hash in base64');
  }
  return { origin, size: Number(size), root: hash };
}
