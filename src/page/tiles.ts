/** A tile per sensor, grouped by zone, with a filter; arrow keys go from tile to tile. */
import type { SensorState, Zone } from '../sensor/view.js';
import { byId, drawing, element, setText } from './dom.js';
import { ageElement, momentWords, now } from './times.js';
import {
  ageWords,
  countWords,
  measureWords,
  QUIET_AFTER,
  spark,
  urlPart,
  valueWords,
} from './words.js';

/** Values that change light up, unless so many do, or so soon, that it would flicker. */
const MOST_LIT = 60;
/** ms that a value must have stood for. */
const STOOD = 5000;
/** ms: an answer of the API may be so old, and then the stream knows better. */
const ANSWER_AGE = 1500;
const STILL = matchMedia('(prefers-reduced-motion: reduce)');

class Tile {
  readonly item: HTMLElement;
  readonly link: HTMLAnchorElement;
  sensor: SensorState;
  /** When the stream changed it, by performance.now(). */
  streamed = 0;
  /** When the value was another one, by performance.now(). */
  #changed = 0;
  /** What a filter looks at. */
  words = '';
  readonly #name = element('bdi');
  readonly #place = element('p', { class: 'place' });
  readonly #value = element('span', { class: 'value' });
  readonly #unit = element('span', { class: 'unit' });
  readonly #age: HTMLElement;
  readonly #area = drawing('path', { class: 'area' });
  readonly #line = drawing('path', { class: 'line' });
  readonly #end = drawing('path', { class: 'end' });

