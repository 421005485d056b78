/**
 * Units of the measurement types and conversions between them.
 *
 * Source: VSCP specification, pages of CLASS1.MEASUREMENT and CLASS2.MEASUREMENT_STR, which agree;
 * factors from the SI brochure and NIST SP 811.
 */
import { isMeasurement } from '../event/carries.js';

/** base = raw * scale + offset, scale > 0; units with the same base convert into each other. */
export interface Unit {
  readonly name: string;
  readonly code: number;
  readonly base: string;
  readonly scale: number;
  readonly offset: number;
}

/**
 * Units that convert: base, scale, offset. Every other unit is a base of its own: a logarithm
 * (decibel) and what its neighbours measure otherwise (mole beside percent, hertz beside metre).
 *
 * The bases are so small that scales and offsets are whole numbers where the units allow it: 25
 * celsius is then 77 fahrenheit to the last bit.
 */
const SCALES: Readonly<Record<string, readonly [base: string, scale: number, offset?: number]>> = {
  celsius: ['temperature', 900],
  fahrenheit: ['temperature', 500, -16000],
  kelvin: ['temperature', 900, -245835],
  millisecond: ['time', 1],
  second: ['time', 1000],
  becquerel: ['activity', 1],
  curie: ['activity', 3.7e10],
  bar: ['pressure', 1e5],
  pascal: ['pressure', 1],
  psi: ['pressure', 4.4482216152605 / 0.0254 ** 2],
  electronvolt: ['energy', 1.602176634e-19],
  joule: ['energy', 1],
  'kilowatt-hour': ['energy', 3.6e6],
  'watt-hour': ['energy', 3600],
  'imperial-horsepower': ['power', 550 * 0.3048 * 4.4482216152605],
  'metric-horsepower': ['power', 735.49875],
  watt: ['power', 1],
  'ampere-per-metre': ['magnetic field', 1],
  oersted: ['magnetic field', 1000 / (4 * Math.PI)],
  gauss: ['magnetic flux density', 1],
  tesla: ['magnetic flux density', 1e4],
  centilitre: ['volume', 10],
  'cubic-metre': ['volume', 1e6],
  decilitre: ['volume', 100],
  litre: ['volume', 1000],
  millilitre: ['volume', 1],
  arcminute: ['angle', 60],
  arcsecond: ['angle', 1],
  degree: ['angle', 3600],
  radian: ['angle', 648000 / Math.PI],
  'kilometre-per-hour': ['speed', 15625],
  'metre-per-second': ['speed', 56250],
  'mile-per-hour': ['speed', 25146],
  'cubic-metre-per-second': ['flow', 1000],
  'litre-per-second': ['flow', 1],
  'pascal-second': ['viscosity', 10],
  poise: ['viscosity', 1],
  poiseuille: ['viscosity', 10],
  'part-per-million': ['fraction', 1],
  percent: ['fraction', 1e4],
  foot: ['length', 3048],
  inch: ['length', 254],
  metre: ['length', 1e4],
  are: ['area', 100],
  hectare: ['area', 1e4],
  'square-kilometre': ['area', 1e6],
  'square-metre': ['area', 1],
  'watt-per-steradian-cubic-metre': ['spectral radiance', 1],
  'watt-per-steradian-square-metre-nanometre': ['spectral radiance', 1e9],
  'watt-per-cubic-metre': ['spectral irradiance', 1],
  'watt-per-square-metre-nanometre': ['spectral irradiance', 1e9],
  rem: ['equivalent dose', 1],
  sievert: ['equivalent dose', 100],
  'coulomb-per-kilogram': ['exposure', 1e6],
  roentgen: ['exposure', 258],
};

/** Unit names by type of class 10 and, in each, by code. */
const TYPES: readonly (readonly string[])[] = [
  [], // 0 GENERAL
  ['count'],
  ['metre'],
  ['kilogram'],
  ['second', 'millisecond'], // 2 and 3 are a date and a time of day: no quantities
  ['ampere'],
  ['kelvin', 'celsius', 'fahrenheit'],
  ['mole'],
  ['candela'],
  ['hertz'],
  ['becquerel', 'curie'], // 10
  ['newton'],
  ['pascal', 'bar', 'psi'],
  ['joule', 'kilowatt-hour', 'watt-hour', 'electronvolt'],
  ['watt', 'metric-horsepower', 'imperial-horsepower'],
  ['coulomb'],
  ['volt'],
  ['farad'],
  ['ohm'],
  ['siemens'],
  ['ampere-per-metre', 'oersted'], // 20
  ['weber'],
  ['tesla', 'gauss'],
  ['henry'],
  ['lumen'],
  ['lux'],
  ['gray'],
  ['katal'],
  ['cubic-metre', 'litre', 'millilitre', 'decilitre', 'centilitre'],
  ['watt-per-square-metre'],
  ['radian', 'degree', 'arcminute', 'arcsecond'], // 30
  ['longitude', 'latitude'],
  ['metre-per-second', 'kilometre-per-hour', 'mile-per-hour'],
  ['metre-per-second-squared'],
  ['newton-per-metre'],
  ['percent'],
  ['cubic-metre-per-second', 'litre-per-second'],
  ['kelvin-per-watt'],
  ['dioptre'],
  ['pascal-second', 'poiseuille', 'poise'],
  ['rayl'], // 40
  ['acoustic-ohm'],
  ['daraf'],
  ['talbot'],
  ['candela-per-square-metre'],
  ['mole-per-cubic-metre', 'part-per-million', 'percent'],
  ['kilogram-per-cubic-metre'],
  [],
  [],
  ['kelvin', 'celsius', 'fahrenheit'],
  ['relative'], // 50
  ['metre', 'foot', 'inch'],
  ['square-metre', 'are', 'hectare', 'square-kilometre'],
  ['watt-per-steradian'],
  ['watt-per-steradian-square-metre'],
  ['watt-per-square-metre'],
  [
    'watt-per-steradian-square-metre-nanometre',
    'watt-per-steradian-cubic-metre',
    'watt-per-steradian-square-metre-hertz',
  ],
  ['watt-per-square-metre-nanometre', 'watt-per-cubic-metre', 'watt-per-square-metre-hertz'],
  ['pascal'],
  ['pascal'],
  ['decibel'], // 60
  ['sievert', 'rem'],
  ['coulomb-per-kilogram', 'roentgen'],
  ['ratio'],
  ['var'],
  ['kilovar-hour'],
];

