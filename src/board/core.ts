/** What the board knows: sensors as they are now, alarms, and what the relay says of itself. */
import { createHash } from 'node:crypto';
import { BEACON_CLASS, BEACON_TYPE, decodeBeacon } from '../beacon/beacon.js';
import { CLASS, DATA, readU16, SIZE, TYPE } from '../event/layout.js';
import { formatEvent } from '../event/event.js';
import type { Unit } from '../policy/units.js';
import { namingOf, type Names } from '../sensor/names.js';
import { Origin, shownUnit, shownValue, timeOf } from '../sensor/reading.js';
import type {
  Alarm,
  BoardCounters,
  BoardView,
  Reading,
  RelayView,
  Sensor,
  SensorState,
  Zone,
} from '../sensor/view.js';
import { quantityOf, symbolOf } from '../sensor/words.js';
import { Alarms } from './alarms.js';
import { Arrived } from './arrived.js';
import { Relays } from './relays.js';

export interface CoreOptions {
  readonly names: Names;
  /** Sensors that are shown at most: a stream of invented GUIDs must not grow the board. */
  readonly sensors: number;
  /** An alarm that nobody has taken back is shown for so long, ms. */
  readonly alarmAge: number;
  /** A relay of which nothing has come for so long is silent, ms. */
  readonly silence: number;
}

/** An event that came, as it is to be kept. */
export interface Kept {
  readonly received: number;
  readonly event: string;
  readonly reading?: Reading;
}

/** Points of a sensor's small line, one in so many ms. */
const SPARK = 30;
const SPARK_EVERY = 10_000;
/** Sensors of which it is remembered whether they are hidden, so that they are looked up once. */
const MAX_LOOKED_UP = 65_536;
const MAX_DECIMALS = 3;
/** ms of silence after which a sensor without a name gives way to another, when there are too many. */
const OLD = 86_400_000;
/** ms between two looks for one. */
const LOOK_AGAIN = 60_000;

/** What is shown of a sensor, changed in place: ten thousand events a second make no garbage of it. */
class Shown implements SensorState {
  readonly id: string;
  readonly name: string;
  readonly place: string;
  readonly zone: string;
  readonly quantity: string;
  readonly unit: string;
  readonly position?: NonNullable<Sensor['position']>;
  readonly vscpClass: number;
  readonly type: number;
  readonly guid: string;
  decimals: number;
  value = NaN;
  time = 0;
  spark: number[] = [];
  revision = 0;
  /** That values are shown in. */
  readonly shown: Unit | undefined;
  /** Of the names file; behind all of them: none. */
  readonly entry: number;
  readonly #fixed: boolean;
  #bucket = -1;

  constructor(origin: Origin, names: Names) {
    const [naming, entry] = namingOf(names, origin);
    const { vscpClass, type, guid, index, zone } = origin;
    const quantity = quantityOf(vscpClass, type);
    const known = names.zones.find(({ id }) => id === naming?.zone);
    this.id = origin.id;
    this.entry = entry;
    this.shown = shownUnit(origin, naming?.unit);
    this.name = naming?.name ?? `${quantity}, sensor ${Math.max(0, index)}`;
    this.place = naming?.place ?? known?.name ?? (zone >= 0 ? `Zone ${zone}` : nodeOf(guid));
    this.zone = naming?.zone ?? '';
    this.quantity = quantity;
    this.unit = this.shown ? symbolOf(this.shown.name) : '';
    if (naming?.position) this.position = naming.position;
    this.vscpClass = vscpClass;
    this.type = type;
    this.guid = guid;
    this.decimals = naming?.decimals ?? 0;
    this.#fixed = naming?.decimals !== undefined;
  }

