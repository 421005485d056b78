/** Numbers, times and tables about journals as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `44.1 MiB` */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]!}`;
}

/** `12,345` */
export function countText(count: number): string {
  return count.toLocaleString('en-US');
}

/** The largest time that a date can be, ms. */
const MAX_TIME = 8.64e15;

/** `2026-06-01T12:00:07.250Z`; undefined if a file says what is no time. */
export function timeText(time: number | undefined): string | undefined {
  if (time === undefined || !(Math.abs(time) <= MAX_TIME)) return undefined;
  return new Date(time).toISOString();
}

const AGES = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;

/** `3 h` */
export function ageText(ms: number | undefined): string {
  if (ms === undefined || Number.isNaN(ms)) return '-';
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [size, unit] = AGES.find(([each]) => seconds >= each) ?? AGES[3];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** Lines of cells, all of which but the first are right-aligned. */
export function table(rows: readonly (readonly string[])[], indent: string): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map(
    (row) =>
      indent +
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  '),
  );
}
