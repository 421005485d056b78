/** Recordings of real VSCP servers, read into typed steps. */
import { readFileSync } from 'node:fs';

/** One line of a recording. `connection` is unique: a reconnect of A is A.2, the next A.3. */
export interface Step {
  connection: string;
  /** Seconds since that recording, or in the second format that connection, began. */
  at: number;
  from: 'client' | 'server' | 'note' | 'eof';
  bytes: Buffer;
}

/** What stands behind the time: who it is about, who spoke, and the rest of the line. */
interface Line {
  name: string;
  at: number;
  from: 'client' | 'server' | undefined;
  rest: string;
}

const FOLDER = new URL('../fixtures/transcripts/', import.meta.url);

const GREETING = /^(?:Welcome to the VSCP |uvscpd \d)/;

/** The recorder shortened long literals in the middle. */
const CUT = / \.\.\.\[\d+ bytes\]\.\.\. /;

const ESCAPES: Readonly<Record<string, number>> = {
  r: 13,
  n: 10,
  t: 9,
  '\\': 92,
  "'": 39,
  '"': 34,
};

/** `A<` server, `A>` client; the first line of such a file is `# server port N scenario X`. */
function readNamed(line: string): Line | undefined {
  const [, at, name, arrow, said, note] =
    /^\s*(\d+\.\d+) (?:([A-Z])([<>]) (.*)|(.*))$/.exec(line) ?? [];
  if (at === undefined) return undefined;
  if (name !== undefined && said !== undefined) {
    return { name, at: Number(at), from: arrow === '>' ? 'client' : 'server', rest: said };
  }
  const about = /^-- ([A-Z])\b/.exec(note ?? '')?.[1] ?? '';
  return { name: about, at: Number(at), from: undefined, rest: note ?? '' };
}

/** `S>` server, `C>` client, behind the name of the connection if there is more than one. */
function readRoled(line: string): Line | undefined {
  const [, name, at, role, said, note] =
    /^(?:([A-Za-z]\w*)\s+|\s*)(\d+\.\d+) (?:([CS])> (.*)|(.*))$/.exec(line) ?? [];
  if (at === undefined) return undefined;
  const from = role === 'C' ? 'client' : role === 'S' ? 'server' : undefined;
  return { name: name ?? 'A', at: Number(at), from, rest: said ?? note ?? '' };
}

/** The bytes of a Python bytes literal, or undefined if the text is anything else. */
export function decodeLiteral(text: string): Buffer | undefined {
  const body = /^b(['"])((?:\\[\s\S]|(?!\1)[^\\])*)\1$/.exec(text)?.[2];
  if (body === undefined || CUT.test(body)) return undefined;
  const bytes: number[] = [];
  for (let i = 0; i < body.length; i++) {
    let byte = body.charCodeAt(i);
    if (body[i] === '\\') {
      i++;
      const hex = /^x([0-9a-fA-F]{2})/.exec(body.slice(i, i + 3))?.[1];
      if (hex !== undefined) {
        byte = Number.parseInt(hex, 16);
        i += 2;
      } else {
        const escaped = ESCAPES[body[i]!];
        if (escaped === undefined) return undefined;
        byte = escaped;
      }
    }
    if (byte > 0xff) return undefined;
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}

/** Lines that are cut become notes, so that no reader takes the rest for the whole. */
export function parseTranscript(text: string): Step[] {
  const lines = text.split('\n');
  const read = /^# \S+ port \d+ scenario /.test(lines[0] ?? '') ? readNamed : readRoled;
  const greetings = new Map<string, number>();
  const steps: Step[] = [];
  for (const each of lines) {
    const line = read(each);
    if (line === undefined) continue;
    const bytes = line.from && decodeLiteral(line.rest);
    if (line.from === 'server' && bytes && GREETING.test(bytes.toString('latin1'))) {
      greetings.set(line.name, (greetings.get(line.name) ?? 0) + 1);
    }
    const nth = greetings.get(line.name) ?? 1;
    const connection = nth > 1 ? `${line.name}.${nth}` : line.name;
    const gone = line.rest === '<EOF>' || /^-- [A-Z] EOF from server$/.test(line.rest);
    steps.push({
      connection,
      at: line.at,
      from: gone ? 'eof' : bytes ? line.from! : 'note',
      bytes: bytes ?? (gone ? Buffer.alloc(0) : Buffer.from(line.rest)),
    });
  }
  return steps;
}

/** Reads a recording of test/fixtures/transcripts/ by its name without `.txt`. */
export function readTranscript(name: string): Step[] {
  return parseTranscript(readFileSync(new URL(`${name}.txt`, FOLDER), 'utf8'));
}

/** The lines that a server sent, without their line ends. */
export function serverLines(steps: readonly Step[]): Buffer[] {
  return steps
    .filter((step) => step.from === 'server')
    .flatMap((step) => step.bytes.toString('latin1').split('\r\n'))
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line, 'latin1'));
}

/** Six fields and a GUID of 16 bytes: an answer to STAT has seven numbers and is none. */
const EVENT = /^\d+,\d+,\d+,\d+,[^,]*,\d*,(?:[0-9A-F]{1,2}:){15}[0-9A-F]{1,2}(?:,|$)/;

/** The lines that a server sent and that look like events, without their line ends. */
export function eventLines(steps: readonly Step[]): Buffer[] {
  return serverLines(steps).filter((line) => EVENT.test(line.toString('latin1')));
}

/** What the server of the first recorded connection said before the client spoke. */
export function greeting(steps: readonly Step[]): Buffer {
  const first = steps.find((step) => step.from === 'server')?.connection;
  const theirs = steps.filter((step) => step.connection === first && step.from !== 'note');
  const end = theirs.findIndex((step) => step.from !== 'server');
  return Buffer.concat(theirs.slice(0, end < 0 ? undefined : end).map((step) => step.bytes));
}

/** The first recorded line that is `start`, or else begins with it, with its line end. */
export function phrase(steps: readonly Step[], start: string): Buffer {
  const lines = serverLines(steps).map((line) => line.toString('latin1'));
  const found =
    lines.find((line) => line === start) ?? lines.find((line) => line.startsWith(start));
  if (found === undefined) throw new Error(`no recording has a line "${start}"`);
  return Buffer.from(`${found}\r\n`, 'latin1');
}

/** What the server of one recorded connection answered to each line, the first time. */
export function answers(steps: readonly Step[], connection: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  let asked: string | undefined;
  let answer: Buffer[] = [];
  const close = () => {
    if (asked !== undefined && !found.has(asked)) found.set(asked, Buffer.concat(answer));
  };
  for (const step of steps) {
    if (step.connection !== connection) continue;
    if (step.from === 'server') answer.push(step.bytes);
    if (step.from !== 'client') continue;
    close();
    asked = step.bytes.toString('latin1').trim();
    answer = [];
  }
  close();
  return found;
}
