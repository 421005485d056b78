/** What the board knows: sensors as they are now, alarms, and what the relay says of itself. */
import { createHash } from 'node:crypto';
import { BEACON_CLASS, BEACON_TYPE, type BeaconPart, decodeBeacon } from '../beacon/beacon.js';
import { CLASS, DATA, readU16, SIZE, TYPE } from '../event/layout.js';
import { secondsOf } from '../event/time.js';
import { formatEvent } from '../event/event.js';
import type { Names } from '../sensor/names.js';
import { Origin, shownValue, timeOf } from '../sensor/reading.js';
import type {
  Alarm,
  BoardCounters,
  BoardView,
  Reading,
  RelayView,
  SensorState,
  Zone,
} from '../sensor/view.js';
import { Alarms } from './alarms.js';
import { Arrived } from './arrived.js';
import { Relays } from './relays.js';
import { Sensors } from './sensors.js';
import { Shown } from './shown.js';

export interface CoreOptions {
  readonly names: Names;
  /** Sensors that are shown at most: a stream of invented GUIDs must not grow the board. */
  readonly sensors: number;
  /** An alarm that nobody has taken back is shown for so long, ms. */
  readonly alarmAge: number;
  /** A relay of which nothing has come for so long is silent, ms. */
  readonly silence: number;
  /** Whether a part of a beacon is its relay's own; without it, all are believed. */
  readonly verify?: (relay: string, part: BeaconPart) => boolean;
}

/** An event that came, as it is to be kept. */
export interface Kept {
  readonly received: number;
  readonly event: string;
  readonly reading?: Reading;
}

export class Core implements BoardView {
  readonly started: number;
  readonly #sensors: Sensors;
  #edition: string;
  readonly #verify: CoreOptions['verify'];
  readonly #origin = new Origin();
  readonly #alarms: Alarms;
  readonly #relays: Relays;
  #revision = 1;
  /** By relay. */
  readonly #arrived = new Map<string, Arrived>();
  readonly #counters = {
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

  /** @param now ms since 1970 */
  constructor(options: CoreOptions, now: number) {
    const { names, alarmAge, silence, verify } = options;
    this.#verify = verify;
    this.#sensors = new Sensors(names, options.sensors);
    this.#edition = editionOf(names);
    this.started = now;
    this.#alarms = new Alarms(names, alarmAge, now);
    this.#relays = new Relays(silence, now);
  }

  get title(): string {
    return this.#sensors.names.title;
  }

  get zones(): readonly Zone[] {
    return this.#sensors.names.zones;
  }

  get edition(): string {
    return this.#edition;
  }

  get revision(): number {
    return this.#revision;
  }

  /** What these names hide is gone; what they have another unit for is gone until its next reading. */
  rename(names: Names): void {
    this.#edition = editionOf(names);
    this.#alarms.rename(names);
    this.#sensors.rename(names, ++this.#revision, this.started);
  }

  sensors(): readonly SensorState[] {
    return this.#sensors.list;
  }

  sensor(id: string): SensorState | undefined {
    return this.#sensors.get(id);
  }

  alarms(): readonly Alarm[] {
    return this.#alarms.list;
  }

  relay(): RelayView {
    return this.#relays.view;
  }

  counters(): BoardCounters {
    return this.#counters;
  }

  /** A relay is connected, or not any more. */
  link(name: string, connected: boolean, now: number): void {
    if (connected) this.#arrivedFrom(name).connected();
    if (this.#relays.link(name, connected, now)) this.#revision++;
  }

  /**
   * What has changed by the clock alone.
   *
   * @param malformed SENDs that were no events, so far
   * @param steady ms since 1970, by a clock that is never set
   */
  tick(now: number, malformed: number, steady = now): void {
    this.#counters.malformed = malformed;
    const silent = this.#relays.tick(now);
    const gone = this.#alarms.expire(steady);
    if (silent || gone) this.#revision++;
  }

  /** The alarms that stand, as text, if they have changed since this was asked last. */
  saveAlarms(): string | undefined {
    return this.#alarms.save();
  }

  /** Those of before this board began. @param text of saveAlarms() @param steady as tick() has it */
  restoreAlarms(text: string, steady: number): void {
    this.#alarms.restore(text, steady);
    this.#alarms.expire(steady);
  }

  /** What a sensor is kept as: a series has one unit, whatever the names file will say. */
  keyOf(id: string): string {
    return `${id}@${this.#sensors.get(id)?.shown?.name ?? ''}`;
  }

  /** Takes readings of before this board began; nobody is told. */
  recall(key: string, readings: readonly Reading[]): void {
    const [id = '', unit = ''] = key.split('@');
    const shown = readings.length > 0 && this.#sensors.assume(id, unit);
    if (!shown || !this.#admit(shown, this.started)) return;
    // Of a clock that was ahead: what comes now is newer.
    for (const { time, value } of readings)
      shown.take(Math.min(time, this.started), value, this.started);
  }

  /**
   * Takes an event whose binary form is at the beginning of `body`.
   *
   * @param steady as tick() has it
   * @returns what is to be kept of it; undefined: it came before, is the relay's own, or hidden
   */
  take(body: Uint8Array, relay: string, now: number, steady = now): Kept | undefined {
    const counters = this.#counters;
    counters.events++;
    if (this.#relays.heard(relay, now)) this.#revision++;
    if (readU16(body, CLASS) === BEACON_CLASS && readU16(body, TYPE) === BEACON_TYPE) {
      const beacon = decodeBeacon(body.subarray(DATA, DATA + readU16(body, SIZE)));
      if (beacon && this.#verify?.(relay, beacon) === false) {
        counters.unverified++;
        counters.other++;
        return undefined;
      }
      if (beacon) {
        counters.beacons++;
        if (this.#relays.note(relay, beacon, now)) this.#revision++;
        return undefined;
      }
    }
    const event = formatEvent(body);
    // Without a time of its own, one that is equal may be another.
    if (secondsOf(body, 0) >= 0 && this.#arrivedFrom(relay).again(event)) {
      counters.duplicates++;
      return undefined;
    }
    this.#relays.take(relay);
    const origin = this.#origin;
    origin.read(body);
    if (this.#sensors.isHidden(origin)) {
      counters.other++;
      return undefined;
    }
    const time = timeOf(body, 0, now);
    if (this.#alarms.take(origin, time, now, steady)) {
      counters.alarms++;
      this.#revision++;
      return { received: now, event };
    }
    const reading = this.#read(origin, time, now);
    if (reading) counters.readings++;
    else counters.other++;
    return { received: now, event, ...(reading && { reading }) };
  }

  #read(origin: Origin, time: number, now: number): Reading | undefined {
    if (Number.isNaN(origin.value)) return undefined;
    const known = this.#sensors.get(origin.id);
    const shown = known ?? new Shown(origin, this.#sensors.names);
    const value = shownValue(origin, shown.shown);
    if (Number.isNaN(value) || (!known && !this.#admit(shown, now))) return undefined;
    if (shown.take(time, value, now)) shown.revision = ++this.#revision;
    return { sensor: this.keyOf(shown.id), time, value };
  }

  #admit(shown: Shown, now: number): boolean {
    const admitted = this.#sensors.admit(shown, now);
    if (!admitted) this.#counters.unshown++;
    return admitted;
  }

  #arrivedFrom(relay: string): Arrived {
    let arrived = this.#arrived.get(relay);
    if (!arrived) this.#arrived.set(relay, (arrived = new Arrived()));
    return arrived;
  }
}

function editionOf(names: Names): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('base64url').slice(0, 12);
}
