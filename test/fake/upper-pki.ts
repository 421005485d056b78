/** Certificates for fake upper servers: one authority a process, and leaves with one flaw each. */
import { createAuthority, type Identity, issueCertificate } from '../../src/pki/authority.js';

/** The name that every relay of a test asks for. */
export const UPPER_NAME = 'upper.example';

/** `renewed` has none either: it is another certificate of the same authority. */
export type Flaw = 'none' | 'renewed' | 'wrong-ca' | 'expired' | 'wrong-name';

const DAY = 86_400_000;

/** Calls `make` once for each key, however many ask at the same time. */
function remember<K, V>(make: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const made = new Map<K, Promise<V>>();
  return (key) => {
    const known = made.get(key) ?? make(key);
    made.set(key, known);
    return known;
  };
}

const authority = remember((commonName: string) =>
  createAuthority({ commonName, days: 400, bits: 2048 }),
);

/** The authority that the relay trusts, and that fake uppers ask the relay's certificate of. */
export const trusted = (): Promise<Identity> => authority('tidegate test CA');

const issue = remember(async (usage: 'client') =>
  issueCertificate(await trusted(), {
    commonName: 'relay',
    usage,
    names: [],
    days: 60,
    bits: 2048,
  }),
);

/** The relay's own certificate. */
export const relayIdentity = (): Promise<Identity> => issue('client');

export const upperIdentity = remember(async (flaw: Flaw) =>
  issueCertificate(flaw === 'wrong-ca' ? await authority('somebody else') : await trusted(), {
    commonName: 'upper',
    usage: 'server',
    names: [flaw === 'wrong-name' ? 'other.example' : UPPER_NAME],
    days: 60,
    bits: 2048,
    ...(flaw === 'expired' ? { notBefore: new Date(Date.now() - 61 * DAY) } : {}),
  }),
);
