/** The alarms that stand, in a file: a board that starts must not say that there are none. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** The text that was written last; empty: there is none. */
export function readAlarms(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Replaces it as a whole. @throws Error of the file system */
export function writeAlarms(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
