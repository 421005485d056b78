/** The log of a process: pino JSON lines on its descriptor 2, which goes one way. */
import { writeSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import { EXIT } from './exit.js';
import { FD } from './fd.js';

export type { Logger };

/** Writes whole lines; what a full pipe does not take is dropped: a log never stops a process. */
function writeLine(line: string): void {
  try {
    writeSync(FD.log, line);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}

/**
 * A logger whose lines say which process they are from; the last line of a process that fails too.
 *
 * @param write takes whole lines; to descriptor 2 if not given
 */
export function openLog(role: string, name?: string, write = writeLine): Logger {
  const log = pino(
    {
      base: name === undefined ? { process: role } : { process: role, name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
  process.on('uncaughtException', (error) => {
    log.fatal({ event: 'failure', err: error }, error.message);
    process.exit(EXIT.failure);
  });
  return log;
}
