/** Tables and paragraphs that fit a width. */
import type { Paint, Palette } from '../terminal/palette.js';

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
  /** Left out where there is no room; the last one first. */
  readonly spare?: boolean;
}

/** Columns by their titles: a `>` behind one means numbers, a `?` that it may be left out. */
export function columns(...titles: readonly string[]): Column[] {
  return titles.map((title) => ({
    title: title.replace(/[>?]+$/, ''),
    right: /.>\??$/.test(title),
    spare: title.endsWith('?'),
  }));
}

export interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

export interface Row {
  /** One for each column. */
  readonly cells: readonly (Cell | string)[];
  /** What stands below the row. */
  readonly notes?: readonly string[];
}

const GAP = 2;
const INDENT = 2;

const cellOf = (cell: Cell | string | undefined): Cell =>
  typeof cell === 'object' ? cell : { text: cell ?? '' };
const shown = ({ text, paint }: Cell): string => (paint ? paint(text) : text);

/** Breaks text between words; lines after the first are indented. A longer word stands out. */
export function wrap(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const room = lines.length === 0 ? width : width - indent;
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((each, i) => (i === 0 ? each : ' '.repeat(indent) + each));
}

/** The widths of the columns that are shown; 0: there is no room for it. */
function fitWidths(columns: readonly Column[], rows: readonly Row[], width: number): number[] {
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...rows.map(({ cells }) => cellOf(cells[i]).text.length)),
  );
  const total = (): number =>
    widths.reduce((sum, each) => sum + (each === 0 ? 0 : each + GAP), INDENT - GAP);
  for (let i = columns.length - 1; i > 0 && total() > width; i--) {
    if (columns[i]!.spare === true) widths[i] = 0;
  }
  return total() > width ? [] : widths;
}

/**
 * The lines of a table, whose first column's title names it; rows in paragraphs where even the
 * columns that cannot be left out have no room.
 */
export function drawTable(
  columns: readonly Column[],
  rows: readonly Row[],
  width: number,
  { bold, dim }: Palette,
): string[] {
  const notesOf = ({ notes = [] }: Row): string[] =>
    notes.flatMap((note) =>
      wrap(note, width - 2 * INDENT, INDENT).map((each) => ' '.repeat(2 * INDENT) + dim(each)),
    );
  const widths = fitWidths(columns, rows, width);
  if (widths.length === 0) {
    return [
      bold(columns[0]!.title),
      ...rows.flatMap((row) => [...drawParagraph(columns, row, width), ...notesOf(row)]),
    ];
  }
  const drawRow = (cells: readonly (Cell | string)[]): string => {
    const parts = columns.flatMap(({ right }, i) => {
      if (widths[i] === 0) return [];
      const { text, paint } = cellOf(cells[i]);
      const pad = ' '.repeat(widths[i]! - text.length);
      const painted = shown({ text, ...(paint ? { paint } : {}) });
      return [right === true ? pad + painted : painted + pad];
    });
    return parts.join(' '.repeat(GAP)).trimEnd();
  };
  const [first, ...rest] = columns.map(({ title }) => title);
  const title: Cell = { text: first!.padEnd(widths[0]! + INDENT), paint: bold };
  widths[0]! += INDENT;
  const head = drawRow([title, ...rest.map((text) => ({ text, paint: dim }))]);
  return [
    head,
    ...rows.flatMap((row) => {
      const [name, ...others] = row.cells.map(cellOf);
      const indented = { ...name!, text: ' '.repeat(INDENT) + name!.text };
      return [drawRow([indented, ...others]), ...notesOf(row)];
    }),
  ];
}

/** A row as text: its name, then every column that holds something. */
function drawParagraph(columns: readonly Column[], row: Row, width: number): string[] {
  const [name, ...others] = row.cells.map(cellOf);
  const parts = others.flatMap(({ text }, i) =>
    text === '' ? [] : [`${columns[i + 1]!.title} ${text}`.replaceAll(' ', '\u00a0')],
  );
  const text = `${name!.text}${parts.length === 0 ? '' : ': '}${parts.join(', ')}`;
  return wrap(text, width - INDENT, INDENT).map(
    (each) => ' '.repeat(INDENT) + each.replaceAll('\u00a0', ' '),
  );
}
