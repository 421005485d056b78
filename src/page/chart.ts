/** A sensor's chart: the mean as a line, least and greatest as a band, a point in time by keys. */
import type { Series } from '../sensor/view.js';
import { element, setText } from './dom.js';
import { momentWords, now } from './times.js';
import { gapOf, measureWords, scaleOf, valueWords } from './words.js';
import uPlot from './uPlot.esm.js';

const HEIGHT = 300;
const LOW_HEIGHT = 220;
const NARROW = 560;
const DAY = 86_400;
const MOST_DIGITS = 10;
/** Characters of one that stands beside an axis. */
const LONGEST_UNIT = 6;
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const CLOCK_SECONDS = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const MONTH = new Intl.DateTimeFormat('en-GB', { month: 'short', year: '2-digit' });

export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly decimals: number;
}

type Column = (number | null)[];
type Columns = [times: number[], least: Column, mean: Column, greatest: Column];

export class Chart {
  /** A slider over time, for keys and screen readers. */
  readonly #box = element('div', {
    class: 'chart',
    role: 'slider',
    tabindex: '0',
    'aria-orientation': 'horizontal',
  });
  readonly #readout = element('p', { class: 'readout', 'aria-hidden': 'true' });
  readonly #measure: Measure;
  #series: Series | undefined;
  #from = 0;
  #plot: uPlot | undefined;
  /** Of the chart's columns to points. */
  #columns: Columns = [[], [], [], []];
  #chosen: number | undefined;

  constructor(place: HTMLElement, measure: Measure) {
    this.#measure = measure;
    this.#box.setAttribute('aria-label', `History of ${measure.name}, a point in time`);
    this.#box.addEventListener('keydown', (event) => this.#key(event));
    this.#box.addEventListener('blur', () => this.#choose(undefined));
    place.replaceChildren(this.#readout, this.#box);
    new ResizeObserver(() => this.#resize()).observe(this.#box);
    this.#tell();
  }

  /** @param from ms since 1970: where the chart begins */
  show(series: Series, from: number): void {
    const points = series.points.length;
    if (this.#chosen !== undefined && this.#chosen >= points) this.#chosen = undefined;
    this.#series = series;
    this.#from = from;
    this.#columns = columns(series);
    if (this.#plot) this.#plot.setData(this.#columns);
    else this.draw();
    this.#tell();
  }

  /** Anew, as when the colours change. */
  draw(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    if (!this.#series || this.#box.clientWidth === 0) return;
    this.#plot = new uPlot(this.#options(), this.#columns, this.#box);
    this.#place();
  }

  #resize(): void {
    if (!this.#plot) this.draw();
    else this.#plot.setSize(this.#size());
  }

  #size(): { width: number; height: number } {
    const width = this.#box.clientWidth;
    return { width, height: width < NARROW ? LOW_HEIGHT : HEIGHT };
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const accent = colour('--accent');
    const grid = { stroke: colour('--line'), width: 1 };
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour('--muted'), font, grid, ticks: { show: false } };
    const { decimals, unit } = this.#measure;
    const short = unit.length <= LONGEST_UNIT ? unit : '';
    return {
      ...this.#size(),
      padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 9, width: 2, fill: accent, stroke: colour('--surface') },
      },
      scales: {
        x: { range: () => this.#span() },
        y: { range: (_, least, greatest) => rangeOf(least, greatest, decimals) },
      },
      axes: [
        {
          ...axis,
          gap: 6,
          size: 32,
          space: 72,
          values: (_, splits, __, ___, step) => times(splits, step),
        },
        {
          ...axis,
          gap: 8,
          space: 44,
          size: (_, values: string[] | null) =>
            20 + 7 * Math.max(2, ...(values ?? []).map(({ length }) => length)),
          values: (_, splits, __, ___, step) =>
            splits.map((each) => measureWords(each, digits(step), short)),
        },
      ],
      series: [
        {},
        { stroke: 'transparent', points: { show: false } },
        { stroke: accent, width: 2, points: { size: 5, fill: accent } },
        { stroke: 'transparent', points: { show: false } },
      ],
      bands: [{ series: [3, 1], fill: colour('--band') }],
      hooks: {
        setCursor: [
          (plot) => {
            if (document.activeElement !== this.#box) this.#chosen = undefined;
            if (this.#chosen === undefined) this.#tell(plot.cursor.idx ?? undefined);
          },
        ],
      },
    };
  }

  /** What is asked for, though history may begin later; readings may be ahead of the clock. */
  #span(): [number, number] {
    const end = Math.max(now() / 1000, this.#columns[0].at(-1) ?? 0);
    return [Math.min(this.#from / 1000, end - 10), end];
  }

  #key(event: KeyboardEvent): void {
    const last = this.#columns[0].length - 1;
    const at = this.#chosen ?? last;
    const page = Math.max(1, Math.round(last / 10));
    const next = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: this.#chosen === undefined ? last : at + 1,
      ArrowUp: this.#chosen === undefined ? last : at + 1,
      PageDown: at - page,
      PageUp: at + page,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    let to = Math.min(last, Math.max(0, next));
    // A gap has no value: over it, in the same direction.
    if (this.#columns[2][to] === null) to += to < at ? -1 : 1;
    this.#choose(to);
  }

  #choose(index: number | undefined): void {
    this.#chosen = index;
    this.#tell();
    this.#place();
  }

  #place(): void {
    const plot = this.#plot;
    if (!plot) return;
    const time = this.#chosen === undefined ? undefined : this.#columns[0][this.#chosen];
    const left = typeof time === 'number' ? plot.valToPos(time, 'x') : -10;
    plot.setCursor({ left, top: left < 0 ? -10 : 10 }, false);
  }

  #tell(hovered?: number): void {
    const index = hovered ?? this.#chosen;
    const text = this.#words(index);
    setText(this.#readout, text ?? 'Point at the chart, or go through it with the arrow keys.');
    const last = this.#columns[0].length - 1;
    const at = this.#chosen ?? last;
    this.#box.setAttribute('aria-valuemin', '0');
    this.#box.setAttribute('aria-valuemax', String(Math.max(0, last)));
    this.#box.setAttribute('aria-valuenow', String(Math.max(0, at)));
    this.#box.setAttribute('aria-valuetext', this.#words(at) ?? 'no values');
  }

  #words(index: number | undefined): string | undefined {
    const [times, low, mean, high] = this.#columns.map((column) => column[index ?? -1]);
    if (typeof times !== 'number' || typeof mean !== 'number') return undefined;
    const { decimals, unit } = this.#measure;
    const text = `${momentWords(times * 1000)}: ${measureWords(mean, decimals, unit)}`;
    if (low === high) return text;
    return `${text} (${valueWords(low ?? null, decimals)} to ${valueWords(high ?? null, decimals)})`;
  }
}

/** Seconds, least, mean, greatest; a gap is a point without values. */
function columns(series: Series): Columns {
  const gap = gapOf(series);
  const made: Columns = [[], [], [], []];
  const add = (time: number, ...values: Column): void => {
    made[0].push(time / 1000);
    values.forEach((value, index) => made[index + 1]!.push(value!));
  };
  let before: number | undefined;
  for (const [time, mean, low, high] of series.points) {
    if (before !== undefined && time - before > gap) add((before + time) / 2, null, null, null);
    add(time, low, mean, high);
    before = time;
  }
  return made;
}

/** A little room above and below; a flat line is in the middle. */
function rangeOf(
  least: number | null,
  greatest: number | null,
  decimals: number,
): [number, number] {
  if (least === null || greatest === null) return [0, 1];
  const [low, high] = scaleOf(least, greatest, decimals);
  const room = (high - low) * 0.08;
  return [low - room, high + room];
}

/** That a multiple of the step needs. */
function digits(step: number): number {
  for (let count = 0; count < MOST_DIGITS; count++) {
    const whole = step * 10 ** count;
    if (Math.abs(whole - Math.round(whole)) < 1e-6 * whole) return count;
  }
  return MOST_DIGITS;
}

/** @param step between two, s */
function times(splits: readonly number[], step: number): string[] {
  let shown = '';
  return splits.map((split) => {
    const time = split * 1000;
    if (step >= 28 * DAY) return MONTH.format(time);
    const day = DATE.format(time);
    if (step >= DAY) return day;
    const clock = (step < 60 ? CLOCK_SECONDS : CLOCK).format(time);
    const fresh = day !== shown && shown !== '' && clock.startsWith('00:00');
    shown = day;
    return fresh ? day : clock;
  });
}
