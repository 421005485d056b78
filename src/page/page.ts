/** What the board's page does in a browser: it keeps what the server's HTML says up to date. */
import type { SensorState } from '../sensor/view.js';
import { Alarms, Connection, Relay } from './shown.js';
import { Stream } from './stream.js';
import { addThemeSwitch } from './theme.js';
import { growAges, localiseMoments, setClock } from './times.js';
import { rememberOpened } from './trail.js';
import { getAlarms, getRelay, getSensor, getSensors } from './wire.js';

interface View {
  /** All that it shows, anew. */
  refresh(): Promise<void>;
  change(sensors: readonly SensorState[]): void;
  /** The colours changed. */
  draw(): void;
}

const root = document.documentElement;

async function boardView(): Promise<View> {
  const { Tiles, showOnPlan } = await import('./tiles.js');
  const tiles = new Tiles();
  rememberOpened();
  return {
    async refresh() {
      const asked = performance.now();
      const { zones, sensors } = await getSensors();
      tiles.showAll(zones, sensors, asked);
      showOnPlan(sensors);
    },
    change(sensors) {
      tiles.change(sensors);
      showOnPlan(sensors);
    },
    draw: () => undefined,
  };
}

async function sensorView(): Promise<View> {
  const { Detail } = await import('./detail.js');
  const detail = new Detail();
  return {
    async refresh() {
      const [sensor] = await Promise.all([getSensor(detail.id), detail.load()]);
      if (sensor) detail.change(sensor);
    },
    change: (sensors) => sensors.forEach((sensor) => detail.change(sensor)),
    draw: () => detail.draw(),
  };
}

/** A page is at most a second old when it comes; many pages shall not all come back at once. */
const RELOAD_AFTER = 2000;
const RELOAD_SPREAD = 4000;
let reloading = false;

/** What sensors are called, or the plan, has changed. */
function reloadFor(edition: string): void {
  if (reloading || edition === document.body.dataset['edition']) return;
  reloading = true;
  setTimeout(() => location.reload(), RELOAD_AFTER + Math.random() * RELOAD_SPREAD);
}

/** The server's table stays until there is something in its place. */
async function begin(): Promise<void> {
  const served = Number(document.body.dataset['now']);
  if (served > 0) setClock(served);
  localiseMoments();
  growAges();
  const view = document.body.dataset['kind'] === 'sensor' ? await sensorView() : await boardView();
  addThemeSwitch(() => view.draw());
  const alarms = new Alarms();
  const relay = new Relay();
  const connection = new Connection(() => stream.retry());
  const stream: Stream = new Stream({
    sensors(changed) {
      view.change(changed);
      // A sensor may be the first of its zone.
      alarms.mark();
    },
    alarms: (all) => alarms.show(all),
    relay: (state) => relay.show(state),
    edition: reloadFor,
    async refresh() {
      const [raised, state] = await Promise.all([getAlarms(), getRelay(), view.refresh()]);
      alarms.show(raised);
      relay.show(state);
      root.dataset['scripted'] = '';
      root.dataset['ready'] = '';
      for (const replaced of document.querySelectorAll('.scripts-replace')) replaced.remove();
    },
    live: () => connection.live(),
    lost(since, nextTry) {
      connection.lost(since, nextTry);
      relay.lost();
      if (root.dataset['ready'] === undefined) delete root.dataset['scripted'];
    },
  });
}

void begin();
