/** Events as the fake servers read them, filter them and pass them on. */

export interface Event {
  head: number;
  class: number;
  type: number;
  obid: number;
  datetime: string;
  timestamp: number;
  /** Empty stands for the GUID of the interface that the event came by. */
  guid: readonly number[];
  data: readonly number[];
}

/** Both a filter and a mask: facts.md section 1. */
export interface Pattern {
  priority: number;
  class: number;
  type: number;
  guid: readonly number[];
}

export const EVERYTHING: Pattern = { priority: 0, class: 0, type: 0, guid: [] };

/** What vscpd makes of a number: 0 if it is none. */
export function toNumber(text: string | undefined): number {
  return Number(text?.trim()) || 0;
}

export function toGuid(text: string): number[] {
  if (!text.includes(':')) return [];
  const bytes = text.split(':', 16).map((part) => Number.parseInt(part, 16) & 0xff);
  return [...bytes, ...new Array<number>(16 - bytes.length).fill(0)];
}

export function toEvent(text: string): Event | undefined {
  const [head, klass, type, obid, datetime, timestamp, guid, ...data] = text.split(',');
  if (guid === undefined) return undefined;
  return {
    head: toNumber(head) & 0xffff,
    class: toNumber(klass) & 0xffff,
    type: toNumber(type) & 0xffff,
    obid: toNumber(obid) >>> 0,
    datetime: datetime ?? '',
    timestamp: toNumber(timestamp) >>> 0,
    guid: toGuid(guid),
    data: data.map((byte) => toNumber(byte) & 0xff),
  };
}

export function toPattern(fields: readonly string[]): Pattern {
  return {
    priority: toNumber(fields[0]),
    class: toNumber(fields[1]),
    type: toNumber(fields[2]),
    guid: toGuid(fields[3] ?? ''),
  };
}

export function matches(event: Event, filter: Pattern, mask: Pattern): boolean {
  const differs = (a: number, b: number, bits: number) => ((a ^ b) & bits) !== 0;
  return !(
    differs((event.head >> 5) & 7, filter.priority, mask.priority) ||
    differs(event.class, filter.class, mask.class) ||
    differs(event.type, filter.type, mask.type) ||
    mask.guid.some((bits, i) => differs(event.guid[i] ?? 0, filter.guid[i] ?? 0, bits))
  );
}
