/** A chart without a script: the mean as a line, least and greatest as a band, times in UTC. */
import type { SensorState, Series } from '../../sensor/view.js';
import { extent, gapOf, measureWords, scaleOf } from '../../page/words.js';
import { html, type Html } from './html.js';
import { moment } from './parts.js';

const WIDTH = 1000;
const HEIGHT = 250;
const DAY = 86_400_000;
/** At its quarters. */
const GRID = `M250 0V${HEIGHT}M500 0V${HEIGHT}M750 0V${HEIGHT}`;
/** Rows of the table, the newest. */
const ROWS = 300;

/** @param from ms since 1970, as `to`: the chart's first and last moment, whatever history there is */
export function staticChart(
  sensor: SensorState,
  series: Series | undefined,
  from: number,
  to: number,
): Html {
  const over = series && extent(series.points);
  if (!series || !over) return html`<p class="no-chart">No history is kept of this sensor yet.</p>`;
  const measure = (value: number): string => measureWords(value, sensor.decimals, sensor.unit);
  const [low, high] = scaleOf(over.least, over.greatest, sensor.decimals);
  const usable = high > low && Number.isFinite(high - low);
  const x = (time: number): string => number((time - from) / (to - from), WIDTH);
  const y = (value: number): string => number(usable ? (high - value) / (high - low) : 0.5, HEIGHT);
  const line = runs(series)
    .map((run) => `M${run.map(([time, mean]) => `${x(time)} ${y(mean)}`).join('L')}h0`)
    .join('');
  const band = runs(series)
    .map((run) => {
      const above = run.map(([time, , , high]) => `${x(time)} ${y(high)}`);
      const below = run.map(([time, , low]) => `${x(time)} ${y(low)}`).reverse();
      return `M${[...above, ...below].join('L')}Z`;
    })
    .join('');
  return html`<figure class="static-chart">
    <p><span>${measure(high)}</span> <span>Times are in UTC</span></p>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="Between ${measure(over.least)} and ${measure(over.greatest)}"
    >
      <path class="grid" d="${GRID}" />
      <path class="band" d="${band}" />
      <path class="line" d="${line}" />
    </svg>
    <p>${measure(low)}</p>
    <figcaption>${[from, (from + to) / 2, to].map((time) => tick(time, to - from))}</figcaption>
  </figure>`;
}

function tick(time: number, span: number): Html {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return html`<span></span>`;
  const words = date.toLocaleString('en-GB', {
    timeZone: 'UTC',
    day: 'numeric',
    month: 'short',
    ...(span > DAY ? { year: 'numeric' } : { hour: '2-digit', minute: '2-digit' }),
  });
  return html`<time datetime="${date.toISOString()}">${words}</time> `;
}

/** Between gaps. */
function runs(series: Series): Series['points'][] {
  const gap = gapOf(series);
  const found: Series['points'][number][][] = [];
  series.points.forEach((point, index) => {
    const before = series.points[index - 1];
    if (!before || point[0] - before[0] > gap) found.push([]);
    found.at(-1)!.push(point);
  });
  return found;
}

/** Newest first. */
export function seriesTable(sensor: SensorState, series: Series | undefined): Html | false {
  if (!series || series.points.length === 0) return false;
  const { points, resolution } = series;
  const measure = (value: number): string => measureWords(value, sensor.decimals, sensor.unit);
  const spread = points.some(([, , low, high]) => low !== high);
  const rows = points.slice(-ROWS).reverse();
  const per = { raw: 'reading', hour: 'hour', day: 'day' }[resolution];
  const most = points.length > ROWS && html` (the newest ${ROWS} of ${points.length})`;
  return html`<details class="values">
    <summary>Values as a table${most}</summary>
    <table>
      <thead>
        <tr>
          <th scope="col">Time${spread && ` (by ${per})`}</th>
          <th scope="col">${spread ? 'Mean' : 'Value'}</th>
          ${
            spread &&
            html`<th scope="col">Least</th>
              <th scope="col">Greatest</th>`
          }
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([time, mean, low, high]) =>
            html`<tr>
              <td>${moment(time)}</td>
              <td>${measure(mean)}</td>
              ${
                spread &&
                html`<td>${measure(low)}</td>
                  <td>${measure(high)}</td>`
              }
            </tr> `,
        )}
      </tbody>
    </table>
  </details>`;
}

/** A point by the hour may begin before the chart does. */
function number(share: number, of: number): string {
  return String(Math.round(Math.min(1, Math.max(0, share || 0)) * of * 10) / 10);
}
