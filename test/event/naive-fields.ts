/** A second, slow decoder of event data, written with BigInt and text, to check the real one. */
import { carries } from '../../src/event/carries.js';
import { type Fields } from '../../src/event/fields.js';

type Plain = { -readonly [K in keyof Fields]: Fields[K] };

export const nothing = (): Plain => ({
  index: -1,
  zone: -1,
  subzone: -1,
  unit: -1,
  value: NaN,
  notFinite: false,
});

/** Types of the zone classes that the specification lays out otherwise, or not at all. */
const FREE: Readonly<Record<number, readonly number[]>> = {
  1: [0],
  2: [0],
  20: [0, 36, 38, 39],
  30: [0, 25],
  40: [0, 16, 17, 18, 19, 61],
  50: [0],
  90: [0],
  95: [0],
  102: [0, 6],
};
const NUMBER = /^-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?$/;

function float(bytes: readonly number[]): number {
  const view = new DataView(Uint8Array.from(bytes).buffer);
  return bytes.length === 4 ? view.getFloat32(0) : view.getFloat64(0);
}

function integer(bytes: readonly number[]): bigint {
  const unsigned = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return BigInt.asIntN(8 * bytes.length, unsigned);
}

function number(bytes: readonly number[]): number | undefined {
  const text = String.fromCharCode(...bytes);
  return NUMBER.test(text) ? Number(text) : undefined;
}

/** The value behind a coding byte; undefined: none. */
function coded(coding: number, rest: readonly number[]): number | undefined {
  if (coding === 2) return number(rest);
  if (coding === 3 && rest.length > 0) return Number(integer(rest));
  if (coding === 4 && rest.length > 1) {
    const sign = rest[0]! & 0x80 ? '-' : '';
    return Number(`${integer(rest.slice(1))}e${sign}${rest[0]! & 0x7f}`);
  }
  return coding === 5 && rest.length === 4 ? float(rest) : undefined;
}

export function naiveFields(vscpClass: number, type: number, data: readonly number[]): Plain {
  const out = nothing();
  const set = (value: number | undefined) => {
    if (value === undefined) return;
    if (Number.isFinite(value)) out.value = value === 0 ? 0 : value;
    else out.notFinite = true;
  };
  let level1 = vscpClass;
  let bytes = data;
  if (vscpClass > 511 && vscpClass < 1024) {
    if (data.length < 16) return out;
    level1 -= 512;
    bytes = data.slice(16);
  }
  const place = () => {
    out.index = bytes[0] ?? -1;
    out.zone = bytes[1] ?? -1;
    out.subzone = bytes[2] ?? -1;
  };
  if (vscpClass === 1060) {
    if (bytes.length !== 12) return out;
    place();
    out.unit = bytes[3]!;
    set(float(bytes.slice(4)));
  } else if (vscpClass === 1040) {
    place();
    out.unit = bytes[3] ?? -1;
    const text = bytes.length > 4 && bytes.at(-1) === 0 ? bytes.slice(4, -1) : bytes.slice(4);
    if (text.length <= 483) set(number(text));
  } else if (vscpClass < 1024 && bytes.length <= 8) {
    const family = Math.floor(level1 / 5) * 5;
    if (family === 10) {
      if (bytes.length === 0) return out;
      out.unit = (bytes[0]! >> 3) & 3;
      out.index = bytes[0]! & 7;
      set(coded(bytes[0]! >> 5, bytes.slice(1)));
    } else if (family === 60 || family === 70) {
      if (bytes.length !== (family === 60 ? 8 : 4)) return out;
      out.unit = 0;
      set(float(bytes));
    } else if (family === 65) {
      place();
      if (bytes.length < 4) return out;
      out.unit = (bytes[3]! >> 3) & 3;
      set(coded(bytes[3]! >> 5, bytes.slice(4)));
    } else if (carries(level1)?.zone === true && FREE[level1]?.includes(type) !== true) {
      place();
      if (carries(level1)?.index === false) out.index = -1;
    }
  }
  return out;
}
