/** Tokens and units as words for people: what a board shows where no names file says otherwise. */
import { className, typeName } from '../policy/tokens.js';

/** Symbols of units, by the names of src/policy/units.ts (SI brochure; BIPM, 9th edition, tables 2 to 8). */
const SYMBOLS: Readonly<Record<string, string>> = {
  ampere: 'A',
  'ampere-per-metre': 'A/m',
  arcminute: '′',
  arcsecond: '″',
  are: 'a',
  bar: 'bar',
  becquerel: 'Bq',
  candela: 'cd',
  'candela-per-square-metre': 'cd/m²',
  celsius: '°C',
  centilitre: 'cl',
  coulomb: 'C',
  'coulomb-per-kilogram': 'C/kg',
  count: '',
  'cubic-metre': 'm³',
  'cubic-metre-per-second': 'm³/s',
  curie: 'Ci',
  decibel: 'dB',
  decilitre: 'dl',
  degree: '°',
  dioptre: 'dpt',
  electronvolt: 'eV',
  fahrenheit: '°F',
  farad: 'F',
  foot: 'ft',
  gauss: 'G',
  gray: 'Gy',
  hectare: 'ha',
  henry: 'H',
  hertz: 'Hz',
  'imperial-horsepower': 'hp',
  inch: 'in',
  joule: 'J',
  katal: 'kat',
  kelvin: 'K',
  'kelvin-per-watt': 'K/W',
  kilogram: 'kg',
  'kilogram-per-cubic-metre': 'kg/m³',
  'kilometre-per-hour': 'km/h',
  'kilovar-hour': 'kvarh',
  'kilowatt-hour': 'kWh',
  latitude: '°',
  litre: 'l',
  'litre-per-second': 'l/s',
  longitude: '°',
  lumen: 'lm',
  lux: 'lx',
  metre: 'm',
  'metre-per-second': 'm/s',
  'metre-per-second-squared': 'm/s²',
  'metric-horsepower': 'PS',
  'mile-per-hour': 'mph',
  millilitre: 'ml',
  millisecond: 'ms',
  mole: 'mol',
  'mole-per-cubic-metre': 'mol/m³',
  newton: 'N',
  'newton-per-metre': 'N/m',
  oersted: 'Oe',
  ohm: 'Ω',
  'part-per-million': 'ppm',
  pascal: 'Pa',
  'pascal-second': 'Pa·s',
  percent: '%',
  poise: 'P',
  psi: 'psi',
  radian: 'rad',
  ratio: '',
  relative: '',
  rem: 'rem',
  roentgen: 'R',
  second: 's',
  siemens: 'S',
  sievert: 'Sv',
  'square-kilometre': 'km²',
  'square-metre': 'm²',
  tesla: 'T',
  var: 'var',
  volt: 'V',
  watt: 'W',
  'watt-hour': 'Wh',
  'watt-per-square-metre': 'W/m²',
  weber: 'Wb',
};

/** The symbol of a unit; its name in words where it has none here. */
export function symbolOf(unit: string): string {
  return SYMBOLS[unit] ?? unit.replaceAll('-', ' ');
}

/** `ELECTRICAL_CURRENT` as `Electrical current`. */
function sentence(token: string): string {
  const words = token.replaceAll('_', ' ').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a type says, for people: `Temperature`; `Type 300` for one that has no token. */
export function quantityOf(vscpClass: number, type: number): string {
  const name = typeName(vscpClass, type);
  return /^\d+$/.test(name) ? `Type ${name}` : sentence(name);
}

/** A class for people: `Alarm`; `Class 4711` for one that has no token. */
export function classWords(vscpClass: number): string {
  const name = className(vscpClass).replace(/^CLASS[12]\.(LEVEL1\.)?/, '');
  return /^\d+$/.test(name) ? `Class ${name}` : sentence(name);
}

/** The node that a GUID of 32 digits ends with (specification, "Globally unique identifiers"). */
export function nodeWords(guid: string): string {
  return `Node ${guid.slice(24, 28)}:${guid.slice(28)}`.replace('Node 0000:', 'Node ');
}
