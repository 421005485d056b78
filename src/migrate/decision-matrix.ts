/** Turns the rows of VSCP's decision matrix that send to a remote server into a policy. */
import { MAX_TEXT } from '../document/document.js';
import { type Control, readControl } from './data.js';
import { type Filter, filtersMeet } from './filter.js';
import { Hindrance, plain } from './hindrance.js';
import { type Place, readMatrix, type Row } from './matrix.js';
import { printPolicy, printRule } from './print.js';
import { readIdleness, readRow, type RuleParts } from './rows.js';

export interface Note extends Place {
  /** From 1, among the rows of the file. */
  readonly row: number | undefined;
  readonly message: string;
}

export interface Imported {
  /** A policy file, YAML with comments, that parses. */
  readonly policy: string;
  readonly rules: number;
  readonly rows: number;
  /** Enabled rows that send to a remote server, or may, and are no rules. */
  readonly missed: number;
  readonly notes: readonly Note[];
}

export interface ImportOptions {
  /** Name of the policy. */
  readonly id: string;
  /** Where what went to the first remote server goes; others get channels of their own. */
  readonly channel: string;
  /** The time zone of the server that the matrix ran on; without it UTC, and a note. */
  readonly zone?: string | undefined;
}

export const POLICY_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** Shorter, because a number may follow. */
export const CHANNEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,57}$/;
export const ZONE_NAME = /^(?:UTC|[A-Za-z]+(?:\/[A-Za-z\d_+-]+){1,2})$/;

/** A policy must hold a rule. */
const NOTHING = { row: undefined, lines: ['any: true'], emit: [], reason: undefined };

/**
 * Imports a decision matrix: every enabled row that sends to a remote server becomes a permit, or a
 * note that says why it could not. No rule lets out more than its row did.
 *
 * @param file the name that errors carry
 * @throws DocumentError with file:line:column where the XML is broken
 */
export function importMatrix(xml: string, file: string, options: ImportOptions): Imported {
  const { id, channel, zone = 'UTC' } = options;
  if (!POLICY_NAME.test(id) || !CHANNEL_NAME.test(channel) || !ZONE_NAME.test(zone)) {
    throw new TypeError('id, channel and zone must be names');
  }
  const rows = readMatrix(xml, file);
  const draft = new Draft(options);
  for (const row of rows) draft.add(row);
  const { rules, missed, notes, texts } = draft;
  if (rules.length === 0) texts.push(printRule({ ...NOTHING, to: channel }));
  return {
    policy: printPolicy({ id, file, rows: rows.length, rules: rules.length, texts }),
    rules: rules.length,
    rows: rows.length,
    missed,
    notes,
  };
}

interface Carried {
  readonly row: number;
  readonly channel: string;
  readonly emit: string;
  readonly filter: Filter;
}

/** What the rows so far have become. */
class Draft {
  readonly rules: Carried[] = [];
  readonly notes: Note[] = [];
  /** Rules, and comments that stand for rows, as they are printed. */
  readonly texts: string[] = [];
  missed = 0;
  readonly #options: ImportOptions;
  readonly #channels = new Map<string, string>();
  #length = 0;
  /** The first row after which the daemon may not look at others. */
  #stop = Infinity;
  #timed = false;

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  add(row: Row): void {
    try {
      this.#read(row);
    } catch (error) {
      if (!(error instanceof Hindrance)) throw error;
      this.missed++;
      this.#note(row, error.place, `not carried over: ${error.message}`);
      const why = this.#length < MAX_TEXT / 2 ? `: ${plain(error.message)}` : '';
      this.#print(`  # row ${row.number}, line ${row.line}, is not carried over${why}`);
    }
  }

  #read(row: Row): void {
    const [control, hindrance] = tryControl(row);
    const idle = readIdleness(row, control);
    const above = this.#stop;
    if (idle?.disabled !== true && (hindrance ?? control?.stop)) {
      this.#stop = Math.min(above, row.number);
    }
    if (idle) {
      this.#note(row, idle.place, idle.message);
      this.#print(`  # row ${row.number}, line ${row.line}: ${idle.short}`);
      return;
    }
    if (hindrance) throw hindrance;
    if (above < row.number) {
      const message = `the daemon does not look at it after row ${above} (control, bit 30)`;
      throw new Hindrance(row, `${message}: write it by hand, with a forbid`);
    }
    this.#carry(row, readRow(row, control, this.#options.zone ?? 'UTC'));
  }

  #carry(row: Row, parts: RuleParts): void {
    const { server, filter } = parts;
    const channel = this.#channels.get(server) ?? this.#nextChannel();
    const emit = parts.emit.join();
    const other = this.rules.find(
      (rule) => rule.emit !== emit && rule.channel === channel && filtersMeet(rule.filter, filter),
    );
    if (other) {
      const message = `an event can match row ${other.row} too, which sends another`;
      throw new Hindrance(row, `${message}: a channel sends one for it, so decide by hand`);
    }
    const text = printRule({ ...parts, row, to: channel });
    if (this.#length + text.length > MAX_TEXT * 0.75) {
      throw new Hindrance(row, 'the policy would be larger than 1 MiB: split the matrix');
    }
    if (!this.#channels.has(server)) {
      this.#channels.set(server, channel);
      if (this.#channels.size > 1) {
        const message = `it sends to another server, ${server}: its channel is '${channel}'`;
        this.#note(row, row, message);
      }
    }
    this.rules.push({ row: row.number, channel, emit, filter });
    this.#print(text);
    for (const { place, message } of parts.remarks) this.#note(row, place, message);
    if (parts.timed && this.#options.zone === undefined && !this.#timed) {
      this.#timed = true;
      const message =
        "its times are those of the daemon's clock, taken for UTC: name its zone (--zone)";
      this.#note(row, row, message);
    }
  }

  #nextChannel(): string {
    const { channel } = this.#options;
    return this.#channels.size === 0 ? channel : `${channel}-${this.#channels.size + 1}`;
  }

  #note(row: Row, { line, column }: Place, message: string): void {
    this.notes.push({ line, column, row: row.number, message: `row ${row.number}: ${message}` });
  }

  #print(text: string): void {
    this.texts.push(text);
    this.#length += text.length + 1;
  }
}

/** A control word that cannot be read keeps its row back only if that would be a rule. */
function tryControl(row: Row): [Control | undefined, Hindrance | undefined] {
  try {
    return [readControl(row), undefined];
  } catch (error) {
    if (error instanceof Hindrance) return [undefined, error];
    throw error;
  }
}
