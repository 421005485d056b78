/** Shows a place in a file to a person: the line, made safe and short, and a caret under it. */

/** What could move a cursor, hide, or turn the order of text round. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const UNSAFE_ONE = new RegExp(UNSAFE.source, 'u');
const MARK = /\p{M}/u;
/** Unicode, "East Asian Width": wide and fullwidth, as far as policies may quote them. */
const WIDE = new RegExp(
  '[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3' +
    '\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}' +
    '\u{20000}-\u{3fffd}\\p{Emoji_Presentation}]',
  'u',
);
const TAB = 8;
/** Marks on one character: more of them would climb over the lines above. */
const MAX_MARKS = 4;

/** Text without anything that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(UNSAFE, '\ufffd');
}

/** JSON in which nothing is left that a terminal would obey. */
export function printableJson(value: unknown): string {
  const escape = (character: string): string =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
  return JSON.stringify(value).replace(UNSAFE, escape);
}

/** A character as it is shown, and how many columns it takes. */
interface Cell {
  readonly text: string;
  readonly width: number;
  /** Where it begins in the line, UTF-16 units. */
  readonly at: number;
}

function cellsOf(line: string): Cell[] {
  const cells: Cell[] = [];
  let at = 0;
  let column = 0;
  let marks = 0;
  for (const character of line) {
    const last = cells.at(-1);
    if (last && MARK.test(character)) {
      if (++marks <= MAX_MARKS) cells[cells.length - 1] = { ...last, text: last.text + character };
    } else {
      marks = 0;
      const cell = shown(character, column);
      cells.push({ ...cell, at });
      column += cell.width;
    }
    at += character.length;
  }
  return cells;
}

function shown(character: string, column: number): Pick<Cell, 'text' | 'width'> {
  if (character === '\t') {
    const width = TAB - (column % TAB);
    return { text: ' '.repeat(width), width };
  }
  if (UNSAFE_ONE.test(character)) return { text: '\ufffd', width: 1 };
  return { text: character, width: WIDE.test(character) ? 2 : 1 };
}

const CUT = '...';
/** UTF-16 units on each side of the column that are looked at: a file may be one line. */
const NEAR = 1024;

/**
 * A line and what to print under it.
 *
 * @param column from 1, in UTF-16 units; it may be the one behind the last
 * @param room columns; a longer line is cut around the column
 */
export function excerpt(
  line: string,
  column: number,
  room: number,
): { readonly source: string; readonly caret: string } {
  const start = Math.max(0, column - 1 - NEAR);
  const near = line.slice(start, column - 1 + NEAR);
  const cells = cellsOf(near);
  const offset = column - 1 - start;
  const target =
    offset >= near.length
      ? cells.length
      : Math.max(
          cells.findLastIndex(({ at }) => at <= offset),
          0,
        );
  const width = (from: number, to: number): number =>
    cells.slice(from, to).reduce((sum, cell) => sum + cell.width, 0);
  let from = 0;
  let to = cells.length;
  if (width(from, to) > room) {
    for (let used = width(0, target); used > (room * 2) / 3; from++) used -= cells[from]!.width;
    to = from;
    for (let used = 0; to < cells.length; to++) {
      used += cells[to]!.width;
      if (used > room) break;
    }
  }
  const before = start + from > 0 ? CUT : '';
  const after = to < cells.length || start + near.length < line.length ? CUT : '';
  const source = cells.slice(from, to).map(({ text }) => text);
  return {
    source: (before + source.join('') + after).trimEnd(),
    caret: `${' '.repeat(before.length + width(from, target))}^`,
  };
}

/** A line made safe, of `room` columns and dots where it is longer. */
export function cut(line: string, room: number): string {
  return excerpt(line, 1, room).source;
}
