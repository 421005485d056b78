/** Parts of pages: sentences, times, alarms, the relay's state, sparklines. */
import type { Alarm, RelayView } from '../../sensor/view.js';
import {
  ageWords,
  ALARMS_SHOWN,
  alarmWords,
  groupAlarms,
  levelWords,
  moreWords,
  relayWords,
  type Part,
} from '../../page/words.js';
import { html, type Html, type Value } from './html.js';

const LAST_MOMENT = 8.64e15;
const DAY = 86_400_000;
const DATE_FORMAT = { day: 'numeric', month: 'short', year: 'numeric' } as const;
const CLOCK_FORMAT = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;

/**
 * `1 Mar 2026, 12:00:00 UTC`: a browser puts it into its own time zone.
 *
 * @param now the day of which goes without saying
 */
export function moment(time: number, now?: number): Html {
  const date = dateOf(time);
  if (!date) return html`an unknown time`;
  const words = date.toLocaleString('en-GB', { timeZone: 'UTC', ...DATE_FORMAT, ...CLOCK_FORMAT });
  const clock = date.toLocaleString('en-GB', { timeZone: 'UTC', ...CLOCK_FORMAT });
  const today = now !== undefined && Math.trunc(time / DAY) === Math.trunc(now / DAY);
  return html`<time class="moment" datetime="${date.toISOString()}"
    >${today ? clock : words}<span class="scripts-replace"> UTC</span></time
  >`;
}

/** It grows in a browser. */
export function age(time: number, now: number): Html {
  const date = dateOf(time);
  if (!date) return html`an unknown time ago`;
  return html`<time class="age" datetime="${date.toISOString()}">${ageWords(time, now)}</time>`;
}

function dateOf(time: number): Date | undefined {
  return Math.abs(time) <= LAST_MOMENT ? new Date(time) : undefined;
}

/** A name from outside cannot turn the direction of what stands around it. */
export function name(text: string): Html {
  return html`<bdi>${text}</bdi>`;
}

export function sentence(parts: readonly Part[], now: number): Value {
  return parts.map((part) => {
    if (typeof part === 'string') return part;
    if ('name' in part) return name(part.name);
    return 'moment' in part ? moment(part.moment, now) : age(part.age, now);
  });
}

/** @param brief one line, with a link to the board for the rest */
export function alarmSection(alarms: readonly Alarm[], now: number, brief = false): Html {
  const groups = groupAlarms(alarms);
  const most = brief ? 1 : ALARMS_SHOWN;
  const rest = groups.slice(most);
  const link = brief && rest.length > 0 && html`<a class="more" href="/">${moreWords(rest)}</a>`;
  const shown = groups.slice(0, most).map((alarm) => alarmItem(alarm, now, link));
  return html`<section
    class="alarms${brief && ' brief'}"
    id="alarms"
    aria-labelledby="alarms-title"
  >
    <h2 id="alarms-title" class="unseen">Alarms</h2>
    ${
      groups.length === 0
        ? html`<p class="no-alarms">No alarms.</p>`
        : html`<ul>
            ${shown}
          </ul>`
    }
    ${
      !brief &&
      rest.length > 0 &&
      html`<details>
        <summary>${moreWords(rest)}</summary>
        <ul>
          ${rest.map((alarm) => alarmItem(alarm, now, undefined))}
        </ul>
      </details>`
    }
  </section>`;
}

function alarmItem(alarm: Alarm, now: number, more: Value): Html {
  return html`<li class="alarm" data-level="${alarm.level}">
    ${ALARM_SIGN}
    <p>
      <strong><span class="level">${levelWords(alarm.level)}</span> ${name(alarm.name)}</strong>
      <span class="about">${sentence(alarmWords(alarm), now)}</span>
    </p>
    ${more}
  </li>`;
}

const ALARM_SIGN = html`<svg class="sign" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M12 3.5 22 20.5H2Z" />
  <path d="M12 10v5M12 17.7v.1" />
</svg>`;

export function relaySection(relay: RelayView, now: number): Html {
  const words = relayWords(relay);
  return html`<section
    class="relay"
    id="relay"
    data-tone="${words.tone}"
    aria-labelledby="relay-title"
  >
    <h2 id="relay-title" class="unseen">Relay</h2>
    <p><span class="lamp">${words.state}</span> <span>${sentence(words.sentence, now)}</span></p>
    ${words.notes.map((note) => html`<p class="note">${sentence(note, now)}</p>`)}
  </section>`;
}
