/**
 * The filter and the mask of a reader: an event passes if `(event ^ filter) & mask` is 0 in every
 * field.
 *
 * Source: VSCP specification, "VSCP tcp/ip link protocol", SETFILTER and SETMASK.
 */
import { parseGuid } from '../../event/guid.js';
import { CLASS, GUID, HEAD, priorityOf, readU16, TYPE } from '../../event/layout.js';

/** Either of the two. */
export interface Pattern {
  readonly priority: number;
  readonly vscpClass: number;
  readonly type: number;
  readonly guid: Uint8Array;
}

export const EVERYTHING: Pattern = {
  priority: 0,
  vscpClass: 0,
  type: 0,
  guid: new Uint8Array(16),
};

/** Longer arguments than any filter's are not looked at. */
const MOST = 256;

function numberOf(text: string, most: number): number | undefined {
  if (!/^(?:\d{1,5}|0[xX][0-9a-fA-F]{1,4})$/.test(text)) return undefined;
  const number = Number(text);
  return number <= most ? number : undefined;
}

function guidOf(text: string): Uint8Array | undefined {
  if (text === '') return new Uint8Array(16);
  try {
    return parseGuid(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads `priority,class,type,GUID`, numbers decimal or 0x hex; an empty GUID or `-` is all zero. A
 * fifth field, the number of the filter, may only say that it is the first.
 */
export function parsePattern(argument: string): Pattern | undefined {
  const fields = argument.split(',').map((field) => field.trim());
  if (argument.length > MOST || fields.length < 4 || fields.length > 5) return undefined;
  const priority = numberOf(fields[0]!, 255);
  const vscpClass = numberOf(fields[1]!, 0xffff);
  const type = numberOf(fields[2]!, 0xffff);
  const guid = guidOf(fields[3]!);
  if (priority === undefined || vscpClass === undefined || type === undefined || !guid) {
    return undefined;
  }
  if (fields.length === 5 && numberOf(fields[4]!, 0) === undefined) return undefined;
  return { priority: priority & 7, vscpClass, type, guid };
}

/** @param body the event's binary form */
export function passes(body: Uint8Array, filter: Pattern, mask: Pattern): boolean {
  const head = readU16(body, HEAD);
  if (((priorityOf(head) ^ filter.priority) & mask.priority) !== 0) return false;
  if (((readU16(body, CLASS) ^ filter.vscpClass) & mask.vscpClass) !== 0) return false;
  if (((readU16(body, TYPE) ^ filter.type) & mask.type) !== 0) return false;
  for (let i = 0; i < 16; i++) {
    if (((body[GUID + i]! ^ filter.guid[i]!) & mask.guid[i]!) !== 0) return false;
  }
  return true;
}
