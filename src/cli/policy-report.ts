/** Prints findings about policies: as text with carets, for GitHub's annotations, or as JSON. */
import type { Finding } from '../review/lint.js';
import { palette, wantsColours } from '../terminal/palette.js';
import { excerpt, printable } from './excerpt.js';
import type { Io } from './io.js';
import { count } from './policy-files.js';

/** Columns of a source line. */
const ROOM = 100;

export type Paint = (text: string, colour: 'red' | 'green' | 'yellow' | 'bold') => string;

/** Colours where they are wanted. */
export function painter(io: Io, environment: NodeJS.ProcessEnv = process.env): Paint {
  const colours = palette(wantsColours(io.terminal, environment));
  return (text, colour) => colours[colour](text);
}

/** Lines of the files that findings are about. */
export class Sources {
  readonly #lines: ReadonlyMap<string, readonly string[]>;

  constructor(files: readonly { readonly file: string; readonly text: string | undefined }[]) {
    this.#lines = new Map(
      files.map(({ file, text }) => [
        file,
        text?.split('\n').map((line) => line.replace(/\r$/, '')) ?? [],
      ]),
    );
  }

  line(file: string, line: number): string | undefined {
    return this.#lines.get(file)?.[line - 1];
  }
}

/** A finding with the line that it is about. */
export function printFinding(finding: Finding, sources: Sources, paint: Paint, io: Io): void {
  const { file, line, column, severity, message, code, fix } = finding;
  const place = paint(printable(`${file}:${line}:${column}:`), 'bold');
  const kind = paint(`${severity}:`, severity === 'error' ? 'red' : 'yellow');
  io.out(`${place} ${kind} ${printable(message)} [${code}]`);
  printPlace(finding, sources, paint, io);
  if (fix !== '') io.out(`  fix: ${printable(fix)}`);
}

/** The line at a place, and a caret under the column. */
export function printPlace(
  { file, line, column }: Pick<Finding, 'file' | 'line' | 'column'>,
  sources: Sources,
  paint: Paint,
  io: Io,
): void {
  const text = sources.line(file, line);
  if (text === undefined) return;
  const { source, caret } = excerpt(text, column, ROOM);
  const number = String(line).padStart(4);
  io.out(`${number} | ${source}`.trimEnd());
  io.out(`${' '.repeat(number.length)} | ${paint(caret, 'green')}`);
}

/** GitHub, "Workflow commands": what a property may not hold. */
function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** GitHub, "Workflow commands": a command is one line. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** A workflow command that marks the line in a pull request. */
export function annotation(finding: Finding): string {
  const { file, line, column, severity, message, code, fix } = finding;
  const said = fix === '' ? printable(message) : `${printable(message)}\nfix: ${printable(fix)}`;
  const place = `file=${property(file)},line=${line},col=${column},title=${property(code)}`;
  return `::${severity} ${place}::${data(said)}`;
}

/** `1 error, 3 warnings`; undefined: nothing was found. */
export function tally(findings: readonly Finding[]): string | undefined {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  if (findings.length === 0) return undefined;
  if (warnings === 0) return count(errors, 'error');
  return errors === 0
    ? count(warnings, 'warning')
    : `${count(errors, 'error')}, ${count(warnings, 'warning')}`;
}
