/** Reads the XML file of VSCP's decision matrix into rows of elements that know their place. */
import { SaxesParser } from 'saxes';
import { DocumentError, MAX_DEPTH, MAX_TEXT } from '../document/document.js';

export const MAX_ROWS = 4096;

export interface Place {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Names of elements and attributes are in lower case: the daemon compares them without case. */
export interface Element extends Place {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** An attribute that is there twice, in different cases. */
  readonly doubled: string | undefined;
  readonly text: string;
  /** Elements within a row's own elements have no meaning. */
  readonly holdsElements: boolean;
}

export interface Row extends Element {
  /** From 1, among the rows of the file. */
  readonly number: number;
  readonly elements: readonly Element[];
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };
type DraftElement = Draft<Element>;
type DraftRow = Draft<Row> & { readonly elements: DraftElement[] };

/**
 * Reads the rows of a decision matrix.
 *
 * @param file the name that errors carry
 * @throws DocumentError where it is no XML, no matrix, or beyond a limit
 */
export function readMatrix(xml: string, file: string): readonly Row[] {
  if (xml.length > MAX_TEXT) throw new DocumentError(file, 1, 1, 'the file is larger than 1 MiB');
  const placeOf = placing(xml);
  const parser = new SaxesParser({ position: true, xmlns: false });
  // Otherwise '&constructor;' is an entity: saxes looks names up in an object with a prototype.
  parser.ENTITIES = Object.assign(Object.create(null) as Record<string, string>, ENTITIES);
  const fail = (message: string, place: Place = placeOf(parser.position - 1)): never => {
    throw new DocumentError(file, place.line, place.column, message);
  };
  const rows: DraftRow[] = [];
  const path: DraftElement[] = [];

  parser.on('error', (error) => {
    fail(`broken XML: ${error.message.replace(/^[\d:]+: /, '').replace(/\.$/, '')}`);
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding)) {
      fail('the file must be UTF-8: convert it, and its declaration');
    }
  });
  // Entities of a document's own are a way to read other files and to exhaust memory.
  parser.on('doctype', () => fail('a document type (DOCTYPE) is not allowed: take it out'));
  let place: Place = { line: 1, column: 1 };
  parser.on('opentagstart', () => {
    place = placeOf(xml.lastIndexOf('<', parser.position - 1));
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (path.length >= MAX_DEPTH) fail(`deeper than ${MAX_DEPTH} levels`, place);
    const element = makeElement(name, attributes, place);
    const [root, row] = path;
    if (!root && element.name !== 'dm') fail('no decision matrix: its root element is <dm>', place);
    if (path.length === 1) {
      if (element.name !== 'row') fail('a decision matrix holds <row> elements only', place);
      if (rows.length >= MAX_ROWS) fail(`more than ${MAX_ROWS} rows`, place);
      const made = { ...element, number: rows.length + 1, elements: [] };
      rows.push(made);
      path.push(made);
      return;
    }
    if (row) {
      if (path.length === 2) rows.at(-1)!.elements.push(element);
      else path[2]!.holdsElements = true;
    }
    path.push(element);
  });
  const addText = (text: string): void => {
    const element = path.at(-1);
    if (element && path.length > 2) element.text += text;
    else if (text.trim() !== '') fail('text between elements of the matrix');
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    path.pop();
  });
  parser.write(xml).close();
  return rows;
}

const ENTITIES = { amp: '&', gt: '>', lt: '<', quot: '"', apos: "'" };

function makeElement(
  name: string,
  given: Readonly<Record<string, string>>,
  { line, column }: Place,
): DraftElement {
  const attributes = new Map<string, string>();
  let doubled: string | undefined;
  for (const [key, value] of Object.entries(given)) {
    const lower = key.toLowerCase();
    if (attributes.has(lower)) doubled = lower;
    attributes.set(lower, value.trim());
  }
  const lower = name.toLowerCase();
  return { name: lower, attributes, doubled, text: '', holdsElements: false, line, column };
}

/** Lines and columns of ascending offsets, as they come from a parser. */
function placing(text: string): (offset: number) => Place {
  const lines = [0];
  for (const { index } of text.matchAll(/\r\n?|\n/g)) {
    lines.push(text.startsWith('\r\n', index) ? index + 2 : index + 1);
  }
  return (wanted) => {
    const offset = Math.max(0, Math.min(wanted, text.length - 1));
    let [low, high] = [0, lines.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (lines[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - lines[low]! + 1 };
  };
}
