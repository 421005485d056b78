/**
 * The log of the whole: the lines of all processes and of the supervisor itself, made harmless,
 * marked with their origin, repeats counted, in bounded memory.
 *
 * A process whose log is read here may be hostile: a line never carries a terminal escape, and its
 * `from` and `repeated` are what the supervisor knows, not what the process says.
 */
import { writeSync } from 'node:fs';
import { escapeText } from '../link/answers.js';
import { readDescriptor } from '../wire/descriptor.js';
import { FD } from '../wire/fd.js';
import { escapeHidden } from '../wire/printable.js';
import { Repeats, type Sealed } from './repeats.js';

const MAX_LINE = 8 * 1024;
/** Lines a second and process; what is beyond is counted. */
const MAX_RATE = 100;
/** The supervisor's own kinds of lines: some for each of 128 links. */
const OWN = { kinds: 1024, characters: 1024 * 1024 };

/** Makes one log line of what a process wrote; without an origin it is the supervisor's own. */
export function sealLine(line: string, from?: string): Sealed {
  const words = /[\x00-\x1f\x7f-\x9f]/.test(line) ? undefined : parseObject(line);
  const plain = { level: 'error', time: new Date().toISOString(), msg: escapeText(line, 1024) };
  return (words && seal({ ...words, from })) ?? seal({ ...plain, from })!;
}

/** undefined: it is nested too deeply. */
function seal(entry: Readonly<Record<string, unknown>>): Sealed | undefined {
  const known = { ...entry, repeated: undefined };
  try {
    return { text: print(known), kind: print({ ...known, time: undefined }) };
  } catch {
    return undefined;
  }
}

function print(entry: object): string {
  return escapeHidden(JSON.stringify(entry));
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

export class Logs {
  readonly #own = new Repeats(writeOut, OWN);
  /** What is to be done for each process every second, and at the end. */
  readonly #collectors: { readonly repeats: Repeats; readonly turn: () => void }[] = [];

  constructor() {
    setInterval(() => {
      this.#own.tick();
      for (const collector of this.#collectors) {
        collector.turn();
        collector.repeats.tick();
      }
    }, 1000).unref();
  }

  /** Takes a line of the supervisor itself. */
  take(line: string): void {
    this.#own.take(sealLine(line.trimEnd()));
  }

  /** Reads a process's log pipe for as long as the supervisor lives. */
  collect(fd: number, from: string): void {
    const repeats = new Repeats(writeOut);
    let rest = '';
    let written = 0;
    let dropped = 0;
    const emit = (line: string): void => {
      if (++written > MAX_RATE) dropped++;
      else repeats.take(sealLine(line, from));
    };
    readDescriptor(fd, 16 * 1024, {
      data(chunk) {
        const lines = (rest + Buffer.from(chunk).toString('utf8')).split('\n');
        rest = lines.pop()!.slice(0, MAX_LINE);
        for (const line of lines) if (line !== '') emit(line.slice(0, MAX_LINE));
      },
      ended: () => undefined,
    });
    const turn = (): void => {
      if (dropped > 0)
        repeats.take(sealLine('a log line dropped: too many a second', from), dropped);
      written = 0;
      dropped = 0;
    };
    this.#collectors.push({ repeats, turn });
  }

  /** Writes what is counted and not yet said. */
  flush(): void {
    for (const { repeats, turn } of this.#collectors) {
      turn();
      repeats.flush();
    }
    this.#own.flush();
  }
}

function writeOut(text: string): void {
  try {
    writeSync(FD.log, `${text}\n`);
  } catch {
    // A log that nobody takes stops nothing.
  }
}
