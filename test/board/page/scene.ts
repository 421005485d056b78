/** A plant with zones, sensors, a relay and alarms, for tests and screenshots. */
import type { Sensor, Zone } from '../../../src/sensor/view.js';
import { FakeHistory, FakeView, fakeSensor } from '../fake.js';

const MINUTE = 60_000;
const ZONES: readonly Zone[] = [
  { id: 'hall', name: 'Hall', position: { x: 26, y: 24 } },
  { id: 'boiler', name: 'Boiler room', position: { x: 72, y: 20 } },
  { id: 'cold', name: 'Cold store', position: { x: 28, y: 70 } },
];

interface Plan {
  readonly quantity: string;
  readonly unit: string;
  readonly decimals: number;
  readonly place: string;
  readonly zone: string;
  readonly mean: number;
  readonly swing: number;
  readonly position?: { readonly x: number; readonly y: number };
}

const PLANS: readonly Plan[] = [
  plan('Temperature', '°C', 1, 'Hall, north wall', 'hall', 21.4, 0.8),
  plan('Humidity', '%', 0, 'Hall, north wall', 'hall', 48, 4),
  plan('Illuminance', 'lx', 0, 'Hall, roof', 'hall', 12_400, 900),
  plan('Temperature, flow', '°C', 1, 'Boiler 1', 'boiler', 64.2, 3),
  plan('Pressure', 'bar', 2, 'Boiler 1', 'boiler', 1.82, 0.06),
  plan('Power', 'kW', 1, 'Boiler 1', 'boiler', 18.6, 5),
  plan('Temperature', '°C', 1, 'Cold store, door', 'cold', -18.3, 1.1),
  plan('Temperature', '°C', 1, 'Cold store, back', 'cold', -20.1, 0.5),
  { ...plan('Temperature', '°C', 1, 'Roof, outside', '', 4.7, 1.5), position: { x: 80, y: 52 } },
  { ...plan('Wind speed', 'm/s', 1, 'Roof, outside', '', 5.2, 3), position: { x: 66, y: 84 } },
];

function plan(
  quantity: string,
  unit: string,
  decimals: number,
  place: string,
  zone: string,
  mean: number,
  swing: number,
): Plan {
  return { quantity, unit, decimals, place, zone, mean, swing };
}

function valueAt({ mean, swing }: Plan, index: number, time: number): number {
  const minutes = time / MINUTE;
  const slow = Math.sin(minutes / 97 + index) + 0.4 * Math.sin(minutes / 23 + 2 * index);
  const noise = Math.sin(Math.floor(minutes) * 12.9898 + index * 78.233) * 43_758.5453;
  return mean + swing * (0.7 * slow + 0.16 * (noise - Math.floor(noise) - 0.5));
}

export interface Scene {
  readonly view: FakeView;
  readonly history: FakeHistory;
  readonly sensors: readonly Sensor[];
  /** Another reading of every sensor. */
  step(time: number): void;
}

/** @param hours of history that every sensor has, a reading a minute */
export function plantScene(now: number, hours = 24): Scene {
  const view = new FakeView();
  const history = new FakeHistory();
  view.title = 'Harbour works';
  view.started = now - 30 * 60 * MINUTE;
  view.zones = ZONES;
  const sensors = PLANS.map((each, index) => {
    const { quantity, unit, decimals, place, zone } = each;
    const more = { name: quantity, quantity: quantity.split(',')[0]!, unit, decimals, place, zone };
    const position = each.position ? { position: each.position } : {};
    return fakeSensor(index, { ...more, ...position });
  });
  PLANS.forEach((each, index) => {
    const { id } = sensors[index]!;
    for (let minute = 0; minute < hours * 60; minute++)
      history.add(
        id,
        now - (hours * 60 - minute) * MINUTE,
        valueAt(each, index, now - (hours * 60 - minute) * MINUTE),
      );
    view.show(sensors[index]!, valueAt(each, index, now - 40 * MINUTE));
    for (let minute = 30; minute > 0; minute--)
      view.read(id, valueAt(each, index, now - minute * MINUTE), now - minute * MINUTE);
    view.read(id, valueAt(each, index, now), now - 1000 * (index % 4) - 500);
  });
  view.setRelay({
    state: 'live',
    since: now - 26 * 60 * MINUTE,
    name: 'harbour-1',
    beacon: now - 12_000,
    expected: 12_034,
    missing: 0,
  });
  const about = { place: 'Boiler room', zone: 'boiler' };
  view.raise({
    ...about,
    level: 'warning',
    name: 'Flow temperature high',
    since: now - 9 * MINUTE,
    time: now - 4 * MINUTE,
    count: 3,
  });
  view.raise({
    name: 'Door open too long',
    place: 'Cold store, door',
    zone: 'cold',
    since: now - 2 * MINUTE,
    time: now - 2 * MINUTE,
  });
  const step = (time: number): void =>
    PLANS.forEach((each, index) => {
      view.read(sensors[index]!.id, valueAt(each, index, time), time);
      history.add(sensors[index]!.id, time, valueAt(each, index, time));
    });
  return { view, history, sensors, step };
}
