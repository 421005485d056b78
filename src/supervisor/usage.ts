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

/** The fields of /proc/PID/stat (proc(5)), from the third one on. @throws Error if the process is gone */
export function readStat(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the name in parentheses, which may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** undefined if the process is gone. */
export function readUsage(pid: number): Usage | undefined {
  try {
    const fields = readStat(pid);
    return {
      memory: Number(fields[21]) * PAGE,
      cpu: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS,
    };
  } catch {
    return undefined;
  }
}
