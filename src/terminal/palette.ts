/** Colours of a terminal. */

export type Paint = (text: string) => string;

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Palette = Readonly<Record<keyof typeof CODES, Paint>>;

/** @param on without it the paints leave their texts alone */
export function palette(on: boolean): Palette {
  const paint =
    (code: number): Paint =>
    (text) =>
      on ? `\x1b[${code}m${text}\x1b[0m` : text;
  const entries = Object.entries(CODES).map(([name, code]) => [name, paint(code)]);
  return Object.fromEntries(entries) as Palette;
}

/** Colours go to a terminal, unless NO_COLOR is set and not empty (https://no-color.org). */
export function wantsColours(
  terminal: boolean | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  return terminal === true && (environment['NO_COLOR'] ?? '') === '';
}
