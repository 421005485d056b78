/** The sensors of a board by zone: a table without a script, and tiles until scripts have made theirs. */
import type { AlarmLevel, BoardView, SensorState } from '../../sensor/view.js';
import {
  countWords,
  measureWords,
  QUIET_AFTER,
  spark,
  urlPart,
  valueWords,
  zoneLevels,
} from '../../page/words.js';
import { html, type Html } from './html.js';
import { age, name } from './parts.js';

/** More than a screen shows: what is below them is not seen to move when scripts add the rest. */
const MOST_TILES = 48;

interface Group {
  /** Of the zone; empty: of sensors in none. */
  readonly id: string;
  readonly title: string;
  readonly sensors: SensorState[];
}

export function linkTo({ id }: SensorState): string {
  return `/sensors/${urlPart(id)}`;
}

/** Zones in their order, and what is in none at the end; sensors keep theirs. */
function groupsOf(view: BoardView): Group[] {
  const groups = view.zones.map(({ id, name: title }): Group => ({ id, title, sensors: [] }));
  const byZone = new Map(groups.map((group) => [group.id, group]));
  const outside: Group = { id: '', title: groups.length > 0 ? 'Elsewhere' : '', sensors: [] };
  for (const sensor of view.sensors()) (byZone.get(sensor.zone) ?? outside).sensors.push(sensor);
  return [...groups, outside].filter(({ sensors }) => sensors.length > 0);
}

export function sensorTable(view: BoardView, now: number): Html {
  return html`<table class="list scripts-replace">
    <caption class="unseen">
      Sensors, by zone
    </caption>
    <thead>
      <tr>
        <th scope="col">Sensor</th>
        <th scope="col">Place</th>
        <th scope="col" class="number">Value</th>
        <th scope="col">Newest reading</th>
      </tr>
    </thead>
    ${groupsOf(view).map((group) => tableBody(group, now))}
  </table>`;
}

function tableBody({ id, title, sensors }: Group, now: number): Html {
  const heading = html`<tr class="zone-row" ${id !== '' && html` id="zone-${urlPart(id)}"`}>
    <th scope="rowgroup" colspan="4">${name(title)}</th>
  </tr>`;
  return html`<tbody>
    ${title !== '' && heading} ${sensors.map((sensor) => tableRow(sensor, now))}
  </tbody> `;
}

function tableRow(sensor: SensorState, now: number): Html {
  const quiet = now - sensor.time > QUIET_AFTER;
  return html`<tr${quiet && html` class="quiet"`}><th scope="row"><a href="${linkTo(sensor)}">${name(sensor.name)}</a></th><td>${name(sensor.place)}</td><td class="number">${measureWords(sensor.value, sensor.decimals, sensor.unit)}</td><td>${age(sensor.time, now)}</td></tr>
`;
}

/** As tiles.ts of the page makes them, but for their ids, which the table has. */
export function sensorTiles(view: BoardView, now: number): Html[] {
  const levels = zoneLevels(view.alarms());
  let left = MOST_TILES;
  return groupsOf(view).flatMap((group) => {
    const sensors = group.sensors.slice(0, left);
    left -= sensors.length;
    return sensors.length > 0 ? [tileGroup(group, sensors, levels.get(group.id), now)] : [];
  });
}

function tileGroup(
  { id, title, sensors: all }: Group,
  sensors: readonly SensorState[],
  level: AlarmLevel | undefined,
  now: number,
): Html {
  return html`<section data-zone="${id || '-'}"${level && html` data-level="${level}"`}>
    <h3${title === '' && html` class="unseen"`}>${name(title || 'All')} <span class="count">${countWords(all.length)}</span></h3>
    <ul class="tiles">${sensors.map((sensor) => tile(sensor, now))}</ul>
  </section>`;
}

function tile(sensor: SensorState, now: number): Html {
  const { place, value, decimals, unit, time } = sensor;
  const paths = spark(sensor.spark, decimals);
  const quiet = now - time > QUIET_AFTER;
  return html`<li class="tile${quiet && ' quiet'}">
    <h4><a href="${linkTo(sensor)}">${name(sensor.name)}</a></h4>
    <p class="place">${place}</p>
    <p class="reading">
      <span class="value">${valueWords(value, decimals)}</span><span class="unit">${unit}</span>
    </p>
    <svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true">
      ${paths && html`<path class="area" d="${paths.area}" /><path class="line" d="${paths.line}" /><path class="end" d="${paths.end}" />`}
    </svg>
    <p class="when">${age(time, now)}</p>
  </li> `;
}
