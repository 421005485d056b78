/** What the link server answers, in VSCP's own words where it has some. */
import { MALFORMED_KINDS, malformedIndex } from '../../event/malformed.js';

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`);

export const GREETING = Buffer.from(
  'tidegate board\r\nVSCP tcp/ip link protocol\r\n+OK - Success.\r\n',
);
/** Nothing but this: a client tells it from an answer so. */
export const SIGN = line('+OK');
export const SUCCESS = line('+OK - Success.');
export const USER_ACCEPTED = line('+OK - User name accepted, password please');
export const LOOP_ENTERED = line('+OK - Receive loop entered. QUITLOOP to terminate.');
export const LOOP_LEFT = line('+OK - Quit receive loop.');
export const GOODBYE = line('+OK - Connection closed by client.');
export const CLEARED = line('+OK - All events cleared.');
export const NEEDS_LOGIN = line('-OK - Need to log in to perform this command.');
export const NEEDS_USER = line('-OK - Need a Username before a password can be entered.');
export const LOGGED_IN = line('-OK - Logged in already.');
export const WRONG_LOGIN = line('-OK - Invalid username or password.');
export const WRONG_CERTIFICATE = line('-OK - The client certificate does not fit this user.');
export const TOO_MANY_LOGINS = line('-OK - Too many failed logins, try again later.');
export const TOO_MANY_READERS = line('-OK - Too many readers, try again later.');
export const NO_EVENTS = line('-OK - No event(s) available');
export const NO_RIGHT = line('-OK - No right to perform this command.');
export const INVALID = line('-OK - Invalid parameter or format');
export const UNKNOWN = line('-OK - Unknown command');
export const UNSUPPORTED = line('-OK - Command is not supported here.');
export const NOTHING_TO_REPEAT = line('-OK - No command to repeat.');
export const TOO_LONG = line('-OK - Line too long.');

const MALFORMED = MALFORMED_KINDS.map((kind) =>
  line(`-OK - Invalid parameter or format (${kind})`),
);

/** @param result what the decoder said of a SEND */
export function malformed(result: number): Buffer {
  return MALFORMED[malformedIndex(result)] ?? INVALID;
}
