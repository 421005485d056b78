/** What people see: HTML that can be read without a script, and what scripts make live. */
import type { BoardView, SensorState, Series } from '../../sensor/view.js';
import {
  areReadings,
  countWords,
  extent,
  measureWords,
  rangeFor,
  RANGES,
  seriesWords,
  valueWords,
  type Range,
} from '../../page/words.js';
import { loadAssets, type Asset, type Assets } from './assets.js';
import { seriesTable, staticChart } from './chart.js';
import { html, type Value } from './html.js';
import { age, alarmSection, moment, name, relaySection, sentence } from './parts.js';
import { planSection } from './plan.js';
import { linkTo, sensorTable, sensorTiles } from './sensors.js';

export interface Pages {
  index(view: BoardView, now: number): string;
  /**
   * @param series what is charted without a script; undefined: it is not to be had
   * @param asked span of time that it is of; undefined: a day, of which what there is is shown
   */
  sensor(
    view: BoardView,
    sensor: SensorState,
    series: Series | undefined,
    now: number,
    asked?: Range,
  ): string;
  notFound(): string;
  /** By path, `/assets/...`; the name has a hash of the content. */
  readonly assets: ReadonlyMap<string, Asset>;
}

/** @throws if the page has not been built */
export function loadPages(): Pages {
  const assets = loadAssets();
  return {
    index: (view, now) => indexPage(assets, view, now),
    sensor: (view, sensor, series, now, asked) =>
      sensorPage(assets, view, sensor, series, now, asked),
    notFound: () => notFoundPage(assets),
    assets: assets.files,
  };
}

interface Frame {
  readonly kind: 'board' | 'sensor' | 'none';
  readonly title: string;
  /** Of the board; empty: it is not known. */
  readonly board: string;
  readonly now?: number;
  readonly edition?: string;
  readonly modules: readonly string[];
  readonly body: Value;
}