const NONE: readonly Unit[] = Object.freeze([]);

function unit(name: string, code: number): Unit {
  const [base, scale, offset = 0] = SCALES[name] ?? [name, 1];
  return Object.freeze({ name, code, base, scale, offset });
}

const LEVEL2 = TYPES.map((names) => Object.freeze(names.map(unit)));
/** The coding byte of Level I has two bits for the unit. */
const LEVEL1 = LEVEL2.map((units) => Object.freeze(units.slice(0, 4)));

/**
 * Units of a measurement type, by code; empty if the specification names none.
 *
 * Types 0..255 of 1040 and 1060 are those of class 10, the next 256 each those of 11..14. A class
 * that carries no unit (60..64, 70..74) has the same units, and its values are in that of code 0.
 */
export function unitsOf(vscpClass: number, type: number): readonly Unit[] {
  if (!isMeasurement(vscpClass)) return NONE;
  if (vscpClass >= 1024) return LEVEL2[type] ?? NONE;
  // 10, 60, 65 and 70 begin a row of five classes each; only the first has types with units.
  return (vscpClass & 511) % 5 === 0 ? (LEVEL1[type] ?? NONE) : NONE;
}

/** The unit that a code stands for in a type. */
export function unitOf(vscpClass: number, type: number, code: number): Unit | undefined {
  return unitsOf(vscpClass, type)[code];
}

/** All unit names known for the type. */
export function unitNames(vscpClass: number, type: number): readonly string[] {
  return unitsOf(vscpClass, type).map(({ name }) => name);
}

/**
 * Converts; the identity within one unit, NaN between units of different bases.
 *
 * Monotone non-decreasing: each step is one rounded operation by a positive factor, or a sum. It
 * may end in an infinity near the largest double.
 */
export function convert(value: number, from: Unit, to: Unit): number {
  if (from.base !== to.base) return NaN;
  if (from.scale === to.scale && from.offset === to.offset) return value;
  return (value * from.scale + (from.offset - to.offset)) / to.scale;
}

const BITS = new DataView(new ArrayBuffer(8));
const SIGN = -(2n ** 63n);
/** Rank of the largest double; ranks number the doubles in order, 0 is 0 and -0. */
const LAST = rankOf(Number.MAX_VALUE);

function rankOf(value: number): bigint {
  BITS.setFloat64(0, value);
  const bits = BITS.getBigInt64(0);
  return bits >= 0n ? bits : SIGN - bits;
}

function atRank(rank: bigint): number {
  BITS.setBigInt64(0, rank >= 0n ? rank : SIGN - rank);
  return BITS.getFloat64(0);
}

/** The first rank of a finite double that holds, where all above it hold too; LAST + 1: none. */
function firstRank(holds: (value: number) => boolean): bigint {
  let from = -LAST;
  let to = LAST + 1n;
  while (from < to) {
    const middle = (from + to) >> 1n;
    if (holds(atRank(middle))) to = middle;
    else from = middle + 1n;
  }
  return from;
}

/**
 * All finite doubles whose conversion lies within bounds, as an inclusive interval; undefined:
 * there are none. A bound that is NaN holds for none.
 */
export function preimage(
  from: Unit,
  to: Unit,
  bounds: {
    readonly ge?: number;
    readonly gt?: number;
    readonly le?: number;
    readonly lt?: number;
  },
): readonly [number, number] | undefined {
  const { ge, gt, le, lt } = bounds;
  const reaches = (value: number): boolean => {
    const converted = convert(value, from, to);
    return (ge === undefined || converted >= ge) && (gt === undefined || converted > gt);
  };
  const exceeds = (value: number): boolean => {
    const converted = convert(value, from, to);
    return !((le === undefined || converted <= le) && (lt === undefined || converted < lt));
  };
  if (from.base !== to.base) return undefined;
  const low = firstRank(reaches);
  const high = firstRank(exceeds) - 1n;
  return low > high ? undefined : [atRank(low), atRank(high)];
}
