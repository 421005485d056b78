/** The fixed table of messages between the supervisor and lower or dial: a handle, an order. */
import type { Socket } from 'node:net';

/** From lower or dial: here is a connection; `script` counts the bytes that were written to it. */
export interface ConnectionMessage {
  readonly type: 'connection';
  readonly script: number;
}

/** From the supervisor: the connection has ended, make another. */
export interface DialMessage {
  readonly type: 'dial';
  /** Whether it was of use, so that the schedule starts afresh. */
  readonly useful: boolean;
  /** Whether the server refused, so that the next try can wait. */
  readonly refused: boolean;
}

/**
 * Checks a message of lower or dial.
 *
 * @throws Error on anything that is not in the table: the sender is broken or hostile
 */
export function checkConnection(message: unknown): ConnectionMessage {
  const { type, script, ...rest } = message as Record<string, unknown>;
  if (
    type !== 'connection' ||
    !Number.isSafeInteger(script) ||
    (script as number) < 0 ||
    Object.keys(rest).length > 0
  ) {
    throw new Error('unknown message');
  }
  return { type, script: script as number };
}

/** Checks a message of the supervisor. */
export function checkDial(message: unknown): DialMessage {
  const { type, useful, refused } = message as Record<string, unknown>;
  if (type !== 'dial' || typeof useful !== 'boolean' || typeof refused !== 'boolean') {
    throw new Error('unknown message');
  }
  return { type, useful, refused };
}

/** A connection whose reading is stopped, as Node keeps it below its Socket. */
export interface RawHandle {
  close(): void;
}

/**
 * Hands a paused connection to the supervisor and closes this process's copy of it.
 *
 * The raw handle is sent, not the Socket: the receiver of a Socket would begin to read. `destroy`
 * closes only our copy and sends no FIN, as the other copy is still open.
 */
export function handOver(
  socket: Socket,
  script: number,
  done: (handedOver: boolean) => void,
): void {
  const handle = (socket as unknown as { _handle: RawHandle | null })._handle;
  if (!handle || !process.send) {
    socket.destroy();
    done(false);
    return;
  }
  const message: ConnectionMessage = { type: 'connection', script };
  process.send(message, handle as unknown as Socket, { keepOpen: true }, (error) => {
    socket.destroy();
    done(error === null);
  });
}
