/**
 * Strict YAML documents: every value knows its file:line:column, every surprise is an error.
 *
 * Refused: duplicate and unknown keys, anchors, aliases, tags, directives, merge keys, a second
 * document, control characters, more than MAX_TEXT characters, MAX_DEPTH levels or MAX_ITEMS a list.
 */
import {
  CST,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import { didYouMean } from './nearest.js';

export const MAX_TEXT = 1024 * 1024;
export const MAX_DEPTH = 32;
export const MAX_ITEMS = 16_384;

/** Something wrong at a place in a file. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  readonly file: string;
  readonly line: number;
  readonly column: number;

  /** @param line from 1 @param column from 1 */
  constructor(file: string, line: number, column: number, message: string, cause?: unknown) {
    super(`${file}:${line}:${column}: ${message}`, { cause });
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

interface Context {
  readonly file: string;
  readonly lines: LineCounter;
}

/** One value of a document, with its place and the path that leads to it. */
export class Field {
  readonly path: string;
  readonly #context: Context;
  readonly #node: Node | null;
  readonly #offset: number;
  readonly #keyOffset: number;

  /** @param keyOffset where its key stands, or what else stands for it if there is no node */
  constructor(context: Context, node: Node | null, path: string, keyOffset: number) {
    this.#context = context;
    this.#node = node;
    this.#offset = node?.range?.[0] ?? keyOffset;
    this.#keyOffset = keyOffset;
    this.path = path;
  }

  /** The file that it stands in. */
  get file(): string {
    return this.#context.file;
  }

  get #called(): string {
    return this.path === '' ? 'the file' : this.path;
  }

  /** An error at this value's place. */
  error(message: string, cause?: unknown): DocumentError {
    return this.#errorAt(this.#offset, message, cause);
  }

  /** An error at the key that this value stands under. */
  keyError(message: string): DocumentError {
    return this.#errorAt(this.#keyOffset, message);
  }

  #errorAt(offset: number, message: string, cause?: unknown): DocumentError {
    const { line, col } = this.#context.lines.linePos(offset);
    return new DocumentError(this.#context.file, line, col, message, cause);
  }

  get isList(): boolean {
    return isSeq(this.#node);
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  get isNumber(): boolean {
    return isScalar(this.#node) && typeof this.#node.value === 'number';
  }

  get isText(): boolean {
    return isScalar(this.#node) && typeof this.#node.value === 'string';
  }

  /** The entries of a map whose keys are names that the file chooses. */
  entries(): (readonly [string, Field])[] {
    if (!isMap(this.#node)) throw this.error(`${this.#called} must be a map`);
    return this.#node.items.map((pair) => {
      const key = pair.key as Node;
      const at = new Field(this.#context, key, this.path, this.#offset);
      const name = at.scalar();
      if (typeof name !== 'string') throw at.error('a key must be text');
      const path = this.path === '' ? name : `${this.path}.${name}`;
      const value = pair.value as Node | null;
      return [name, new Field(this.#context, value, path, key.range?.[0] ?? 0)] as const;
    });
  }

  /** The entries of a map whose keys must be among `known`. */
  record<K extends string>(known: readonly K[]): Partial<Record<K, Field>> {
    const fields: Partial<Record<K, Field>> = {};
    for (const [name, field] of this.entries()) {
      const key = known.find((candidate) => candidate === name);
      if (key === undefined) {
        const hint = didYouMean(name, known) || `; known: ${known.join(', ')}`;
        throw field.keyError(`unknown key '${name.slice(0, 64)}'${hint}`);
      }
      fields[key] = field;
    }
    return fields;
  }

  /** The values of a list, at least one. */
  list(): Field[] {
    if (!isSeq(this.#node)) throw this.error(`${this.#called} must be a list`);
    const { length } = this.#node.items;
    if (length === 0) throw this.error(`${this.#called} must not be empty`);
    if (length > MAX_ITEMS) throw this.error(`${this.#called} has more than ${MAX_ITEMS} items`);
    return this.#node.items.map(
      (item, i) =>
        new Field(this.#context, item as Node | null, `${this.path}[${i}]`, this.#offset),
    );
  }

  /** The values of a list, or one value as a list of one. */
  oneOrMore(): Field[] {
    return this.isList ? this.list() : [this];
  }

  scalar(): unknown {
    if (!isScalar(this.#node)) throw this.error(`${this.#called} must be a single value`);
    return this.#node.value;
  }

  text(max = 1024): string {
    const value = this.scalar();
    if (typeof value !== 'string' || value === '') {
      const hint = value === null || value === '' ? ', not empty' : ': put it in quotes';
      throw this.error(`${this.#called} must be text${hint}`);
    }
    if (value.length > max) throw this.error(`${this.#called} is longer than ${max} characters`);
    if (CONTROL.test(value)) {
      throw this.error(`${this.#called} must not hold control characters`);
    }
    return value;
  }

  /** A text that names something: letters, digits, `-`, `_`; it becomes a file name. */
  name(): string {
    const value = this.text(64);
    checkName(value, (message) => this.error(message));
    return value;
  }

  /** Checks the key that this value stands under, where keys are names. */
  checkOwnName(name: string): void {
    checkName(name, (message) => this.keyError(message));
  }

  /** One of the words of `choices`. */
  choice<C extends string>(choices: readonly C[]): C {
    const value = this.text();
    const found = choices.find((choice) => choice === value);
    if (found === undefined) {
      throw this.error(
        `${this.#called} must be ${choices.join(' or ')}, not '${value.slice(0, 64)}'`,
      );
    }
    return found;
  }

  boolean(): boolean {
    const value = this.scalar();
    if (typeof value !== 'boolean') throw this.error(`${this.#called} must be true or false`);
    return value;
  }

  integer(min: number, max: number): number {
    const value = this.scalar();
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw this.error(`${this.#called} must be a whole number`);
    }
    if (value < min || value > max) {
      throw this.error(`${this.#called} must be ${min} to ${max}, not ${value}`);
    }
    return value;
  }

  /** A finite number. */
  number(): number {
    const value = this.scalar();
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw this.error(`${this.#called} must be a number`);
    }
    return value;
  }

  /** The field, or an error at the map that should hold it. */
  need(field: Field | undefined, key: string): Field {
    if (!field) throw this.error(`${this.#called} needs '${key}'`);
    return field;
  }
}

/** Checks a name that becomes part of file names. */
function checkName(value: string, error: (message: string) => Error): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(value)) {
    throw error(
      `'${value.slice(0, 64)}' is no name: letters, digits, - and _, 64 at most, ` +
        'no - or _ in front',
    );
  }
}

/**
 * Parses one strict YAML document.
 *
 * @param file the name that errors carry
 * @throws DocumentError at the first surprise
 */
export function parseDocument(text: string, file: string): Field {
  const lines = new LineCounter();
  const at = (offset: number, message: string): DocumentError => {
    const { line, col } = lines.linePos(offset);
    return new DocumentError(file, Math.max(line, 1), Math.max(col, 1), message);
  };
  if (text.length > MAX_TEXT) throw new DocumentError(file, 1, 1, 'the file is larger than 1 MiB');
  for (let i = 0; i >= 0; i = text.indexOf('\n', i) + 1 || -1) lines.addNewLine(i);
  guardText(text, at);
  guardTokens(text, at);
  const documents = parseAllDocuments(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    // Takes quadratic time; guardNodes does it.
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    stringKeys: true,
  });
  const [document, second] = Array.isArray(documents) ? documents : [];
  if (!document) throw new DocumentError(file, 1, 1, 'the file is empty');
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw at(problem.pos[0], problem.message.slice(0, 256));
  if (second) throw at(second.range[0], 'only one document a file');
  guardNodes(document.contents, 1, at);
  return new Field({ file, lines }, document.contents, '', 0);
}

type ErrorAt = (offset: number, message: string) => Error;

/** What would let a value lie in a log or a terminal: controls, line ends, marks of direction. */
const CONTROL = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

const CONTROL_IN_FILE = new RegExp(`(?![\\t\\n\\r])${CONTROL.source}`, 'u');

/** Any of these in front of a line's first word nests; 32 levels fit in many times over. */
const FRONT = /^[ \t?:-]{129}/m;

function guardText(text: string, at: ErrorAt): void {
  const control = text.search(CONTROL_IN_FILE);
  if (control >= 0) throw at(control, 'control characters are not allowed');
  const front = text.search(FRONT);
  if (front >= 0) throw at(front, 'indented too deeply');
}

const REFUSED = new Map([
  ['tag', 'tags are not allowed'],
  ['anchor', 'anchors and aliases are not allowed: write the value out'],
  ['alias', 'anchors and aliases are not allowed: write the value out'],
  ['directive-line', 'directives are not allowed'],
]);

const MARKERS: readonly string[] = [CST.DOCUMENT, CST.FLOW_END, CST.SCALAR];

/**
 * Refuses what makes a document say something else than it seems to, and nesting that would
 * overflow the stack of the recursive parser (inside a regular expression, that ends the process).
 */
function guardTokens(text: string, at: ErrorAt): void {
  let offset = 0;
  let scalar = false;
  let flow = 0;
  /** Indicators since the line, or the item of a flow collection, began: each may open a level. */
  let indicators = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (MARKERS.includes(lexeme)) {
      if (lexeme === CST.FLOW_END) flow = 0;
      scalar = lexeme === CST.SCALAR;
      continue;
    }
    const type = scalar ? 'scalar' : (CST.tokenType(lexeme) ?? '');
    const message = REFUSED.get(type);
    if (message !== undefined) throw at(offset, message);
    if (type === 'flow-map-start' || type === 'flow-seq-start') flow++;
    else if (type === 'flow-map-end' || type === 'flow-seq-end') flow = Math.max(0, flow - 1);
    else if (type === 'seq-item-ind') indicators++;
    else if (type === 'explicit-key-ind' || type === 'map-value-ind') indicators++;
    else if (type === 'comma' || (flow === 0 && type === 'newline')) indicators = 0;
    const most = flow > 0 ? 2 * MAX_DEPTH : MAX_DEPTH;
    if (flow > MAX_DEPTH || indicators > most) throw at(offset, TOO_DEEP);
    scalar = false;
    offset += lexeme.length;
  }
}

const TOO_DEEP = `deeper than ${MAX_DEPTH} levels`;

function guardNodes(node: unknown, depth: number, at: ErrorAt): void {
  if (!isCollection(node)) return;
  if (depth > MAX_DEPTH) throw at(node.range?.[0] ?? 0, TOO_DEEP);
  const seen = new Set<string>();
  for (const item of node.items) {
    if (isPair(item)) {
      const key = item.key as Node;
      const name = isScalar(key) ? String(key.value) : '';
      if (CONTROL.test(name))
        throw at(key.range?.[0] ?? 0, 'a key must not hold control characters');
      if (seen.has(name)) throw at(key.range?.[0] ?? 0, `a second key '${name.slice(0, 64)}'`);
      seen.add(name);
      guardNodes(item.value, depth + 1, at);
    } else {
      guardNodes(item, depth + 1, at);
    }
  }
}