/** `kept` hides what a script replaces, before the first paint: early.js says when. */
function frame(assets: Assets, { kind, title, board, now, edition, modules, body }: Frame): string {
  const charted = kind === 'sensor';
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="description" content="Sensors, live: ${board === '' ? title : board}" />
        <title>${title}</title>
        <link rel="icon" type="image/svg+xml" href="${assets.path('icon.svg')}" />
        ${charted && html`<link rel="stylesheet" href="${assets.path('uPlot.min.css')}" />`}
        <link rel="stylesheet" href="${assets.path('page.css')}" />
        <script src="${assets.path('early.js')}"></script>
        ${modules.map((file) => html`<link rel="modulepreload" href="${assets.path(file)}" /> `)}
        ${kind !== 'none' && html`<script type="module" src="${assets.path('page.js')}"></script>`}
      </head>
      <body
        data-kind="${kind}"
        ${now !== undefined && html` data-now="${now}"`}
        ${edition !== undefined && html` data-edition="${edition}"`}
      >
        <a class="skip" href="#main">Skip to the content</a>
        <header class="top">
          <a class="brand" href="/"
            ><img src="${assets.path('icon.svg')}" alt="" width="28" height="28" /><span
              >${board === '' ? 'Board' : board}</span
            ></a
          >
          <div class="tools" id="tools"></div>
        </header>
        ${body}
        <footer class="foot">
          <p>Shown by tidegate: what is here came up one way, and nothing goes down.</p>
          <p><a href="/api/v1/openapi.json">For programs</a></p>
        </footer>
        <p class="unseen" id="said" role="status"></p>
        <p class="unseen" id="called" role="alert"></p>
      </body>
    </html> `.toString();
}

const MODULES = [
  'page.js',
  'words.js',
  'times.js',
  'stream.js',
  'wire.js',
  'shown.js',
  'dom.js',
  'trail.js',
];

function indexPage(assets: Assets, view: BoardView, now: number): string {
  const sensors = view.sensors();
  const plan = planSection(view);
  return frame(assets, {
    kind: 'board',
    title: view.title,
    board: view.title,
    now,
    edition: view.edition,
    modules: [...MODULES, 'theme.js', 'tiles.js'],
    body: html`<main id="main" tabindex="-1">
      <h1 class="unseen">${view.title}</h1>
      ${alarmSection(view.alarms(), now)} ${relaySection(view.relay(), now)}
      <div class="columns" ${plan && html` data-plan=""`}>
        <section class="sensors" aria-labelledby="sensors-title">
          <div class="heading">
            <h2 id="sensors-title">Sensors</h2>
            <div id="finder"></div>
          </div>
          <div id="tiles">${sensorTiles(view, now)}</div>
          ${sensors.length === 0 ? html`<p class="nothing" id="nothing">No sensor has sent anything yet.</p>` : sensorTable(view, now)}
        </section>
        ${plan}
      </div>
    </main>`,
  });
}

function sensorPage(
  assets: Assets,
  view: BoardView,
  sensor: SensorState,
  series: Series | undefined,
  now: number,
  asked: Range | undefined,
): string {
  const shown = asked ?? rangeFor(series?.points ?? [], now);
  const from = now - shown.span;
  const note = series && series.points.length > 0 ? seriesWords(series, from, shown.span) : [];
  const { id, name: title, place, quantity, unit, decimals, value, time } = sensor;
  const zone = view.zones.find((each) => each.id === sensor.zone);
  const about = new Set([place, zone?.name ?? '', quantity === title ? '' : quantity]);
  about.delete('');
  const api = `/api/v1${linkTo(sensor)}`;
  return frame(assets, {
    kind: 'sensor',
    title: `${title} · ${view.title}`,
    board: view.title,
    now,
    edition: view.edition,
    modules: [...MODULES, 'theme.js', 'detail.js', 'chart.js', 'uPlot.esm.js'],
    body: html`<main id="main" tabindex="-1">
      <nav class="back" aria-label="Back"><a href="/" id="back">All sensors</a></nav>
      ${alarmSection(view.alarms(), now, true)} ${relaySection(view.relay(), now)}
      <article
        class="detail"
        id="detail"
        data-id="${id}"
        data-name="${title}"
        data-unit="${unit}"
        data-decimals="${decimals}"
      >
        <header>
          <div>
            <h1>${name(title)}</h1>
            <p class="about">
              ${[...about].map((text, index) => html`${index > 0 && ' · '}${name(text)}`)}
            </p>
          </div>
          <p class="now">
            <span class="value" id="value">${valueWords(value, decimals)}</span
            >${unit !== '' && html`<span class="unit">${unit}</span>`}
            <span class="when" id="when">${age(time, now)}</span>
          </p>
        </header>
        <section class="history" id="history" aria-labelledby="history-title">
          <div class="heading">
            <h2 id="history-title">History</h2>
            <fieldset class="ranges scripts-show">
              <legend class="unseen">Span of time</legend>
              ${RANGES.map((range) => html`<label><input type="radio" name="range" value="${range.id}" ${range === shown && html` checked`} /><span>${range.name}</span></label>`)}
            </fieldset>
            <nav class="ranges scripts-replace" aria-label="Span of time">
              ${RANGES.map((range) => html`<a href="${linkTo(sensor)}?range=${range.id}#history" ${range === shown && html` aria-current="true"`}>${range.name}</a> `)}
            </nav>
          </div>
          <div id="chart">${staticChart(sensor, series, from, now)}</div>
          <p class="history-note" id="history-note" role="status">${sentence(note, now)}</p>
          <dl class="sums" id="sums">${sums(sensor, series)}</dl>
          <div id="values">${seriesTable(sensor, series)}</div>
        </section>
        <section class="facts" aria-labelledby="facts-title">
          <h2 id="facts-title">About this sensor</h2>
          <dl>
            <div>
              <dt>Quantity</dt>
              <dd>${quantity === '' ? '–' : quantity}</dd>
            </div>
            <div>
              <dt>Unit</dt>
              <dd>${unit === '' ? 'none' : unit}</dd>
            </div>
            <div>
              <dt>Newest reading</dt>
              <dd id="moment">${moment(time, now)}</dd>
            </div>
            <div>
              <dt>VSCP class, type</dt>
              <dd>${sensor.vscpClass}, ${sensor.type}</dd>
            </div>
            <div class="wide">
              <dt>GUID</dt>
              <dd><code>${sensor.guid}</code></dd>
            </div>
            <div class="wide">
              <dt>Id</dt>
              <dd><code>${id}</code></dd>
            </div>
          </dl>
          <p class="downloads">
            <a id="csv" href="${api}/readings.csv" download>Readings as CSV</a>
            <a href="${api}">As JSON</a>
          </p>
        </section>
      </article>
    </main>`,
  });
}

function sums(sensor: SensorState, series: Series | undefined): Value {
  const over = series && extent(series.points);
  if (!over) return undefined;
  const measure = (value: number): string => measureWords(value, sensor.decimals, sensor.unit);
  const rows = [
    ['Least', measure(over.least)],
    ['Mean', measure(over.mean)],
    ['Greatest', measure(over.greatest)],
    [areReadings(series) ? 'Readings' : 'Points', countWords(series.points.length)],
  ] as const;
  return rows.map(
    ([title, text]) =>
      html`<div>
        <dt>${title}</dt>
        <dd>${text}</dd>
      </div>`,
  );
}

function notFoundPage(assets: Assets): string {
  return frame(assets, {
    kind: 'none',
    title: 'Not found',
    board: '',
    modules: [],
    body: html`<main id="main" class="lost" tabindex="-1">
      <h1>There is nothing here</h1>
      <p>The page that you asked for does not exist, or the sensor is no longer shown.</p>
      <p><a class="button" href="/">All sensors</a></p>
    </main>`,
  });
}
