/**
 * The fixed table of messages between the supervisor and lower or dial, lines of text, and the way of
 * a connection from them to its worker, which does not lead through the supervisor.
 */
import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { EXIT } from './exit.js';
import { FD } from './fd.js';

/** From lower or dial: a connection was handed over. */
export interface ConnectionMessage {
  /** Counts from 1 in each process. */
  readonly number: number;
  /** Bytes that were written to it. */
  readonly script: number;
}

/** From the supervisor: the connection has ended, make another. */
export interface DialMessage {
  /** Whether it was of use, so that the schedule starts afresh. */
  readonly useful: boolean;
  /** Whether the server refused, so that the next try can wait. */
  readonly refused: boolean;
}

/** A connection that is not on its way after so many ms will not be: the process starts afresh. */
const PATIENCE = 5000;

/** A message is no longer than this. */
export const MAX_MESSAGE = 64;

/**
 * Reads a message of lower or dial: `connection NUMBER SCRIPT`.
 *
 * @throws Error on anything else: the sender is broken or hostile
 */
export function parseConnection(line: string): ConnectionMessage {
  const match = /^connection ([1-9]\d{0,8}) (\d{1,5})$/.exec(line);
  if (!match) throw new Error('unknown message');
  return { number: Number(match[1]), script: Number(match[2]) };
}

export function formatDial({ useful, refused }: DialMessage): string {
  return `dial ${useful ? 'useful' : 'useless'} ${refused ? 'refused' : 'accepted'}\n`;
}

/** Reads a message of the supervisor. */
export function parseDial(line: string): DialMessage {
  const match = /^dial (useful|useless) (refused|accepted)$/.exec(line);
  if (!match) throw new Error('unknown message');
  return { useful: match[1] === 'useful', refused: match[2] === 'refused' };
}

/** A connection whose reading is stopped, as Node keeps it below its Socket. */
export interface RawHandle {
  close(): void;
}

/** What the receiver looks for in the message that Node sends along with a connection. */
export const numberMark = (number: number): string => `"connection":${number}}`;

/**
 * Hands a paused connection over and closes this process's copy of it.
 *
 * The raw handle is sent, not the Socket: what Node sends of a Socket would be more. `destroy` closes
 * only our copy and sends no FIN, as the other copy is still open.
 */
export function handOver(
  socket: Socket,
  { number, script }: ConnectionMessage,
  done: (handedOver: boolean) => void,
): void {
  const handle = (socket as unknown as { _handle: RawHandle | null })._handle;
  if (!handle || !process.send) {
    socket.destroy();
    done(false);
    return;
  }
  const message = { connection: number };
  // Node keeps what is sent until the connection before it has been taken: nobody takes them any more.
  const stuck = setTimeout(() => process.exit(EXIT.failure), PATIENCE);
  process.send(message, handle as unknown as Socket, { keepOpen: true }, (error) => {
    clearTimeout(stuck);
    socket.destroy();
    // Said when it is there: whoever is told need not wait for it.
    if (error === null) writeSync(FD.messages, `connection ${number} ${script}\n`);
    done(error === null);
  });
}
