/** The plan: zones and sensors where they are, as an SVG whose texts keep their size. */
import type { AlarmLevel, BoardView, Position, SensorState, Zone } from '../../sensor/view.js';
import { measureWords, urlPart, zoneLevels } from '../../page/words.js';
import { html, type Html } from './html.js';

/** Of characters; what is longer is cut off, and whole in its title. */
const LONGEST_NAME = 18;
/** Values under the name of a zone, if they are no longer together than so many characters. */
const VALUES_SHOWN = 2;
const LONGEST_VALUES = 30;
const SEGMENTER = new Intl.Segmenter();
/** px: about the width of a character, a card's room around them, and what is left to the edge. */
const CHARACTER = 7.2;
const PADDING = 24;
const MARGIN = 4;
/** px: of a sensor's spot with its two lines. */
const SPOT = { width: 24, height: 34 } as const;
/** px: the least that page.css makes of the ground, on a screen of 320 px. */
const GROUND = { width: 284, height: 300 } as const;

/** Undefined if nothing has a position. */
export function planSection(view: BoardView): Html | undefined {
  const sensors = view.sensors();
  const placed = sensors.filter(({ position }) => position !== undefined);
  const zones = view.zones.filter(({ position }) => position !== undefined);
  if (placed.length + zones.length === 0) return undefined;
  const levels = zoneLevels(view.alarms());
  return html`<section class="plan" id="plan" aria-labelledby="plan-title">
    <h2 id="plan-title">Plan</h2>
    <div class="ground">
      <svg class="map" role="group" aria-label="Zones and sensors by position">
        <defs>
          <pattern id="grid" width="24" height="24" patternUnits="userSpaceOnUse">
            <path class="grid-line" d="M24 .5H.5V24" />
          </pattern>
        </defs>
        <rect width="100%" height="100%" fill="url(#grid)" />
        ${zones.map((zone) => zoneCard(zone, sensors, levels.get(zone.id)))}
        ${placed.map(sensorDot)}
      </svg>
    </div>
  </section>`;
}

function zoneCard(zone: Zone, sensors: readonly SensorState[], level?: AlarmLevel): Html {
  const inside = sensors.filter((sensor) => sensor.zone === zone.id && !sensor.position);
  const texts = inside
    .slice(0, VALUES_SHOWN)
    .map(({ value, decimals, unit }) => measureWords(value, decimals, unit));
  const values = texts.join(' · ').length > LONGEST_VALUES ? texts.slice(0, 1) : texts;
  const title = short(zone.name);
  const length = Math.max(title.length, values.join(' · ').length);
  const width = Math.round(length * CHARACTER + PADDING);
  const height = values.length > 0 ? 48 : 30;
  const link = `#zone-${urlPart(zone.id)}`;
  return html`<svg
    class="zone"
    x="${percent(zone.position!.x)}"
    y="${percent(zone.position!.y)}"
    data-zone="${zone.id}"
    ${level && html` data-level="${level}"`}
  >
    <a href="${link}" transform="${inwards(zone.position!, width, height)}">
      <title>${zone.name}</title>
      <rect x="${-width / 2}" y="${-height / 2}" width="${width}" height="${height}" rx="8" />
      <text class="zone-name" y="${values.length > 0 ? -5 : 5}">${title}</text>
      ${values.length > 0 && html`<text class="zone-values" y="14">${values.map((text, index) => html`${index > 0 && ' · '}<tspan data-measure="${inside[index]!.id}">${text}</tspan>`)}</text>`}
    </a>
  </svg>`;
}

function sensorDot(sensor: SensorState): Html {
  const { id, name, value, decimals, unit, position } = sensor;
  const text = measureWords(value, decimals, unit);
  const right = position!.x > 50;
  const x = right ? -12 : 12;
  return html`<svg class="spot" x="${percent(position!.x)}" y="${percent(position!.y)}">
    <a href="/sensors/${urlPart(id)}" transform="${inwards(position!, SPOT.width, SPOT.height)}">
      <title>${name}</title>
      <circle r="12" class="reach" />
      <circle r="5" class="dot" />
      <text x="${x}" y="-1" ${right && html` class="left"`} data-measure="${id}">${text}</text>
      <text x="${x}" y="14" class="spot-name${right && ' left'}">${short(name)}</text>
    </a>
  </svg>`;
}

/** From a point of the plan, around which something is drawn: so far that nothing is cut off. */
function inwards({ x, y }: Position, width: number, height: number): string {
  const shift = (at: number, size: number, ground: number): number => {
    const lacks = (share: number): number =>
      Math.max(0, Math.ceil(size / 2 + MARGIN - (share / 100) * ground));
    return lacks(within(at)) - lacks(100 - within(at));
  };
  return `translate(${shift(x, width, GROUND.width)} ${shift(y, height, GROUND.height)})`;
}

function percent(value: number): string {
  return `${within(value)}%`;
}

function within(value: number): number {
  return Math.min(100, Math.max(0, value || 0));
}

function short(name: string): string {
  const characters = Array.from(
    SEGMENTER.segment(name.slice(0, 8 * LONGEST_NAME)),
    (each) => each.segment,
  );
  return characters.length <= LONGEST_NAME
    ? name
    : `${characters.slice(0, LONGEST_NAME - 1).join('')}…`;
}
