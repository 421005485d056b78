/** A second, slow decoder of event lines, written with split and BigInt, to check the real one. */
import type { Fields } from '../arbitrary/event.js';

const NUMBER = /^(?:\d+|0[xX][0-9a-fA-F]+)$/;

/** Digits are bounded too, by those of `max`: a field of a thousand zeros is malformed. */
function integer(text: string, max: bigint): bigint | undefined {
  if (!NUMBER.test(text)) return undefined;
  const hex = /^0x/i.test(text);
  if (text.length - (hex ? 2 : 0) > digits(max, hex)) return undefined;
  const value = BigInt(text.toLowerCase());
  return value <= max ? value : undefined;
}

function digits(max: bigint, hex: boolean): number {
  if (max === 65535n) return hex ? 8 : 10;
  return max.toString(hex ? 16 : 10).length;
}

export function naiveDecode(line: string): Fields | undefined {
  const parts = line.split(',');
  if (parts.length < 7) return undefined;
  const [head, vscpClass, type] = parts.slice(0, 3).map((part) => integer(part, 65535n));
  const obid = parts[3] === '' ? 0n : integer(parts[3]!, 0xffffffffn);
  const timestamp = parts[5] === '' ? 0n : integer(parts[5]!, (1n << 64n) - 1n);
  const datetime = parts[4]!;
  if (datetime !== '') {
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?$/.test(datetime)) return undefined;
    const plain = datetime.slice(0, 19);
    const [year, month, day] = plain.slice(0, 10).split('-').map(Number);
    const date = new Date(0);
    date.setUTCFullYear(year!, month! - 1, day);
    if (date.getUTCMonth() !== month! - 1 || date.getUTCDate() !== day) return undefined;
    const clock = plain.slice(11);
    if (clock !== '23:59:60' && !/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/.test(clock)) return undefined;
  }
  const groups = parts[6]!.split(':');
  if (groups.length !== 16 || !groups.every((group) => /^[0-9a-fA-F]{1,2}$/.test(group))) {
    return undefined;
  }
  const data = parts.slice(7).map((part) => integer(part, 255n));
  if (data.length > 512 || data.some((value) => value === undefined)) return undefined;
  if (head === undefined || vscpClass === undefined || type === undefined) return undefined;
  if (obid === undefined || timestamp === undefined) return undefined;
  return {
    head: Number(head),
    vscpClass: Number(vscpClass),
    type: Number(type),
    obid: Number(obid),
    datetime,
    timestamp,
    guid: groups.map((group) => Number.parseInt(group, 16)),
    data: data.map(Number),
  };
}
