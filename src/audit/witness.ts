/** What others have noted of a log: sizes and roots, in one of three forms. */
import type { Witness } from './derive.js';
import { HASH_BYTES } from './merkle.js';

/** A file of witnesses that is none. */
export class WitnessError extends Error {
  override readonly name = 'WitnessError';
}

/** Of one file, at most. */
export const MAX_WITNESSES = 1_000_000;

function witness(size: string, root: string): Witness | undefined {
  const hash = Buffer.from(root, 'base64');
  const right = hash.length === HASH_BYTES && hash.toString('base64') === root;
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)) || !right) {
    return undefined;
  }
  return { size: Number(size), root: hash };
}

/** `{"size":N,"root":"base64"}`, other fields beside them. */
function ofJson(line: string): Witness | undefined {
  try {
    const value = JSON.parse(line) as { size?: unknown; root?: unknown } | null;
    return witness(String(value?.size), String(value?.root));
  } catch {
    return undefined;
  }
}

/**
 * Parses lines `<size> <base64 root>`, JSON lines, or checkpoints one after the other.
 *
 * Signatures are not looked at: whoever trusts the file trusts what is in it.
 *
 * @throws WitnessError naming the line that is none of them
 */
export function parseWitnesses(text: string): Witness[] {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const found: Witness[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === '' || line.startsWith('#') || line.startsWith('\u2014 ')) continue;
    const [size = '', root = '', ...rest] = line.split(' ');
    let each = line.startsWith('{') ? ofJson(line) : undefined;
    if (rest.length === 0) each ??= witness(size, root);
    // A checkpoint: origin, size, root, a line each, and perhaps more of them.
    const checkpoint = each ? undefined : witness(lines[i + 1] ?? '', lines[i + 2] ?? '');
    if (checkpoint) {
      each = checkpoint;
      while (i + 1 < lines.length && lines[i + 1] !== '') i++;
    }
    if (!each) throw new WitnessError(`line ${i + 1} is no size and root, no JSON, no checkpoint`);
    if (found.length === MAX_WITNESSES) throw new WitnessError('there are too many lines');
    found.push(each);
  }
  return found;
}
