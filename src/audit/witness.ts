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
 * @throws WitnessError naming the line that is none of them, or if there is no witness at all
 */
export function parseWitnesses(lines: Iterable<string>): Witness[] {
  const found: Witness[] = [];
  let number = 0;
  // Of a checkpoint: origin, size, root, a line each, and perhaps more of them.
  let open: string[] = [];
  let behind = false;
  const none = (at: number): WitnessError =>
    new WitnessError(`line ${at} is no size and root, no JSON, no checkpoint`);
  for (const whole of lines) {
    number++;
    const line = whole.trimEnd();
    if (behind) {
      behind = line !== '';
      continue;
    }
    let each: Witness | undefined;
    if (open.length === 0) {
      if (line === '' || line.startsWith('#') || line.startsWith('\u2014 ')) continue;
      const [size = '', root = '', ...rest] = line.split(' ');
      each = line.startsWith('{') ? ofJson(line) : undefined;
      if (rest.length === 0) each ??= witness(size, root);
    }
    if (!each) {
      open.push(line);
      if (open.length < 3) continue;
      each = witness(open[1]!, open[2]!);
      if (!each) throw none(number - 2);
      open = [];
      behind = true;
    }
    if (found.length === MAX_WITNESSES) throw new WitnessError('there are too many lines');
    found.push(each);
  }
  if (open.length > 0) throw none(number - open.length + 1);
  if (found.length > 0) return found;
  throw new WitnessError(
    'there is no size and root in it: a file of witnesses that holds none says nothing of the log',
  );
}
