/**
 * What clients write in a SEND and the decoder does not take: a GUID that is left to the interface,
 * and a datetime with a fraction of a second.
 */
import { decodeEvent } from '../../event/decode.js';

/** Four fields, the datetime, the timestamp, the GUID, and the data. */
const EVENT = /^((?:[^,]*,){4})([^,]*),([^,]*),([^,]*)(,[^]*)?$/;
/** As JavaScript writes it, and so node-vscp: the fraction is not kept. */
const FRACTION = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{1,9}(Z?)$/;

/**
 * Decodes `bytes[from..end)`, an event's text that was refused, once more.
 *
 * @param own GUID of the interface, as text: stands for `-` and for none (specification, SEND)
 * @param refused what the decoder said
 * @returns what it says now
 */
export function decodeMended(
  bytes: Buffer,
  from: number,
  end: number,
  own: string,
  refused: number,
  out: Uint8Array,
): number {
  const fields = EVENT.exec(bytes.toString('latin1', from, end));
  if (!fields) return refused;
  const [, front = '', datetime = '', timestamp = '', guid = '', data = ''] = fields;
  const whole = guid === '' || guid === '-' ? own : guid;
  const mended = Buffer.from(
    `${front}${datetime.replace(FRACTION, '$1$2')},${timestamp},${whole}${data}`,
    'latin1',
  );
  return decodeEvent(mended, 0, mended.length, out, 0);
}
