// The names a certificate is valid for: DNS names and IP addresses, in their canonical spelling.
import { isIPv4, isIPv6 } from 'node:net';
import { OptionError, quote } from './options.js';

/** One entry of subjectAltName (RFC 5280 section 4.2.1.6). */
export interface AlternativeName {
  readonly kind: 'dns' | 'ip';
  /** Lower case; an IPv6 address without zone, compressed, never in the mixed dotted form. */
  readonly value: string;
}

const NAMES = 100;

// RFC 1034 section 3.5: letters, digits and hyphens, labels of 1 to 63 octets.
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_LENGTH = 253;

function parseDns(name: string): AlternativeName {
  const quoted = quote(name);
  if (name.includes('*')) {
    throw new OptionError(`${quoted} is a wildcard: name each host, so that a key opens one door`);
  }
  if (/[^\0-\x7f]/.test(name)) {
    throw new OptionError(`${quoted} is not ASCII: give the host in its xn-- form`);
  }
  const value = name.toLowerCase();
  const labels = value.split('.');
  if (value.length > DNS_LENGTH || !labels.every((label) => LABEL.test(label))) {
    throw new OptionError(`${quoted} is neither a DNS name nor an IP address`);
  }
  // No top-level domain is numeric (RFC 3696 section 2): this is an address with a typing error.
  if (/^\d+$/.test(labels.at(-1) ?? '')) {
    throw new OptionError(`${quoted} looks like an IP address but is none`);
  }
  return { kind: 'dns', value };
}

function parseName(name: string): AlternativeName {
  if (name === '') throw new OptionError('a host name is empty');
  if (isIPv4(name)) return { kind: 'ip', value: name };
  if (isIPv6(name)) {
    // A zone is meaningful on one machine only; a certificate travels.
    if (name.includes('%')) {
      throw new OptionError(`${quote(name)} has a zone: give the address without it`);
    }
    return { kind: 'ip', value: new URL(`http://[${name}]`).hostname.slice(1, -1) };
  }
  return parseDns(name);
}

/**
 * Reads the hosts of a certificate.
 * @param names DNS names (no wildcards) and IP addresses, at most 100.
 * @returns their canonical forms in the order given, without duplicates.
 * @throws OptionError that names the first unusable entry.
 */
export function parseNames(names: readonly string[]): AlternativeName[] {
  if (names.length > NAMES) {
    throw new OptionError(`a certificate takes at most ${NAMES} names, not ${names.length}`);
  }
  const found = new Map<string, AlternativeName>();
  for (const text of names) {
    const name = parseName(text);
    found.set(name.value, name);
  }
  return [...found.values()];
}
