/** What the data of each class carries, by the pages of the classes in the VSCP specification. */

/** What the data of a class carries by the specification. */
export interface Carries {
  /** A measured value; a class that commands a value carries none. */
  readonly value: boolean;
  /** A unit code; a measurement without one is in the default unit, code 0. */
  readonly unit: boolean;
  readonly index: boolean;
  /** Zone and subzone. */
  readonly zone: boolean;
}

export const NOTHING = 0;
export const CODED = 1; // coding byte, value
export const DOUBLE = 2; // float64
export const ZONED = 3; // index, zone, subzone, coding byte, value
export const SINGLE = 4; // float32
export const PLACED = 5; // anything, zone, subzone
export const LISTED = 6; // index, zone, subzone
export const TEXT = 7; // index, zone, subzone, unit, decimal number
export const FLOAT = 8; // index, zone, subzone, unit, float64

const CARRIES: readonly (Carries | undefined)[] = [
  undefined,
  Object.freeze({ value: true, unit: true, index: true, zone: false }),
  Object.freeze({ value: true, unit: false, index: false, zone: false }),
  Object.freeze({ value: true, unit: true, index: true, zone: true }),
  Object.freeze({ value: true, unit: false, index: false, zone: false }),
  Object.freeze({ value: false, unit: false, index: false, zone: true }),
  Object.freeze({ value: false, unit: false, index: true, zone: true }),
  Object.freeze({ value: true, unit: true, index: true, zone: true }),
  Object.freeze({ value: true, unit: true, index: true, zone: true }),
];

/** Layouts of the Level I classes; 512 + n has that of n, behind a GUID. */
const LAYOUTS = new Uint8Array(512);
LAYOUTS.fill(CODED, 10, 15);
LAYOUTS.fill(DOUBLE, 60, 65);
LAYOUTS.fill(ZONED, 65, 70);
LAYOUTS.fill(SINGLE, 70, 75);
LAYOUTS.fill(LISTED, 85, 90); // SETVALUEZONE: the value is a command
// ALARM, SECURITY, INFORMATION, CONTROL, MULTIMEDIA, DISPLAY: byte 0 is most often no index.
for (const placed of [1, 2, 20, 30, 40, 102]) LAYOUTS[placed] = PLACED;
// AOL, WEATHER, WEATHER_FORECAST, DIAGNOSTIC, ERROR.
for (const listed of [50, 90, 95, 506, 508]) LAYOUTS[listed] = LISTED;
// Left out: CONFIGURATION 120 and IR 110 (zone in a minority of types), PHONE 100 (in one type);
// the other classes name no zone, or only Level II types of their own (1026 TOKEN_ACTIVITY).

/** Types of these classes whose data is laid out otherwise, or freely. */
const FREELY: readonly (readonly [vscpClass: number, types: readonly number[]])[] = [
  [1, [0]], // 0 in each is GENERAL
  [2, [0]],
  [20, [0, 36, 38, 39]], // streams, CONFIRM
  [30, [0, 25]], // a stream
  [40, [0, 16, 17, 18, 19, 61]], // reserved, CONTROL_RESPONSE
  [50, [0]],
  [90, [0]],
  [95, [0]],
  [102, [0, 6]], // SET_DISPLAY_BUFFER_PARAM
];
const OTHERWISE: ReadonlySet<number> = new Set(
  FREELY.flatMap(([vscpClass, types]) => types.map((type) => vscpClass * 65536 + type)),
);

/** How the data of a class is laid out. */
export function layoutOf(vscpClass: number): number {
  if (vscpClass < 1024) return LAYOUTS[vscpClass & 511]!;
  return vscpClass === 1040 ? TEXT : vscpClass === 1060 ? FLOAT : NOTHING;
}

/** What a class carries; undefined: nothing that this file knows. The objects are shared. */
export function carries(vscpClass: number): Carries | undefined {
  return CARRIES[layoutOf(vscpClass)];
}

/** Whether a class carries measured values. */
export function isMeasurement(vscpClass: number): boolean {
  return carries(vscpClass)?.value === true;
}

/** Whether the data of a type is laid out otherwise than that of its class. */
export function isOtherwise(vscpClass: number, type: number): boolean {
  return OTHERWISE.has((vscpClass & 511) * 65536 + type);
}

/** Highest sensor index that the data of a measurement can say: its coding byte has three bits. */
export function highestIndex(vscpClass: number): number {
  return layoutOf(vscpClass) === CODED ? 7 : 255;
}

/** Highest unit code: Level I has two bits for it, or no unit field at all, which means 0. */
export function highestUnit(vscpClass: number): number {
  if (carries(vscpClass)?.unit !== true) return 0;
  return vscpClass < 1024 ? 3 : 255;
}
