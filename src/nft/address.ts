/** Addresses as a ruleset spells them: each in one way only, so that equal ones are equal text. */

export interface Address {
  readonly family: 4 | 6;
  readonly text: string;
}

const DOTTED = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** Whether a host is an address, not a name. */
export function isAddress(host: string): boolean {
  return DOTTED.test(host) || host.includes(':');
}

/**
 * Parses an address; a zone (`%eth0`) is cut off, for packets do not carry it, and an IPv4 address
 * in IPv6 spelling is the IPv4 address that packets carry.
 *
 * @throws Error if it is none
 */
export function parseAddress(given: string): Address {
  const text = given.replace(/%.*$/s, '');
  if (DOTTED.test(text)) return { family: 4, text };
  // URL writes the canonical form (RFC 5952, all hexadecimal) and refuses everything else.
  const url = /^[0-9a-fA-F:.]+$/.test(text) && `http://[${text}]/`;
  if (url === false || !URL.canParse(url)) {
    throw new Error(`${JSON.stringify(given)} is no address`);
  }
  const canonical = new URL(url).hostname.slice(1, -1);
  const mapped = MAPPED.exec(canonical);
  if (!mapped) return { family: 6, text: canonical };
  const bytes = [mapped[1]!, mapped[2]!].flatMap((half) => {
    const value = parseInt(half, 16);
    return [value >> 8, value & 255];
  });
  return { family: 4, text: bytes.join('.') };
}

/** Addresses without doubles, in an order that does not depend on the name server's. */
export function distinct(addresses: readonly Address[]): Address[] {
  const byText = new Map(addresses.map((address) => [address.text, address]));
  return [...byText.values()].sort(
    (a, b) => a.family - b.family || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0),
  );
}

/** The name servers of resolv.conf(5), which asks the machine itself where it names none. */
export function parseResolvers(text: string): Address[] {
  const named = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, server]) => server!);
  return distinct((named.length > 0 ? named : ['127.0.0.1', '::1']).map(parseAddress));
}
