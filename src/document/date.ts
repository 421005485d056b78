/** Dates and times of UTC as files and command lines have them. */

const DATE = /^\d{4}-\d\d-\d\d$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

/** ms since 1970 of `2027-03-31`; NaN if it is no day of the calendar. */
export function readDate(text: string): number {
  return DATE.test(text) ? onCalendar(text, Date.parse(`${text}T00:00:00Z`)) : NaN;
}

/** ms since 1970 of `2026-06-01T12:00:07Z`; NaN if it is no time. */
export function readInstant(text: string): number {
  return INSTANT.test(text) ? onCalendar(text, Date.parse(text)) : NaN;
}

/** Date.parse takes the 30th of February for the 2nd of March. */
function onCalendar(text: string, time: number): number {
  if (Number.isNaN(time)) return NaN;
  return new Date(time).toISOString().slice(0, 10) === text.slice(0, 10) ? time : NaN;
}
