/** What an audit log holds: leaves, and bytes of the disk. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface LogSize {
  readonly leaves: number;
  readonly bytes: number;
}

/** @param directory of a relay that has ended in order: its checkpoint signs all */
export function sizeOfLog(directory: string): LogSize {
  const [, leaves] = readFileSync(join(directory, 'checkpoint'), 'utf8').split('\n');
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  const bytes = files
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  return { leaves: Number(leaves), bytes };
}
