/**
 * What is left of a relay whose supervisor was killed while a sandbox was being made: it runs nothing,
 * and holds what it was given, locks among it.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readStat } from './usage.js';

const SUPERVISOR = 'supervisor/main.js';
/** Of readStat: the parent's pid. */
const PARENT = 1;

/** Ends whoever has a file open and belongs to no supervisor that lives; returns how many. */
export function endHolders(path: string): number {
  const { dev, ino } = statSync(path);
  let ended = 0;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (!has(pid, dev, ino) || isSupervised(pid)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      ended++;
    } catch {
      // It is gone, or not ours to end.
    }
  }
  return ended;
}

function has(pid: number, dev: number, ino: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const found = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
      return found?.dev === dev && found.ino === ino;
    });
  } catch {
    return false;
  }
}

function isSupervised(pid: number): boolean {
  try {
    for (let at = pid; at > 1;) {
      if (readFileSync(`/proc/${at}/cmdline`, 'latin1').includes(SUPERVISOR)) return true;
      at = Number(readStat(at)[PARENT]);
    }
    return false;
  } catch {
    return false;
  }
}