  constructor(sensor: SensorState) {
    this.sensor = sensor;
    this.link = element('a', { href: `/sensors/${urlPart(sensor.id)}` }, this.#name);
    this.#age = ageElement(sensor.time);
    const box = { class: 'spark', viewBox: '0 0 100 32', preserveAspectRatio: 'none' };
    this.item = element(
      'li',
      { class: 'tile' },
      element('h4', {}, this.link),
      this.#place,
      element('p', { class: 'reading' }, this.#value, this.#unit),
      drawing('svg', { ...box, 'aria-hidden': 'true' }, this.#area, this.#line, this.#end),
      element('p', { class: 'when' }, this.#age),
    );
    this.show(sensor, false);
  }

  show(sensor: SensorState, lit: boolean): void {
    const { name, place, value, decimals, unit, time, quantity } = sensor;
    this.sensor = sensor;
    this.words = `${name}\n${place}\n${quantity}\n${unit}`.toLowerCase();
    setText(this.#name, name);
    setText(this.#place, place);
    setText(this.#unit, unit);
    this.#say(valueWords(value, decimals), lit);
    if (this.#age instanceof HTMLTimeElement && Math.abs(time) <= 8.64e15) {
      this.#age.dateTime = new Date(time).toISOString();
      this.#age.title = momentWords(time);
      setText(this.#age, ageWords(time, now()));
    }
    const paths = spark(sensor.spark, decimals);
    this.#area.setAttribute('d', paths?.area ?? '');
    this.#line.setAttribute('d', paths?.line ?? '');
    this.#end.setAttribute('d', paths?.end ?? '');
    this.grow();
  }

  /** As time goes by. */
  grow(): void {
    this.item.classList.toggle('quiet', now() - this.sensor.time > QUIET_AFTER);
  }

  #say(text: string, lit: boolean): void {
    if (this.#value.textContent === text) return;
    this.#value.textContent = text;
    const stood = performance.now() - this.#changed;
    this.#changed = performance.now();
    if (lit && stood > STOOD && !STILL.matches)
      this.#value.animate([{ color: 'var(--accent)' }, {}], { duration: 1200, easing: 'ease-out' });
  }
}

interface Group {
  readonly section: HTMLElement;
  readonly list: HTMLElement;
  readonly count: HTMLElement;
  readonly tiles: Tile[];
}

export class Tiles {
  readonly #place = byId('tiles');
  readonly #tiles = new Map<string, Tile>();
  readonly #groups = new Map<string, Group>();
  readonly #input = element('input', { type: 'search', id: 'filter', autocomplete: 'off' });
  readonly #found = element('span', { class: 'found', role: 'status' });
  #zones: readonly Zone[] = [];

  constructor() {
    this.#input.setAttribute('placeholder', 'Name, place or zone');
    this.#input.addEventListener('input', () => this.#filter());
    this.#input.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.#input.value === '') return;
      event.preventDefault();
      this.#input.value = '';
      this.#filter();
    });
    const label = element('label', { class: 'unseen', for: 'filter' }, 'Filter the sensors');
    byId('finder').append(this.#found, label, this.#input);
    this.#place.addEventListener('keydown', (event) => this.#walk(event));
    document.addEventListener('keydown', (event) => this.#find(event));
    setInterval(() => {
      for (const tile of this.#tiles.values()) tile.grow();
    }, 30_000);
  }

  /**
   * All there are, in their order.
   *
   * @param asked when the board was asked for them, by performance.now()
   */
  showAll(zones: readonly Zone[], sensors: readonly SensorState[], asked: number): void {
    const known = [...this.#tiles.keys()];
    const same =
      JSON.stringify(zones) === JSON.stringify(this.#zones) &&
      known.length === sensors.length &&
      sensors.every(
        ({ id, zone }, index) => id === known[index] && zone === this.#tiles.get(id)!.sensor.zone,
      );
    this.#zones = zones;
    const fresh = sensors.map((sensor) => {
      const tile = this.#tiles.get(sensor.id);
      return tile && tile.streamed > asked - ANSWER_AGE ? tile.sensor : sensor;
    });
    if (same) {
      for (const sensor of fresh) this.#tiles.get(sensor.id)!.show(sensor, false);
      return;
    }
    const focused = document.activeElement?.closest<HTMLAnchorElement>('.tile a');
    const before = new Map(this.#tiles);
    this.#tiles.clear();
    this.#groups.clear();
    for (const zone of zones) this.#group(zone.id);
    for (const sensor of fresh) this.#add(sensor, before.get(sensor.id));
    const groups = [...this.#groups].sort(([a], [b]) => Number(a === '') - Number(b === ''));
    this.#place.replaceChildren(...groups.map(([, { section }]) => section));
    // The server's tiles are not these.
    for (const { link } of this.#tiles.values()) if (link.href === focused?.href) link.focus();
    document.getElementById('nothing')?.toggleAttribute('hidden', sensors.length > 0);
    this.#filter();
  }

  /** Those that changed, by the stream. */
  change(sensors: readonly SensorState[]): void {
    let added = false;
    for (const sensor of sensors) {
      const known = this.#tiles.get(sensor.id);
      const tile = known ?? this.#add(sensor, undefined);
      known?.show(sensor, sensors.length <= MOST_LIT);
      tile.streamed = performance.now();
      added ||= !known;
    }
    if (!added) return;
    document.getElementById('nothing')?.setAttribute('hidden', '');
    this.#filter();
  }

  #add(sensor: SensorState, before: Tile | undefined): Tile {
    const tile = before ?? new Tile(sensor);
    before?.show(sensor, false);
    this.#tiles.set(sensor.id, tile);
    const zone = this.#zones.some(({ id }) => id === sensor.zone) ? sensor.zone : '';
    const { list, tiles } = this.#group(zone);
    list.append(tile.item);
    tiles.push(tile);
    return tile;
  }

  #group(id: string): Group {
    const known = this.#groups.get(id);
    if (known) return known;
    const zone = this.#zones.find((each) => each.id === id);
    const title = zone?.name ?? (this.#zones.length > 0 ? 'Elsewhere' : 'All');
    const anchor = id === '' ? 'zone' : `zone-${urlPart(id)}`;
    const count = element('span', { class: 'count' });
    const heading = element(
      'h3',
      { id: anchor, tabindex: '-1' },
      element('bdi', {}, title),
      ' ',
      count,
    );
    heading.classList.toggle('unseen', this.#zones.length === 0);
    const list = element('ul', { class: 'tiles' });
    const section = element('section', { 'aria-labelledby': anchor, 'data-zone': id || '-' });
    section.append(heading, list);
    const group = { section, list, count, tiles: [] };
    this.#groups.set(id, group);
    this.#place.append(section);
    return group;
  }

  #filter(): void {
    const wanted = this.#input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [id, { section, tiles, count }] of this.#groups) {
      const zone = this.#zones.find((each) => each.id === id)?.name.toLowerCase() ?? '';
      let inside = 0;
      for (const tile of tiles) {
        const words = `${tile.words}\n${zone}`;
        tile.item.hidden = !wanted.every((word) => words.includes(word));
        if (!tile.item.hidden) inside++;
      }
      setText(count, countWords(inside));
      section.hidden = inside === 0;
      shown += inside;
    }
    const all = `${countWords(this.#tiles.size)} ${this.#tiles.size === 1 ? 'sensor' : 'sensors'}`;
    setText(this.#found, wanted.length > 0 ? `${countWords(shown)} of ${all}` : all);
  }

  /** `/` goes to the filter, as on many pages. */
  #find(event: KeyboardEvent): void {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    this.#input.focus();
  }

  #walk(event: KeyboardEvent): void {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (!(target instanceof HTMLAnchorElement)) return;
    const links = [...this.#place.querySelectorAll<HTMLAnchorElement>('.tile:not([hidden]) a')];
    const index = links.indexOf(target);
    const next = {
      ArrowLeft: () => links[index - 1],
      ArrowRight: () => links[index + 1],
      ArrowUp: () => beyond(links.slice(0, index).reverse(), target),
      ArrowDown: () => beyond(links.slice(index + 1), target),
      Home: () => links[0],
      End: () => links.at(-1),
    }[key];
    if (index < 0 || !next) return;
    event.preventDefault();
    next()?.focus();
  }
}

/** The one of the next row that is nearest in x. */
function beyond(
  links: readonly HTMLAnchorElement[],
  from: HTMLAnchorElement,
): HTMLElement | undefined {
  const { left, top } = from.getBoundingClientRect();
  let row: number | undefined;
  let best: HTMLAnchorElement | undefined;
  let least = Infinity;
  for (const link of links) {
    const box = link.getBoundingClientRect();
    if (Math.abs(box.top - top) < 8) continue;
    row ??= box.top;
    if (Math.abs(box.top - row) >= 8) break;
    const distance = Math.abs(box.left - left);
    if (distance < least) [best, least] = [link, distance];
  }
  return best;
}

/** Values on the plan. */
export function showOnPlan(sensors: readonly SensorState[]): void {
  const plan = document.getElementById('plan');
  if (!plan) return;
  const changed = new Map(sensors.map((sensor) => [sensor.id, sensor]));
  for (const shown of plan.querySelectorAll<SVGElement>('[data-measure]')) {
    const sensor = changed.get(shown.dataset['measure']!);
    if (sensor) setText(shown, measureWords(sensor.value, sensor.decimals, sensor.unit));
  }
}
