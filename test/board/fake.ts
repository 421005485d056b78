/** A board that tests set as they like, and a history of arrays: what pages and API are given. */
import type { LinkCounters } from '../../src/board/link/server.js';
import type {
  Alarm,
  BoardCounters,
  BoardView,
  EventPage,
  HistoryCounters,
  HistoryReader,
  KeptEvent,
  Reading,
  RelayView,
  Resolution,
  Sensor,
  SensorState,
  Series,
  Zone,
} from '../../src/sensor/view.js';

/** Noon of a day in UTC, ms since 1970. */
export const NOON = Date.UTC(2026, 2, 1, 12);
const GUID = 'fffffffffffffffeb827eb1020000001';
const SPARK = 30;
const STEPS = { raw: 1, hour: 3_600_000, day: 86_400_000 } as const;

/** A thermometer; `index` makes it another one. */
export function fakeSensor(index = 0, more: Partial<Sensor> = {}): Sensor {
  return {
    id: `10.6.${GUID}.${index}`,
    name: `Temperature, sensor ${index}`,
    place: 'Hall',
    zone: '',
    quantity: 'Temperature',
    unit: '°C',
    decimals: 1,
    vscpClass: 10,
    type: 6,
    guid: GUID,
    ...more,
  };
}

/** Of no relay and no sensor, until a test says otherwise. */
export class FakeView implements BoardView {
  title = 'A board';
  edition = 'first';
  started = NOON;
  zones: readonly Zone[] = [];
  revision = 0;
  readonly #sensors = new Map<string, SensorState>();
  #alarms: readonly Alarm[] = [];
  #relay: RelayView = {
    state: 'never',
    since: NOON,
    name: '',
    beacon: 0,
    expected: 0,
    missing: 0,
    silent: [],
  };
  #counters: BoardCounters = {
    events: 0,
    readings: 0,
    alarms: 0,
    beacons: 0,
    other: 0,
    duplicates: 0,
    malformed: 0,
    unshown: 0,
    unverified: 0,
  };

  /** With `count` thermometers, each of which has a reading. */
  static of(count: number): FakeView {
    const view = new FakeView();
    for (let index = 0; index < count; index++) view.show(fakeSensor(index), 20 + index / 10);
    return view;
  }

  /** Shows a sensor, or changes what is known of it. */
  show(sensor: Sensor, value = 20, time = NOON): SensorState {
    const revision = ++this.revision;
    const state = { ...sensor, value, time, spark: [value], revision };
    this.#sensors.set(sensor.id, state);
    return state;
  }

  /** A reading of a sensor that is shown. */
  read(id: string, value: number, time?: number): SensorState {
    const before = this.#sensors.get(id);
    if (!before) throw new Error(`no sensor ${id}: show it first`);
    const spark = [...before.spark, value].slice(-SPARK);
    const revision = ++this.revision;
    const state = { ...before, value, time: time ?? before.time + 1000, spark, revision };
    this.#sensors.set(id, state);
    this.#counters = {
      ...this.#counters,
      events: this.#counters.events + 1,
      readings: this.#counters.readings + 1,
    };
    return state;
  }

  setAlarms(alarms: readonly Alarm[]): void {
    this.#alarms = alarms;
    this.revision++;
  }

  /** An alarm that is the newest; what is not said of it is made up. */
  raise(alarm: Partial<Alarm> = {}): Alarm {
    const raised: Alarm = {
      id: (this.#alarms[0]?.id ?? 0) + 1,
      level: 'alarm',
      name: 'Fire alarm, hall',
      place: 'Hall',
      zone: '',
      since: NOON,
      time: NOON,
      count: 1,
      ...alarm,
    };
    this.setAlarms([raised, ...this.#alarms]);
    return raised;
  }

  setRelay(relay: Partial<RelayView>): void {
    this.#relay = { ...this.#relay, ...relay };
    this.revision++;
  }

  setCounters(counters: Partial<BoardCounters>): void {
    this.#counters = { ...this.#counters, ...counters };
  }

  sensors(): readonly SensorState[] {
    return [...this.#sensors.values()];
  }

  sensor(id: string): SensorState | undefined {
    return this.#sensors.get(id);
  }

  alarms(): readonly Alarm[] {
    return this.#alarms;
  }

  relay(): RelayView {
    return this.#relay;
  }

  counters(): BoardCounters {
    return this.#counters;
  }
}

/** What is asked of it is counted; it fails, or waits, as long as a test wants. */
export class FakeHistory implements HistoryReader {
  /** Why everything that is asked rejects. */
  trouble: Error | undefined;
  /** What every answer waits for. */
  gate: Promise<void> | undefined;
  readonly asked = { series: 0, readings: 0, events: 0 };
  counters: HistoryCounters = {
    added: 0,
    kept: 0,
    dropped: 0,
    waiting: 0,
    readings: 0,
    duplicates: 0,
    late: 0,
    refused: 0,
    restarts: 0,
    questions: 0,
    busy: 0,
    slow: 0,
  };
  readonly #readings = new Map<string, Reading[]>();
  readonly #events: KeptEvent[] = [];
  /** Events that are gone already. */
  #forgotten = 0;

  /** Keeps a reading, and an event for it. */
  add(sensor: string, time: number, value: number): void {
    const readings = this.#readings.get(sensor) ?? [];
    this.#readings.set(sensor, readings);
    readings.push({ sensor, time, value });
    readings.sort((a, b) => a.time - b.time);
    this.addEvent(`0,10,6,0,,0,-,0x80,0x${readings.length.toString(16)}`, time, { sensor, value });
  }

  addEvent(event: string, received = NOON, of: { sensor?: string; value?: number } = {}): void {
    const id = this.#forgotten + this.#events.length + 1;
    this.#events.push({ id, received, event, ...of });
  }

  /** The oldest events go. */
  forget(count: number): void {
    this.#forgotten += this.#events.splice(0, count).length;
  }

  async series(
    sensor: string,
    from: number,
    to: number,
    most: number,
    resolution?: Resolution,
  ): Promise<Series> {
    this.asked.series++;
    await this.#answer();
    const readings = this.#within(sensor, from, to);
    let chosen: Resolution = 'day';
    let points: Series['points'] = [];
    for (const each of resolution ? [resolution] : (['raw', 'hour', 'day'] as const)) {
      chosen = each;
      points = summarise(readings, STEPS[each]);
      if (points.length <= most) break;
    }
    // A fake does not thin: it leaves out.
    const every = Math.ceil(points.length / most);
    return { sensor, resolution: chosen, points: points.filter((_, i) => i % every === 0) };
  }

  async readings(
    sensor: string,
    from: number,
    to: number,
    limit: number,
  ): Promise<readonly Reading[]> {
    this.asked.readings++;
    await this.#answer();
    return this.#within(sensor, from, to).slice(0, limit);
  }

  async events(since: number, limit: number): Promise<EventPage> {
    this.asked.events++;
    await this.#answer();
    const events = this.#events.filter(({ id }) => id > since).slice(0, limit);
    const next = events.at(-1)?.id ?? since;
    return { events, next, gap: since < this.#forgotten };
  }

  async #answer(): Promise<void> {
    await this.gate;
    if (this.trouble) throw this.trouble;
  }

  #within(sensor: string, from: number, to: number): Reading[] {
    const readings = this.#readings.get(sensor) ?? [];
    return readings.filter(({ time }) => time >= from && time <= to);
  }
}

function summarise(readings: readonly Reading[], step: number): Series['points'] {
  const buckets = new Map<number, number[]>();
  for (const { time, value } of readings) {
    const start = Math.floor(time / step) * step;
    const values = buckets.get(start);
    if (values) values.push(value);
    else buckets.set(start, [value]);
  }
  return [...buckets].map(([start, values]) => {
    const sum = values.reduce((total, value) => total + value, 0);
    return [start, sum / values.length, Math.min(...values), Math.max(...values)] as const;
  });
}

/** Of a link that nobody has come to. */
export function noLinks(): LinkCounters {
  return {
    ...{ open: 0, sessions: 0, connections: 0, refused: 0, readers: 0, handshakes: 0 },
    ...{ untrusted: 0, logins: 0, passwords: 0, certificates: 0, late: 0, events: 0 },
    ...{ malformed: 0, overlong: 0, dropped: 0, stalled: 0 },
  };
}