  /** Goes on where the one of before the names changed has ended. */
  adopt(before: Shown): void {
    this.value = before.value;
    this.time = before.time;
    this.spark = before.spark;
    if (!this.#fixed) this.decimals = before.decimals;
    this.#bucket = before.#bucket;
  }

  /** Takes a reading; false if a newer one is there. */
  take(time: number, value: number): boolean {
    if (time < this.time) return false;
    this.value = value;
    this.time = time;
    if (!this.#fixed) this.decimals = Math.max(this.decimals, decimalsOf(value));
    const bucket = Math.floor(time / SPARK_EVERY);
    if (bucket === this.#bucket) this.spark.pop();
    else if (this.spark.length >= SPARK) this.spark.shift();
    this.#bucket = bucket;
    this.spark.push(value);
    return true;
  }
}

/** The node that a GUID ends with (specification, "Globally unique identifiers"). */
function nodeOf(guid: string): string {
  return `Node ${guid.slice(24, 28)}:${guid.slice(28)}`.replace('Node 0000:', 'Node ');
}

function decimalsOf(value: number): number {
  for (let digits = 0; digits < MAX_DECIMALS; digits++) {
    if (Number(value.toFixed(digits)) === value) return digits;
  }
  return MAX_DECIMALS;
}

export class Core implements BoardView {
  readonly started: number;
  readonly #options: CoreOptions;
  #names: Names;
  #edition: string;
  readonly #origin = new Origin();
  readonly #sensors = new Map<string, Shown>();
  #sorted: readonly Shown[] | undefined;
  #unnamed = 0;
  /** When none of them was old enough to give way. */
  #noneOld = -Infinity;
  readonly #hidden = new Map<string, boolean>();
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
  };

  /** @param now ms since 1970 */
  constructor(options: CoreOptions, now: number) {
    const { names, alarmAge, silence } = options;
    this.#options = options;
    this.#names = names;
    this.#edition = editionOf(names);
    this.started = now;
    this.#alarms = new Alarms(names, alarmAge);
    this.#relays = new Relays(silence, now);
  }

  get title(): string {
    return this.#names.title;
  }

  get zones(): readonly Zone[] {
    return this.#names.zones;
  }

  get edition(): string {
    return this.#edition;
  }

  get revision(): number {
    return this.#revision;
  }

  /** What these names hide is gone; what they have another unit for is gone until its next reading. */
  rename(names: Names): void {
    const before = [...this.#sensors.values()];
    this.#names = names;
    this.#edition = editionOf(names);
    this.#alarms.rename(names);
    this.#hidden.clear();
    this.#sensors.clear();
    this.#unnamed = 0;
    this.#sorted = undefined;
    this.#revision++;
    for (const sensor of before) {
      const shown = this.#assume(sensor.id, sensor.shown?.name ?? '');
      if (!shown || !this.#admit(shown, this.started)) continue;
      shown.adopt(sensor);
      shown.revision = this.#revision;
    }
  }

  sensors(): readonly SensorState[] {
    this.#sorted ??= [...this.#sensors.values()].sort(
      (a, b) =>
        a.entry - b.entry ||
        compare(a.zone, b.zone) ||
        compare(a.quantity, b.quantity) ||
        compare(a.place, b.place) ||
        compare(a.id, b.id),
    );
    return this.#sorted;
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
   */
  tick(now: number, malformed: number): void {
    this.#counters.malformed = malformed;
    const silent = this.#relays.tick(now);
    const gone = this.#alarms.expire(now);
    if (silent || gone) this.#revision++;
  }

  /** The alarms that stand, as text, if they have changed since this was asked last. */
  saveAlarms(): string | undefined {
    return this.#alarms.save();
  }

  /** Those of before this board began. @param text of saveAlarms() */
  restoreAlarms(text: string, now: number): void {
    this.#alarms.restore(text);
    this.#alarms.expire(now);
  }

  /** What a sensor is kept as: a series has one unit, whatever the names file will say. */
  keyOf(id: string): string {
    return `${id}@${this.#sensors.get(id)?.shown?.name ?? ''}`;
  }

  /** Takes readings of before this board began; nobody is told. */
  recall(key: string, readings: readonly Reading[]): void {
    const [id = '', unit = ''] = key.split('@');
    const shown = readings.length > 0 && this.#assume(id, unit);
    if (!shown || !this.#admit(shown, this.started)) return;
    // Of a clock that was ahead: what comes now is newer.
    for (const { time, value } of readings) shown.take(Math.min(time, this.started), value);
  }

  /**
   * Takes an event whose binary form is at the beginning of `body`.
   *
   * @returns what is to be kept of it; undefined: it came before, is the relay's own, or hidden
   */
  take(body: Uint8Array, relay: string, now: number): Kept | undefined {
    const counters = this.#counters;
    counters.events++;
    if (this.#relays.heard(relay, now)) this.#revision++;
    if (readU16(body, CLASS) === BEACON_CLASS && readU16(body, TYPE) === BEACON_TYPE) {
      const beacon = decodeBeacon(body.subarray(DATA, DATA + readU16(body, SIZE)));
      if (beacon) {
        counters.beacons++;
        if (this.#relays.note(relay, beacon, now)) this.#revision++;
        return undefined;
      }
    }
    const event = formatEvent(body);
    if (this.#arrivedFrom(relay).again(event)) {
      counters.duplicates++;
      return undefined;
    }
    this.#relays.take(relay);
    const origin = this.#origin;
    origin.read(body);
    if (this.#isHidden(origin)) {
      counters.other++;
      return undefined;
    }
    const time = timeOf(body, 0, now);
    if (this.#alarms.take(origin, time)) {
      counters.alarms++;
      this.#revision++;
      return { received: now, event };
    }
    const reading = this.#read(origin, time, now);
    if (reading) counters.readings++;
    else counters.other++;
    return { received: now, event, ...(reading && { reading }) };
  }

  /** A sensor without any reading; undefined: it is hidden, or shown in another unit. */
  #assume(id: string, unit: string): Shown | undefined {
    const origin = this.#origin;
    if (!origin.assume(id, unit) || this.#isHidden(origin)) return undefined;
    const shown = new Shown(origin, this.#names);
    return (shown.shown?.name ?? '') === unit ? shown : undefined;
  }

  #read(origin: Origin, time: number, now: number): Reading | undefined {
    if (Number.isNaN(origin.value)) return undefined;
    const known = this.#sensors.get(origin.id);
    const shown = known ?? new Shown(origin, this.#names);
    const value = shownValue(origin, shown.shown);
    if (Number.isNaN(value) || (!known && !this.#admit(shown, now))) return undefined;
    if (shown.take(time, value)) shown.revision = ++this.#revision;
    return { sensor: this.keyOf(shown.id), time, value };
  }

  #admit(shown: Shown, now: number): boolean {
    const named = this.#isNamed(shown);
    if (this.#sensors.size >= this.#options.sensors && !this.#makeRoom(named, now)) {
      this.#counters.unshown++;
      return false;
    }
    this.#sensors.set(shown.id, shown);
    if (!named) this.#unnamed++;
    this.#sorted = undefined;
    return true;
  }

  /** By the names file: not invented by whoever can send events. */
  #isNamed({ entry }: Shown): boolean {
    return entry < this.#names.sensors.length;
  }

  /** The one that was silent longest and has no name gives way to a named one, or when it is old. */
  #makeRoom(named: boolean, now: number): boolean {
    if (this.#unnamed === 0 || (!named && Math.abs(now - this.#noneOld) < LOOK_AGAIN)) return false;
    let oldest: Shown | undefined;
    for (const each of this.#sensors.values()) {
      if (!this.#isNamed(each) && each.time < (oldest?.time ?? Infinity)) oldest = each;
    }
    if (!oldest) return false;
    if (!named && now - oldest.time < OLD) {
      this.#noneOld = now;
      return false;
    }
    this.#sensors.delete(oldest.id);
    this.#unnamed--;
    return true;
  }

  #arrivedFrom(relay: string): Arrived {
    let arrived = this.#arrived.get(relay);
    if (!arrived) this.#arrived.set(relay, (arrived = new Arrived()));
    return arrived;
  }

  /** Whether the names file keeps it from the public, as a sensor and as an event. */
  #isHidden(origin: Origin): boolean {
    const { id } = origin;
    const known = this.#hidden.get(id);
    if (known !== undefined) return known;
    const [naming] = namingOf(this.#names, origin);
    const hidden = naming ? naming.hide : !this.#names.showOthers;
    if (this.#hidden.size < MAX_LOOKED_UP) this.#hidden.set(id, hidden);
    return hidden;
  }
}

function editionOf(names: Names): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('base64url').slice(0, 12);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
