/** Small files that others read while they are replaced: written aside, then renamed. */
import { renameSync, writeFileSync } from 'node:fs';

/** Replaces a JSON file in one step; readers see the old or the new one, never half of it. */
export function replaceJson(path: string, value: unknown, mode = 0o644): void {
  const next = `${path}.next`;
  writeFileSync(next, JSON.stringify(value), { mode });
  renameSync(next, path);
}
