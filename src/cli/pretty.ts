/**
 * The relay's log for people: each JSON line as one line of text.
 *
 * Reading JSON undoes the escapes in it, so whatever is shown is escaped again: no word of a log
 * ever reaches the terminal as an order.
 */
import { escapeHidden } from '../wire/printable.js';

/** Characters of a line that is shown. */
const MAX_SHOWN = 2048;
/** Characters of a line that is read; a supervisor's line is shorter. */
const MAX_LINE = 256 * 1024;
const RESET = '\x1b[0m';

/** Words of the same width, each with its colour. */
const LEVELS: ReadonlyMap<unknown, readonly [word: string, colour: string]> = new Map([
  ['trace', ['TRACE', '\x1b[2m']],
  ['debug', ['DEBUG', '\x1b[2m']],
  ['info', ['INFO ', '\x1b[32m']],
  ['warn', ['WARN ', '\x1b[33m']],
  ['error', ['ERROR', '\x1b[31m']],
  ['fatal', ['FATAL', '\x1b[1;31m']],
]);

/** Shown where they belong, or said by the origin already. */
const PLACED = ['level', 'time', 'from', 'link', 'process', 'name', 'msg'];

type Entry = Readonly<Record<string, unknown>>;

/**
 * Formats one line of the log: `HH:MM:SS LEVEL origin: message key=value ...`, in local time; what
 * is no line of the log is shown as it is, escaped.
 *
 * @param colours whether the level has a colour: the only escapes that come out
 */
export function formatLine(line: string, colours: boolean): string {
  try {
    if (line.length <= MAX_LINE) return formatEntry(parseEntry(line), colours);
  } catch {
    // No JSON, no object, or nested too deeply.
  }
  return shorten(escapeHidden(line.slice(0, MAX_SHOWN + 1)));
}

function parseEntry(line: string): Entry {
  const value: unknown = JSON.parse(line);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Entry;
  throw new TypeError('no object');
}

function formatEntry(entry: Entry, colours: boolean): string {
  const [word, colour] = LEVELS.get(entry['level']) ?? ['-----', ''];
  const shown = colours && colour !== '' ? `${colour}${word}${RESET}` : word;
  return `${formatTime(entry['time'])} ${shown} ${shorten(describe(entry))}`;
}

function describe(entry: Entry): string {
  const origin = entry['from'] ?? entry['link'] ?? entry['process'] ?? '-';
  const words = [`${showText(origin)}:`];
  if (entry['msg'] !== undefined) words.push(showText(entry['msg']));
  for (const [key, value] of Object.entries(entry)) {
    if (!PLACED.includes(key)) words.push(`${showValue(key)}=${showValue(value)}`);
  }
  return words.join(' ');
}

function formatTime(time: unknown): string {
  const date = new Date(typeof time === 'string' || typeof time === 'number' ? time : NaN);
  if (Number.isNaN(date.getTime())) return '--:--:--';
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

function showText(value: unknown): string {
  return typeof value === 'string' ? escapeHidden(value) : showValue(value);
}

/** A word as it is; all else as JSON. */
function showValue(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/@%+-]+$/.test(value)) return value;
  return escapeHidden(JSON.stringify(value));
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN
    ? `${text.slice(0, MAX_SHOWN - 3).replace(/[\ud800-\udbff]$/, '')}...`
    : text;
}

/** Cuts a stream into lines, in bounded memory: of a line that is too long the beginning is kept. */
export class LineCutter {
  #rest = '';

  /** Takes text that may be split anywhere between two characters. */
  push(text: string, deliver: (line: string) => void): void {
    const lines = (this.#rest + text).split('\n');
    // One character more than is read tells it from a whole one.
    this.#rest = lines.pop()!.slice(0, MAX_LINE + 1);
    for (const line of lines) deliver(line);
  }

  /** Delivers a last line that has no end. */
  end(deliver: (line: string) => void): void {
    if (this.#rest !== '') deliver(this.#rest);
    this.#rest = '';
  }
}
