/** Times on the page: in the reader's time zone, with ages that grow by the board's clock. */
import { element } from './dom.js';
import { ageWords, type Part } from './words.js';

const LAST_MOMENT = 8.64e15;
const DAY_FORMAT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const TIME_FORMAT = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** ms, less than which is the way from the board to here. */
const SET = 5000;

/** ms by which the board's clock is ahead of the browser's. */
let ahead = 0;

/** @param time what the board's clock says, ms since 1970 */
export function setClock(time: number): void {
  ahead = time - Date.now();
}

/** The same, from a page that is open: either clock may have been set since. */
export function followClock(time: number): void {
  if (Math.abs(time - now()) > SET) setClock(time);
}

/** ms since 1970, by the board's clock. */
export function now(): number {
  return Date.now() + ahead;
}

/** `14:05:10`, of another day `1 Mar 2026, 14:05:10`. */
export function momentWords(time: number): string {
  if (!(Math.abs(time) <= LAST_MOMENT)) return 'an unknown time';
  const day = DAY_FORMAT.format(time);
  const clock = TIME_FORMAT.format(time);
  return day === DAY_FORMAT.format(now()) ? clock : `${day}, ${clock}`;
}

function timeElement(className: string, time: number, text: string): HTMLElement {
  if (!(Math.abs(time) <= LAST_MOMENT)) return element('span', {}, text);
  return element('time', { class: className, datetime: new Date(time).toISOString() }, text);
}

export function momentElement(time: number): HTMLElement {
  return timeElement('moment', time, momentWords(time));
}

export function ageElement(time: number): HTMLElement {
  return timeElement('age', time, ageWords(time, now()));
}

export function nodes(parts: readonly Part[]): (Node | string)[] {
  return parts.map((part) => {
    if (typeof part === 'string') return part;
    if ('name' in part) return element('bdi', {}, part.name);
    return 'moment' in part ? momentElement(part.moment) : ageElement(part.age);
  });
}

/** Of the server's HTML, which are in UTC. */
export function localiseMoments(): void {
  for (const shown of document.querySelectorAll<HTMLTimeElement>('time.moment'))
    shown.textContent = momentWords(Date.parse(shown.dateTime));
}

/** Every second, while the page is looked at. */
export function growAges(): void {
  const shown = document.getElementsByClassName('age') as HTMLCollectionOf<HTMLTimeElement>;
  const tick = (): void => {
    if (document.hidden) return;
    const time = now();
    for (const each of shown) {
      const text = ageWords(Date.parse(each.dateTime), time);
      if (each.textContent !== text) each.textContent = text;
    }
  };
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);
}
