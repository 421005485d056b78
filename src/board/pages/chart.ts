/** A chart without a script: the mean as a line, least and greatest as a band. */
import type { SensorState, Series } from '../../sensor/view.js';
import { extent, gapOf, measureWords } from '../../page/words.js';
import { html, type Html } from './html.js';
import { moment } from './parts.js';

const WIDTH = 1000;
const HEIGHT = 250;
/** Rows of the table, the newest. */
const ROWS = 300;

export function staticChart(sensor: SensorState, series: Series | undefined): Html {
  const over = series && extent(series.points);
  if (!series || !over) return html`<p class="no-chart">No history is kept of this sensor yet.</p>`;
  const { points } = series;
  const begin = points[0]![0];
  const end = points.at(-1)![0];
  const measure = (value: number): string => measureWords(value, sensor.decimals, sensor.unit);
  const x = (time: number): string =>
    number(end > begin ? (time - begin) / (end - begin) : 0.5, WIDTH);
  const span = over.greatest - over.least;
  const usable = span > 0 && Number.isFinite(span);
  const y = (value: number): string =>
    number(usable ? (over.greatest - value) / span : 0.5, HEIGHT);
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
    <span class="most">${measure(over.greatest)}</span>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="Between ${measure(over.least)} and ${measure(over.greatest)}"
    >
      <path class="band" d="${band}" />
      <path class="line" d="${line}" />
    </svg>
    <span class="least">${measure(over.least)}</span>
    <figcaption>${moment(begin)} ${moment(end)}</figcaption>
  </figure>`;
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

function number(share: number, of: number): string {
  return String(Math.round(share * of * 10) / 10);
}
