/** What every page shows of the board: alarms, the relay's state, whether the page is connected. */
import type { Alarm, AlarmLevel, RelayView } from '../sensor/view.js';
import { byId, element, setText, sign } from './dom.js';
import { momentWords, nodes } from './times.js';
import {
  ALARMS_SHOWN,
  alarmWords,
  groupAlarms,
  levelWords,
  moreWords,
  plainWords,
  RELAY_UNKNOWN,
  relayWords,
  spanWords,
  zoneLevels,
  type RelayWords,
} from './words.js';

/** To a screen reader; what is urgent interrupts it. */
function announce(text: string, urgent: boolean): void {
  setText(byId(urgent ? 'called' : 'said'), text);
}

export class Alarms {
  readonly #section = byId('alarms');
  /** Of those that have been announced; ids grow. */
  #newest: number | undefined;
  #levels = new Map<string, AlarmLevel>();

  show(alarms: readonly Alarm[]): void {
    const opened = this.#section.querySelector('details')?.open ?? false;
    const focused = this.#section.contains(document.activeElement);
    const brief = this.#section.classList.contains('brief');
    const groups = groupAlarms(alarms);
    const shown = groups.splice(0, brief ? 1 : ALARMS_SHOWN).map(item);
    this.#section.replaceChildren(
      this.#section.firstElementChild!,
      shown.length === 0
        ? element('p', { class: 'no-alarms' }, 'No alarms.')
        : element('ul', {}, ...shown),
    );
    if (groups.length > 0) {
      const words = moreWords(groups);
      if (brief) shown[0]!.append(element('a', { class: 'more', href: '/' }, words));
      else {
        const list = element('ul', {}, ...groups.map(item));
        const more = element('details', {}, element('summary', {}, words), list);
        more.open = opened;
        this.#section.append(more);
      }
      // What is opened or followed is all that can have it.
      if (focused) this.#section.querySelector<HTMLElement>('summary, .more')!.focus();
    }
    this.#announce(alarms);
    this.#levels = zoneLevels(alarms);
    this.mark();
  }

  /** Zones with alarms, wherever they are shown. */
  mark(): void {
    for (const zone of document.querySelectorAll<HTMLElement | SVGElement>('[data-zone]')) {
      const level = this.#levels.get(zone.dataset['zone']!);
      if (level) zone.dataset['level'] = level;
      else delete zone.dataset['level'];
    }
  }

  #announce(alarms: readonly Alarm[]): void {
    const before = this.#newest;
    this.#newest = Math.max(before ?? 0, ...alarms.map(({ id }) => id));
    if (before === undefined) return;
    const fresh = alarms.filter(({ id }) => id > before);
    if (fresh.length === 0) return;
    const words = fresh
      .slice(0, ALARMS_SHOWN)
      .map(({ level, name }) => `${levelWords(level)}: ${name}`);
    announce(words.join('. '), true);
  }
}

function item(alarm: Alarm): HTMLElement {
  return element(
    'li',
    { class: 'alarm', 'data-level': alarm.level },
    sign('sign', 'M12 3.5 22 20.5H2Z', 'M12 10v5M12 17.7v.1'),
    element(
      'p',
      {},
      element(
        'strong',
        {},
        element('span', { class: 'level' }, levelWords(alarm.level)),
        ' ',
        element('bdi', {}, alarm.name),
      ),
      ' ',
      element('span', { class: 'about' }, ...nodes(alarmWords(alarm))),
    ),
  );
}

export class Relay {
  readonly #section = byId('relay');
  #state: string | undefined;

  show(relay: RelayView): void {
    const words = relayWords(relay);
    this.#put(words);
    if (this.#state !== undefined && this.#state !== words.state)
      announce(plainWords(words.sentence, momentWords), false);
    this.#state = words.state;
  }

  /** The board is out of reach. */
  lost(): void {
    this.#put(RELAY_UNKNOWN);
  }

  #put({ tone, state, sentence, notes }: RelayWords): void {
    const lamp = element('span', { class: 'lamp' }, state);
    this.#section.dataset['tone'] = tone;
    this.#section.replaceChildren(
      this.#section.firstElementChild!,
      element('p', {}, lamp, ' ', element('span', {}, ...nodes(sentence))),
      ...notes.map((note) => element('p', { class: 'note' }, ...nodes(note))),
    );
  }
}

/** A line on top while the page is not connected. */
export class Connection {
  readonly #line = element('div', { class: 'connection', id: 'connection', hidden: '' });
  readonly #text = element('p');
  #timer: ReturnType<typeof setInterval> | undefined;
  #lost = false;

  constructor(retry: () => void) {
    const button = element('button', { type: 'button' }, 'Try now');
    button.addEventListener('click', retry);
    this.#line.append(this.#text, button);
    byId('main').before(this.#line);
  }

  live(): void {
    clearInterval(this.#timer);
    if (this.#lost) announce('Connected again.', false);
    this.#lost = false;
    this.#line.hidden = true;
    delete document.documentElement.dataset['lost'];
  }

  lost(since: number, nextTry: number): void {
    clearInterval(this.#timer);
    if (!this.#lost) announce('The connection to the board is lost.', false);
    this.#lost = true;
    document.documentElement.dataset['lost'] = '';
    this.#line.hidden = false;
    const tell = (): void => {
      const rest = nextTry - Date.now();
      const next = rest < 1000 ? 'trying again now' : `next try in ${spanWords(rest)}`;
      setText(this.#text, `Not connected to the board since ${momentWords(since)}; ${next}.`);
    };
    tell();
    this.#timer = setInterval(tell, 1000);
  }
}
