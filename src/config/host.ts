/** Names of hosts and users in a configuration. */
import type { Field } from '../document/document.js';

/** A host name or an address. @throws DocumentError */
export function parseHost(field: Field): string {
  const host = field.text(253);
  const name = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/;
  const address6 = /^[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*(%\w+)?$/;
  if (!name.test(host) && !address6.test(host)) {
    throw field.error(`'${host}' is neither a host name nor an address`);
  }
  return host;
}

/** A user name that a login line can carry. */
export function parseUser(field: Field): string {
  const user = field.text(64);
  if (/\s/.test(user)) throw field.error(`${field.path} must not hold spaces`);
  return user;
}
