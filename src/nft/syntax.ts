/** Pieces of nft's language (nft(8)): lists, chains, comparisons of a packet's payload. */
import type { Address } from './address.js';

/** Bytes that one comparison takes. */
const REGISTER = 16;
/** How far into a payload a rule can look: the kernel takes one byte for the offset. */
export const REACH = 255;

/** Lines of a ruleset. */
export type Block = readonly string[];

export const list = (items: readonly string[]): string => `{ ${items.join(', ')} }`;

export const comment = (text: string): string => (text === '' ? '#' : `# ${text}`);

export const daddr = (family: 4 | 6): string => (family === 4 ? 'ip daddr' : 'ip6 daddr');

/** Counts and drops; what no counter names is not dropped. */
export const blame = (counter: string): string => `counter name "${counter}" drop`;

export function chain(name: string, rules: Block): Block {
  return [`chain ${name} {`, ...rules.map((rule) => `  ${rule}`), '}'];
}

/** A rule for each family that the addresses have. */
export function perFamily(
  addresses: readonly Address[],
  rule: (match: string, family: 4 | 6) => string,
): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = addresses.filter((address) => address.family === family);
    const match = `${daddr(family)} ${list(own.map(({ text }) => text))}`;
    return own.length === 0 ? [] : [rule(match, family)];
  });
}

/** Matches a payload that holds these bytes at `offset`, whatever TCP options stand before it. */
export function holds(bytes: Buffer, offset = 0): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += REGISTER) {
    const part = bytes.subarray(at, at + REGISTER);
    parts.push(`@ih,${(offset + at) * 8},${part.length * 8} 0x${part.toString('hex')}`);
  }
  return parts.join(' ');
}

/** Matches a payload that has a byte at `offset`; there is no match for its absence. */
export const present = (offset = 0): string => `@ih,${offset * 8},8 >= 0`;

/** Matches a payload whose byte at `offset` is a control character. */
export const control = (offset: number): string => `@ih,${offset * 8},8 < 0x20`;
