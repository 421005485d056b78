/** GUID spellings: every form that people write in configuration, and the one of the wire. */

const HEX_GROUP = /^[0-9a-fA-F]+$/;

/**
 * Parses a GUID as written in configuration: 16 bytes, MSB first.
 *
 * Forms (VSCP specification, "Globally unique identifiers"): `FF:...:01` in groups of any number of
 * bytes; `::1` and `*:1` fill with FF in front, `-:1,2,3` with 00; `-` is all zero, `::` all FF;
 * `{FFFFFFFF-FFFF-FFFF-0102-03AABB440130}` with or without braces.
 *
 * @throws Error that says what is wrong with the text
 */
export function parseGuid(text: string): Uint8Array {
  const trimmed = text.trim();
  if (trimmed === '-') return new Uint8Array(16);
  if (trimmed === '::') return new Uint8Array(16).fill(255);
  if (/^\{.*\}$|^[^:]*-[^:]*-/.test(trimmed)) return parseDashed(trimmed);
  let fill = -1;
  let rest = trimmed;
  if (rest.startsWith('::')) [fill, rest] = [255, rest.slice(2)];
  else if (rest.startsWith('*:')) [fill, rest] = [255, rest.slice(2)];
  else if (rest.startsWith('-:')) [fill, rest] = [0, rest.slice(2)];
  const bytes: number[] = [];
  for (const group of rest.split(/[:,]/)) {
    if (!HEX_GROUP.test(group) || (group.length > 2 && group.length % 2 === 1)) {
      throw new Error(`'${group}' is not a group of hex bytes`);
    }
    const padded = group.length === 1 ? `0${group}` : group;
    for (let i = 0; i < padded.length; i += 2) {
      bytes.push(Number.parseInt(padded.slice(i, i + 2), 16));
    }
  }
  if (bytes.length > 16) throw new Error(`a GUID has 16 bytes, not ${bytes.length}`);
  if (bytes.length < 16 && fill < 0) {
    throw new Error(
      `a GUID has 16 bytes, not ${bytes.length}; begin it with '::' to fill with FF, '-:' with 00`,
    );
  }
  const guid = new Uint8Array(16).fill(Math.max(fill, 0));
  guid.set(bytes, 16 - bytes.length);
  return guid;
}

function parseDashed(text: string): Uint8Array {
  const digits = text.replace(/^\{|\}$/g, '').replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) throw new Error('a dashed GUID has 32 hex digits');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The full spelling: 16 two-digit upper-case hex bytes joined by colons. */
export function formatGuid(bytes: Uint8Array, at = 0): string {
  let text = '';
  for (let i = 0; i < 16; i++) {
    text += (i === 0 ? '' : ':') + bytes[at + i]!.toString(16).toUpperCase().padStart(2, '0');
  }
  return text;
}
