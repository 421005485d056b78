/** Reads the parameters of the action that sends an event to a remote server. */
import { formatGuid } from '../event/guid.js';
import { parseEvent, type VscpEvent } from '../event/event.js';
import { classToken, typeToken } from './filter.js';
import { checkAttributes, Hindrance } from './hindrance.js';
import type { Element, Row } from './matrix.js';

export interface Remote {
  /** `host:port`. */
  readonly server: string;
  /** Lines of `emit`; none: the event that matched, as it is. */
  readonly emit: readonly string[];
}

const HOST = /^[\w.:/[\]-]{1,253}$/;

/**
 * `host;port;user;password;event`, where the event is `%event` or the text form of one.
 *
 * @throws Hindrance; never with the user or the password in it
 */
export function readRemote(row: Row, param: Element | undefined): Remote {
  if (!param) throw new Hindrance(row, 'there is no <param>: it names the server and the event');
  checkAttributes(param, []);
  const parts = param.text.trim().split(';');
  const [host = '', port = '', user = '', password = '', event = '', ...more] = parts.map((part) =>
    part.trim(),
  );
  // The daemon puts values in before it splits at ';': one in front may move the event.
  if ([host, port, user, password].some((part) => part.replaceAll('%%', '').includes('%'))) {
    throw new Hindrance(param, 'an escape (%) in front of the event: write the server out');
  }
  if (more.some((part) => part !== '') || event === '') {
    throw new Hindrance(param, 'the parameters must be host;port;user;password;event');
  }
  if (!HOST.test(host)) throw new Hindrance(param, 'the server has no name, or none of ASCII');
  if (!/^\d{1,5}$/.test(port)) throw new Hindrance(param, 'the port is no number');
  return {
    server: `${host.toLowerCase()}:${port}`,
    emit: event === '%event' ? [] : emitLines(param, event),
  };
}

const NO_GUID = formatGuid(new Uint8Array(16));

function emitLines(param: Element, text: string): string[] {
  if (text.includes('%') || text.startsWith('$')) {
    const what = 'the event sent is made up of escapes or variables';
    throw new Hindrance(param, `${what}: say what is sent with 'emit', by hand`);
  }
  const event = readEvent(param, text);
  if (event.datetime !== '' || event.timestamp !== 0n) {
    throw new Hindrance(param, "'emit' cannot send a fixed time: leave date and timestamp empty");
  }
  if ((event.head & 0x1f) !== 0) {
    throw new Hindrance(param, "of the head, 'emit' sends the priority only: clear its lower bits");
  }
  return [
    `priority: ${(event.head >> 5) & 7}`,
    `class: ${classToken(event.vscpClass)}`,
    `type: ${typeToken(event.vscpClass, event.type)}`,
    ...(event.guid.some((byte) => byte !== 0) ? [`guid: "${formatGuid(event.guid)}"`] : []),
    ...(event.data.length > 0 ? [`data: [${event.data.join(', ')}]`] : []),
  ];
}

function readEvent(param: Element, text: string): VscpEvent {
  try {
    // '-' stands for the GUID of the server's own interface, for which zeroes stand here.
    return parseEvent(text.replace(/^(?<head>(?:[^,]*,){6})-(?=,|$)/, `$<head>${NO_GUID}`));
  } catch (error) {
    const form = 'head,class,type,obid,date,timestamp,GUID,data';
    throw new Hindrance(param, `the event sent: ${(error as Error).message}; it is ${form}`);
  }
}
