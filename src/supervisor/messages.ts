/** The supervisor's side of its messages with lower and dial: bounded lines, a fixed table. */
import type { Socket } from 'node:net';
import {
  type ConnectionMessage,
  type DialMessage,
  formatDial,
  MAX_MESSAGE,
  parseConnection,
} from '../wire/handover.js';

/** Orders that a process has not read, bytes, before it is taken for hostile. */
const MAX_WAITING = 4096;

/**
 * Takes the messages of a dialling process.
 *
 * @param connected may throw: then the message is refused
 * @param refused called once, at the first thing that is not in the table; nothing is heard after it
 */
export function receiveConnections(
  messages: Socket,
  connected: (message: ConnectionMessage) => void,
  refused: (reason: string) => void,
): void {
  let rest = '';
  const take = (chunk: Buffer): void => {
    rest += chunk.toString('latin1');
    try {
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        connected(parseConnection(line));
      }
      if (rest.length > MAX_MESSAGE) throw new Error('a message without an end');
    } catch (error) {
      messages.off('data', take);
      messages.destroy();
      refused((error as Error).message);
    }
  };
  messages.on('data', take);
}

/** Returns false if the process does not read its orders. */
export function sendOrder(messages: Socket, order: DialMessage): boolean {
  if (!messages.writable || messages.writableLength > MAX_WAITING) return false;
  messages.write(formatDial(order));
  return true;
}
