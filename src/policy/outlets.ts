/** The outlets of compiled policies: one for each permit and channel that needs more than a copy. */
import type { Compiled } from './compile.js';
import { Emission } from './emission.js';
import { Memory } from './memory.js';
import { Outlet } from './outlet.js';
import { type Keyring, Shared } from './pseudonym.js';
import { signatureOf } from './signature.js';
import type { Budget } from './streams.js';

/**
 * @param now ms since 1970: expired permits have none
 * @param since when rates begin to save, ms since 1970
 * @returns by rule * channels + channel; undefined: the rule sends fields as they are, or zero
 * @throws Error of the keyring
 */
export function makeOutlets(
  { rules, scope }: Compiled,
  keyring: Keyring,
  budget: Budget,
  now: number,
  since: number,
): (Outlet | undefined)[] {
  const shared = new Shared(keyring);
  return rules.flatMap((rule, index) => {
    const permits = rule.effect === 'permit' && rule.expires > now;
    const named = new Set(permits ? rule.to!.map(({ text }) => text) : []);
    const emission = permits ? new Emission(rule, shared) : undefined;
    if (!emission || emission.plain) return scope.channels.map(() => undefined);
    const { name, arms, emit, limits, expires } = rule;
    return scope.channels.map((channelName, channel) => {
      if (!named.has(channelName)) return undefined;
      // Not whether it is urgent: where what is sent goes changes nothing of what is remembered.
      const does = [name, channelName, arms, emit, limits, expires, emission.fingerprint];
      const memory = new Memory(budget, since);
      return new Outlet(rule, index, channel, emission, memory, () => signatureOf(does));
    });
  });
}
