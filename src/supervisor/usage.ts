/** Memory and processor time of the processes, read from outside. */
import { readFileSync } from 'node:fs';

/** Clock ticks a second in /proc: fixed at 100 for user space (man 5 proc). */
const TICKS = 100;
const PAGE = 4096;

export interface Usage {
  /** Resident memory, bytes. */
  readonly memory: number;
  /** Processor time since its start, ms. */
  readonly cpu: number;
}

/** undefined if the process is gone. */
export function readUsage(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      memory: Number(fields[21]) * PAGE,
      cpu: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS,
    };
  } catch {
    return undefined;
  }
}
