/** Which keys of two configurations differ: a reload replaces policies, and nothing else. */
import { Field } from '../document/document.js';
import type { Config } from './config.js';

/** @returns keys such as `lowers.plant-a.port`, but for the policies */
export function differences(a: Config, b: Config): string[] {
  const [before, after] = [a, b].map(({ policySigners, ...rest }) =>
    flatten({ ...rest, policy_signers: policySigners ?? {}, file: '', policies: [] }),
  );
  const keys = new Set([...before!.keys(), ...after!.keys()]);
  return [...keys].filter((key) => before!.get(key) !== after!.get(key)).sort();
}

function flatten(part: object, path = '', into = new Map<string, unknown>()): Map<string, unknown> {
  for (const [key, value] of Object.entries(part) as [string, unknown][]) {
    // Where a value stands in its file does not matter.
    if (value instanceof Field || value === undefined) continue;
    const name = nameOf(value) ?? key;
    const here = path === '' ? name : `${path}.${name}`;
    if (typeof value === 'object' && value !== null) flatten(value, here, into);
    else into.set(here, value);
  }
  return into;
}

/** Of what is in a list: its name, whatever its place. */
function nameOf(value: unknown): string | undefined {
  const named = typeof value === 'object' && value !== null && 'name' in value;
  return named && typeof value.name === 'string' ? value.name : undefined;
}
