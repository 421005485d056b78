/** Parts of pages: sentences, times, alarms, the relay's state, sparklines. */
import type { Alarm, RelayView } from '../../sensor/view.js';
import { ageWords, alarmWords, levelWords, relayWords, type Part } from '../../page/words.js';
import { html, type Html, type Value } from './html.js';

/** Alarms beyond it are in a list that is opened. */
const ALARMS_SHOWN = 4;
const LAST_MOMENT = 8.64e15;

/** `1 Mar 2026, 12:00:00 UTC`: a browser puts it into its own time zone. */
export function moment(time: number): Html {
  const date = dateOf(time);
  if (!date) return html`an unknown time`;
  const words = date.toLocaleString('en-GB', {
    timeZone: 'UTC',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  return html`<time class="moment" datetime="${date.toISOString()}">${words} UTC</time>`;
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
    return 'moment' in part ? moment(part.moment) : age(part.age, now);
  });
}

export function alarmSection(alarms: readonly Alarm[], now: number): Html {
  const items = alarms.map((alarm) => alarmItem(alarm, now));
  const shown = items.slice(0, ALARMS_SHOWN);
  const rest = items.slice(ALARMS_SHOWN);
  return html`<section class="alarms" id="alarms" aria-labelledby="alarms-title">
    <h2 id="alarms-title" class="unseen">Alarms</h2>
    ${
      items.length === 0
        ? html`<p class="no-alarms">No alarms.</p>`
        : html`<ul>
            ${shown}
          </ul>`
    }
    ${
      rest.length > 0 &&
      html`<details>
        <summary>${rest.length} more</summary>
        <ul>
          ${rest}
        </ul>
      </details>`
    }
  </section>`;
}

function alarmItem(alarm: Alarm, now: number): Html {
  return html`<li class="alarm" data-level="${alarm.level}">
    ${ALARM_SIGN}
    <p>
      <strong><span class="level">${levelWords(alarm.level)}</span> ${name(alarm.name)}</strong>
      <span class="about">${sentence(alarmWords(alarm), now)}</span>
    </p>
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
