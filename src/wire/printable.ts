/** Text that can be shown to a person, whoever wrote it. */

/**
 * What a terminal obeys and what nobody sees: controls, C1 among them, marks that reorder text,
 * characters without width, separators of lines, halves of pairs, what is no character at all.
 */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Writes each of them as JSON does, `\uXXXX`: JSON stays the JSON that it was. */
export function escapeHidden(text: string): string {
  return text.replace(HIDDEN, (character) => character.split('').map(escapeUnit).join(''));
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
