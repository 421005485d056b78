/**
 * Collects the log lines of all processes into one: bounded, made harmless, marked with their origin.
 *
 * A process whose log is read here may be hostile: a line never carries a terminal escape, and its
 * `from` is what the supervisor knows, not what the process says.
 */
import { writeSync } from 'node:fs';
import { escapeText } from '../link/answers.js';
import { readDescriptor } from '../wire/descriptor.js';

const MAX_LINE = 8 * 1024;
/** Lines a second and process; what is beyond is counted. */
const MAX_RATE = 100;

/** Makes one log line of what a process wrote. */
export function sealLine(line: string, from: string): string {
  const words = /[\x00-\x1f\x7f-\x9f]/.test(line) ? undefined : parseObject(line);
  const plain = { level: 'error', time: new Date().toISOString(), msg: escapeText(line, 1024) };
  return `${(words && print({ ...words, from })) ?? print({ ...plain, from })!}\n`;
}

/** undefined: it is nested too deeply. */
function print(entry: object): string | undefined {
  try {
    return JSON.stringify(entry).replace(UNSAFE, escapeUnit);
  } catch {
    return undefined;
  }
}

/** What JSON leaves as it is and a terminal does not: DEL, C1, line separators, marks of direction. */
const UNSAFE = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function parseObject(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a process's log pipe for as long as the supervisor lives. */
export function collectLog(fd: number, from: string): void {
  let rest = '';
  let written = 0;
  let dropped = 0;
  const emit = (line: string): void => {
    if (++written > MAX_RATE) dropped++;
    else writeLine(sealLine(line, from));
  };
  readDescriptor(fd, 16 * 1024, {
    data(chunk) {
      const lines = (rest + Buffer.from(chunk).toString('utf8')).split('\n');
      rest = lines.pop()!.slice(0, MAX_LINE);
      for (const line of lines) if (line !== '') emit(line.slice(0, MAX_LINE));
    },
    ended: () => undefined,
  });
  setInterval(() => {
    written = 0;
    if (dropped > 0) writeLine(sealLine(`dropped ${dropped} log lines: too many a second`, from));
    dropped = 0;
  }, 1000).unref();
}

function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // A log that nobody takes stops nothing.
  }
}
