/** What an event says of a sensor: which one it is, and its value. */
import {
  CLASS,
  DATA,
  DATE_FORM,
  DateForm,
  GUID,
  readU16,
  readU32,
  SIZE,
  STAMP_HIGH,
  STAMP_LOW,
  TYPE,
} from '../event/layout.js';
import { decodeFields, Fields } from '../event/fields.js';
import { isMeasurement, isOtherwise } from '../event/carries.js';
import { restOfSecond, secondsOf } from '../event/time.js';
import { convert, type Unit, unitOf, unitsOf } from '../policy/units.js';

const ID = /^(\d{1,5})\.(\d{1,5})\.([0-9A-F]{32})\.(\d{1,3})(?:\.(\d{1,3})\.(\d{1,3}))?$/;

/** Which sensor an event is of; one instance is reused. */
export class Origin {
  /** Safe in a URL; the same for every event of the sensor, whatever unit it comes in. */
  id = '';
  vscpClass = 0;
  type = 0;
  /** 32 hexadecimal digits. */
  guid = '';
  /** -1 here and below: the class has none. */
  index = -1;
  zone = -1;
  subzone = -1;
  /** As it came; NaN: the event carries none. */
  value = NaN;
  /** That the value came in; undefined: the type has no units. */
  unit: Unit | undefined;
  readonly #fields = new Fields();

  /**
   * Reads the event whose binary form is at `at`.
   *
   * Events of the classes 512 to 1023 are those of the Level I class, sent by the GUID in their data
   * (specification, "Level I events over Level II").
   */
  read(body: Uint8Array, at = 0): void {
    const vscpClass = readU16(body, at + CLASS);
    const mirrored = vscpClass >= 512 && vscpClass < 1024;
    this.vscpClass = mirrored ? vscpClass - 512 : vscpClass;
    this.type = readU16(body, at + TYPE);
    const inside = mirrored && readU16(body, at + SIZE) >= 16;
    this.guid = hexOf(body, at + (inside ? DATA : GUID));
    const fields = this.#fields;
    decodeFields(body, at, fields);
    const { index, zone, subzone, value, unit } = fields;
    Object.assign(this, { index, zone, subzone, value });
    if (isOtherwise(vscpClass, this.type) || !isMeasurement(vscpClass)) this.value = NaN;
    this.unit = unitOf(vscpClass, this.type, Math.max(0, unit));
    this.id = this.#idOf();
  }

  /**
   * Takes what an id says of a sensor, without an event of it.
   *
   * @param unit that its values are in, by name
   * @returns whether it is such an id
   */
  assume(id: string, unit: string): boolean {
    const parts = ID.exec(id);
    if (!parts) return false;
    const [, vscpClass, type, guid, index, zone = -1, subzone = -1] = parts;
    this.vscpClass = Number(vscpClass);
    this.type = Number(type);
    this.guid = guid!;
    this.index = Number(index);
    this.zone = Number(zone);
    this.subzone = Number(subzone);
    this.value = NaN;
    this.unit = unitsOf(this.vscpClass, this.type).find(({ name }) => name === unit);
    this.id = this.#idOf();
    return this.id === id;
  }

  #idOf(): string {
    const { vscpClass, type, guid, index, zone, subzone } = this;
    const parts = [vscpClass, type, guid, Math.max(0, index)];
    if (zone >= 0 || subzone >= 0) parts.push(Math.max(0, zone), Math.max(0, subzone));
    return parts.join('.');
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, '0'),
);

function hexOf(bytes: Uint8Array, at: number): string {
  let text = '';
  for (let i = at; i < at + 16; i++) text += HEX[bytes[i]!]!;
  return text;
}

/** Units that people expect where the default unit of the specification is another. */
const EXPECTED: Readonly<Record<string, string>> = { kelvin: 'celsius', radian: 'degree' };

/**
 * The unit that a sensor's values are shown and kept in, whichever unit an event comes in: the one that
 * is asked for by name, else a usual one, if its values convert into it.
 */
export function shownUnit({ vscpClass, type, unit }: Origin, asked?: string): Unit | undefined {
  const known = unitsOf(vscpClass, type);
  const usual = known[0]?.name ?? '';
  const wanted = [asked, EXPECTED[usual] ?? usual].flatMap(
    (each) => known.find(({ name }) => name === each) ?? [],
  );
  return wanted.find(({ base }) => base === unit?.base) ?? unit;
}

/** A value in the unit that it is shown in; NaN if it does not convert. */
export function shownValue({ value, unit }: Origin, shown: Unit | undefined): number {
  if (unit?.name === shown?.name) return value;
  const converted = unit && shown ? convert(value, unit, shown) : NaN;
  return Number.isFinite(converted) ? converted : NaN;
}

/** An event from the future is of now, ms. */
const AHEAD = 5 * 60_000;
/** Before this a clock was not set: 2000-01-01. */
const EARLIEST = Date.UTC(2000, 0, 1);

/** When the event at `at` says that it happened, ms since 1970; `now` where it says nothing sensible. */
export function timeOf(body: Uint8Array, at: number, now: number): number {
  const time = secondsOf(body, at) * 1000 + restOf(body, at);
  return time >= EARLIEST && time <= now + AHEAD ? Math.min(time, now) : now;
}

/** ms beyond whole seconds; behind a datetime, a timestamp of less than a second is taken for that. */
function restOf(body: Uint8Array, at: number): number {
  const [high, low] = [readU32(body, at + STAMP_HIGH), readU32(body, at + STAMP_LOW)];
  if (body[at + DATE_FORM] === DateForm.none) return Math.floor(restOfSecond(high, low) / 1e6);
  return high === 0 && low < 1e6 ? Math.floor(low / 1000) : 0;
}
