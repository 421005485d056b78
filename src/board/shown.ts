/** A sensor as it is shown: its words, its newest value, its small line. */
import type { Unit } from '../policy/units.js';
import { namingOf, type Names } from '../sensor/names.js';
import { type Origin, shownUnit } from '../sensor/reading.js';
import type { Sensor, SensorState } from '../sensor/view.js';
import { nodeWords, quantityOf, symbolOf } from '../sensor/words.js';
import { SPARK, SPARK_EVERY } from './history/time.js';

const MAX_DECIMALS = 3;

/** What is shown of a sensor, changed in place: ten thousand events a second make no garbage of it. */
export class Shown implements SensorState {
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
  /** Whether there is one: it was not invented by whoever can send events. */
  readonly named: boolean;
  readonly #fixed: boolean;
  #bucket = -1;

  constructor(origin: Origin, names: Names) {
    const [naming, entry] = namingOf(names, origin);
    const { vscpClass, type, guid, index, zone } = origin;
    const quantity = quantityOf(vscpClass, type);
    const known = names.zones.find(({ id }) => id === naming?.zone);
    this.id = origin.id;
    this.entry = entry;
    this.named = naming !== undefined;
    this.shown = shownUnit(origin, naming?.unit);
    this.name = naming?.name ?? `${quantity}, sensor ${Math.max(0, index)}`;
    this.place = naming?.place ?? known?.name ?? (zone >= 0 ? `Zone ${zone}` : nodeWords(guid));
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

  /** Takes a reading; false if a newer one is there, which is not of a clock that was ahead. */
  take(time: number, value: number, now: number): boolean {
    if (time < this.time && this.time <= now) return false;
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

function decimalsOf(value: number): number {
  for (let digits = 0; digits < MAX_DECIMALS; digits++) {
    if (Number(value.toFixed(digits)) === value) return digits;
  }
  return MAX_DECIMALS;
}
