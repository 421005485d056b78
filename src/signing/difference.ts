/** What has changed in policies since their manifest was made, in words. */
import type { Manifest, ManifestKey, ManifestPolicy } from './manifest.js';

/** The first difference; undefined: they are the same. */
export function differenceOf(signed: Manifest, found: Manifest): string | undefined {
  if (signed.tables !== found.tables) {
    return 'the class and type tables of this tidegate are not those that were signed';
  }
  const known = new Map(signed.policies.map((policy) => [policy.id, policy]));
  for (const policy of found.policies) {
    const before = known.get(policy.id);
    if (!before) return `policy '${policy.id}' is not in what was signed`;
    known.delete(policy.id);
    const change = changeOf(before, policy);
    if (change !== undefined) return `policy '${policy.id}' is not what was signed: ${change}`;
  }
  const [missing] = known.keys();
  if (missing !== undefined) return `policy '${missing}' was signed too, and is left out`;
  const order = ({ policies }: Manifest): string => policies.map(({ id }) => id).join(', ');
  if (order(signed) !== order(found)) return `the files were signed in the order ${order(signed)}`;
  return undefined;
}

function changeOf(signed: ManifestPolicy, found: ManifestPolicy): string | undefined {
  if (signed.revision !== found.revision) {
    return `revision ${found.revision} instead of ${signed.revision}`;
  }
  if (signed.expires !== found.expires) return `its last day was ${signed.expires}`;
  if (signed.sha256 !== found.sha256) {
    return `SHA-256 ${found.sha256.slice(0, 12)} instead of ${signed.sha256.slice(0, 12)}`;
  }
  const ids = (keys: readonly ManifestKey[]): string =>
    keys.map(({ id, path }) => `${path} (${id})`).join(', ') || 'none';
  if (ids(signed.keys) === ids(found.keys)) return undefined;
  return `keys of pseudonyms: ${ids(found.keys)} instead of ${ids(signed.keys)}`;
}
