/** Public keys that a configuration names, as lines or as files of them. */
import { resolve } from 'node:path';
import { DocumentError, type Field } from '../document/document.js';
import { readVerifiers } from '../note/key-file.js';
import { parseVerifier, rawKey, type Verifier } from '../note/note.js';

/** Of a key's name, bytes: a leaf of the audit log has room for all of them. */
const MAX_NAME = 128;

const titleOf = ({ name, id }: Verifier): string => `${name}+${id}`;

/** Each item is a public key, or a file of them; each key is there once. */
export function readPublicKeys(items: readonly Field[], directory: string): Verifier[] {
  const seen = new Map<string, Verifier>();
  for (const item of items) {
    const text = item.text(4096);
    const found = attempt(item, () =>
      isKey(text) ? [parseVerifier(text)] : readVerifiers(resolve(directory, text)),
    );
    for (const key of found) {
      if (Buffer.byteLength(key.name) > MAX_NAME) {
        throw item.error(`the name of the key ${key.id} is longer than ${MAX_NAME} bytes`);
      }
      const raw = rawKey(key.key).toString('hex');
      const twin = seen.get(raw);
      if (twin) {
        const words = `the key ${titleOf(key)} is there twice`;
        throw item.error(twin.name === key.name ? words : `${words}: it is ${titleOf(twin)} too`);
      }
      seen.set(raw, key);
    }
  }
  return [...seen.values()];
}

/** Paths may hold a plus sign; an id between two of them is that of a key. */
export function isKey(text: string): boolean {
  return /\+[0-9a-f]{8}\+/.test(text);
}

/** What it throws has the place of the field. @throws DocumentError */
export function attempt<T>(field: Field, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof DocumentError) throw error;
    throw field.error((error as Error).message);
  }
}
