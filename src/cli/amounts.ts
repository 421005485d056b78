/** Numbers, times and sizes in words for people. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** `1,234,567`. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Events a second: `0.4`, `12`, `5,000`. */
export function rate(value: number): string {
  return value > 0 && value < 9.95 ? value.toFixed(1) : grouped(value);
}

/** `12 s`, `5 min`, `3 h 20 min`, `4 d 2 h`; the two largest units, of a span in ms. */
export function span(ms: number): string {
  const whole = Math.max(0, ms);
  const two = (large: number, l: string, small: number, s: string): string => {
    const rest = Math.floor((whole % large) / small);
    return `${grouped(Math.floor(whole / large))} ${l}${rest === 0 ? '' : ` ${rest} ${s}`}`;
  };
  if (whole < MINUTE) return `${Math.floor(whole / SECOND)} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  return whole < DAY ? two(HOUR, 'h', MINUTE, 'min') : two(DAY, 'd', HOUR, 'h');
}

/** `1 day`, `30 days`; of a span in ms, whole days only. */
export function days(ms: number): string {
  const whole = Math.floor(ms / DAY);
  return `${grouped(whole)} day${whole === 1 ? '' : 's'}`;
}

/** `117 MiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * step);
  return `${value < 9.95 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]!}`;
}

/** `2027-03-31`, of ms since 1970. */
export function date(time: number): string {
  return new Date(time).toISOString().split('T')[0]!;
}
