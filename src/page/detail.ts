/** One sensor: its value as it changes, and its history as a chart, figures and a table. */
import type { SensorState, Series } from '../sensor/view.js';
import { Chart, type Measure } from './chart.js';
import { byId, element, setText } from './dom.js';
import { cameFromBoard } from './trail.js';
import { ageElement, momentElement, momentWords, now } from './times.js';
import { getSeries, iso } from './wire.js';
import {
  areReadings,
  countWords,
  extent,
  isCoarse,
  measureWords,
  plainWords,
  RANGES,
  seriesWords,
  valueWords,
  type Range,
} from './words.js';

const DAY = 86_400_000;
/** Points asked for. */
const POINTS = 1000;
/** ms: of so short a span readings are shown themselves, thinned if they are many. */
const RAW_UP_TO = DAY;
/** Rows of the table, the newest. */
const ROWS = 300;
/** ms between two questions for the same chart. */
const AGAIN = 60_000;
const DEFAULT = RANGES.find(({ id }) => id === 'day')!;

export class Detail {
  readonly id: string;
  readonly #measure: Measure;
  readonly #chart: Chart;
  #range: Range = DEFAULT;
  #series: Series | undefined;
  #asking: AbortController | undefined;
  #time = 0;

  constructor() {
    const { id, name, unit, decimals } = byId('detail').dataset;
    this.id = id ?? '';
    this.#measure = { name: name ?? '', unit: unit ?? '', decimals: Number(decimals) };
    this.#chart = new Chart(byId('chart'), this.#measure);
    for (const input of document.querySelectorAll<HTMLInputElement>('input[name="range"]')) {
      // Browsers restore what was chosen before a reload.
      if (input.checked) this.#range = rangeOf(input.value);
      input.addEventListener('change', () => {
        this.#range = rangeOf(input.value);
        void this.load();
      });
    }
    setInterval(() => {
      if (!document.hidden) void this.load();
    }, AGAIN);
    document.addEventListener('keydown', ({ key, target }) => {
      if (key === 'Escape' && !(target instanceof HTMLInputElement && target.type === 'search'))
        goBack();
    });
  }

  /** Says so if the board does not answer. */
  async load(): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const to = now();
    const from = to - this.#range.span;
    const resolution = this.#range.span <= RAW_UP_TO ? 'raw' : undefined;
    try {
      let series = await getSeries(this.id, from, to, POINTS, resolution, asking.signal);
      if (isCoarse(series))
        series = await getSeries(this.id, from, to, POINTS, 'raw', asking.signal);
      if (asking.signal.aborted) return;
      this.#series = series;
      this.#show(from);
      this.#tabulate(series);
      this.#note(series, from);
    } catch {
      if (!asking.signal.aborted)
        this.#say('The history cannot be had at the moment; it is asked for again in a minute.');
    }
  }

  /** A state that changed; those of other sensors are left alone. */
  change(sensor: SensorState): void {
    if (sensor.id !== this.id) return;
    const { value, time } = sensor;
    setText(byId('value'), valueWords(value, this.#measure.decimals));
    byId('when').replaceChildren(ageElement(time));
    byId('moment').replaceChildren(momentElement(time));
    const series = this.#series;
    if (series?.resolution !== 'raw' || time <= (series.points.at(-1)?.[0] ?? 0)) return;
    if (time <= this.#time) return;
    this.#time = time;
    const from = now() - this.#range.span;
    const kept = series.points.filter(([each]) => each >= from);
    this.#series = { ...series, points: [...kept, [time, value, value, value]] };
    this.#show(from);
  }

  /** The colours changed. */
  draw(): void {
    this.#chart.draw();
  }

  #show(from: number): void {
    const series = this.#series!;
    this.#chart.show(series, from);
    const over = extent(series.points);
    const rows = over
      ? [
          ['Least', this.#words(over.least)],
          ['Mean', this.#words(over.mean)],
          ['Greatest', this.#words(over.greatest)],
          [areReadings(series) ? 'Readings' : 'Points', countWords(series.points.length)],
        ]
      : [];
    byId('sums').replaceChildren(
      ...rows.map(([title, text]) =>
        element('div', {}, element('dt', {}, title!), element('dd', {}, text!)),
      ),
    );
    const csv = byId('csv') as HTMLAnchorElement;
    const asked = new URLSearchParams({ from: iso(from), to: iso(now()) });
    csv.search = asked.toString();
  }

  #note(series: Series, from: number): void {
    this.#say(plainWords(seriesWords(series, from, this.#range.span), momentWords));
  }

  #say(text: string): void {
    setText(byId('history-note'), text);
  }

  #tabulate({ points, resolution }: Series): void {
    const opened = byId('values').querySelector('details')?.open ?? false;
    const spread = points.some(([, , low, high]) => low !== high);
    const time = { raw: 'Time', hour: 'Hour', day: 'Day' }[resolution];
    const titles = spread ? [time, 'Mean', 'Least', 'Greatest'] : [time, 'Value'];
    const rows = points
      .slice(-ROWS)
      .reverse()
      .map(([at, ...values]) => {
        const cells = spread ? values : values.slice(0, 1);
        const texts = cells.map((value) => element('td', {}, this.#words(value)));
        return element('tr', {}, element('td', {}, momentElement(at)), ...texts);
      });
    const more =
      points.length > ROWS ? ` (the newest ${ROWS} of ${countWords(points.length)})` : '';
    const heads = titles.map((title) => element('th', { scope: 'col' }, title));
    const table = element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...heads)),
      element('tbody', {}, ...rows),
    );
    const summary = element('summary', {}, `Values as a table${more}`);
    const made = element('details', { class: 'values' }, summary, table);
    made.open = opened;
    byId('values').replaceChildren(...(points.length > 0 ? [made] : []));
  }

  #words(value: number): string {
    return measureWords(value, this.#measure.decimals, this.#measure.unit);
  }
}

function rangeOf(id: string): Range {
  return RANGES.find((range) => range.id === id) ?? DEFAULT;
}

/** To where the board was scrolled, if that is where the reader came from. */
function goBack(): void {
  if (cameFromBoard()) history.back();
  else location.assign('/');
}
