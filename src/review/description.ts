/** An event decoded for people: tokens, GUID, and what its data carries. */
import { eventPriority, formatEvent, unpackEvent } from '../event/event.js';
import { formatGuid } from '../event/guid.js';
import { className, typeName } from '../policy/tokens.js';
import type { Facts } from './matching.js';
import { timeText, unitText } from './words.js';

export interface Description {
  /** The event in the text form of the link protocol, canonical. */
  readonly line: string;
  readonly class: number;
  readonly className: string;
  readonly type: number;
  readonly typeName: string;
  readonly priority: number;
  readonly guid: string;
  /** null here and below: it has none. */
  readonly time: string | null;
  readonly data: readonly number[];
  readonly value: number | null;
  readonly unit: string | null;
  readonly sensor: number | null;
  readonly zone: number | null;
  readonly subzone: number | null;
  /** The value is NaN or an infinity. */
  readonly notFinite: boolean;
}

export function describeEvent({ body, fields }: Facts): Description {
  const event = unpackEvent(body);
  const { vscpClass, type } = event;
  const byte = (value: number): number | null => (value < 0 ? null : value);
  return {
    line: formatEvent(body),
    class: vscpClass,
    className: className(vscpClass),
    type,
    typeName: typeName(vscpClass, type),
    priority: eventPriority(event),
    guid: formatGuid(event.guid),
    time: timeText(event) ?? null,
    data: [...event.data],
    value: Number.isNaN(fields.value) ? null : fields.value,
    unit: fields.unit < 0 ? null : unitText(vscpClass, type, fields.unit),
    sensor: byte(fields.index),
    zone: byte(fields.zone),
    subzone: byte(fields.subzone),
    notFinite: fields.notFinite,
  };
}
