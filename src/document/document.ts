/**
 * Strict YAML documents: every value knows its file:line:column, every surprise is an error.
 *
 * Refused: duplicate and unknown keys, anchors, aliases, tags, directives, merge keys, a second
 * document, more than MAX_TEXT characters or MAX_DEPTH levels.
 */
import {
  CST,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
} from 'yaml';
import { didYouMean } from './nearest.js';

export const MAX_TEXT = 1024 * 1024;
export const MAX_DEPTH = 32;

/** Something wrong at a place in a file. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  readonly file: string;
  readonly line: number;
  readonly column: number;

  /** @param line from 1 @param column from 1 */
  constructor(file: string, line: number, column: number, message: string) {
    super(`${file}:${line}:${column}: ${message}`);
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

  constructor(context: Context, node: Node | null, path: string, offset: number) {
    this.#context = context;
    this.#node = node;
    this.#offset = node?.range?.[0] ?? offset;
    this.path = path;
  }

  /** An error at this value's place. */
  error(message: string): DocumentError {
    const { line, col } = this.#context.lines.linePos(this.#offset);
    return new DocumentError(this.#context.file, line, col, message);
  }

  get isList(): boolean {
    return isSeq(this.#node);
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  get isText(): boolean {
    return isScalar(this.#node) && typeof this.#node.value === 'string';
  }

  /** The entries of a map whose keys are names that the file chooses. */
  entries(): (readonly [string, Field])[] {
    if (!isMap(this.#node)) throw this.error(`${this.path} must be a map`);
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
        throw this.#keyError(name, `unknown key '${name.slice(0, 64)}'${hint}`);
      }
      fields[key] = field;
    }
    return fields;
  }

  #keyError(name: string, message: string): DocumentError {
    const items = isMap(this.#node) ? this.#node.items : [];
    const pair = items.find(({ key }) => isScalar(key) && key.value === name);
    return new Field(this.#context, (pair?.key ?? null) as Node | null, '', this.#offset).error(
      message,
    );
  }

  /** The values of a list, at least one. */
  list(): Field[] {
    if (!isSeq(this.#node)) throw this.error(`${this.path} must be a list`);
    if (this.#node.items.length === 0) throw this.error(`${this.path} must not be empty`);
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
    if (!isScalar(this.#node)) throw this.error(`${this.path} must be a single value`);
    return this.#node.value;
  }

  text(max = 1024): string {
    const value = this.scalar();
    if (typeof value !== 'string' || value === '') {
      throw this.error(`${this.path} must be text${value === null ? ', not empty' : ''}`);
    }
    if (value.length > max) throw this.error(`${this.path} is longer than ${max} characters`);
    if (/[\u0000-\u001f\u007f]/.test(value)) {
      throw this.error(`${this.path} must not hold control characters`);
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
    checkName(name, (message) => this.error(message));
  }

  /** One of the words of `choices`. */
  choice<C extends string>(choices: readonly C[]): C {
    const value = this.text();
    const found = choices.find((choice) => choice === value);
    if (found === undefined) {
      throw this.error(`${this.path} must be ${choices.join(' or ')}, not '${value.slice(0, 64)}'`);
    }
    return found;
  }

  boolean(): boolean {
    const value = this.scalar();
    if (typeof value !== 'boolean') throw this.error(`${this.path} must be true or false`);
    return value;
  }

  integer(min: number, max: number): number {
    const value = this.scalar();
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw this.error(`${this.path} must be a whole number`);
    }
    if (value < min || value > max) {
      throw this.error(`${this.path} must be ${min} to ${max}, not ${value}`);
    }
    return value;
  }

  /** The field, or an error at the map that should hold it. */
  need(field: Field | undefined, key: string): Field {
    if (!field) throw this.error(`${this.path === '' ? 'the file' : this.path} needs '${key}'`);
    return field;
  }
}

/** Checks a name that becomes part of file names. */
function checkName(value: string, error: (message: string) => Error): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(value)) {
    throw error(
      `'${value.slice(0, 64)}' is no name: letters, digits, - and _, 64 at most, no - or _ in front`,
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
  guardDepth(text, file);
  for (let i = 0; i >= 0; i = text.indexOf('\n', i) + 1 || -1) lines.addNewLine(i);
  guardTokens(text, at);
  const documents = parseAllDocuments(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    merge: false,
    prettyErrors: false,
    stringKeys: true,
  });
  const [document, second] = Array.isArray(documents) ? documents : [];
  if (!document) throw new DocumentError(file, 1, 1, 'the file is empty');
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw at(problem.pos[0], problem.message);
  if (second) throw at(second.range[0], 'only one document a file');
  visit(document, (_key, _node, ancestors) => {
    if (ancestors.length > 2 * MAX_DEPTH) throw at(0, `deeper than ${MAX_DEPTH} levels`);
  });
  return new Field({ file, lines }, document.contents, '', 0);
}

const REFUSED = new Map([
  ['tag', 'tags are not allowed'],
  ['anchor', 'anchors and aliases are not allowed: write the value out'],
  ['alias', 'anchors and aliases are not allowed: write the value out'],
  ['directive-line', 'directives are not allowed'],
]);

/** Refuses what makes a document say something else than it seems to. */
function guardTokens(text: string, at: (offset: number, message: string) => Error): void {
  let offset = 0;
  let scalar = false;
  for (const lexeme of new Lexer().lex(text)) {
    const marker = lexeme.length === 1 && lexeme >= '\u0002' && lexeme <= '\u001f';
    const message = scalar ? undefined : REFUSED.get(CST.tokenType(lexeme) ?? '');
    if (message !== undefined) throw at(offset, message);
    scalar = lexeme === CST.SCALAR;
    if (!marker || /[\t\n\r]/.test(lexeme)) offset += lexeme.length;
  }
}

/** Refuses nesting that a recursive parser would answer with a stack overflow. */
function guardDepth(text: string, file: string): void {
  let flow = 0;
  let line = 1;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '\n') line++;
    else if (character === '[' || character === '{') flow++;
    else if (character === ']' || character === '}') flow = Math.max(0, flow - 1);
    if (flow > 4 * MAX_DEPTH) throw new DocumentError(file, line, 1, 'nested too deeply');
  }
  for (const match of text.matchAll(/^( *)(- *|\? *){33,}/gm)) {
    const at = text.slice(0, match.index).split('\n').length;
    throw new DocumentError(file, at, 1, 'nested too deeply');
  }
}
