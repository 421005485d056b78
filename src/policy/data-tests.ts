/** What an arm asks of an event's data, in the form that the engine evaluates. */
import type { Fields } from '../event/fields.js';
import type { Arm, Interval } from './match.js';

const CODES = 256;

/** By value + 1: 1 if it matches; the first is for a field that is missing. */
type ByteTests = Uint8Array | undefined;

export class DataTests {
  readonly #sensors: ByteTests;
  readonly #zones: ByteTests;
  readonly #subzones: ByteTests;
  readonly #units: ByteTests;
  readonly #sizes: Interval;
  /** By unit code; NaN where the code has no interval. */
  readonly #from: Float64Array | undefined;
  readonly #to: Float64Array | undefined;
  readonly #otherwise: boolean;

  constructor(arm: Arm) {
    this.#sensors = tests(arm.sensors);
    this.#zones = tests(arm.zones);
    this.#subzones = tests(arm.subzones);
    this.#units = tests(arm.units);
    this.#sizes = arm.sizes ?? [0, Infinity];
    this.#otherwise = arm.values?.otherwise ?? true;
    if (arm.values) {
      this.#from = new Float64Array(CODES).fill(NaN);
      this.#to = new Float64Array(CODES).fill(NaN);
      for (const [code, [from, to]] of arm.values.intervals) {
        this.#from[code] = from;
        this.#to[code] = to;
      }
    }
  }

  /** @param size data bytes */
  match(fields: Fields, size: number): boolean {
    return (
      size >= this.#sizes[0] &&
      size <= this.#sizes[1] &&
      has(this.#sensors, fields.index) &&
      has(this.#zones, fields.zone) &&
      has(this.#subzones, fields.subzone) &&
      has(this.#units, fields.unit) &&
      this.#matchesValue(fields)
    );
  }

  #matchesValue({ value, unit }: Fields): boolean {
    if (!this.#from) return true;
    const from = unit < 0 ? NaN : this.#from[unit]!;
    // A value that is missing, or in a unit that does not convert.
    if (Number.isNaN(value) || Number.isNaN(from)) return this.#otherwise;
    return value >= from && value <= this.#to![unit]!;
  }
}

function tests(set: ReadonlySet<number> | undefined): ByteTests {
  if (!set) return undefined;
  return Uint8Array.from({ length: CODES + 1 }, (_, i) => Number(set.has(i - 1)));
}

function has(bytes: ByteTests, value: number): boolean {
  return bytes === undefined || bytes[value + 1] === 1;
}

/** undefined: the arm asks nothing of the data. */
export function compileData(arm: Arm): DataTests | undefined {
  const { sensors, zones, subzones, units, values, sizes } = arm;
  const asked = [sensors, zones, subzones, units, values, sizes];
  return asked.every((each) => each === undefined) ? undefined : new DataTests(arm);
}
